// A checksum against damage, not against malice: 64 bits, many bytes per nanosecond on any CPU.
// Each step is reversible in the word it takes and in the sum so far, so damage that stays within
// eight aligned bytes never goes unseen, and other damage with the chance of 2^-64.
#pragma once

#include <span>

#include "base/types.hpp"

namespace wrun {

[[nodiscard]] u64 checksum(std::span<const u8> bytes) noexcept;

}  // namespace wrun
