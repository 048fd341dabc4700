// Artifact → Module: the header, then the sections where they lie.
#include <algorithm>
#include <cstring>

#include "base/checksum.hpp"
#include "base/limits.hpp"
#include "codegen/cpu.hpp"
#include "decoder/decode.hpp"
#include "engine/artifact.hpp"
#include "engine/build_id.hpp"
#include "engine/state.hpp"
#include "runtime/context_layout.hpp"
#include "validator/validate.hpp"

namespace wrun::engine {

namespace {

struct SectionRule {
    u64 item_bytes;
    u64 alignment;
};

namespace place {
constexpr u64 start = artifact_start_alignment;
constexpr u64 page = os::page_bytes;
}  // namespace place

constexpr std::array<SectionRule, artifact_section_count> section_rules = {{
#define WRUN_SECTION(name, item, where) {sizeof(item), place::where},
#include "engine/artifact_sections.def"
#undef WRUN_SECTION
}};

[[nodiscard]] Error damaged() noexcept {
    return Error{ErrorCode::artifact_damaged};
}

/// A mapped file whose header holds what a header must; of the rest only that it is there.
class MappedArtifact {
public:
    [[nodiscard]] static Result<MappedArtifact> map(os::File file) {
        const os::FileStatus status = WRUN_TRY(os::status_of(file.number()));
        MappedArtifact result;
        if (!status.is_regular || status.bytes < artifact_header_bytes) {
            return Error{ErrorCode::artifact_damaged};
        }
        result.region_ = WRUN_TRY(os::MappedRegion::map_for_reading(file.number(), status.bytes));
        result.file_ = std::move(file);
        WRUN_TRY(result.check_header(status.bytes));
        return result;
    }

    [[nodiscard]] const ArtifactHeader& header() const noexcept {
        return *reinterpret_cast<const ArtifactHeader*>(region_.data());
    }
    [[nodiscard]] std::span<const u8> bytes() const noexcept {
        return {region_.data(), header().file_bytes};
    }
    [[nodiscard]] std::span<const u8> bytes(ArtifactSection section) const noexcept {
        const StoredSection& stored = header().sections[to_underlying(section)];
        return bytes().subspan(stored.offset, stored.bytes);
    }
    template <class T>
    [[nodiscard]] std::span<const T> items(ArtifactSection section) const noexcept {
        const auto found = bytes(section);
        return {reinterpret_cast<const T*>(found.data()), found.size() / sizeof(T)};
    }
    [[nodiscard]] u64 offset(ArtifactSection section) const noexcept {
        return header().sections[to_underlying(section)].offset;
    }
    [[nodiscard]] ArtifactIdentity identity() const noexcept {
        return {header().build_id, header().cpu_features, header().configuration};
    }
    /// Damage of what sections hold; the error's detail is the section's number and one.
    [[nodiscard]] Result<void> check_sections() const noexcept {
        for (u32 i = 0; i < artifact_section_count; ++i) {
            const StoredSection& stored = header().sections[i];
            if (checksum(bytes().subspan(stored.offset, stored.bytes)) != stored.sum)
                return Error{ErrorCode::artifact_damaged, static_cast<u16>(i + 1)};
        }
        return {};
    }
    /// Damage of what a start reads.
    [[nodiscard]] Result<void> check_start() const noexcept {
        const auto checked =
            bytes().subspan(artifact_header_bytes, header().checked_end - artifact_header_bytes);
        return checksum(checked) == header().checked_sum ? Result<void>{} : damaged();
    }
    [[nodiscard]] runtime::CodeImage code() const noexcept {
        const auto code = bytes(ArtifactSection::code);
        const auto functions = items<runtime::FunctionCode>(ArtifactSection::function_code);
        const auto rows = items<runtime::TrapRow>(ArtifactSection::trap_rows);
        return {
            .code = code.data(),
            .code_bytes = static_cast<u32>(code.size()),
            .function_count = static_cast<u32>(functions.size()),
            .functions = functions.data(),
            .rows = rows.data(),
            .row_count = static_cast<u32>(rows.size()),
            .imported_function_count = header().imported_function_count,
        };
    }
    /// Without facts where there is none.
    [[nodiscard]] SnapshotView snapshot() const noexcept {
        const auto facts = items<SnapshotFacts>(ArtifactSection::snapshot);
        if (facts.empty()) return {};
        return {
            .facts = facts,
            .memory_bytes = items<u64>(ArtifactSection::snapshot_memories),
            .runs = items<ImageRun>(ArtifactSection::image_runs),
            .pages = bytes(ArtifactSection::image),
            .globals = items<StoredCell>(ArtifactSection::snapshot_globals),
            .table_sizes = items<u64>(ArtifactSection::snapshot_tables),
            .elements = items<u32>(ArtifactSection::snapshot_elements),
            .dropped = items<u64>(ArtifactSection::snapshot_dropped),
        };
    }
    [[nodiscard]] os::File& file() noexcept { return file_; }
    [[nodiscard]] os::MappedRegion& region() noexcept { return region_; }

private:
    [[nodiscard]] Result<void> check_header(u64 file_bytes) const noexcept {
        const ArtifactHeader& found = header();
        if (found.magic != artifact_magic) return Error{ErrorCode::not_an_artifact};
        // Before the sum, so that another version may have another header.
        if (found.version != artifact_version) return Error{ErrorCode::artifact_version};
        u64 sum = 0;
        std::memcpy(&sum, region_.data() + artifact_header_sum_offset, sizeof sum);
        const std::span page{region_.data(), artifact_header_sum_offset};
        if (checksum(page) != sum || found.file_bytes != file_bytes) return damaged();
        if (found.machine != artifact_machine_x64) return Error{ErrorCode::artifact_cpu};
        for (u32 i = 0; i < artifact_section_count; ++i) {
            const auto [offset, bytes, unused] = found.sections[i];
            const auto [item_bytes, alignment] = section_rules[i];
            // Counts are 32 bits everywhere.
            if (offset < artifact_header_bytes || offset > file_bytes || offset % alignment != 0 ||
                bytes > file_bytes - offset || bytes % item_bytes != 0 ||
                bytes / item_bytes >= ArtifactHeader::none) {
                return damaged();
            }
        }
        if (found.checked_end < artifact_header_bytes || found.checked_end > file_bytes) {
            return damaged();
        }
        return {};
    }

