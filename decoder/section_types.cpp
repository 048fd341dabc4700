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

namespace {

/// The bits of limits' flags. Tables have the first and the third only.
namespace limits_flag {
constexpr u8 has_max = 1;
constexpr u8 shared = 2;
constexpr u8 is_64 = 4;
constexpr u8 has_page_size = 8;
constexpr u8 of_tables = has_max | is_64;
constexpr u8 of_memories = has_max | shared | is_64 | has_page_size;
}  // namespace limits_flag

Result<Limits> read_limits(Reader& reader, u8 allowed_flags) {
    const u32 at = reader.offset();
    const u8 flags = WRUN_TRY(reader.byte());
    if ((flags & ~allowed_flags) != 0) return Error{ErrorCode::malformed_limits_flags, 0, at};
    if ((flags & limits_flag::has_page_size) != 0) {
        return unsupported(Feature::custom_page_sizes, at);
    }
    Limits limits;
    limits.is_64 = (flags & limits_flag::is_64) != 0;
    limits.shared = (flags & limits_flag::shared) != 0;
    if (limits.is_64 && !reader.has(Feature::memory64)) return unsupported(Feature::memory64, at);
    if (limits.shared && !reader.has(Feature::threads)) return unsupported(Feature::threads, at);
    const auto bound = [&]() -> Result<u64> {
        if (limits.is_64) return reader.leb_u64();
        return u64 {
            WRUN_TRY(reader.leb_u32())
        };
    };
    limits.min = WRUN_TRY(bound());
    if ((flags & limits_flag::has_max) != 0) limits.max = WRUN_TRY(bound());
    return limits;
}

}  // namespace

Result<TableType> read_table_type(Reader& reader) {
    TableType type;
    type.element = WRUN_TRY(read_ref_type(reader));
    type.limits = WRUN_TRY(read_limits(reader, limits_flag::of_tables));
    return type;
}

Result<MemoryType> read_memory_type(Reader& reader) {
    MemoryType type;
    type.limits = WRUN_TRY(read_limits(reader, limits_flag::of_memories));
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
