// See utf8.hpp. Eight ASCII bytes are taken at a time; name sections are large and nearly all
// ASCII.
#include "decoder/utf8.hpp"

#include <cstring>

namespace wrun {
namespace {

bool is_continuation(u8 byte) noexcept {
    return (byte & 0xc0) == 0x80;
}

/// Length of the sequence at `text`, or 0. The table of well-formed sequences is Unicode's table
/// 3-7.
std::size_t sequence_length(const u8* text, std::size_t size) noexcept {
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

}  // namespace

bool is_utf8(std::span<const u8> text) noexcept {
    std::size_t position = 0;
    while (position < text.size()) {
        if (text.size() - position >= 8) {
            u64 chunk = 0;
            std::memcpy(&chunk, text.data() + position, sizeof chunk);
            if ((chunk & 0x8080'8080'8080'8080) == 0) {
                position += 8;
                continue;
            }
        }
        const std::size_t length = sequence_length(text.data() + position, text.size() - position);
        if (length == 0) return false;
        position += length;
    }
    return true;
}

}  // namespace wrun
