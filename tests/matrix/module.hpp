// A module of the matrix: the world of cases.hpp, a driver that runs one function under test over a
// list of operands without leaving the guest, and as many functions as fit.
#pragma once

#include "tests/matrix/body.hpp"

namespace wrun::matrix {

/// One function under test: `run` with these three tries it on all its tuples.
struct Entry {
    const Variant* variant = nullptr;
    u32 index = 0;   // in the table
    u32 tuples = 0;  // address of its operands
    u32 count = 0;   // of tuples
};

struct TestModule {
    Bytes wasm;
    std::vector<Entry> entries;
};

inline constexpr u32 functions_max = 120;

/// Takes as many variants as fit off the front of `rest`; at least one.
[[nodiscard]] TestModule make_module(
    const std::vector<Case>& cases, std::span<const Variant>& rest, bool few);

}  // namespace wrun::matrix
