// What the processor has and the system lets programs use, for whoever chooses code by it. Asked of
// the C library where it tells, as CPUID is a trap in a virtual machine (3.5 us here) and a process
// begins with a dozen of them otherwise.
#pragma once

namespace wrun {

struct Cpu {
    bool ssse3 = false;
    bool sse4_1 = false;
    bool sse4_2 = false;
    bool popcnt = false;
    bool lzcnt = false;
    bool bmi1 = false;
    bool bmi2 = false;
    bool avx = false;
    bool avx2 = false;
    bool sha = false;

    [[nodiscard]] static const Cpu& host() noexcept;
};

}  // namespace wrun
