// See os_cpu.hpp.
#include "base/os_cpu.hpp"

#if __has_include(<sys/platform/x86.h>)
// The header is written in C, whose word for it clang knows in C only.
#define _Bool bool  // NOLINT(bugprone-reserved-identifier)
#include <sys/platform/x86.h>
#undef _Bool
#else
#include <cpuid.h>
#endif

namespace wrun {

namespace {

#if __has_include(<sys/platform/x86.h>)
[[nodiscard]] Cpu detected() noexcept {
    Cpu cpu;
    cpu.ssse3 = CPU_FEATURE_ACTIVE(SSSE3);
    cpu.sse4_1 = CPU_FEATURE_ACTIVE(SSE4_1);
    cpu.sse4_2 = CPU_FEATURE_ACTIVE(SSE4_2);
    cpu.popcnt = CPU_FEATURE_ACTIVE(POPCNT);
    cpu.lzcnt = CPU_FEATURE_ACTIVE(LZCNT);
    cpu.bmi1 = CPU_FEATURE_ACTIVE(BMI1);
    cpu.bmi2 = CPU_FEATURE_ACTIVE(BMI2);
    cpu.avx = CPU_FEATURE_ACTIVE(AVX);
    cpu.avx2 = CPU_FEATURE_ACTIVE(AVX2);
    cpu.sha = CPU_FEATURE_ACTIVE(SHA);
    return cpu;
}
#else
[[nodiscard]] Cpu detected() noexcept {
    constexpr unsigned sha_bit = 1u << 29;
    Cpu cpu;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid(0x8000'0001, &eax, &ebx, &ecx, &edx) != 0) cpu.lzcnt = (ecx & bit_LZCNT) != 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) cpu.sha = (ebx & sha_bit) != 0;
    __builtin_cpu_init();
    cpu.ssse3 = __builtin_cpu_supports("ssse3") != 0;
    cpu.sse4_1 = __builtin_cpu_supports("sse4.1") != 0;
    cpu.sse4_2 = __builtin_cpu_supports("sse4.2") != 0;
    cpu.popcnt = __builtin_cpu_supports("popcnt") != 0;
    cpu.bmi1 = __builtin_cpu_supports("bmi") != 0;
    cpu.bmi2 = __builtin_cpu_supports("bmi2") != 0;
    cpu.avx = __builtin_cpu_supports("avx") != 0;
    cpu.avx2 = __builtin_cpu_supports("avx2") != 0;
    return cpu;
}
#endif

}  // namespace

const Cpu& Cpu::host() noexcept {
    static const Cpu cpu = detected();
    return cpu;
}

}  // namespace wrun
