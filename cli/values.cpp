// See values.hpp.
#include "cli/values.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>

namespace wrun::cli {
namespace {

using engine::Value;

/// Any value that `bits` bits hold, read as signed or unsigned.
std::optional<u64> parse_integer(std::string_view word, int bits) {
    const bool negative = word.starts_with('-');
    if (negative || word.starts_with('+')) word.remove_prefix(1);
    int base = 10;
    if (word.starts_with("0x") || word.starts_with("0X")) {
        base = 16;
        word.remove_prefix(2);
    }
    u64 magnitude = 0;
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, magnitude, base);
    if (error != std::errc{} || rest != end) return std::nullopt;
    const u64 mask = bits == 32 ? 0xffff'ffff : ~u64{0};
    const u64 lowest = u64{1} << (bits - 1);
    if (magnitude > (negative ? lowest : mask)) return std::nullopt;
    return (negative ? ~magnitude + 1 : magnitude) & mask;
}

template <class Float>
std::optional<Float> parse_float(const std::string& word, Float (*parse)(const char*, char**)) {
    if (word.empty() || word[0] == ' ') return std::nullopt;
    char* end = nullptr;
    const Float value = parse(word.c_str(), &end);
    if (end != word.c_str() + word.size()) return std::nullopt;
    return value;
}

template <class Float>
std::string print_float(Float value) {
    std::array<char, 64> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} ? std::string{text.data(), end} : std::string{"?"};
}

std::optional<Value> parse_reference(ValType type, const std::string& word) {
    if (word == "null" && type.nullable()) return Value::ref(type, 0);
    const bool external = !type.concrete() && type.heap() == Heap::extern_;
    const auto number = parse_integer(word, 64);
    // Zero is null, so the host's numbers count from one.
    if (!external || !number || *number == 0) return std::nullopt;
    return Value::ref(type, *number);
}

}  // namespace

std::optional<Value> parse_value(ValType type, const std::string& word) {
    switch (type.kind()) {
        case Kind::i32:
            if (const auto value = parse_integer(word, 32))
                return Value::i32(static_cast<u32>(*value));
            break;
        case Kind::i64:
            if (const auto value = parse_integer(word, 64)) return Value::i64(*value);
            break;
        case Kind::f32:
            if (const auto value = parse_float(word, &std::strtof))
                return Value::f32_bits(std::bit_cast<u32>(*value));
            break;
        case Kind::f64:
            if (const auto value = parse_float(word, &std::strtod))
                return Value::f64_bits(std::bit_cast<u64>(*value));
            break;
        case Kind::ref: return parse_reference(type, word);
        case Kind::v128:
        case Kind::bottom: break;
    }
    return std::nullopt;
}

std::string print_value(const Value& value) {
    switch (value.type.kind()) {
        case Kind::i32: return std::to_string(static_cast<i32>(value.bits));
        case Kind::i64: return std::to_string(static_cast<i64>(value.bits));
        case Kind::f32: return print_float(std::bit_cast<f32>(static_cast<u32>(value.bits)));
        case Kind::f64: return print_float(std::bit_cast<f64>(value.bits));
        case Kind::ref: {
            if (value.bits == 0) return "null";
            const bool external = !value.type.concrete() && value.type.heap() == Heap::extern_;
            return external ? "externref " + std::to_string(value.bits) : "funcref";
        }
        case Kind::v128:
        case Kind::bottom: break;
    }
    return "?";
}

}  // namespace wrun::cli
