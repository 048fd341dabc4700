// See utf8.hpp. Eight ASCII bytes are taken at a time; name sections are large and nearly all
// ASCII.
#include "base/utf8.hpp"

#include <cstring>

namespace wrun {
namespace {

bool is_continuation(u8 byte) noexcept {
    return (byte & 0xc0) == 0x80;
}

/// Unicode's table 3-7.
inline std::size_t sequence_length(const u8* text, std::size_t size) noexcept {
    const u8 lead = text[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return size >= 2 && is_continuation(text[1]) ? 2 : 0;
    if (lead < 0xf0) {
        if (size < 3 || !is_continuation(text[1]) || !is_continuation(text[2])) return 0;
        const bool overlong = lead == 0xe0 && text[1] < 0xa0;
        const bool surrogate = lead == 0xed && text[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (lead > 0xf4 || size < 4) return 0;
    for (std::size_t i = 1; i < 4; ++i) {
        if (!is_continuation(text[i])) return 0;
    }
    const bool overlong = lead == 0xf0 && text[1] < 0x90;
    const bool too_large = lead == 0xf4 && text[1] >= 0x90;
    return overlong || too_large ? 0 : 4;
}

const u8* bytes_of(std::string_view text) noexcept {
    return reinterpret_cast<const u8*>(text.data());
}

}  // namespace

std::size_t utf8_sequence_bytes(std::string_view text) noexcept {
    return sequence_length(bytes_of(text), text.size());
}

bool is_utf8(std::string_view text) noexcept {
    const u8* const bytes = bytes_of(text);
    std::size_t position = 0;
    while (position < text.size()) {
        if (text.size() - position >= 8) {
            u64 chunk = 0;
            std::memcpy(&chunk, bytes + position, sizeof chunk);
            if ((chunk & 0x8080'8080'8080'8080) == 0) {
                position += 8;
                continue;
            }
        }
        const std::size_t length = sequence_length(bytes + position, text.size() - position);
        if (length == 0) return false;
        position += length;
    }
    return true;
}

}  // namespace wrun
