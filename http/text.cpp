// See text.hpp.
#include "http/text.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "http/exchange.hpp"

namespace wrun::http {
namespace {

bool is_token_character(char c) noexcept {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c != 0 && std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

}  // namespace

std::string to_utf8_lossy(std::string_view text) {
    if (is_utf8(text)) return std::string{text};
    std::string result;
    while (!text.empty()) {
        const std::size_t bytes = utf8_sequence_bytes(text);
        result += bytes == 0 ? std::string_view{"\xef\xbf\xbd"} : text.substr(0, bytes);
        text.remove_prefix(std::max<std::size_t>(bytes, 1));
    }
    return result;
}

std::string percent_decoded(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] == '%' && index + 2 < text.size()) {
            const int high = hex_value(text[index + 1]);
            const int low = hex_value(text[index + 2]);
            if (high >= 0 && low >= 0) {
                result += static_cast<char>(high * 16 + low);
                index += 2;
                continue;
            }
        }
        result += text[index];
    }
    return result;
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

bool is_field_value(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<u8>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

std::string_view trimmed(std::string_view text, std::string_view white) noexcept {
    const std::size_t begin = text.find_first_not_of(white);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

bool has_token(std::string_view list, std::string_view token) noexcept {
    bool has_it = false;
    for_each_token(
        list, [&](std::string_view one) { has_it = has_it || is_same_name(one, token); });
    return has_it;
}

std::string host_and_port(std::string_view host, u16 port) {
    const bool is_v6 = host.find(':') != std::string_view::npos;
    std::string result;
    result.reserve(host.size() + std::size("[]:65535"));
    if (is_v6) result += '[';
    result += host;
    result += is_v6 ? "]:" : ":";
    return result += std::to_string(port);
}

}  // namespace wrun::http
