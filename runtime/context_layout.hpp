// Where the variable part of a context lies, from a module's index spaces alone: code generation
// and instantiation both ask here, so they cannot disagree.
#pragma once

#include "base/result.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

/// Fails only when the context would not fit a 31-bit displacement (limits make that unreachable
/// today).
[[nodiscard]] Result<ContextLayout> context_layout(const Module& module);

}  // namespace wrun::runtime
