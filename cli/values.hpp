// Values of WebAssembly as words:
// arguments of --invoke, and its results.
#pragma once

#include <optional>
#include <string>

#include "engine/engine.hpp"

namespace wrun::cli {

/// i32 and i64: decimal or 0x…, signed or unsigned; f32 and f64: as strtod takes them; references:
/// null, and for externref any number. Nothing when the word does not fit the type.
[[nodiscard]] std::optional<engine::Value> parse_value(ValType type, const std::string& word);

/// Integers are signed; floats have as many digits as tell them apart.
[[nodiscard]] std::string print_value(const engine::Value& value);

}  // namespace wrun::cli
