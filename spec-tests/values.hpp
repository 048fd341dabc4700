// Values as scripts write them: an argument is a value, an expected result is a pattern that values
// match. Patterns match bits exactly; a NaN pattern matches the class of NaNs it names. References
// in scripts are numbers of the host (`ref.extern 3`); the engine's number for it is one more,
// because its 0 is null.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/types.hpp"
#include "spec-tests/sexpr.hpp"

namespace wrun::spec {

/// What a call gave back, or what is passed to one: its type and bits (the upper half for v128
/// only).
struct Observed {
    ValType type;
    u64 low = 0;
    u64 high = 0;
};

enum class NanClass : u8 { none, canonical, arithmetic };

struct Pattern {
    enum class Kind : u8 { number, null, reference, either };
    Kind kind = Kind::number;

    // A number. A v128 has lanes, `lane_bytes` each; any other number is one lane.
    ValType type;
    u32 lane_bytes = 0;
    bool float_lanes = false;
    u64 low = 0;
    u64 high = 0;
    std::array<NanClass, 4> nans{};  // of lane i, where lanes are floats

    // A reference: the word behind `ref.`, or the heap type behind `ref.null` ("" for any).
    std::string reference;
    std::optional<u64> host_number;

    std::vector<Pattern> alternatives;  // of `either`
};

/// `(i32.const 1)`, `(v128.const i32x4 …)`, `(ref.null func)`, `(either …)`; nothing where it is
/// none of these.
[[nodiscard]] std::optional<Pattern> parse_pattern(Node node);

[[nodiscard]] bool matches(const Pattern& pattern, const Observed& value);

/// The value that a pattern without choices stands for, to be passed as an argument of type `type`.
[[nodiscard]] std::optional<Observed> argument(const Pattern& pattern, ValType type);

/// For messages: "i32:7 (0x7)", "externref 3", …
[[nodiscard]] std::string describe(const Pattern& pattern);
[[nodiscard]] std::string describe(const Observed& value);

}  // namespace wrun::spec
