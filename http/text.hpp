// Text of requests and answers: percent escapes, tokens and lists of them, numbers, addresses. What
// is read here comes from strangers: nothing is taken that is not wholly of its form.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/types.hpp"

namespace wrun::http {

// ASCII alone, whatever the locale.
[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] constexpr char to_upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}
/// Where names become those of variables or fields of them, "-" and "_" are the same.
[[nodiscard]] constexpr char to_folded(char c) noexcept {
    return c == '_' ? '-' : to_lower(c);
}
/// -1 for what is no digit.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// With U+FFFD for each byte that is none.
[[nodiscard]] std::string to_utf8_lossy(std::string_view text);
/// "%41" is "A"; what is no escape stays.
[[nodiscard]] std::string percent_decoded(std::string_view text);
/// Whether it can be a field's name or a method.
[[nodiscard]] bool is_token(std::string_view text) noexcept;
/// Whether it can be a field's value: no control characters but tabs.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;
/// Without white space around it: spaces and tabs, where nothing else is said.
[[nodiscard]] std::string_view trimmed(
    std::string_view text, std::string_view white = " \t") noexcept;
/// Whether a comma-separated list has this token.
[[nodiscard]] bool has_token(std::string_view list, std::string_view token) noexcept;
/// "127.0.0.1:80", "[::1]:80".
[[nodiscard]] std::string host_and_port(std::string_view host, u16 port);
/// Digits only, all of it; nothing where the number is beyond the type.
template <class Number = u64>
    requires std::is_unsigned_v<Number>
[[nodiscard]] std::optional<Number> parse_decimal(std::string_view text) noexcept {
    Number number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc{} || rest != end) return std::nullopt;
    return number;
}

/// Calls with each token of a comma-separated list (RFC 9110, 5.6.1), which has none where nothing
/// stands between two commas.
template <class Each>
void for_each_token(std::string_view list, Each each) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        const std::string_view token = trimmed(list.substr(0, comma));
        list.remove_prefix(std::min(comma + 1, list.size()));
        if (!token.empty()) each(token);
    }
}

}  // namespace wrun::http
