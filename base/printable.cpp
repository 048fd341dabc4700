// Which characters drive terminals and which do not.
#include "base/printable.hpp"

#include <algorithm>
#include <iterator>

#include "base/utf8.hpp"

namespace wrun {

namespace {

/// Characters above ASCII without a shape, that change how or where others are shown.
struct Range {
    u32 first;
    u32 last;
};
constexpr Range hidden[] = {
    {0x80, 0x9f},      // controls
    {0x61c, 0x61c},    // turns the line around, as some of the following do
    {0x200b, 0x200f},  // of no width, in a name that looks like another
    {0x2028, 0x202e},  // end lines and paragraphs, turn them around
    {0x2060, 0x206f},
    {0xfeff, 0xfeff},
};

/// Bytes of the printable character that starts `text`, or 0.
[[nodiscard]] std::size_t character_bytes(std::string_view text) noexcept {
    const std::size_t length = utf8_sequence_bytes(text);
    const auto at = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
    if (length == 1) return at(0) >= 0x20 && at(0) < 0x7f ? 1 : 0;
    u32 code = at(0) & (0xffu >> (length + 1));
    for (std::size_t index = 1; index < length; ++index)
        code = code << 6 | (at(index) & 0x3fu);
    const auto is_hidden = [&](const Range& range) {
        return code >= range.first && code <= range.last;
    };
    return std::any_of(std::begin(hidden), std::end(hidden), is_hidden) ? 0 : length;
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
