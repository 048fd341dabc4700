// See message.hpp.
#include "cli/message.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>

#include "cli/exit_code.hpp"

namespace wrun::cli {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"error", "warn", "info", "debug"};

Level& level() noexcept {
    static Level current = Level::warn;
    return current;
}

struct Said {
    std::mutex mutex;
    std::function<void(std::string_view)> listener;
    std::set<std::string, std::less<>> once;
};

Said& said() {
    static Said current;
    return current;
}

}  // namespace

void set_level_from_environment() {
    const char* const wanted = std::getenv("WRUN_LOG");
    if (wanted == nullptr || *wanted == 0) return;
    for (std::size_t index = 0; index < level_names.size(); ++index) {
        if (level_names[index] != wanted) continue;
        level() = static_cast<Level>(index);
        return;
    }
    say(Level::warn,
        "WRUN_LOG is '" + printable(wanted) + "'; it may be error, warn, info or debug");
}

bool says(Level wanted) noexcept {
    return wanted <= level();
}

void announce(std::string_view text) {
    {
        const std::lock_guard lock{said().mutex};
        if (said().listener) return said().listener(text);
    }
    const std::string line = "wrun: " + std::string{text} + '\n';
    // In one piece, so that lines of several processes do not mix.
    static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

void say(Level wanted, std::string_view text) {
    if (!says(wanted)) return;
    std::string kind;
    if (wanted == Level::warn) kind = "warning: ";
    if (wanted > Level::warn) kind = std::string{level_names[static_cast<unsigned>(wanted)]} + ": ";
    announce(kind + std::string{text});
}

void say_once(Level wanted, std::string_view text) {
    {
        const std::lock_guard lock{said().mutex};
        if (!said().once.emplace(text).second) return;
    }
    say(wanted, text);
}

Listening::Listening(std::function<void(std::string_view)> listener) {
    const std::lock_guard lock{said().mutex};
    said().listener = std::move(listener);
}

Listening::~Listening() {
    const std::lock_guard lock{said().mutex};
    said().listener = nullptr;
}

int fail(std::string_view text) {
    say(Level::error, text);
    return exit_code::failure;
}

}  // namespace wrun::cli
