// Module → the pieces of its artifact.
#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/checksum.hpp"
#include "codegen/cpu.hpp"
#include "engine/artifact.hpp"
#include "engine/build_id.hpp"
#include "engine/state.hpp"

namespace wrun::engine {

namespace {

template <class T>
[[nodiscard]] std::span<const u8> bytes_of(std::span<const T> items) noexcept {
    return {reinterpret_cast<const u8*>(items.data()), items.size_bytes()};
}

[[nodiscard]] StoredLimits stored(const Limits& limits) noexcept {
    const u32 flags = (limits.max ? StoredLimits::has_max : 0) |
                      (limits.is_64 ? StoredLimits::is_64 : 0) |
                      (limits.shared ? StoredLimits::shared : 0);
    return {limits.min, limits.max.value_or(0), flags, 0};
}

/// What a start may read of the wasm bytes: everything before the code, as no section but data
/// segments' comes later; and those, where there is no image of them.
[[nodiscard]] u64 head_bytes(const wrun::Module& decoded, bool has_image) noexcept {
    return has_image && decoded.code_end != 0 ? decoded.code_begin : decoded.bytes.size();
}

}  // namespace

ArtifactIdentity ArtifactIdentity::here(
    const EngineOptions& engine, const ModuleOptions& module) noexcept {
    ArtifactIdentity result;
    result.build_id = engine::build_id;
    result.cpu_features = codegen::CpuFeatures::host().bits();
    ArtifactConfiguration& configuration = result.configuration;
    configuration.features = engine.features.bits();
    configuration.bounds = to_underlying(module.bounds);
    configuration.integer_homes_max = static_cast<u8>(std::min(engine.integer_homes_max, 255u));
    configuration.float_homes_max = static_cast<u8>(std::min(engine.float_homes_max, 255u));
    configuration.stress =
        static_cast<u8>(u32{engine.stress.spill} | (u32{engine.stress.flush} << 1) |
                        (u32{engine.stress.check} << 2) | (u32{engine.stress.epoch} << 3) |
                        (u32{engine.stress.fuel} << 4));
    configuration.epoch = u8{module.epoch};
    configuration.fuel = u8{module.fuel};
    return result;
}

bool is_artifact(std::span<const u8> bytes) noexcept {
    return bytes.size() >= artifact_magic.size() &&
           std::equal(artifact_magic.begin(), artifact_magic.end(), bytes.begin());
}

Result<FinishedCode> finished_code(const Module& module) {
    const Module::State& state = module.state();
    FinishedCode result;
    if (!state.lazy) return result;
    WRUN_TRY(state.lazy->finish());
    ImageWriter writer = WRUN_TRY(state.lazy->lay_out());
    result.image =
        WRUN_TRY(Image::publish(std::move(writer), state.decoded.imported_function_count, &state));
    result.escaping_code = escaping_code(state.decoded, result.image->view());
    return result;
}

ArtifactBytes::ArtifactBytes(const Module& module, FinishedCode code)
    : ArtifactBytes{module, module.state().snapshot, std::move(code)} {}

ArtifactBytes::ArtifactBytes(const Module& module, const SnapshotView& snapshot, FinishedCode code)
    : ArtifactBytes{ArtifactContent{module.state().decoded, module.state().layout,
          code.image ? code.image->view() : module.state().image->view(),
          module.state().exports_by_name, module.state().item_functions,
          code.image ? code.escaping_code : module.state().escaping_code,
          ArtifactIdentity::here(module.engine().options(), module.options()), snapshot}} {
    WRUN_CHECK(!module.state().lazy || code.image != nullptr);
    code_ = std::move(code);
}

ArtifactBytes::ArtifactBytes(const ArtifactContent& content) {
    const wrun::Module& decoded = content.decoded;
    const bool is_snapshot = !content.snapshot.facts.empty();
    if (!is_snapshot) image_ = make_start_image(decoded);
    const bool has_image = is_snapshot || image_.is_complete;
    store_definitions(decoded);
    store_sections(content);
    header_.magic = artifact_magic;
    header_.version = artifact_version;
    header_.machine = artifact_machine_x64;
    header_.cpu_features = content.identity.cpu_features;
    header_.build_id = content.identity.build_id;
    header_.configuration = content.identity.configuration;
    header_.wasm_digest = Sha256::of(decoded.bytes);
    header_.layout = content.layout;
    header_.imported_function_count = decoded.imported_function_count;
    header_.imported_table_count = decoded.imported_table_count;
    header_.imported_memory_count = decoded.imported_memory_count;
    header_.imported_global_count = decoded.imported_global_count;
    header_.code_begin = decoded.code_begin;
    header_.code_end = decoded.code_end;
    header_.start_function = decoded.start ? decoded.start->value : ArtifactHeader::none;
    header_.data_count = decoded.data_count.value_or(ArtifactHeader::none);
    header_.name = decoded.name;
    header_.has_image = u64{has_image};
    lay_out(head_bytes(decoded, has_image));
}

void ArtifactBytes::store_definitions(const wrun::Module& decoded) {
    for (const Table& table : decoded.tables) {
        tables_.push_back(
            {stored(table.type.limits), table.init, table.type.element, u32{table.imported}});
    }
    for (const Memory& memory : decoded.memories)
        memories_.push_back({stored(memory.type.limits), u64{memory.imported}});
    for (const Global& global : decoded.globals) {
        globals_.push_back(
            {global.init, global.type.type, u16{global.type.is_mutable}, u16{global.imported}});
    }
}

void ArtifactBytes::store_sections(const ArtifactContent& content) {
    const auto put = [&](ArtifactSection section, const auto& items) {
        sections_[to_underlying(section)] = bytes_of(std::span{items});
    };
    const wrun::Module& decoded = content.decoded;
    const runtime::CodeImage& code = content.code;
    put(ArtifactSection::types, decoded.types);
    put(ArtifactSection::value_types, decoded.value_types);
    put(ArtifactSection::imports, decoded.imports);
    put(ArtifactSection::functions, decoded.functions);
    put(ArtifactSection::tables, tables_);
    put(ArtifactSection::memories, memories_);
    put(ArtifactSection::globals, globals_);
    put(ArtifactSection::exports, decoded.exports);
    put(ArtifactSection::exports_by_name, content.exports_by_name);
    put(ArtifactSection::elems, decoded.elems);
    // Where all are functions, their numbers say it all.
    const bool has_expressions =
        std::find(content.item_functions.begin(), content.item_functions.end(),
            Module::State::no_function) != content.item_functions.end();
    if (has_expressions) put(ArtifactSection::elem_items, decoded.elem_items);
    put(ArtifactSection::item_functions, content.item_functions);
    put(ArtifactSection::escaping, decoded.escaping_functions);
    put(ArtifactSection::escaping_code, content.escaping_code);
    const SnapshotView& snapshot = content.snapshot;
    const bool is_snapshot = !snapshot.facts.empty();
    put(ArtifactSection::image_runs, is_snapshot ? snapshot.runs : std::span{image_.runs});
    put(ArtifactSection::image_segments, image_.segments);
    put(ArtifactSection::snapshot, snapshot.facts);
    put(ArtifactSection::snapshot_memories, snapshot.memory_bytes);
    put(ArtifactSection::snapshot_globals, snapshot.globals);
    put(ArtifactSection::snapshot_tables, snapshot.table_sizes);
    put(ArtifactSection::snapshot_elements, snapshot.elements);
    put(ArtifactSection::snapshot_dropped, snapshot.dropped);
    put(ArtifactSection::function_code, std::span{code.functions, code.function_count});
    put(ArtifactSection::wasm, decoded.bytes);
    put(ArtifactSection::trap_rows, std::span{code.rows, code.row_count});
    put(ArtifactSection::data, decoded.data);
    put(ArtifactSection::function_names, decoded.function_names);
    put(ArtifactSection::image, is_snapshot ? snapshot.pages : std::span{image_.pages});
    put(ArtifactSection::code, std::span{code.code, code.code_bytes});
}

void ArtifactBytes::lay_out(u64 wasm_head_bytes) {
    constexpr u32 wasm = to_underlying(ArtifactSection::wasm);
    u64 offset = artifact_header_bytes;
    for (u32 i = 0; i < artifact_section_count; ++i) {
        const u64 alignment = i < wasm ? artifact_start_alignment : os::page_bytes;
        offset = (offset + alignment - 1) / alignment * alignment;
        header_.sections[i] = {offset, sections_[i].size(), checksum(sections_[i])};
        offset += sections_[i].size();
    }
    header_.file_bytes = os::round_up_to_page(offset);

    // The sum goes over what a load finds there, gaps included.
    const u64 wasm_offset = header_.sections[wasm].offset;
    start_.resize(wasm_offset - artifact_header_bytes + wasm_head_bytes);
    for (u32 i = 0; i < wasm; ++i) {
        std::copy(sections_[i].begin(), sections_[i].end(),
            start_.begin() +
                static_cast<std::ptrdiff_t>(header_.sections[i].offset - artifact_header_bytes));
    }
    const auto head = sections_[wasm].first(wasm_head_bytes);
    std::copy(head.begin(), head.end(),
        start_.begin() + static_cast<std::ptrdiff_t>(wasm_offset - artifact_header_bytes));
    header_.checked_end = wasm_offset + wasm_head_bytes;
    header_.checked_sum = checksum(start_);

    std::memcpy(page_.data(), &header_, sizeof header_);
    const u64 sum = checksum(std::span{page_}.first(artifact_header_sum_offset));
    std::memcpy(page_.data() + artifact_header_sum_offset, &sum, sizeof sum);
    pieces_.push_back({0, page_});
    for (u32 i = 0; i < artifact_section_count; ++i) {
        if (!sections_[i].empty()) pieces_.push_back({header_.sections[i].offset, sections_[i]});
    }
}

Result<void> ArtifactBytes::write_to(int file) const noexcept {
    for (const Piece& piece : pieces_)
        WRUN_TRY(os::write_at(file, piece.offset, piece.bytes));
    // The file ends with a whole page, so that mapping it never reaches beyond its end.
    const Piece& last = pieces_.back();
    if (last.offset + last.bytes.size() == header_.file_bytes) return {};
    constexpr std::array<u8, 1> zero{};
    return os::write_at(file, header_.file_bytes - 1, zero);
}

}  // namespace wrun::engine
