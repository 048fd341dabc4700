// Snapshots: what an instance was when an export of its module had initialised it, kept in the
// module's artifact (engine/artifact_format.hpp), so that instances begin there. Taken from a
// template, where references are numbers of functions already and nothing is an address. What is
// read from a file is believed only after is_sound(), or when the file is known.
#pragma once

#include <span>
#include <vector>

#include "engine/artifact_format.hpp"
#include "engine/template.hpp"

namespace wrun::engine {

/// As it lies in an artifact. Borrows everything.
struct SnapshotView {
    std::span<const SnapshotFacts> facts;  // one, or none where there is no snapshot
    std::span<const u64> memory_bytes;     // of the module's own memories, like all below
    std::span<const ImageRun> runs;
    std::span<const u8> pages;
    std::span<const StoredCell> globals;
    std::span<const u64> table_sizes;
    std::span<const u32> elements;  // FrozenReferences of all tables, one table after the other
    std::span<const u64> dropped;   // Instance::State::dropped_words
};

/// Before it is in one.
struct Snapshot {
    SnapshotFacts facts;
    std::vector<u64> memory_bytes;
    std::vector<ImageRun> runs;
    std::vector<u8> pages;
    std::vector<StoredCell> globals;
    std::vector<u64> table_sizes;
    std::vector<u32> elements;
    std::vector<u64> dropped;

    /// Of the template as it begins its runs. `learned`: kinds of what its init functions could
    /// learn of the world.
    [[nodiscard]] static Result<Snapshot> take(const Template& from, u32 learned, u64 monotonic_ns);
    [[nodiscard]] SnapshotView view() const noexcept;
};

/// Whether an instance of the module could be so: sizes within limits, references to functions that
/// there are and that fit, every page in its memory.
[[nodiscard]] bool is_sound(const SnapshotView& snapshot, const wrun::Module& module) noexcept;

}  // namespace wrun::engine
