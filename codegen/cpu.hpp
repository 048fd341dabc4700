// The CPU features that generated code may use. The floor is x86-64-v2 (SSE4.2, POPCNT); the rest
// is detected, part of the configuration, and can be switched off by tests.
#pragma once

#include "base/types.hpp"

namespace wrun::codegen {

struct CpuFeatures {
    bool lzcnt = false;
    bool bmi1 = false;  // tzcnt
    bool bmi2 = false;  // shlx, shrx, sarx, rorx
    bool avx = false;
    bool avx2 = false;

    /// What this machine has.
    [[nodiscard]] static CpuFeatures host() noexcept;
    /// Whether this machine meets the floor at all.
    [[nodiscard]] static bool host_meets_floor() noexcept;
    [[nodiscard]] u32 bits() const noexcept {
        return u32{lzcnt} | (u32{bmi1} << 1) | (u32{bmi2} << 2) | (u32{avx} << 3) |
               (u32{avx2} << 4);
    }
};

}  // namespace wrun::codegen
