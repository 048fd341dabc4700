// The type section, and the types of imports and definitions (spec: §5.3, §5.5.4).
#include "decoder/sections.hpp"
#include "decoder/type_reader.hpp"

namespace wrun::decoder {
namespace {

/// The values of one side of a function type, behind each other in Module::value_types.
Result<u32> read_value_types(Reader& reader, u32 max, Module& module) {
    const u32 count = WRUN_TRY(reader.count(max));
    for (u32 i = 0; i < count; ++i) {
        module.value_types.push_back(WRUN_TRY(read_val_type(reader)));
    }
    return count;
}

Result<void> read_function_type(Reader& reader, Module& module) {
    TypeDef def;
    def.group_begin = static_cast<u32>(module.types.size());
    def.values_begin = static_cast<u32>(module.value_types.size());
    def.param_count = WRUN_TRY(read_value_types(reader, limits::params_max, module));
    const u32 results_at = reader.offset();
    def.result_count = WRUN_TRY(read_value_types(reader, limits::results_max, module));
    if (def.result_count > 1 && !reader.has(Feature::multi_value)) {
        return unsupported(Feature::multi_value, results_at);
    }
    module.types.push_back(def);
    return {};
}

}  // namespace

Result<void> read_types(Reader& reader, Module& module) {
    constexpr u32 type_bytes_min = 3;
    const u32 count = WRUN_TRY(reader.count(limits::types_max, type_bytes_min));
    module.types.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        const u32 at = reader.offset();
        switch (WRUN_TRY(reader.byte())) {
            case type_byte::func: break;
            case type_byte::rec:
            case type_byte::sub:
            case type_byte::sub_final:
            case type_byte::struct_:
            case type_byte::array: return unsupported(Feature::gc, at);
            default: return Error{ErrorCode::malformed_type_form, 0, at};
        }
        WRUN_TRY(read_function_type(reader, module));
    }
    return {};
}

Result<Limits> read_limits(Reader& reader) {
    constexpr u8 has_max = 1;
    constexpr u8 is_shared = 2;
    constexpr u8 is_64 = 4;
    constexpr u8 has_page_size = 8;
    const u32 at = reader.offset();
    const u8 flags = WRUN_TRY(reader.byte());
    if (flags >= 2 * has_page_size) return Error{ErrorCode::malformed_limits_flags, 0, at};
    if ((flags & has_page_size) != 0) return unsupported(Feature::custom_page_sizes, at);
    Limits limits;
    limits.is_64 = (flags & is_64) != 0;
    limits.shared = (flags & is_shared) != 0;
    if (limits.is_64 && !reader.has(Feature::memory64)) return unsupported(Feature::memory64, at);
    if (limits.shared && !reader.has(Feature::threads)) return unsupported(Feature::threads, at);
    const auto bound = [&]() -> Result<u64> {
        if (limits.is_64) return reader.leb_u64();
        return u64 {
            WRUN_TRY(reader.leb_u32())
        };
    };
    limits.min = WRUN_TRY(bound());
    if ((flags & has_max) != 0) limits.max = WRUN_TRY(bound());
    return limits;
}

Result<TableType> read_table_type(Reader& reader) {
    TableType type;
    type.element = WRUN_TRY(read_ref_type(reader));
    type.limits = WRUN_TRY(read_limits(reader));
    return type;
}

Result<MemoryType> read_memory_type(Reader& reader) {
    MemoryType type;
    type.limits = WRUN_TRY(read_limits(reader));
    return type;
}

Result<GlobalType> read_global_type(Reader& reader) {
    GlobalType type;
    type.type = WRUN_TRY(read_val_type(reader));
    const u32 at = reader.offset();
    const u8 mutability = WRUN_TRY(reader.byte());
    if (mutability > 1) return Error{ErrorCode::malformed_mutability, 0, at};
    type.is_mutable = mutability == 1;
    return type;
}

}  // namespace wrun::decoder
