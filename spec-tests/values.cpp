// Patterns: from script text, against values, and as text for messages.
#include "spec-tests/values.hpp"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>

#include "spec-tests/numbers.hpp"

namespace wrun::spec {
namespace {

struct Shape {
    std::string_view word;
    u32 lane_bytes;
    bool is_float;
};

constexpr std::array shapes = {Shape{"i8x16", 1, false}, Shape{"i16x8", 2, false},
    Shape{"i32x4", 4, false}, Shape{"i64x2", 8, false}, Shape{"f32x4", 4, true},
    Shape{"f64x2", 8, true}};

struct Scalar {
    std::string_view word;
    ValType type;
    u32 bytes;
};

constexpr std::array scalars = {Scalar{"i32.const", type_i32, 4}, Scalar{"i64.const", type_i64, 8},
    Scalar{"f32.const", type_f32, 4}, Scalar{"f64.const", type_f64, 8}};

u64 lane(u64 low, u64 high, u32 index, u32 bytes) {
    const u32 bit = index * bytes * 8;
    const u64 half = bit < 64 ? low : high;
    return (half >> (bit % 64)) & (~u64{0} >> (64 - bytes * 8));
}

bool parse_lane(Pattern& pattern, u32 index, std::string_view text) {
    const u32 bytes = pattern.lane_bytes;
    std::optional<u64> bits;
    if (pattern.float_lanes && (text == "nan:canonical" || text == "nan:arithmetic")) {
        pattern.nans[index] = text == "nan:canonical" ? NanClass::canonical : NanClass::arithmetic;
        bits = 0;
    } else if (!pattern.float_lanes) {
        bits = parse_integer(text, bytes * 8);
    } else if (bytes == 4) {
        bits = parse_f32(text);
    } else {
        bits = parse_f64(text);
    }
    if (!bits) return false;
    const u32 bit = index * bytes * 8;
    (bit < 64 ? pattern.low : pattern.high) |= *bits << (bit % 64);
    return true;
}

std::optional<Pattern> parse_lanes(
    Pattern pattern, const std::vector<Node>& items, std::size_t first) {
    const std::size_t count = pattern.type == type_v128 ? 16 / pattern.lane_bytes : 1;
    if (items.size() != first + count) return std::nullopt;
    for (u32 i = 0; i < count; ++i)
        if (!items[first + i].is_atom() || !parse_lane(pattern, i, items[first + i].text()))
            return std::nullopt;
    return pattern;
}

std::optional<Pattern> parse_v128(const std::vector<Node>& items) {
    if (items.size() < 2) return std::nullopt;
    const auto shape = std::find_if(shapes.begin(), shapes.end(),
        [&](const Shape& candidate) { return items[1].is_atom(candidate.word); });
    if (shape == shapes.end()) return std::nullopt;
    Pattern pattern;
    pattern.type = type_v128;
    pattern.lane_bytes = shape->lane_bytes;
    pattern.float_lanes = shape->is_float;
    return parse_lanes(std::move(pattern), items, 2);
}

/// `(ref.null heap?)`, `(ref.extern 1)`, `(ref.func)`, …
std::optional<Pattern> parse_reference(std::string_view word, const std::vector<Node>& items) {
    constexpr std::array words = {
        "extern", "host", "func", "any", "eq", "i31", "struct", "array", "exn"};
    if (items.size() > 2 || (items.size() == 2 && !items[1].is_atom())) return std::nullopt;
    Pattern pattern;
    if (word == "null") {
        pattern.kind = Pattern::Kind::null;
        if (items.size() == 2) pattern.reference = items[1].text();
        return pattern;
    }
    if (std::find(words.begin(), words.end(), word) == words.end()) return std::nullopt;
    pattern.kind = Pattern::Kind::reference;
    pattern.reference = word;
    if (items.size() == 2) {
        pattern.host_number = parse_integer(items[1].text(), 32);
        if (!pattern.host_number) return std::nullopt;
    }
    return pattern;
}

std::optional<Pattern> parse_either(const std::vector<Node>& items) {
    Pattern pattern;
    pattern.kind = Pattern::Kind::either;
    for (std::size_t i = 1; i < items.size(); ++i) {
        std::optional<Pattern> alternative = parse_pattern(items[i]);
        if (!alternative) return std::nullopt;
        pattern.alternatives.push_back(std::move(*alternative));
    }
    return pattern;
}

bool matches_nan(NanClass nan, u64 bits, u32 bytes) {
    const u64 sign = u64{1} << (bytes * 8 - 1);
    const u64 canonical = bytes == 4 ? 0x7fc0'0000 : 0x7ff8'0000'0000'0000;
    if (nan == NanClass::canonical) return (bits & ~sign) == canonical;
    return (bits & canonical) == canonical;
}

bool matches_number(const Pattern& pattern, const Observed& value) {
    if (value.type != pattern.type) return false;
    const u32 lanes = pattern.type == type_v128 ? 16 / pattern.lane_bytes : 1;
    for (u32 i = 0; i < lanes; ++i) {
        const u64 bits = lane(value.low, value.high, i, pattern.lane_bytes);
        const NanClass nan = pattern.float_lanes ? pattern.nans[i] : NanClass::none;
        if (nan != NanClass::none) {
            if (!matches_nan(nan, bits, pattern.lane_bytes)) return false;
        } else if (bits != lane(pattern.low, pattern.high, i, pattern.lane_bytes)) {
            return false;
        }
    }
    return true;
}

/// The top of the hierarchy a heap type belongs to, by its word; "" for a type index.
std::string_view top_of(std::string_view heap) {
    if (heap == "func" || heap == "nofunc") return "func";
    if (heap == "extern" || heap == "noextern") return "extern";
    if (heap == "exn" || heap == "noexn") return "exn";
    if (heap.empty() || heap[0] == '$' || (heap[0] >= '0' && heap[0] <= '9')) return "";
    return "any";
}

std::string_view top_of(ValType type) {
    if (type.concrete()) return "";
    switch (type.heap()) {
        case Heap::func:
        case Heap::nofunc: return "func";
        case Heap::extern_:
        case Heap::noextern: return "extern";
        case Heap::exn:
        case Heap::noexn: return "exn";
        case Heap::any:
        case Heap::eq:
        case Heap::i31:
        case Heap::struct_:
        case Heap::array:
        case Heap::none: break;
    }
    return "any";
}

bool same_hierarchy(std::string_view heap, ValType type) {
    const std::string_view left = top_of(heap);
    const std::string_view right = top_of(type);
    return left.empty() || right.empty() || left == right;
}

bool matches_reference(const Pattern& pattern, const Observed& value) {
    if (!value.type.is_ref() || value.low == 0) return false;
    if (!same_hierarchy(pattern.reference, value.type)) return false;
    if (pattern.host_number) return value.low == *pattern.host_number + 1;
    // TODO(gc): once objects exist, ask the engine which kind of object this is. Until then a
    // reference into the hierarchy of `any` cannot be told apart, and claiming a match would be a
    // guess.
    return top_of(pattern.reference) != "any";
}

std::string hex(u64 bits) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%" PRIx64, bits);
    return text.data();
}

std::string number_text(u64 bits, u32 bytes, bool is_float) {
    if (!is_float) {
        const u32 unused = 64 - bytes * 8;
        return std::to_string(static_cast<i64>(bits << unused) >> unused) + " (" + hex(bits) + ")";
    }
    const f64 value = bytes == 4 ? static_cast<f64>(std::bit_cast<f32>(static_cast<u32>(bits)))
                                 : std::bit_cast<f64>(bits);
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%.17g", value);
    return std::string{text.data()} + " (" + hex(bits) + ")";
}

std::string lane_text(const Pattern& pattern, u32 index) {
    if (pattern.float_lanes && pattern.nans[index] == NanClass::canonical) return "nan:canonical";
    if (pattern.float_lanes && pattern.nans[index] == NanClass::arithmetic) return "nan:arithmetic";
    const u64 bits = lane(pattern.low, pattern.high, index, pattern.lane_bytes);
    return number_text(bits, pattern.lane_bytes, pattern.float_lanes);
}

}  // namespace

