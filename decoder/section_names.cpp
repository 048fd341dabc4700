// The name section (spec: appendix §7.4.1): the module's name and its functions' names. It is
// advice for people who read messages, so a malformed one counts as none and nothing else of it is
// read.
#include "decoder/sections.hpp"

namespace wrun::decoder {
namespace {

struct Names {
    ByteRange module;
    Items<FunctionName> functions;
};

Result<void> read_function_names(Reader& reader, Names& names) {
    constexpr u32 entry_bytes_min = 2;
    const u32 count = WRUN_TRY(reader.count(limits::functions_max, entry_bytes_min));
    names.functions.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        const u32 at = reader.offset();
        const FuncIndex func {
            WRUN_TRY(reader.leb_u32())
        };
        const bool ascending = names.functions.empty() || names.functions.back().func < func;
        if (!ascending) return Error{ErrorCode::section_size_mismatch, 0, at};
        names.functions.push_back({ func, WRUN_TRY(reader.name()) });
    }
    return {};
}

Result<Names> read_subsections(Reader& reader) {
    constexpr u8 module_name = 0;
    constexpr u8 function_names = 1;
    Names names;
    while (!reader.at_end()) {
        const u8 id = WRUN_TRY(reader.byte());
        const u32 size = WRUN_TRY(reader.leb_u32());
        if (size > reader.bytes_left()) return reader.error_here(ErrorCode::unexpected_end);
        const u32 left_behind = reader.bytes_left() - size;
        if (id == module_name) {
            names.module = WRUN_TRY(reader.name());
        } else if (id == function_names && names.functions.empty()) {
            WRUN_TRY(read_function_names(reader, names));
        } else {
            (void)WRUN_TRY(reader.bytes(size));
        }
        if (reader.bytes_left() != left_behind) {
            return reader.error_here(ErrorCode::section_size_mismatch);
        }
    }
    return names;
}

}  // namespace

void read_names(Reader reader, Module& module) {
    if (!module.function_names.empty() || module.name.size() != 0) return;
    Result<Names> names = read_subsections(reader);
    if (!names.ok()) return;
    module.name = names.value().module;
    module.function_names = std::move(names.value().functions);
}

}  // namespace wrun::decoder
