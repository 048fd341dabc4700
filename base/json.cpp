// See json.hpp.
#include "base/json.hpp"

namespace wrun {
namespace {

/// Bytes of the sequence that starts `text` if it is UTF-8 (shortest form, no surrogates), else 0.
std::size_t sequence_bytes(std::string_view text) noexcept {
    const auto at = [&](std::size_t index) {
        return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
    };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    for (std::size_t index = 1; index < length; ++index)
        if ((at(index) & 0xc0) != 0x80) return 0;
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) >= 0xa0)) return 0;
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) >= 0x90)) return 0;
    return length;
}

}  // namespace

JsonWriter& JsonWriter::value(std::string_view text) {
    separate();
    text_ += '"';
    while (!text.empty()) {
        const std::size_t bytes = sequence_bytes(text);
        const auto byte = static_cast<unsigned char>(text[0]);
        if (bytes == 0) {
            text_ += "\\ufffd";
        } else if (byte == '"' || byte == '\\') {
            text_ += {'\\', text[0]};
        } else if (byte < 0x20 || byte == 0x7f) {
            constexpr std::string_view digits = "0123456789abcdef";
            text_ += "\\u00";
            text_ += digits[byte >> 4];
            text_ += digits[byte & 15];
        } else {
            text_ += text.substr(0, bytes);
        }
        text.remove_prefix(bytes == 0 ? 1 : bytes);
    }
    text_ += '"';
    return *this;
}

}  // namespace wrun
