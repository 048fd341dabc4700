// See write_gate.hpp.
#include "runtime/write_gate.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/os_pages.hpp"

namespace wrun::runtime {

namespace {

/// A run that writes to more new pages than this gets all of them allowed: a signal takes longer
/// than the fault that it comes before.
constexpr u32 signals_max = 8;

struct ThreadState {
    /// Page faults as they were counted last. Counting is a system call, and what has happened
    /// since can only make us look once too often.
    std::optional<u64> faults;
    u64 watched_writes = 0;
    // Of the run that began last:
    std::span<const WatchedRange> watched;
    u32 signals = 0;
    const u8* allowed = nullptr;  // the page allowed last
};
constinit thread_local ThreadState thread_state;

/// A child of fork() counts from zero, its writes fault on pages that its parent has written, and
/// none of its pages is refused.
constinit u32 process_generation = 0;

constinit os::WriteWatch the_watch;
constinit std::atomic<bool> is_watch_open = false;

void become_child() noexcept {
    ++process_generation;
    thread_state = {};
    if (is_watch_open.exchange(false)) the_watch.close();
}

[[nodiscard]] std::optional<os::WriteWatch> open_watch() noexcept {
    static constinit std::mutex lock;
    const std::lock_guard guard{lock};
    if (!is_watch_open) {
        const auto opened = os::WriteWatch::open();
        if (!opened) return std::nullopt;
        the_watch = *opened;
        is_watch_open = true;
    }
    return the_watch;
}

}  // namespace

WriteGate::WriteGate() noexcept {
    static constinit std::once_flag once;
    std::call_once(once, [] { (void)pthread_atfork(nullptr, nullptr, become_child); });
}

void WriteGate::begin(std::span<const WatchedRange> watched) noexcept {
    ThreadState& state = thread_state;
    thread_ = &state;
    process_generation_ = process_generation;
    is_by_writes_ = !watched.empty();
    state.watched = watched;
    if (is_by_writes_) {
        state.signals = 0;
        state.allowed = nullptr;
        const bool is_of_process = std::all_of(watched.begin(), watched.end(),
            [](const WatchedRange& range) { return range.process == process_generation; });
        if (is_of_process) count_ = state.watched_writes;
        return;
    }
    if (!state.faults) state.faults = os::thread_fault_count();
    count_ = state.faults;
}

bool WriteGate::end() noexcept {
    ThreadState& state = thread_state;
    const std::optional<u64> before = std::exchange(count_, std::nullopt);
    const bool is_same = thread_ == &state && process_generation_ == process_generation;
    if (is_by_writes_) {
        state.watched = {};
        return is_same && before == state.watched_writes;
    }
    state.faults = os::thread_fault_count();
    const bool is_quiet = is_same && before && before == state.faults;
    // Looking takes faults itself: the next run shall not pay for them.
    if (!is_quiet) state.faults.reset();
    return is_quiet;
}

std::optional<WatchedRange> WatchedRange::add(u8* begin, u64 bytes) noexcept {
    const auto watch = open_watch();
    if (!watch || !watch->add(begin, bytes)) return std::nullopt;
    return WatchedRange{begin, bytes, process_generation};
}

void WatchedRange::remove() const noexcept {
    if (process != process_generation) return;
    (void)the_watch.remove(begin, bytes);
}

bool WatchedRange::refuse(u64 offset, u64 count) const noexcept {
    return count == 0 || the_watch.refuse(begin + offset, count);
}

bool allow_watched_write(u64 address) noexcept {
    if (!is_watch_open.load(std::memory_order_acquire)) return false;
    ThreadState& state = thread_state;
    const auto* const page = reinterpret_cast<const u8*>(address & ~(os::page_bytes - 1));
    // A page that is allowed and yet faults is broken.
    if (page == state.allowed) return false;
    state.allowed = page;
    ++state.watched_writes;
    const auto has_it = [page](const WatchedRange& range) {
        return page >= range.begin && page < range.begin + range.bytes;
    };
    const auto range = std::find_if(state.watched.begin(), state.watched.end(), has_it);
    if (range == state.watched.end()) return the_watch.allow(page, os::page_bytes);
    const bool is_done = ++state.signals > signals_max ? the_watch.allow(range->begin, range->bytes)
                                                       : the_watch.allow(page, os::page_bytes);
    // Of our own pages there must be a way to go on.
    return is_done || the_watch.remove(range->begin, range->bytes);
}

void let_system_write(std::span<u8> bytes) noexcept {
    if (bytes.empty() || !is_watch_open.load(std::memory_order_relaxed)) return;
    const auto touch = [](u8& byte) {
        volatile u8& written = byte;
        written = static_cast<u8>(written);
    };
    const u64 first = os::page_bytes - reinterpret_cast<u64>(bytes.data()) % os::page_bytes;
    touch(bytes.front());
    for (u64 at = first; at < bytes.size(); at += os::page_bytes)
        touch(bytes[at]);
}

}  // namespace wrun::runtime
