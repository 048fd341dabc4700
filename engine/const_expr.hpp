// Constant expressions (spec: §3.3.10 of 3.0) at instantiation: validated programs of constants,
// sums, references and globals, run on a small stack. They cannot trap and have no effects.
#pragma once

#include "engine/state.hpp"

namespace wrun::engine {

/// The value as a cell's or a table's bits. Globals that `expr` names are already initialised.
[[nodiscard]] u64 evaluate(const Instance::State& instance, ConstExpr expr);

}  // namespace wrun::engine
