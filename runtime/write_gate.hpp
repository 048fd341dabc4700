// Tells whether a run can have written to a page that nobody copies back anyway. Two ways:
//
//   by faults   a page of a private mapping becomes the memory's own by a page fault of the thread
//               that writes, and the system counts those. One system call for each run
//   by writes   pages that nobody copies back are refused (os::WriteWatch), so that the first write
//               to one raises a signal on the thread that writes, which counts it and allows the
//               page. Nothing at all for each run. Memories come to it when their pages are known
//
// Both count on the thread between begin() and end(), so that thread alone may write meanwhile.
#pragma once

#include <optional>
#include <span>

#include "base/os_write_watch.hpp"

namespace wrun::runtime {

/// How runs are watched once the pages that they write are known.
enum class Watch : u8 { faults, writes };

/// Whole pages of a memory that can be refused, in the process that has added them only.
struct WatchedRange {
    u8* begin = nullptr;
    u64 bytes = 0;
    u32 process = 0;  // generation

    /// Nothing where the system has no such thing.
    [[nodiscard]] static std::optional<WatchedRange> add(u8* begin, u64 bytes) noexcept;
    /// Allows all. Where it fails, pages stay refused: then writes to them are slow, and are
    /// counted as faults besides.
    void remove() const noexcept;
    /// Pages from `offset` on.
    [[nodiscard]] bool refuse(u64 offset, u64 count) const noexcept;
};

class WriteGate {
public:
    WriteGate() noexcept;
    /// Before a guest runs, on its thread: by writes when there are watched ranges, which are
    /// borrowed until end(), else by faults.
    void begin(std::span<const WatchedRange> watched = {}) noexcept;
    /// After it has run. False when it may have written elsewhere, when it was another thread or
    /// process that began, or when the system does not tell.
    [[nodiscard]] bool end() noexcept;

private:
    std::optional<u64> count_;  // of the thread when the run began, or earlier
    const void* thread_ = nullptr;
    u32 process_generation_ = 0;
    bool is_by_writes_ = false;
};

/// Whether the fault (SIGBUS, BUS_ADRERR) at `address` is a write to a refused page: it is counted,
/// and the page is allowed. Safe in a signal handler.
[[nodiscard]] bool allow_watched_write(u64 address) noexcept;

/// Before a system call writes to `bytes`, which would fail at the first refused page.
void let_system_write(std::span<u8> bytes) noexcept;

}  // namespace wrun::runtime
