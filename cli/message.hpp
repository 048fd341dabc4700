// What the command itself says, on standard error: errors always, the rest as far as WRUN_LOG
// (error, warn, info, debug) asks for it. Text that comes from a module or a guest goes through
// `printable`, so that it cannot drive the terminal.
#pragma once

#include <string>
#include <string_view>

namespace wrun::cli {

enum class Level : unsigned char { error, warn, info, debug };

/// Reads WRUN_LOG; a word it does not know is itself warned about. The level until then is `warn`.
void set_level_from_environment();
[[nodiscard]] bool says(Level level) noexcept;
/// One line (or more) with the command's name in front.
void say(Level level, std::string_view text);
/// Says an error and answers the exit code that goes with it.
[[nodiscard]] int fail(std::string_view text);

/// Control characters and bytes that are no UTF-8 as \xNN, and no more than `bytes_max` of it.
[[nodiscard]] std::string printable(std::string_view text, std::size_t bytes_max = 200);

}  // namespace wrun::cli
