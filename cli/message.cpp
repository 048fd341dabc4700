// See message.hpp.
#include "cli/message.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "cli/exit_code.hpp"

namespace wrun::cli {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"error", "warn", "info", "debug"};

Level& level() noexcept {
    static Level current = Level::warn;
    return current;
}

/// Bytes of the well-formed UTF-8 sequence of a printable character that starts `text`, or 0.
std::size_t character_bytes(std::string_view text) noexcept {
    const auto at = [&](std::size_t index) {
        return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
    };
    const unsigned first = at(0);
    if (first >= 0x20 && first < 0x7f) return 1;
    const std::size_t length = first >= 0xf0 && first < 0xf5   ? 4
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xc2 && first < 0xe0 ? 2
                                                               : 0;
    for (std::size_t index = 1; index < length; ++index)
        if ((at(index) & 0xc0) != 0x80) return 0;
    // U+0080 to U+009F are controls as well, and U+202A and its like turn the line around.
    if (first == 0xc2 && at(1) < 0xa0) return 0;
    if (first == 0xe2 && (at(1) == 0x80 || at(1) == 0x81)) return 0;
    return length;
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

void say(Level wanted, std::string_view text) {
    if (!says(wanted)) return;
    std::string line = "wrun: ";
    if (wanted == Level::warn) line += "warning: ";
    if (wanted > Level::warn)
        line += std::string{level_names[static_cast<unsigned>(wanted)]} + ": ";
    line += text;
    line += '\n';
    // In one piece, so that lines of several processes do not mix.
    static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

int fail(std::string_view text) {
    say(Level::error, text);
    return exit_code::failure;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
    std::string result;
    while (!text.empty()) {
        if (result.size() >= bytes_max) return result + "…";
        const std::size_t bytes = character_bytes(text);
        if (bytes == 0) {
            constexpr std::string_view digits = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(text[0]);
            result += "\\x";
            result += digits[byte >> 4];
            result += digits[byte & 15];
        } else {
            result += text.substr(0, bytes);
        }
        text.remove_prefix(bytes == 0 ? 1 : bytes);
    }
    return result;
}

}  // namespace wrun::cli