std::optional<Pattern> parse_pattern(Node node) {
    const std::string_view head = node.head();
    const std::vector<Node> items = node.items();
    for (const Scalar& scalar : scalars) {
        if (head != scalar.word) continue;
        Pattern pattern;
        pattern.type = scalar.type;
        pattern.lane_bytes = scalar.bytes;
        pattern.float_lanes = scalar.type.is_float();
        return parse_lanes(std::move(pattern), items, 1);
    }
    if (head == "v128.const") return parse_v128(items);
    if (head == "either") return parse_either(items);
    if (head.starts_with("ref.")) return parse_reference(head.substr(4), items);
    return std::nullopt;
}

bool matches(const Pattern& pattern, const Observed& value) {
    switch (pattern.kind) {
        case Pattern::Kind::number: return matches_number(pattern, value);
        case Pattern::Kind::null:
            return value.type.is_ref() && value.low == 0 &&
                   same_hierarchy(pattern.reference, value.type);
        case Pattern::Kind::reference: return matches_reference(pattern, value);
        case Pattern::Kind::either: break;
    }
    return std::any_of(pattern.alternatives.begin(), pattern.alternatives.end(),
        [&](const Pattern& alternative) { return matches(alternative, value); });
}

std::optional<Observed> argument(const Pattern& pattern, ValType type) {
    constexpr std::array<NanClass, 4> no_nans{};
    switch (pattern.kind) {
        case Pattern::Kind::number:
            if (pattern.type != type || pattern.nans != no_nans) return std::nullopt;
            return Observed{type, pattern.low, pattern.high};
        case Pattern::Kind::null:
            if (!type.is_ref() || !same_hierarchy(pattern.reference, type)) return std::nullopt;
            return Observed{type};
        case Pattern::Kind::reference:
            if (!type.is_ref() || !pattern.host_number) return std::nullopt;
            if (!same_hierarchy(pattern.reference, type)) return std::nullopt;
            return Observed{type, *pattern.host_number + 1};
        case Pattern::Kind::either: break;
    }
    return std::nullopt;
}

