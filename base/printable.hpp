// Text from modules, guests and clients as it may be shown: it cannot drive a terminal or begin
// another line of a log.
#pragma once

#include <string>
#include <string_view>

namespace wrun {

/// Control characters, those that turn or end lines unseen, and bytes that are no UTF-8 as \xNN; no
/// more than `bytes_max` of it.
[[nodiscard]] std::string printable(std::string_view text, std::size_t bytes_max = 200);

}  // namespace wrun
