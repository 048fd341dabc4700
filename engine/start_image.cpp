// Segments → runs of pages → bytes.
#include "engine/start_image.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "base/os_memory.hpp"
#include "decoder/lone_const.hpp"
#include "runtime/instance.hpp"

namespace wrun::engine {

namespace {

/// More mappings than this cost more than the zeros between them.
constexpr std::size_t runs_max = 8;
/// Zeros between segments that are stored rather than left out.
constexpr u64 gap_bytes_min = 64 * 1024;

struct Placed {
    MemoryRange range;
    std::span<const u8> bytes;
};

/// Active segments in their order; nothing when one of them has no place yet.
[[nodiscard]] bool place_segments(const wrun::Module& module, std::vector<Placed>& placed) {
    for (const DataSegment& segment : module.data) {
        if (segment.mode != SegmentMode::active) continue;
        if (segment.memory.value < module.imported_memory_count) return false;
        const LoneConst offset = lone_i32_const(module.slice(segment.offset));
        const u64 memory_bytes =
            module.memories[segment.memory.value].type.limits.min * limits::wasm_page_bytes;
        const u64 begin = static_cast<u32>(offset.value);
        const auto bytes = module.slice(segment.bytes);
        if (offset.bytes == 0 || begin > memory_bytes || bytes.size() > memory_bytes - begin) {
            return false;
        }
        if (bytes.empty()) continue;
        const u64 memory = segment.memory.value - module.imported_memory_count;
        placed.push_back({{memory, begin, bytes.size()}, bytes});
    }
    return true;
}

/// Pages that some range touches, with gaps below `gap_bytes` closed. Ascending.
[[nodiscard]] std::vector<ImageRun> runs_of(std::span<const MemoryRange> ascending, u64 gap_bytes) {
    std::vector<ImageRun> runs;
    for (const MemoryRange& range : ascending) {
        const u64 begin = range.begin / os::page_bytes * os::page_bytes;
        const u64 end = os::round_up_to_page(range.end());
        if (!runs.empty() && runs.back().memory == range.memory &&
            begin <= runs.back().begin + runs.back().bytes + gap_bytes) {
            ImageRun& last = runs.back();
            last.bytes = std::max(last.bytes, end - last.begin);
        } else {
            runs.push_back({range.memory, begin, end - begin, 0});
        }
    }
    return runs;
}

}  // namespace

std::vector<ImageRun> cover(std::span<const MemoryRange> ascending, std::size_t memory_count) {
    std::vector<ImageRun> runs;
    u64 gap_bytes = gap_bytes_min;
    do {
        runs = runs_of(ascending, gap_bytes);
        gap_bytes *= 2;
        // Ranges in many memories never come together.
    } while (runs.size() > std::max(runs_max, memory_count));
    u64 offset = 0;
    for (ImageRun& run : runs) {
        run.offset = offset;
        offset += run.bytes;
    }
    return runs;
}

u64 total_bytes(std::span<const ImageRun> runs) noexcept {
    u64 bytes = 0;
    for (const ImageRun& run : runs)
        bytes += run.bytes;
    return bytes;
}

StartImage make_start_image(const wrun::Module& module) {
    StartImage image;
    std::vector<Placed> placed;
    if (!place_segments(module, placed)) return image;
    std::vector<MemoryRange> ascending;
    for (const Placed& segment : placed)
        ascending.push_back(segment.range);
    const auto before = [](const MemoryRange& left, const MemoryRange& right) {
        return left.memory != right.memory ? left.memory < right.memory : left.begin < right.begin;
    };
    std::sort(ascending.begin(), ascending.end(), before);
    image.runs = cover(ascending, module.memories.size());
    const u64 bytes = total_bytes(image.runs);
    if (bytes > 2 * module.bytes.size() + (u64{1} << 20)) return StartImage{};

    image.pages.resize(bytes);
    for (const Placed& segment : placed) {
        const auto run = std::find_if(image.runs.begin(), image.runs.end(), [&](const ImageRun& r) {
            return r.memory == segment.range.memory && segment.range.begin - r.begin < r.bytes &&
                   segment.range.begin >= r.begin;
        });
        std::copy(segment.bytes.begin(), segment.bytes.end(),
            image.pages.begin() +
                static_cast<std::ptrdiff_t>(run->offset + segment.range.begin - run->begin));
    }
    image.segments.resize(runtime::DroppedSet::word_count(module.data.size()));
    runtime::DroppedSet active{image.segments};
    for (u32 i = 0; i < module.data.size(); ++i) {
        if (module.data[i].mode == SegmentMode::active) active.add(i);
    }
    image.is_complete = true;
    return image;
}

}  // namespace wrun::engine