    os::File file_;
    os::MappedRegion region_;
};

[[nodiscard]] Limits restored(const StoredLimits& stored) noexcept {
    Limits limits;
    limits.min = stored.min;
    if ((stored.flags & StoredLimits::has_max) != 0) limits.max = stored.max;
    limits.is_64 = (stored.flags & StoredLimits::is_64) != 0;
    limits.shared = (stored.flags & StoredLimits::shared) != 0;
    return limits;
}

[[nodiscard]] std::optional<u32> present(u32 stored) noexcept {
    return stored == ArtifactHeader::none ? std::nullopt : std::optional{stored};
}

/// The module as far as instances ask for it; bodies and custom sections are the compiler's.
void show_module(const MappedArtifact& artifact, wrun::Module& module) {
    const auto show = [&]<class T>(ArtifactSection section, Items<T>& items) {
        items = Items<T>::borrowed(artifact.items<T>(section));
    };
    const ArtifactHeader& header = artifact.header();
    module.bytes = artifact.bytes(ArtifactSection::wasm);
    show(ArtifactSection::types, module.types);
    show(ArtifactSection::value_types, module.value_types);
    show(ArtifactSection::imports, module.imports);
    show(ArtifactSection::functions, module.functions);
    for (const StoredTable& table : artifact.items<StoredTable>(ArtifactSection::tables)) {
        module.tables.push_back(
            {{table.element, restored(table.limits)}, table.init, table.imported != 0});
    }
    for (const StoredMemory& memory : artifact.items<StoredMemory>(ArtifactSection::memories))
        module.memories.push_back({{restored(memory.limits)}, memory.imported != 0});
    for (const StoredGlobal& global : artifact.items<StoredGlobal>(ArtifactSection::globals)) {
        module.globals.push_back(
            {{global.type, global.is_mutable != 0}, global.init, global.imported != 0});
    }
    show(ArtifactSection::exports, module.exports);
    if (const auto start = present(header.start_function)) module.start = FuncIndex{*start};
    show(ArtifactSection::elems, module.elems);
    show(ArtifactSection::elem_items, module.elem_items);
    show(ArtifactSection::data, module.data);
    module.data_count = present(header.data_count);
    module.name = header.name;
    show(ArtifactSection::function_names, module.function_names);
    module.imported_function_count = header.imported_function_count;
    module.imported_table_count = header.imported_table_count;
    module.imported_memory_count = header.imported_memory_count;
    module.imported_global_count = header.imported_global_count;
    module.code_begin = header.code_begin;
    module.code_end = header.code_end;
    show(ArtifactSection::escaping, module.escaping_functions);
}

[[nodiscard]] Result<std::shared_ptr<const Module>> make_module(
    Engine& engine, MappedArtifact artifact) {
    auto state = std::make_unique<Module::State>();
    const ArtifactHeader& header = artifact.header();
    const runtime::CodeImage code = artifact.code();
    state->engine = &engine;
    state->options.bounds = static_cast<Bounds>(header.configuration.bounds);
    state->options.epoch = header.configuration.epoch != 0;
    state->options.fuel = header.configuration.fuel != 0;
    show_module(artifact, state->decoded);
    state->layout = header.layout;
    WRUN_TRY(state->register_types());
    state->image = WRUN_TRY(Image::map(
        artifact.file().number(), artifact.offset(ArtifactSection::code), code, state.get()));
    state->exports_by_name =
        Items<u32>::borrowed(artifact.items<u32>(ArtifactSection::exports_by_name));
    state->item_functions =
        Items<u32>::borrowed(artifact.items<u32>(ArtifactSection::item_functions));
    state->escaping_code =
        Items<u32>::borrowed(artifact.items<u32>(ArtifactSection::escaping_code));
    state->snapshot = artifact.snapshot();
    if (header.has_image != 0) {
        state->start_image = MappedStartImage{artifact.items<ImageRun>(ArtifactSection::image_runs),
            artifact.items<u64>(ArtifactSection::image_segments),
            artifact.offset(ArtifactSection::image)};
    }
    CompileStats& stats = state->stats;
    stats.wasm_bytes = state->decoded.bytes.size();
    stats.code_section_bytes = header.code_end - header.code_begin;
    stats.machine_code_bytes = code.code_bytes;
    stats.trap_table_bytes = u64{code.row_count} * sizeof(runtime::TrapRow);
    stats.functions = code.function_count;
    state->artifact_file = std::move(artifact.file());
    state->artifact = std::move(artifact.region());
    return std::make_shared<const Module>(std::move(state));
}

// ---- checking everything -----------------------------------------------------------------------

/// Code and its tables cannot be derived again; this is what must hold of them for whoever reads
/// them. (Of a snapshot it is is_sound().)
[[nodiscard]] bool is_orderly(const runtime::CodeImage& code, const wrun::Module& decoded) {
    if (code.function_count != decoded.bodies.size()) return false;
    u32 end = 0;
    for (u32 i = 0; i < code.function_count; ++i) {
        const runtime::FunctionCode& function = code.functions[i];
        if (function.code_begin < end || function.code_end < function.code_begin ||
            function.wasm_offset != decoded.bodies[i].begin) {
            return false;
        }
        end = function.code_end;
    }
    if (end > code.code_bytes) return false;
    for (u32 i = 0; i < code.row_count; ++i) {
        if (code.rows[i].code_offset >= code.code_bytes) return false;
        if (i != 0 && code.rows[i].code_offset < code.rows[i - 1].code_offset) return false;
    }
    return true;
}

[[nodiscard]] Result<void> check_build(const MappedArtifact& artifact) noexcept {
    const bool is_ours = artifact.header().build_id == build_id;
    return is_ours ? Result<void>{} : Error{ErrorCode::artifact_build};
}

/// Writes the artifact anew, from its module's bytes and its code, and compares.
[[nodiscard]] Result<void> check_whole(MappedArtifact& artifact) {
    WRUN_TRY(check_build(artifact));
    WRUN_TRY(artifact.check_sections());
    WRUN_TRY(artifact.check_start());
    const auto wasm = artifact.bytes(ArtifactSection::wasm);
    const auto features = FeatureSet::from_bits(artifact.header().configuration.features);
    if (wasm.size() > limits::module_bytes_max) return damaged();
    auto decoded = decode(wasm, features);
    if (!decoded.ok() || !validate_module(decoded.value(), features).ok()) return damaged();
    const auto layout = runtime::context_layout(decoded.value());
    const runtime::CodeImage code = artifact.code();
    if (!layout.ok() || !is_orderly(code, decoded.value())) return damaged();
    const SnapshotView snapshot = artifact.snapshot();
    if (!snapshot.facts.empty() && !is_sound(snapshot, decoded.value())) return damaged();
    const Items<u32> exports = exports_by_name(decoded.value());
    const Items<u32> functions = item_functions(decoded.value());
    const Items<u32> places = escaping_code(decoded.value(), code);
    const ArtifactBytes wanted{ArtifactContent{decoded.value(), layout.value(), code, exports,
        functions, places, artifact.identity(), snapshot}};
    for (const ArtifactBytes::Piece& piece : wanted.pieces()) {
        const auto bytes = artifact.bytes();
        if (piece.offset > bytes.size() || piece.bytes.size() > bytes.size() - piece.offset ||
            std::memcmp(bytes.data() + piece.offset, piece.bytes.data(), piece.bytes.size()) != 0) {
            return damaged();
        }
    }
    return {};
}

/// Whether code was made with all that is asked for; it may do more.
[[nodiscard]] bool gives(const ArtifactConfiguration& made, const ModuleOptions& needed) noexcept {
    return (made.epoch != 0 || !needed.epoch) && (made.fuel != 0 || !needed.fuel) &&
           (made.bounds == to_underlying(Bounds::checked) || needed.bounds == Bounds::guard);
}

/// What can be whole and still not run here.
[[nodiscard]] Result<std::shared_ptr<const Module>> make_fitting_module(
    Engine& engine, MappedArtifact artifact, const ModuleOptions& needed) {
    const ArtifactIdentity identity = artifact.identity();
    if ((identity.cpu_features & ~u64{codegen::CpuFeatures::host().bits()}) != 0) {
        return Error{ErrorCode::artifact_cpu};
    }
    if ((identity.configuration.features & ~engine.options().features.bits()) != 0) {
        return Error{ErrorCode::artifact_features};
    }
    if (!gives(identity.configuration, needed)) return Error{ErrorCode::artifact_options};
    return make_module(engine, std::move(artifact));
}

}  // namespace

Result<std::shared_ptr<const Module>> load_own_artifact(
    Engine& engine, os::File file, const Sha256Digest& wasm, const ModuleOptions& options) {
    MappedArtifact artifact = WRUN_TRY(MappedArtifact::map(std::move(file)));
    if (artifact.identity() != ArtifactIdentity::here(engine.options(), options) ||
        artifact.header().wasm_digest != wasm || !artifact.snapshot().facts.empty()) {
        return Error{ErrorCode::artifact_build};
    }
    WRUN_TRY(artifact.check_start());
    return make_module(engine, std::move(artifact));
}

Result<std::shared_ptr<const Module>> load_foreign_artifact(
    Engine& engine, os::File file, const ModuleOptions& needed) {
    MappedArtifact artifact = WRUN_TRY(MappedArtifact::map(std::move(file)));
    WRUN_TRY(check_whole(artifact));
    return make_fitting_module(engine, std::move(artifact), needed);
}

Result<std::shared_ptr<const Module>> load_checked_artifact(
    Engine& engine, os::File file, const ModuleOptions& needed) {
    MappedArtifact artifact = WRUN_TRY(MappedArtifact::map(std::move(file)));
    WRUN_TRY(check_build(artifact));
    WRUN_TRY(artifact.check_start());
    return make_fitting_module(engine, std::move(artifact), needed);
}

Result<Sha256Digest> claimed_wasm_digest(const os::File& file) noexcept {
    Sha256Digest digest{};
    WRUN_TRY(os::read_at(file.number(), offsetof(ArtifactHeader, wasm_digest), digest));
    return digest;
}

Result<void> verify_artifact(os::File file) {
    MappedArtifact artifact = WRUN_TRY(MappedArtifact::map(std::move(file)));
    return check_whole(artifact);
}

std::string_view damaged_section(Error error) noexcept {
    constexpr std::array<std::string_view, artifact_section_count> names = {
#define WRUN_SECTION(name, item, place) #name,
#include "engine/artifact_sections.def"
#undef WRUN_SECTION
    };
    const bool says = error.code == ErrorCode::artifact_damaged && error.detail != 0;
    return says && error.detail <= names.size() ? names[error.detail - 1u] : std::string_view{};
}

Result<ArtifactOutline> outline_artifact(os::File file) {
    MappedArtifact artifact = WRUN_TRY(MappedArtifact::map(std::move(file)));
    WRUN_TRY(check_build(artifact));
    WRUN_TRY(artifact.check_start());
    const auto wasm = artifact.bytes(ArtifactSection::wasm);
    const SnapshotView snapshot = artifact.snapshot();
    ArtifactOutline outline;
    outline.wasm.assign(wasm.begin(), wasm.end());
    outline.code_bytes = artifact.bytes(ArtifactSection::code).size();
    if (!snapshot.facts.empty()) outline.snapshot = snapshot.facts.front();
    outline.snapshot_bytes = snapshot.pages.size();
    return outline;
}

}  // namespace wrun::engine
