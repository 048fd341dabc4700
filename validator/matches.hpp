// Subtyping between value types (spec: §3.3, matching), with the types of 3.0.
#pragma once

#include "decoder/module.hpp"
#include "decoder/types.hpp"

namespace wrun {

/// Whether a value of type `sub` may stand where `super` is wanted. Bottom matches everything.
[[nodiscard]] bool matches(const Module& module, ValType sub, ValType super) noexcept;

}  // namespace wrun
