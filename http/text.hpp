// Text of requests and answers: UTF-8, percent escapes, lists of tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace wrun::http {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
/// With U+FFFD for each byte that is none.
[[nodiscard]] std::string to_utf8_lossy(std::string_view text);
/// "%41" is "A"; what is no escape stays.
[[nodiscard]] std::string percent_decoded(std::string_view text);
/// Whether it can be a field's name or a method.
[[nodiscard]] bool is_token(std::string_view text) noexcept;
/// Whether it can be a field's value: no control characters but tabs.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;
/// Without spaces and tabs around it.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
/// Digits only, all of it.
[[nodiscard]] std::optional<u64> parse_decimal(std::string_view text) noexcept;

}  // namespace wrun::http
