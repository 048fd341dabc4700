// The words that tools take for the ways of keeping accesses inside a memory (`--bounds`).
#pragma once

#include <optional>
#include <string_view>

#include "runtime/abi.hpp"

namespace wrun::codegen {

inline constexpr std::string_view bounds_words = "guard or checked";

/// Nothing when the word is not known.
[[nodiscard]] constexpr std::optional<runtime::Bounds> parse_bounds(
    std::string_view word) noexcept {
    if (word == "guard") return runtime::Bounds::guard;
    if (word == "checked") return runtime::Bounds::checked;
    return std::nullopt;
}

}  // namespace wrun::codegen
