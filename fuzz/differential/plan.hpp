// What is given to a module, chosen by number alone: arguments of calls, what host functions
// answer, what imported globals hold. Both engines get the same, in every run. Mostly values at
// edges.
#pragma once

#include <span>

#include "fuzz/differential/values.hpp"

namespace wrun::differ {

/// One well-mixed word of two.
[[nodiscard]] u64 mix(u64 first, u64 second) noexcept;

/// A sequence of numbers; equal seeds give equal sequences on every machine. With bytes, they make
/// the first choices, one or two for each: who changes a byte changes a choice.
class Random {
public:
    explicit Random(u64 seed, std::span<const u8> bytes = {}) noexcept
        : state_{seed}, bytes_{bytes} {}
    [[nodiscard]] u64 next() noexcept;
    [[nodiscard]] u32 below(u32 bound) noexcept {
        if (!bytes_.empty()) return from_bytes(bound);
        return static_cast<u32>((next() >> 32) * bound >> 32);
    }
    /// True once in `times`.
    [[nodiscard]] bool once_in(u32 times) noexcept { return below(times) == 0; }

private:
    [[nodiscard]] u32 from_bytes(u32 bound) noexcept;

    u64 state_;
    std::span<const u8> bytes_;  // borrowed; what is left of them
};

/// A value at an edge of its type, or a small or an arbitrary one.
[[nodiscard]] Value edge_value(Type type, u64 key) noexcept;

/// Parameter `param` of export `index` in round `round`; in round 0 all are zero.
[[nodiscard]] Value argument(Type type, u32 round, u32 index, u32 param) noexcept;
/// Result `result` of the `count`-th call of host function `import`.
[[nodiscard]] Value host_result(Type type, u32 import, u64 count, u32 result) noexcept;
/// Some host calls trap.
[[nodiscard]] bool host_call_traps(u32 import, u64 count) noexcept;
/// What an imported global holds at first.
[[nodiscard]] Value global_value(Type type, u32 import) noexcept;

}  // namespace wrun::differ
