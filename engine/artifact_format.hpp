// The file format of compiled modules, `.wrun` (docs/artifact.md draws it). Everything is read
// where it lies in the mapped file: items are plain data of fixed width, little-endian, without
// padding, and what they point to is an offset or an index. A file is good for one build of wrun
// only, so nothing here is kept compatible; the version tells other tools how far to read.
//
// The header takes the first page: who made it, for what, of what, and where the sections are. Then
// come the sections that every start reads, each at a multiple of 16; then, each at a multiple of a
// page, the module as it was compiled, what is read when something asks for it, and the code, which
// is position-independent and alone mapped for execution.
//
// A snapshot (engine/snapshot.hpp) is an artifact whose instances begin where one that had run was:
// its sections are what cannot be derived from the module.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include "base/sha256.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"

namespace wrun::engine {

/// Whatever but bytes and build decides what code is made; what is unused is zero.
struct ArtifactConfiguration {
    u32 features = 0;
    u8 bounds = 0;  // runtime::Bounds
    u8 integer_homes_max = 0;
    u8 float_homes_max = 0;
    u8 stress = 0;  // a bit for each of codegen::StressModes, in their order
    u8 epoch = 0;
    u8 fuel = 0;
    std::array<u8, 22> reserved{};
    bool operator==(const ArtifactConfiguration&) const = default;
};
static_assert(sizeof(ArtifactConfiguration) == 32);

struct StoredLimits {
    u64 min = 0;
    u64 max = 0;
    u32 flags = 0;
    u32 reserved = 0;
    static constexpr u32 has_max = 1;
    static constexpr u32 is_64 = 2;
    static constexpr u32 shared = 4;
};
static_assert(sizeof(StoredLimits) == 24);

struct StoredTable {
    StoredLimits limits;
    ByteRange init;
    ValType element;
    u32 imported = 0;
};
static_assert(sizeof(StoredTable) == 40);

struct StoredMemory {
    StoredLimits limits;
    u64 imported = 0;
};
static_assert(sizeof(StoredMemory) == 32);

struct StoredGlobal {
    ByteRange init;
    ValType type;
    u16 is_mutable = 0;
    u16 imported = 0;
};
static_assert(sizeof(StoredGlobal) == 16);

/// Pages of a memory that begin with something else than zeros.
struct ImageRun {
    u64 memory = 0;  // which of the module's own
    u64 begin = 0;   // in the memory; whole pages
    u64 bytes = 0;
    u64 offset = 0;  // in the section `image`
};
static_assert(sizeof(ImageRun) == 32);

/// What a snapshot was taken of: an instance after an export of its module had run.
struct SnapshotFacts {
    u32 init = none;       // the export that ran last, by its position
    u32 learned = 0;       // kinds of what it could learn of the world: the host's bits
    u64 monotonic_ns = 0;  // the least that the instances' monotonic clock may tell
    static constexpr u32 none = 0xffff'ffff;
};
static_assert(sizeof(SnapshotFacts) == 16);

/// A global as a snapshot has it. A number's bits, the upper ones zero; of a reference what
/// engine/frozen.hpp calls a FrozenReference.
struct StoredCell {
    u64 low = 0;
    u64 high = 0;  // of a v128
    bool operator==(const StoredCell&) const = default;
};

enum class ArtifactSection : u32 {
#define WRUN_SECTION(name, item, place) name,
#include "engine/artifact_sections.def"
#undef WRUN_SECTION
};
inline constexpr u32 artifact_section_count = 0
#define WRUN_SECTION(name, item, place) +1
#include "engine/artifact_sections.def"
#undef WRUN_SECTION
    ;

#define WRUN_SECTION(name, item, place) \
    static_assert(                      \
        std::is_trivially_copyable_v<item> && std::has_unique_object_representations_v<item>);
#include "engine/artifact_sections.def"
#undef WRUN_SECTION

struct StoredSection {
    u64 offset = 0;
    u64 bytes = 0;
    u64 sum = 0;
};

struct ArtifactHeader {
    std::array<u8, 8> magic{};            // 0
    u32 version = 0;                      // 8
    u32 machine = 0;                      // 12   as ELF counts
    u64 file_bytes = 0;                   // 16
    u64 cpu_features = 0;                 // 24   codegen::CpuFeatures::bits()
    std::array<u8, 32> build_id{};        // 32
    ArtifactConfiguration configuration;  // 64
    Sha256Digest wasm_digest{};           // 96
    runtime::ContextLayout layout;        // 128
    u32 imported_function_count = 0;      // 160
    u32 imported_table_count = 0;         // 164
    u32 imported_memory_count = 0;        // 168
    u32 imported_global_count = 0;        // 172
    u32 code_begin = 0;                   // 176  of the code section in the wasm bytes
    u32 code_end = 0;                     // 180
    u32 start_function = 0;               // 184  or `none`
    u32 data_count = 0;                   // 188  or `none`
    ByteRange name;                       // 192
    u64 has_image = 0;                    // 200  1: memories begin with the image
    u64 checked_end = 0;                  // 208  load checks all between the header and here
    u64 checked_sum = 0;                  // 216
    std::array<StoredSection, artifact_section_count> sections;  // 224
    static constexpr u32 none = 0xffff'ffff;
};
static_assert(std::has_unique_object_representations_v<ArtifactHeader>);
static_assert(offsetof(ArtifactHeader, build_id) == 32);
static_assert(offsetof(ArtifactHeader, wasm_digest) == 96);
static_assert(offsetof(ArtifactHeader, imported_function_count) == 160);
static_assert(offsetof(ArtifactHeader, checked_sum) == 216);
static_assert(offsetof(ArtifactHeader, sections) == 224);

/// The header takes a page; its last eight bytes are the checksum of all others.
inline constexpr u64 artifact_header_bytes = 4096;
inline constexpr u64 artifact_header_sum_offset = artifact_header_bytes - sizeof(u64);
static_assert(sizeof(ArtifactHeader) <= artifact_header_sum_offset);
/// No text and no program of any system begins so; what changes line ends or eighth bits breaks it.
inline constexpr std::array<u8, 8> artifact_magic = {0x93, 'w', 'r', 'u', 'n', '\r', '\n', 0x1a};
inline constexpr u32 artifact_version = 2;
inline constexpr u32 artifact_machine_x64 = 62;
inline constexpr u64 artifact_start_alignment = 16;

}  // namespace wrun::engine
