// See clock.hpp.
#include "bench/cold/clock.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/os_thread.hpp"
#include "bench/cold/subject.hpp"

namespace wrun::cold {

Clock Clock::calibrated() {
    constexpr u64 duration_ns = 50'000'000;
    Clock clock;
    const u64 begin_ns = os::monotonic_ns();
    const u64 begin = ticks_at_begin();
    u64 elapsed_ns = 0;
    while (elapsed_ns < duration_ns)
        elapsed_ns = os::monotonic_ns() - begin_ns;
    clock.ns_per_tick =
        static_cast<double>(elapsed_ns) / static_cast<double>(ticks_at_end() - begin);
    u64 least = ~u64{0};
    for (int i = 0; i < 20'000; ++i) {
        const u64 from = ticks_at_begin();
        least = std::min(least, ticks_at_end() - from);
    }
    clock.overhead_ticks = least;
    return clock;
}

std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

void stay_on(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("bench", "cannot stay on a CPU");
}

u64 faults_of_thread() {
    rusage usage{};
    if (getrusage(RUSAGE_THREAD, &usage) != 0) give_up("bench", "getrusage");
    return static_cast<u64>(usage.ru_minflt + usage.ru_majflt);
}

}  // namespace wrun::cold
