// Which extern may be given for which import (spec: §4.5.3 of 3.0, external typing), and both types
// in the words of the text format for messages. Types are canonical on both sides.
#pragma once

#include <string>

#include "engine/engine.hpp"

namespace wrun::engine {

[[nodiscard]] bool matches(const TableType& actual, const TableType& wanted) noexcept;
[[nodiscard]] bool matches(const MemoryType& actual, const MemoryType& wanted) noexcept;
[[nodiscard]] bool matches(const GlobalType& actual, const GlobalType& wanted) noexcept;
/// Whether a value of type `sub` may stand where `super` is wanted.
[[nodiscard]] bool matches(ValType sub, ValType super) noexcept;

[[nodiscard]] std::string describe(const FuncType& type);
[[nodiscard]] std::string describe(const TableType& type);
[[nodiscard]] std::string describe(const MemoryType& type);
[[nodiscard]] std::string describe(const GlobalType& type);

}  // namespace wrun::engine
