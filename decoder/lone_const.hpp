// The constant expression that nearly every segment has: a lone `i32.const n`. Programs of Go bring
// seventy thousand, so reading, checking and computing one should cost a few nanoseconds each.
#pragma once

#include <span>

#include "decoder/opcodes.hpp"

namespace wrun {

struct LoneConst {
    i32 value = 0;
    u32 bytes = 0;  // of the whole expression with its `end`; 0: it is something else
};

/// What an expression at the begin of `bytes` is. Numbers of five bytes, whose last may be wrong,
/// are for the general way.
[[nodiscard]] inline LoneConst lone_i32_const(std::span<const u8> bytes) noexcept {
    constexpr u32 number_bytes_max = 4;
    if (bytes.empty() || bytes[0] != info(Op::i32_const).code) return {};
    u32 value = 0;
    for (u32 i = 1; i <= number_bytes_max && i + 1 < bytes.size(); ++i) {
        value |= (bytes[i] & 0x7fu) << (7 * (i - 1));
        if (bytes[i] >= 0x80) continue;
        if (bytes[i + 1] != info(Op::end).code) return {};
        const u32 unused = 32 - 7 * i;
        return {static_cast<i32>(value << unused) >> unused, i + 2};
    }
    return {};
}

}  // namespace wrun
