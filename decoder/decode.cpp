// The module's frame: header, sections in order, and what must hold between sections.
#include "decoder/decode.hpp"

#include "decoder/sections.hpp"
#include "decoder/type_reader.hpp"

namespace wrun {
namespace {

using decoder::SectionId;

constexpr u32 magic = 0x6d73'6100;  // "\0asm"
constexpr u32 version = 1;
constexpr u32 component_version = 0x0001'000d;  // version 13, layer 1

Result<void> read_header(Reader& reader) {
    const u32 size = reader.bytes_left();
    const u32 found_magic = WRUN_TRY(reader.fixed_u32());
    if (found_magic != magic) return Error{ErrorCode::bad_magic, 0, 0};
    constexpr u32 version_at = 4;
    if (size < 2 * version_at) return Error{ErrorCode::unexpected_end, 0, size};
    const u32 found_version = WRUN_TRY(reader.fixed_u32());
    if (found_version == component_version) return Error{ErrorCode::component, 0, version_at};
    if (found_version != version) return Error{ErrorCode::bad_version, 0, version_at};
    return {};
}

/// Where a section stands in the prescribed order; ids were not given in that order.
u32 rank(SectionId id) noexcept {
    switch (id) {
        case SectionId::custom: return 0;
        case SectionId::type: return 1;
        case SectionId::import: return 2;
        case SectionId::function: return 3;
        case SectionId::table: return 4;
        case SectionId::memory: return 5;
        case SectionId::tag: return 6;
        case SectionId::global: return 7;
        case SectionId::export_: return 8;
        case SectionId::start: return 9;
        case SectionId::element: return 10;
        case SectionId::data_count: return 11;
        case SectionId::code: return 12;
        case SectionId::data: return 13;
    }
    return 0;
}

Result<void> read_section(SectionId id, Reader& reader, Module& module) {
    switch (id) {
        case SectionId::custom: return decoder::read_custom(reader, module);
        case SectionId::type: return decoder::read_types(reader, module);
        case SectionId::import: return decoder::read_imports(reader, module);
        case SectionId::function: return decoder::read_functions(reader, module);
        case SectionId::table: return decoder::read_tables(reader, module);
        case SectionId::memory: return decoder::read_memories(reader, module);
        case SectionId::global: return decoder::read_globals(reader, module);
        case SectionId::export_: return decoder::read_exports(reader, module);
        case SectionId::start: return decoder::read_start(reader, module);
        case SectionId::element: return decoder::read_elements(reader, module);
        case SectionId::code: return decoder::read_code(reader, module);
        case SectionId::data: return decoder::read_data(reader, module);
        case SectionId::data_count: return decoder::read_data_count(reader, module);
        case SectionId::tag: return unsupported(Feature::exceptions, reader.offset());
    }
    return {};
}

/// One section; `last_rank` is that of the last section which was not custom.
Result<void> read_next_section(Reader& reader, u32& last_rank, Module& module) {
    const u32 id_at = reader.offset();
    const u8 id_byte = WRUN_TRY(reader.byte());
    if (id_byte > to_underlying(SectionId::tag)) {
        return Error{ErrorCode::malformed_section_id, 0, id_at};
    }
    const auto id = static_cast<SectionId>(id_byte);
    const ByteRange payload = WRUN_TRY(reader.sized_bytes());
    if (id == SectionId::data_count && !reader.has(Feature::bulk_memory)) {
        return unsupported(Feature::bulk_memory, id_at);
    }
    if (id != SectionId::custom) {
        if (rank(id) <= last_rank) return Error{ErrorCode::section_out_of_order, 0, id_at};
        last_rank = rank(id);
    }
    Reader section{module.bytes, payload, reader.features()};
    WRUN_TRY(read_section(id, section, module));
    if (!section.at_end()) return section.error_here(ErrorCode::section_size_mismatch);
    module.sections.push_back({id_byte, payload});
    return {};
}

/// Sections that must agree, when one of them is not there.
Result<void> check_counts(const Module& module) {
    const auto end = static_cast<u32>(module.bytes.size());
    if (module.functions.size() - module.imported_function_count != module.bodies.size()) {
        return Error{ErrorCode::function_and_code_counts, 0, end};
    }
    if (module.data_count && *module.data_count != module.data.size()) {
        return Error{ErrorCode::data_count_mismatch, 0, end};
    }
    return {};
}

}  // namespace

Result<Module> decode(std::span<const u8> bytes, FeatureSet features) {
    if (bytes.size() > limits::module_bytes_max) return Error{ErrorCode::module_too_large};
    Module module;
    module.bytes = bytes;
    Reader reader{bytes, {0, static_cast<u32>(bytes.size())}, features};
    WRUN_TRY(read_header(reader));
    u32 last_rank = 0;
    while (!reader.at_end())
        WRUN_TRY(read_next_section(reader, last_rank, module));
    WRUN_TRY(check_counts(module));
    return module;
}

}  // namespace wrun
