// The vocabulary every folder shares: fixed-width names and three helpers that C++20 lacks.
// Widths are part of every format and of the ABI here, so signatures say them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifdef WRUN_PLAIN_INLINE
// For builds whose instrumentation makes one huge function take minutes to compile.
#define WRUN_INLINE inline
#define WRUN_INLINE_LAMBDA
#else
#define WRUN_INLINE [[gnu::always_inline]] inline
// Where a lambda takes attributes that belong to its function.
#define WRUN_INLINE_LAMBDA __attribute__((always_inline))
#endif

namespace wrun {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using f32 = float;
using f64 = double;

template <class Enum>
constexpr auto to_underlying(Enum value) noexcept {
    return static_cast<std::underlying_type_t<Enum>>(value);
}

[[noreturn]] inline void unreachable() noexcept {
    __builtin_unreachable();
}

/// An index that cannot be mistaken for one of another space. `FuncIndex{3}.value` is the number.
template <class Tag>
struct Index {
    u32 value = 0;
    constexpr auto operator<=>(const Index&) const = default;
};

using TypeIndex = Index<struct TypeTag>;
using FuncIndex = Index<struct FuncTag>;
using TableIndex = Index<struct TableTag>;
using MemoryIndex = Index<struct MemoryTag>;
using GlobalIndex = Index<struct GlobalTag>;
using ElemIndex = Index<struct ElemTag>;
using DataIndex = Index<struct DataTag>;
using LocalIndex = Index<struct LocalTag>;

}  // namespace wrun
