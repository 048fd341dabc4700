// LEB128 integers of more than one byte (spec: binary values, §5.2.2). The readers take single
// bytes inline and come here for the rest; position and end travel by value so that the readers'
// own state can stay in registers.
#pragma once

#include "base/result.hpp"

namespace wrun::leb {

struct Decoded {
    u64 value = 0;  // sign-extended when signed
    const u8* next =
        nullptr;  // behind the integer; the byte that is missing when `code` is unexpected_end
    ErrorCode code = ErrorCode::ok;
};

/// Strict: at most ceil(bits/7) bytes, and the unused bits of the last one zero, or copies of the
/// sign.
[[nodiscard]] Decoded read_u32(const u8* position, const u8* end) noexcept;
[[nodiscard]] Decoded read_u64(const u8* position, const u8* end) noexcept;
[[nodiscard]] Decoded read_s32(const u8* position, const u8* end) noexcept;
[[nodiscard]] Decoded read_s33(const u8* position, const u8* end) noexcept;
[[nodiscard]] Decoded read_s64(const u8* position, const u8* end) noexcept;

}  // namespace wrun::leb
