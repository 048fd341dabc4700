// The function under test of one variant. Its operands are brought to their places, values are put
// below them, the operation runs, its result goes to world::out, and everything that had to survive
// (the values below, the locals) is folded into a checksum beside it.
#pragma once

#include <functional>

#include "tests/matrix/variants.hpp"

namespace wrun::matrix {

struct Body {
    Bytes code;
    std::vector<build::Locals> locals;
};

/// Number of a type nothing → results, made in the module when first asked for.
using BlockTypes = std::function<u32(const std::vector<ValType>& results)>;

[[nodiscard]] Body make_body(const Case& tested, const Variant& variant, const BlockTypes& types);

}  // namespace wrun::matrix
