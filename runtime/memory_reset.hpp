// Makes a memory what it was when it was bound, between two runs of guests that must not learn of
// each other. A ladder of ways with one meaning:
//
//   drop     give back every written page; each costs the next run a fault. The reference for tests
//   learned  copy the pages that runs were seen to write, and look for new ones only when the
//            run's WriteGate was not quiet: in steady state no page table changes
//   copy     copy the whole memory: where the system does not tell which pages were written
//
// What makes `learned` right, and what every other part must keep:
//   - Every page that is private to this memory is hot, or was dropped. So a page leaves the hot
//     set only by being dropped, and a failed look drops everything.
//   - A page becomes private by a write, and that by a fault on the writing thread: only the thread
//     between WriteGate::begin() and end() may write to the memory, host functions included. No
//     other thread, no asynchronous I/O, no MADV_POPULATE_WRITE.
//   - While the memory is watched, every page of its watched range that is not hot is refused: the
//     hot set does not change, and nothing is mapped anew in that range.
//   - Huge pages would make pages writable that nobody touched: they are refused after each mapping
//     and each growth; where the system does not refuse them the memory falls to `drop`.
//   - Pages that a dense memory has grown over stay: they count as its own from then on.
//   - A page that was swapped out is as private as one that is present.
//   - Looking goes on to the end of the memory, however many runs of pages there are.
// A reset that fails leaves the memory unusable: whoever owns it must never run a guest in it
// again.
#pragma once

#include <optional>

#include "base/os_pages.hpp"
#include "runtime/memory.hpp"
#include "runtime/write_gate.hpp"

namespace wrun::runtime {

enum class ResetWay : u8 { drop, learned, copy };

/// What one thread needs to look at memories.
class PageFinder {
public:
    explicit PageFinder(std::optional<os::PageScanner::Way> way = std::nullopt) noexcept;
    /// Whether the system tells at all.
    [[nodiscard]] bool works() const noexcept { return works_; }
    /// The private pages of [begin, begin + bytes), ascending; they hold until the next call.
    [[nodiscard]] Result<std::span<const os::PageRun>> find(const u8* begin, u64 bytes);

private:
    os::PageScanner scanner_;
    bool works_ = false;
    std::vector<os::PageRun> found_;
};

struct ResetStats {
    u64 resets = 0;
    u64 looks = 0;  // at the page map
    u64 pages_copied = 0;
    u64 pages_dropped = 0;  // of those seen; `drop` does not count
    u64 shrinks = 0;
};

class MemoryReset {
public:
    /// Hot pages beyond this many are dropped instead: a guest must not buy memory or time for
    /// ever.
    static constexpr u32 hot_pages_max = 256;
    /// Larger memories are not watched: every page's entry is changed for it.
    static constexpr u64 watched_bytes_max = u64{64} << 20;

    /// Binds `memory` to the image with `bytes` of size. Both are borrowed for the reset's life.
    /// `can_look`: whether whoever resets has a PageFinder that works.
    [[nodiscard]] static Result<MemoryReset> bind(Memory& memory, const MemoryImage& image,
        u64 bytes, bool can_look, std::optional<ResetWay> way = std::nullopt);

    MemoryReset() = default;

    /// After a run. `is_quiet`: what the run's WriteGate says. False: the memory must not be used
    /// again.
    [[nodiscard]] bool reset(PageFinder& finder, bool is_quiet);

    /// Refuses all pages that are not hot, between runs: the gates of the next ones need
    /// watched(). False, and nothing is changed, where that cannot be. A reset ends it that
    /// cannot go by the gate.
    [[nodiscard]] bool watch() noexcept;
    void stop_watching() noexcept;
    [[nodiscard]] const std::optional<WatchedRange>& watched() const noexcept { return watched_; }

    /// Whether the run has made the memory larger, which only a dense one undoes for nothing.
    [[nodiscard]] bool has_grown() const noexcept {
        return memory_->bytes() != bytes_ && !memory_->is_dense();
    }
    [[nodiscard]] ResetWay way() const noexcept { return way_; }
    [[nodiscard]] const ResetStats& stats() const noexcept { return stats_; }
    [[nodiscard]] std::span<const u32> hot_pages() const noexcept { return hot_; }

private:
    MemoryReset(Memory& memory, const MemoryImage& image, u64 bytes) noexcept
        : memory_{&memory}, image_{&image}, bytes_{bytes}, reach_bytes_{bytes} {}

    [[nodiscard]] bool undo_growth() noexcept;
    [[nodiscard]] Result<void> look(PageFinder& finder);
    [[nodiscard]] Result<void> drop_all() noexcept;
    void copy_hot() noexcept;
    void copy_all() noexcept;
    void copy(u64 offset, u64 bytes) noexcept;

    Memory* memory_ = nullptr;
    const MemoryImage* image_ = nullptr;
    u64 bytes_ = 0;
    u64 reach_bytes_ = 0;  // how far runs got: beyond `bytes_` only where growth is not unmapped
    ResetWay way_ = ResetWay::drop;
    std::vector<u32> hot_;  // ascending
    std::optional<WatchedRange> watched_;
    ResetStats stats_;
};

}  // namespace wrun::runtime
