// Element and data segments, bodies, custom sections (spec: §5.5.12–5.5.16, §5.5.3).
#include "decoder/immediates.hpp"
#include "decoder/sections.hpp"
#include "decoder/type_reader.hpp"

namespace wrun::decoder {
namespace {

/// The bits of an element segment's flags.
namespace elem_flag {
constexpr u32 not_active = 1;
constexpr u32 has_index = 2;  // active: names its table; else: declarative
constexpr u32 expressions = 4;
constexpr u32 all = 7;
}  // namespace elem_flag

Result<void> read_elem_items(
    Reader& reader, bool expressions, ElemSegment& segment, Module& module) {
    const u32 at = reader.offset();
    const u32 count = WRUN_TRY(reader.count(limits::elem_items_max));
    if (count > limits::elem_items_max - module.elem_items.size()) {
        return Error{ErrorCode::too_many_items, 0, at};
    }
    segment.items_begin = static_cast<u32>(module.elem_items.size());
    segment.item_count = count;
    for (u32 i = 0; i < count; ++i) {
        ElemItem item;
        if (expressions) {
            const ConstExpr expr = WRUN_TRY(read_const_expr(reader));
            item = {expr.begin, expr.end};
        } else {
            item = { WRUN_TRY(reader.leb_u32()), 0 };
        }
        module.elem_items.push_back(item);
    }
    return {};
}

Result<void> read_elem_segment(Reader& reader, Module& module) {
    const u32 at = reader.offset();
    const u32 flags = WRUN_TRY(reader.leb_u32());
    if (flags > elem_flag::all) return Error{ErrorCode::malformed_segment_flags, 0, at};
    const bool expressions = (flags & elem_flag::expressions) != 0;
    const bool indexed = (flags & elem_flag::has_index) != 0;
    ElemSegment segment;
    if ((flags & elem_flag::not_active) != 0) {
        segment.mode = indexed ? SegmentMode::declarative : SegmentMode::passive;
    } else {
        if (indexed) segment.table = TableIndex {
                WRUN_TRY(reader.leb_u32())
            };
        segment.offset = WRUN_TRY(read_const_expr(reader));
    }
    // Flags 0 and 4 are the short forms: functions, of the type funcref.
    if ((flags & (elem_flag::not_active | elem_flag::has_index)) != 0) {
        if (expressions) {
            segment.type = WRUN_TRY(read_ref_type(reader));
        } else {
            const u32 kind_at = reader.offset();
            const u8 kind = WRUN_TRY(reader.byte());
            if (kind != 0) return Error{ErrorCode::malformed_element_kind, 0, kind_at};
        }
    }
    WRUN_TRY(read_elem_items(reader, expressions, segment, module));
    module.elems.push_back(segment);
    return {};
}

Result<void> read_data_segment(Reader& reader, Module& module) {
    constexpr u32 passive = 1;
    constexpr u32 names_memory = 2;
    const u32 at = reader.offset();
    const u32 flags = WRUN_TRY(reader.leb_u32());
    if (flags > names_memory) return Error{ErrorCode::malformed_segment_flags, 0, at};
    DataSegment segment;
    if (flags == passive) {
        segment.mode = SegmentMode::passive;
    } else {
        if (flags == names_memory) segment.memory = MemoryIndex {
                WRUN_TRY(reader.leb_u32())
            };
        segment.offset = WRUN_TRY(read_const_expr(reader));
    }
    segment.bytes = WRUN_TRY(reader.sized_bytes());
    module.data.push_back(segment);
    return {};
}

}  // namespace

Result<void> read_elements(Reader& reader, Module& module) {
    constexpr u32 segment_bytes_min = 3;
    const u32 count = WRUN_TRY(reader.count(limits::elem_segments_max, segment_bytes_min));
    module.elems.reserve(count);
    for (u32 i = 0; i < count; ++i)
        WRUN_TRY(read_elem_segment(reader, module));
    return {};
}

Result<void> read_data_count(Reader& reader, Module& module) {
    const u32 at = reader.offset();
    const u32 count = WRUN_TRY(reader.leb_u32());
    if (count > limits::data_segments_max) return Error{ErrorCode::too_many_items, 0, at};
    module.data_count = count;
    return {};
}

Result<void> read_code(Reader& reader, Module& module) {
    module.code_begin = reader.offset();
    module.code_end = module.code_begin + reader.bytes_left();
    const u32 at = reader.offset();
    constexpr u32 body_bytes_min = 2;
    const u32 count = WRUN_TRY(reader.count(limits::functions_max, body_bytes_min));
    if (count != module.functions.size() - module.imported_function_count) {
        return Error{ErrorCode::function_and_code_counts, 0, at};
    }
    module.bodies.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        const u32 size_at = reader.offset();
        const u32 size = WRUN_TRY(reader.leb_u32());
        if (size > reader.bytes_left()) {
            return Error{ErrorCode::unexpected_end_of_section, 0, size_at};
        }
        if (size > limits::function_bytes_max) {
            return Error{ErrorCode::function_too_large, 0, size_at};
        }
        module.bodies.push_back(WRUN_TRY(reader.bytes(size)));
    }
    return {};
}

Result<void> read_data(Reader& reader, Module& module) {
    const u32 at = reader.offset();
    constexpr u32 segment_bytes_min = 2;
    const u32 count = WRUN_TRY(reader.count(limits::data_segments_max, segment_bytes_min));
    if (module.data_count && *module.data_count != count) {
        return Error{ErrorCode::data_count_mismatch, 0, at};
    }
    module.data.reserve(count);
    for (u32 i = 0; i < count; ++i)
        WRUN_TRY(read_data_segment(reader, module));
    return {};
}

Result<void> read_custom(Reader& reader, Module& module) {
    CustomSection section;
    section.field = WRUN_TRY(reader.name());
    const u32 size = reader.bytes_left();
    section.bytes = WRUN_TRY(reader.bytes(size));
    if (module.text(section.field) == "name") {
        read_names(Reader{module.bytes, section.bytes, reader.features()}, module);
    }
    module.customs.push_back(section);
    return {};
}

}  // namespace wrun::decoder
