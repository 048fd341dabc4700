// Numbers of the text format (spec §6.3.1–6.3.2) to bits: integers of any width up to 64, and
// floats rounded once from what is written, so that the bits are exact. No value where the text is
// no such number.
#pragma once

#include <optional>
#include <string_view>

#include "base/types.hpp"

namespace wrun::spec {

/// Signed or not, as both may be written: -2^(bits-1) … 2^bits - 1. The upper bits of the result
/// are zero.
[[nodiscard]] std::optional<u64> parse_integer(std::string_view text, u32 bits);

/// Decimal, hexadecimal, `inf`, `nan`, `nan:0x…`; not `nan:canonical`, which is no number but a
/// pattern.
[[nodiscard]] std::optional<u32> parse_f32(std::string_view text);
[[nodiscard]] std::optional<u64> parse_f64(std::string_view text);

}  // namespace wrun::spec
