// Random valid modules whose bodies press where a one-pass code generator is weak: more live values
// than registers, deep operand stacks, values kept across blocks, loops, calls and branches, locals
// set while copies of them wait on the stack, addresses that wrap, calls that permute their
// arguments. They end, mostly do not trap, and do nothing that may depend on which NaN an operation
// makes. The same seed and number give the same module everywhere.
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"

namespace wrun::differ {

[[nodiscard]] std::vector<u8> make_pressure_module(u64 seed, u64 number);
/// The module that these bytes choose.
[[nodiscard]] std::vector<u8> make_pressure_module(std::span<const u8> choices);

}  // namespace wrun::differ
