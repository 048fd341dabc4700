// Which CPU features this machine has.
#include "codegen/cpu.hpp"

#include "base/os_cpu.hpp"

namespace wrun::codegen {

CpuFeatures CpuFeatures::host() noexcept {
    const Cpu& cpu = Cpu::host();
    return {cpu.lzcnt, cpu.bmi1, cpu.bmi2, cpu.avx, cpu.avx2};
}

bool CpuFeatures::host_meets_floor() noexcept {
    return Cpu::host().sse4_2 && Cpu::host().popcnt;
}

}  // namespace wrun::codegen
