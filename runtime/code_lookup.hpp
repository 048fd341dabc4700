// What an image says about a place in its code, for the signal handler and for backtraces: no lock,
// no allocation, and right while functions are being added to a lazy image.
#pragma once

#include <optional>

#include "runtime/abi.hpp"

namespace wrun::runtime {

struct FunctionAt {
    u32 function;    // position among the defined functions
    u32 code_begin;  // where it is entered: its code, or its entry of the jump table
    u32 wasm_offset;
    /// Of a function that is not compiled yet.
    static constexpr u32 unknown = 0xffff'ffff;
};

/// Offsets count from the image's begin.
[[nodiscard]] std::optional<FunctionAt> function_at(const CodeImage& image, u64 offset) noexcept;
/// The row of exactly this place, or nothing.
[[nodiscard]] const TrapRow* row_at(const CodeImage& image, u64 offset) noexcept;

}  // namespace wrun::runtime
