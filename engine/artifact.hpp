// Artifacts: a compiled module as one file (engine/artifact_format.hpp, docs/artifact.md), written
// from a Module and mapped back as one. Zero relocations; nothing is read, parsed or copied that
// grows with the module but its types, imports, exports and globals.
//
// An artifact is machine code: whoever wrote it can do whatever this process can. Bytes of any kind
// are looked at safely all the same.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/os_file.hpp"
#include "base/sha256.hpp"
#include "engine/artifact_format.hpp"
#include "engine/engine.hpp"
#include "engine/image.hpp"
#include "engine/snapshot.hpp"
#include "engine/start_image.hpp"

namespace wrun::engine {

/// What, besides the module's bytes, decides what code is made.
struct ArtifactIdentity {
    Sha256Digest build_id{};
    u64 cpu_features = 0;
    ArtifactConfiguration configuration;
    bool operator==(const ArtifactIdentity&) const = default;
    /// Of what this process would compile.
    [[nodiscard]] static ArtifactIdentity here(
        const EngineOptions& engine, const ModuleOptions& module) noexcept;
};

/// Whether bytes begin as an artifact does.
[[nodiscard]] bool is_artifact(std::span<const u8> bytes) noexcept;

/// All that an artifact is made of. Borrows everything.
struct ArtifactContent {
    const wrun::Module& decoded;
    const runtime::ContextLayout& layout;
    const runtime::CodeImage& code;
    std::span<const u32> exports_by_name;
    std::span<const u32> item_functions;
    std::span<const u32> escaping_code;
    ArtifactIdentity identity;
    SnapshotView snapshot;
};

/// All code of a module as an artifact has it; empty when the module's own will do.
struct FinishedCode {
    std::unique_ptr<Image> image;
    Items<u32> escaping_code;
};
/// Of a lazy module its code laid out anew, once what is left has been compiled.
[[nodiscard]] Result<FinishedCode> finished_code(const Module& module);

/// An artifact's bytes as pieces of a file. Borrows its content.
class ArtifactBytes {
public:
    struct Piece {
        u64 offset;  // ascending; what lies between pieces is zero
        std::span<const u8> bytes;
    };
    /// With the module's own snapshot, if it has one. `code` is finished_code() of the module; an
    /// eager one's may be left out.
    explicit ArtifactBytes(const Module& module, FinishedCode code = {});
    ArtifactBytes(const Module& module, const SnapshotView& snapshot, FinishedCode code = {});
    explicit ArtifactBytes(const ArtifactContent& content);
    ArtifactBytes(const ArtifactBytes&) = delete;
    ArtifactBytes& operator=(const ArtifactBytes&) = delete;

    [[nodiscard]] std::span<const Piece> pieces() const noexcept { return pieces_; }
    [[nodiscard]] const ArtifactHeader& header() const noexcept { return header_; }
    [[nodiscard]] Result<void> write_to(int file) const noexcept;

private:
    void store_definitions(const wrun::Module& decoded);
    void store_sections(const ArtifactContent& content);
    void lay_out(u64 wasm_head_bytes);

    FinishedCode code_;
    ArtifactHeader header_;
    std::array<u8, artifact_header_bytes> page_{};
    std::vector<u8> start_;  // the sections of a start as they lie, up to the wasm bytes
    std::vector<StoredTable> tables_;
    std::vector<StoredMemory> memories_;
    std::vector<StoredGlobal> globals_;
    StartImage image_;  // of data segments
    std::array<std::span<const u8>, artifact_section_count> sections_;
    std::vector<Piece> pieces_;
};

/// From this process's own cache: only its header and what a start reads are checked, and that it
/// is what was asked for. Takes the file.
[[nodiscard]] Result<std::shared_ptr<const Module>> load_own_artifact(
    Engine& engine, os::File file, const Sha256Digest& wasm, const ModuleOptions& options);

/// From anywhere else: everything is checked, and all but the machine code is derived again from
/// the module's bytes and compared. Takes the file, which nobody may write to while it is in use.
/// The module is as it was compiled (Module::options()); refused when that lacks what is `needed`.
[[nodiscard]] Result<std::shared_ptr<const Module>> load_foreign_artifact(
    Engine& engine, os::File file, const ModuleOptions& needed = {});

/// Likewise, of a file that load_foreign_artifact() has taken before and that has not changed
/// since.
[[nodiscard]] Result<std::shared_ptr<const Module>> load_checked_artifact(
    Engine& engine, os::File file, const ModuleOptions& needed = {});
/// Which module an artifact says that it is of; nobody has checked.
[[nodiscard]] Result<Sha256Digest> claimed_wasm_digest(const os::File& file) noexcept;

/// Checks likewise, for whatever CPU it was made, and does not load it.
[[nodiscard]] Result<void> verify_artifact(os::File file);
/// The section that an error of these says is damaged; empty when it does not say.
[[nodiscard]] std::string_view damaged_section(Error error) noexcept;

/// What an artifact says that it holds, for people; of it only the start has been checked.
struct ArtifactOutline {
    std::vector<u8> wasm;
    u64 code_bytes = 0;
    std::optional<SnapshotFacts> snapshot;
    u64 snapshot_bytes = 0;  // of memories
};
[[nodiscard]] Result<ArtifactOutline> outline_artifact(os::File file);

}  // namespace wrun::engine
