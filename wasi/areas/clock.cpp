// Clocks.
#include "wasi/areas/areas.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi::areas {

Errno clock_res_get(Call& call, u32 clock, u32 resolution) {
    const auto host = host_clock(clock);
    timespec value{};
    if (!host) return Errno::inval;
    if (::clock_getres(*host, &value) != 0) return last_errno();
    return call.store(resolution, nanoseconds(value));
}

Errno clock_time_get(Call& call, u32 clock, u64, u32 time) {
    const auto host = host_clock(clock);
    if (!host) return Errno::inval;
    const u64 offset = *host == CLOCK_MONOTONIC ? call.state.monotonic_offset_ns() : 0;
    return call.store(time, now(*host) + offset);
}

}  // namespace wrun::wasi::areas
