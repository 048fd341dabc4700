// Which CPU features this machine has, by CPUID.
#include "codegen/cpu.hpp"

#include <cpuid.h>

namespace wrun::codegen {

namespace {

[[nodiscard]] CpuFeatures detected() noexcept {
    __builtin_cpu_init();
    CpuFeatures result;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid(0x8000'0001, &eax, &ebx, &ecx, &edx) != 0) {
        result.lzcnt = (ecx & bit_LZCNT) != 0;
    }
    result.bmi1 = __builtin_cpu_supports("bmi") != 0;
    result.bmi2 = __builtin_cpu_supports("bmi2") != 0;
    result.avx = __builtin_cpu_supports("avx") != 0;  // the operating system's part included
    result.avx2 = __builtin_cpu_supports("avx2") != 0;
    return result;
}

}  // namespace

CpuFeatures CpuFeatures::host() noexcept {
    // In a virtual machine each CPUID takes microseconds.
    static const CpuFeatures features = detected();
    return features;
}

bool CpuFeatures::host_meets_floor() noexcept {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("popcnt") != 0;
}

}  // namespace wrun::codegen
