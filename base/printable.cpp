// Which characters drive terminals and which do not.
#include "base/printable.hpp"

namespace wrun {

namespace {

/// Bytes of the well-formed UTF-8 sequence of a printable character that starts `text`, or 0.
[[nodiscard]] std::size_t character_bytes(std::string_view text) noexcept {
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

}  // namespace wrun
