// The rows of ops.def as the generator wants them: numeric operations by what they take and push,
// memory accesses by type. Built once, never changed.
#pragma once

#include <array>
#include <vector>

#include "decoder/opcodes.hpp"
#include "fuzz/differential/plan.hpp"

namespace wrun::differ {

using Types = std::vector<Type>;

inline constexpr std::array number_types = {Type::i32, Type::i64, Type::f32, Type::f64};
[[nodiscard]] constexpr bool is_number(Type type) noexcept {
    return type <= Type::f64;
}
[[nodiscard]] constexpr bool is_float(Type type) noexcept {
    return type == Type::f32 || type == Type::f64;
}
[[nodiscard]] ValType val_type_of(Type type) noexcept;

/// A numeric operation.
struct Row {
    Op op{};
    Types operands;
    Type result{};
    bool traps = false;
    bool sees_bits = false;  // of a NaN in its last operand
};
using Rows = std::vector<const Row*>;

[[nodiscard]] const Rows& rows_for(Type result);
/// Two of a type make one of it, and never trap.
[[nodiscard]] const Rows& combining_rows(Type type);
/// Never trap.
[[nodiscard]] const Rows& converting_rows(Type from, Type to);

/// A load or store.
struct Access {
    Op op{};
    Type type{};
    u32 bytes = 0;
};
[[nodiscard]] const Access& pick_access(bool store, Type type, Random& random);

}  // namespace wrun::differ
