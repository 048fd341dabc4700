// Names are UTF-8 (spec: §5.2.4): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <span>

#include "base/types.hpp"

namespace wrun {

[[nodiscard]] bool is_utf8(std::span<const u8> text) noexcept;

}  // namespace wrun
