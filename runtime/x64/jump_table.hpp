// The bytes of a lazy image's jump table. An entry is 8 bytes: at first a call that tells, by its
// return address, which function is wanted; then a jump to that function. Both are one instruction
// of five bytes at the entry's begin, so a thread that comes by while the eight are replaced at
// once sees one or the other.
#pragma once

#include <array>
#include <cstddef>

#include "runtime/abi.hpp"

namespace wrun::runtime::x64 {

inline constexpr u32 rel32_instruction_bytes = 5;

/// Offsets count from the image's begin.
[[nodiscard]] constexpr u64 rel32_entry(u8 opcode, u32 entry, u32 target) noexcept {
    constexpr u64 int3_filling = u64{0xcc'cccc} << 40;
    return opcode | (u64{target - (entry + rel32_instruction_bytes)} << 8) | int3_filling;
}
[[nodiscard]] constexpr u64 unresolved_entry(u32 entry, u32 target) noexcept {
    return rel32_entry(0xe8, entry, target);
}
[[nodiscard]] constexpr u64 resolved_entry(u32 entry, u32 target) noexcept {
    return rel32_entry(0xe9, entry, target);
}

/// What unresolved entries call: `jmp [r14 + lazy_call]`.
inline constexpr std::array<u8, 4> lazy_thunk = {0x41, 0xff, 0x66, offsetof(Context, lazy_call)};
static_assert(context_register == Gp::r14 && offsetof(Context, lazy_call) < 128);

}  // namespace wrun::runtime::x64
