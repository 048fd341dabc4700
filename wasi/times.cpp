// See times.hpp.
#include "wasi/times.hpp"

#include <limits>

namespace wrun::wasi {
namespace {

constexpr u64 second_ns = 1'000'000'000;

Answer<timespec> file_time(u64 time, bool set, bool set_now) noexcept {
    if (set && set_now) return Errno::inval;
    if (set) return timespec_of(time);
    return timespec{0, set_now ? UTIME_NOW : UTIME_OMIT};
}

}  // namespace

u64 nanoseconds(const timespec& time) noexcept {
    if (time.tv_sec < 0) return 0;
    u64 result = 0;
    if (__builtin_mul_overflow(static_cast<u64>(time.tv_sec), second_ns, &result) ||
        __builtin_add_overflow(result, static_cast<u64>(time.tv_nsec), &result))
        return std::numeric_limits<u64>::max();
    return result;
}

timespec timespec_of(u64 nanoseconds) noexcept {
    return {
        static_cast<time_t>(nanoseconds / second_ns), static_cast<long>(nanoseconds % second_ns)};
}

std::optional<clockid_t> host_clock(u32 clock) noexcept {
    switch (static_cast<Clock>(clock)) {
        case Clock::realtime: return CLOCK_REALTIME;
        case Clock::monotonic: return CLOCK_MONOTONIC;
        case Clock::process_cputime: return CLOCK_PROCESS_CPUTIME_ID;
        case Clock::thread_cputime: return CLOCK_THREAD_CPUTIME_ID;
    }
    return std::nullopt;
}

u64 now(clockid_t clock) noexcept {
    timespec time{};
    static_cast<void>(::clock_gettime(clock, &time));
    return nanoseconds(time);
}

Answer<std::array<timespec, 2>> file_times(u64 atim, u64 mtim, u32 fst_flags) noexcept {
    if ((fst_flags & ~fstflags::all) != 0) return Errno::inval;
    const auto has = [&](u32 flag) { return (fst_flags & flag) != 0; };
    const timespec access = WRUN_TRY(file_time(atim, has(fstflags::atim), has(fstflags::atim_now)));
    const timespec modification =
        WRUN_TRY(file_time(mtim, has(fstflags::mtim), has(fstflags::mtim_now)));
    return std::array{access, modification};
}

}  // namespace wrun::wasi
