// See values.hpp.
#include "fuzz/differential/values.hpp"

#include <array>
#include <bit>
#include <cstdio>

namespace wrun::differ {

u64 comparable_bits(const Value& value) noexcept {
    switch (value.type) {
        case Type::i32: return static_cast<u32>(value.bits);
        case Type::f32: {
            const u32 bits = static_cast<u32>(value.bits);
            return (bits & 0x7fff'ffff) > 0x7f80'0000 ? 0x7fc0'0000 : bits;
        }
        case Type::f64: {
            const u64 magnitude = value.bits & ~(u64{1} << 63);
            return magnitude > 0x7ff0'0000'0000'0000 ? 0x7ff8'0000'0000'0000 : value.bits;
        }
        default: return value.bits;
    }
}

std::string_view name(Type type) noexcept {
    static constexpr std::array<std::string_view, 7> names = {
        "i32", "i64", "f32", "f64", "funcref", "externref", "another type"};
    return names[to_underlying(type)];
}

std::string text(const Value& value) {
    char buffer[96];
    const u32 low = static_cast<u32>(value.bits);
    switch (value.type) {
        case Type::i32:
            std::snprintf(buffer, sizeof buffer, "i32 0x%08x (%d)", low, static_cast<i32>(low));
            break;
        case Type::i64:
            std::snprintf(buffer, sizeof buffer, "i64 0x%016llx (%lld)",
                static_cast<unsigned long long>(value.bits), static_cast<long long>(value.bits));
            break;
        case Type::f32:
            std::snprintf(buffer, sizeof buffer, "f32 0x%08x (%.9g)", low,
                static_cast<double>(std::bit_cast<float>(low)));
            break;
        case Type::f64:
            std::snprintf(buffer, sizeof buffer, "f64 0x%016llx (%.17g)",
                static_cast<unsigned long long>(value.bits), std::bit_cast<double>(value.bits));
            break;
        default:
            if (value.bits == 0) return std::string{name(value.type)} + " null";
            std::snprintf(buffer, sizeof buffer, "%s %llu", std::string{name(value.type)}.c_str(),
                static_cast<unsigned long long>(value.bits));
    }
    return buffer;
}

std::string text(const Item& item) {
    std::string all{name(item.kind)};
    all += " \"" + (item.module.empty() ? "" : item.module + "\" \"") + item.field + '"';
    const auto list = [&](std::string_view word, const std::vector<Type>& types) {
        if (types.empty()) return;
        all += " (" + std::string{word};
        for (const Type type : types)
            all += ' ' + std::string{name(type)};
        all += ')';
    };
    if (item.kind == ExternKind::func) {
        list("param", item.params);
        list("result", item.results);
        return all;
    }
    if (item.kind == ExternKind::global) {
        return all + (item.is_mutable ? " mut " : " ") + std::string{name(item.content)};
    }
    all += ' ' + std::to_string(item.min);
    if (item.max) all += ' ' + std::to_string(*item.max);
    if (item.kind == ExternKind::table) all += ' ' + std::string{name(item.content)};
    return all;
}

std::string_view name(TrapKind kind) noexcept {
    static constexpr std::array<std::string_view, 11> names = {"unreachable",
        "integer divide by zero", "integer overflow", "invalid conversion to integer",
        "out of bounds memory access", "out of bounds table access", "uninitialized element",
        "indirect call type mismatch", "call stack exhausted", "out of fuel", "another trap"};
    return names[to_underlying(kind)];
}

}  // namespace wrun::differ
