// What a module's own memories begin with, computed from its active data segments when it is
// compiled: whole pages that an instance maps from the artifact instead of copying segments.
// Plain data of its own.
#pragma once

#include <span>
#include <vector>

#include "engine/artifact_format.hpp"

namespace wrun::engine {

/// Bytes of one of the module's own memories.
struct MemoryRange {
    u64 memory = 0;
    u64 begin = 0;
    u64 bytes = 0;
    [[nodiscard]] u64 end() const noexcept { return begin + bytes; }
};

/// Whole pages that hold all ranges, which ascend by memory and begin: few runs, so with gaps.
/// Their places in the section `image` follow each other.
[[nodiscard]] std::vector<ImageRun> cover(
    std::span<const MemoryRange> ascending, std::size_t memory_count);
[[nodiscard]] u64 total_bytes(std::span<const ImageRun> runs) noexcept;

struct StartImage {
    /// False when only instantiation can know: an offset that is no constant, a memory of somebody
    /// else's, a segment that will trap, or pages far apart.
    bool is_complete = false;
    std::vector<ImageRun> runs;  // ascending by memory and begin
    std::vector<u8> pages;       // of all runs
    std::vector<u64> segments;   // a bit for each active one
};

[[nodiscard]] StartImage make_start_image(const wrun::Module& module);

}  // namespace wrun::engine
