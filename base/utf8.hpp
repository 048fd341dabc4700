// UTF-8 as Unicode's table 3-7 has it (spec of wasm: §5.2.4): no overlong forms, no surrogates,
// nothing above U+10FFFF. The one place that knows how long a sequence is: whoever looked at bytes
// by laxer rules would let through what another reader takes for something else.
#pragma once

#include <string_view>

#include "base/types.hpp"

namespace wrun {

/// Bytes of the sequence at the begin of the text, which is not empty; 0 when it is none.
[[nodiscard]] std::size_t utf8_sequence_bytes(std::string_view text) noexcept;
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace wrun
