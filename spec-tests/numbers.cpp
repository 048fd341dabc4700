// The grammar is checked here; strtof and strtod, which round correctly, do the arithmetic. Each
// width has its own: a float by way of a double would be rounded twice.
#include "spec-tests/numbers.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>

namespace wrun::spec {
namespace {

/// Takes a sign off the front; true when it is a minus.
bool take_sign(std::string_view& text) {
    if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
    const bool negative = text[0] == '-';
    text.remove_prefix(1);
    return negative;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool is_digit(char c, bool hex) {
    return (c >= '0' && c <= '9') || (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

/// Moves a run of digits from `text` to `to`. A `_` must have a digit on both sides.
bool take_digits(std::string_view& text, bool hex, std::string& to) {
    const std::size_t before = to.size();
    bool after_digit = false;
    while (!text.empty() && (is_digit(text[0], hex) || (text[0] == '_' && after_digit))) {
        after_digit = text[0] != '_';
        if (after_digit) to += text[0];
        text.remove_prefix(1);
    }
    return to.size() > before && after_digit;
}

std::optional<u64> parse_magnitude(std::string_view text) {
    const bool hex = take_prefix(text, "0x");
    std::string digits;
    if (!take_digits(text, hex, digits) || !text.empty()) return std::nullopt;
    const u64 base = hex ? 16 : 10;
    u64 value = 0;
    for (const char c : digits) {
        const u64 digit = static_cast<u64>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return std::nullopt;
    }
    return value;
}

/// The text without underscores where it is a decimal or hexadecimal float, else nothing.
std::optional<std::string> checked_float(std::string_view text) {
    std::string plain;
    const bool hex = take_prefix(text, "0x");
    if (hex) plain = "0x";
    if (!take_digits(text, hex, plain)) return std::nullopt;
    if (take_prefix(text, ".")) {
        plain += '.';
        // A fraction may be empty: "1." is a number.
        if (!text.empty() && is_digit(text[0], hex) && !take_digits(text, hex, plain))
            return std::nullopt;
    }
    if (!text.empty() && (text[0] | 0x20) == (hex ? 'p' : 'e')) {
        plain += text[0];
        text.remove_prefix(1);
        if (take_sign(text)) plain += '-';
        if (!take_digits(text, false, plain)) return std::nullopt;
    }
    if (!text.empty()) return std::nullopt;
    return plain;
}

template <class Float>
Float convert(const char* text) {
    if constexpr (sizeof(Float) == 4) {
        return std::strtof(text, nullptr);
    } else {
        return std::strtod(text, nullptr);
    }
}

template <class Float, class Bits>
std::optional<Bits> parse_float(std::string_view text) {
    constexpr u32 mantissa_bits = sizeof(Float) == 4 ? 23 : 52;
    constexpr Bits sign_bit = Bits{1} << (sizeof(Float) * 8 - 1);
    constexpr Bits infinity = (sign_bit - 1) >> mantissa_bits << mantissa_bits;
    const Bits sign = take_sign(text) ? sign_bit : 0;
    if (text == "inf") return sign | infinity;
    if (text == "nan") return sign | infinity | (Bits{1} << (mantissa_bits - 1));
    if (take_prefix(text, "nan:")) {
        if (!text.starts_with("0x")) return std::nullopt;
        const std::optional<u64> payload = parse_magnitude(text);
        if (!payload || *payload == 0 || (*payload >> mantissa_bits) != 0) return std::nullopt;
        return sign | infinity | static_cast<Bits>(*payload);
    }
    const std::optional<std::string> plain = checked_float(text);
    if (!plain) return std::nullopt;
    const Float value = convert<Float>(plain->c_str());
    if (std::isinf(value)) return std::nullopt;
    return sign | std::bit_cast<Bits>(value);
}

}  // namespace

std::optional<u64> parse_integer(std::string_view text, u32 bits) {
    const bool negative = take_sign(text);
    const std::optional<u64> magnitude = parse_magnitude(text);
    if (!magnitude) return std::nullopt;
    const u64 mask = ~u64{0} >> (64 - bits);
    const u64 max = negative ? u64{1} << (bits - 1) : mask;
    if (*magnitude > max) return std::nullopt;
    return (negative ? 0 - *magnitude : *magnitude) & mask;
}

std::optional<u32> parse_f32(std::string_view text) {
    return parse_float<f32, u32>(text);
}

std::optional<u64> parse_f64(std::string_view text) {
    return parse_float<f64, u64>(text);
}

}  // namespace wrun::spec