std::string describe(const Pattern& pattern) {
    std::string text;
    switch (pattern.kind) {
        case Pattern::Kind::number: {
            text = name(pattern.type) + ':';
            const u32 lanes = pattern.type == type_v128 ? 16 / pattern.lane_bytes : 1;
            for (u32 i = 0; i < lanes; ++i)
                text += (i > 0 ? " " : "") + lane_text(pattern, i);
            break;
        }
        case Pattern::Kind::null: text = "ref.null " + pattern.reference; break;
        case Pattern::Kind::reference:
            text = "ref." + pattern.reference;
            if (pattern.host_number) text += ' ' + std::to_string(*pattern.host_number);
            break;
        case Pattern::Kind::either:
            for (const Pattern& alternative : pattern.alternatives)
                text += (text.empty() ? "" : " or ") + describe(alternative);
            break;
    }
    return text;
}

std::string describe(const Observed& value) {
    const std::string type = name(value.type);
    if (value.type == type_v128) return type + ':' + hex(value.low) + ' ' + hex(value.high);
    if (!value.type.is_ref()) {
        const bool wide = value.type == type_i64 || value.type == type_f64;
        return type + ':' + number_text(value.low, wide ? 8 : 4, value.type.is_float());
    }
    if (value.low == 0) return type + " null";
    if (value.type == type_externref) return type + ' ' + std::to_string(value.low - 1);
    return type + ", not null";
}

}  // namespace wrun::spec
