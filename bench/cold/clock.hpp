// Time in ticks of the processor's counter, read so that nothing is reordered across; what reading
// costs is known and subtracted. And a CPU for a thread to stay on.
#pragma once

#include <x86intrin.h>

#include <vector>

#include "base/types.hpp"

namespace wrun::cold {

[[nodiscard]] inline u64 ticks_at_begin() noexcept {
    _mm_lfence();
    const u64 now = __rdtsc();
    _mm_lfence();
    return now;
}
[[nodiscard]] inline u64 ticks_at_end() noexcept {
    unsigned cpu = 0;
    const u64 now = __rdtscp(&cpu);
    _mm_lfence();
    return now;
}

struct Clock {
    double ns_per_tick = 0;
    u64 overhead_ticks = 0;  // of an empty span, the least seen

    [[nodiscard]] static Clock calibrated();
    [[nodiscard]] u64 span(u64 begin, u64 end) const noexcept {
        const u64 ticks = end - begin;
        return ticks > overhead_ticks ? ticks - overhead_ticks : 0;
    }
};

/// CPUs that this process may run on, as numbers for stay_on().
[[nodiscard]] std::vector<int> usable_cpus();
/// Only the calling thread.
void stay_on(int cpu);

/// Page faults of the calling thread.
[[nodiscard]] u64 faults_of_thread();

}  // namespace wrun::cold
