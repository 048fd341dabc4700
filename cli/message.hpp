// What the command itself says, on standard error: errors always, the rest as far as WRUN_LOG
// (error, warn, info, debug) asks for it. Text that comes from a module or a guest goes through
// `printable`, so that it cannot drive the terminal.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/printable.hpp"

namespace wrun::cli {

enum class Level : unsigned char { error, warn, info, debug };

/// Reads WRUN_LOG; a word it does not know is itself warned about. The level until then is `warn`.
void set_level_from_environment();
[[nodiscard]] bool says(Level level) noexcept;
/// One line (or more) with the command's name in front.
void say(Level level, std::string_view text);
/// Likewise, but only the first time that there is this to say.
void say_once(Level level, std::string_view text);
/// One line that is no complaint, whatever the level: what a person who started it waits for.
void announce(std::string_view text);
/// Says an error and answers the exit code that goes with it.
[[nodiscard]] int fail(std::string_view text);

/// While it lives, who takes what is said in place of standard error: on whichever thread that is.
class Listening {
public:
    explicit Listening(std::function<void(std::string_view)> listener);
    ~Listening();
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
};

}  // namespace wrun::cli
