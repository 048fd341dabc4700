// See json.hpp.
#include "base/json.hpp"

#include "base/utf8.hpp"

namespace wrun {

JsonWriter& JsonWriter::value(std::string_view text) {
    separate();
    text_ += '"';
    while (!text.empty()) {
        const std::size_t bytes = utf8_sequence_bytes(text);
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
