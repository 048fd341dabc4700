// Values, types and what a module imports and exports, in words that belong to neither engine, so
// that what two engines did can be laid side by side. Plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "decoder/types.hpp"

namespace wrun::differ {

enum class Type : u8 { i32, i64, f32, f64, funcref, externref, other };

/// Bits of a number; of an externref the host's number, of a funcref 1, of either 0 for null.
struct Value {
    Type type = Type::i32;
    u64 bits = 0;
};

/// The bits that must be the same in both engines: which NaN an operation makes is theirs to
/// choose.
[[nodiscard]] u64 comparable_bits(const Value& value) noexcept;

[[nodiscard]] std::string_view name(Type type) noexcept;
/// "i32 0x0000002a (42)".
[[nodiscard]] std::string text(const Value& value);

/// An import or an export. `module` is empty for an export; of the rest only what its kind has.
struct Item {
    std::string module;
    std::string field;
    ExternKind kind = ExternKind::func;
    std::vector<Type> params;
    std::vector<Type> results;
    Type content = Type::i32;  // of a global or a table
    bool is_mutable = false;
    u64 min = 0;
    std::optional<u64> max;
    bool operator==(const Item&) const = default;
};

/// What a module asks for and offers, in its own order.
struct Shape {
    std::vector<Item> imports;
    std::vector<Item> exports;
};

[[nodiscard]] std::string text(const Item& item);

/// Why a guest stopped, as coarse as the coarser engine tells it.
enum class TrapKind : u8 {
    unreachable,
    divide_by_zero,
    integer_overflow,
    invalid_conversion,
    memory_bounds,
    table_bounds,
    null_call,
    call_type,
    stack_overflow,
    out_of_fuel,
    other,
};
[[nodiscard]] std::string_view name(TrapKind kind) noexcept;

/// How a call or an instantiation ended.
struct Ending {
    enum class Kind : u8 { returned, trapped, refused };
    Kind kind = Kind::returned;
    TrapKind trap = TrapKind::other;  // when trapped
    std::string text;                 // an engine's own words, for people only
};

}  // namespace wrun::differ
