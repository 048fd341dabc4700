// What P0 (validate and summarise) leaves for P1 (generate code) about one function, known before
// the prologue is written: the hottest locals, which loop sets and uses which of them, the deepest
// operand stack, whether anything is called. Reused from function to function; its size is bounded
// by the body's, never by the number of locals.
#pragma once

#include <array>
#include <vector>

#include "base/types.hpp"
#include "decoder/types.hpp"

namespace wrun {

/// A set of locals: bit i is local i, bit 63 is every local from 63 up.
struct LocalSet {
    u64 bits = 0;
    [[nodiscard]] static constexpr u64 bit(u32 local) noexcept {
        return u64{1} << (local < 63 ? local : 63);
    }
    constexpr void add(u32 local) noexcept { bits |= bit(local); }
    [[nodiscard]] constexpr bool may_hold(u32 local) const noexcept {
        return (bits & bit(local)) != 0;
    }
    constexpr LocalSet& operator|=(LocalSet other) noexcept {
        bits |= other.bits;
        return *this;
    }
};

/// One entry for each *reachable* `loop`, and for each reachable `block` or `if` that is entered
/// while the function's operand stack (parameters of the block included, an if's condition not) is
/// not empty, in order of entry. P1 meets the same constructs in the same order and reads them one
/// by one.
struct BlockSummary {
    LocalSet set;             // locals that local.set/tee write anywhere inside
    LocalSet used;            // locals that local.get/set/tee name anywhere inside
    bool has_call = false;    // a reachable call inside
    bool has_helper = false;  // a reachable operation with trait helper inside
    bool has_inner_loop = false;
};

struct HotLocal {
    u32 local = 0;
    u32 weight = 0;  // accesses, each counted 8^(loop depth, at most 4); saturating
    ValType type;
};

/// A run of neighbouring locals of one type, as long as can be; parameters come first and may share
/// a run with the declared locals behind them.
struct LocalRun {
    u32 begin = 0;  // first local index
    u32 count = 0;
    ValType type;
};

struct FunctionSummary {
    static constexpr u32 hot_integers_max = 16;
    static constexpr u32 hot_floats_max = 16;

    std::vector<LocalRun> locals;  // ascending, covers all locals, parameters included
    u32 param_count = 0;
    u32 local_count = 0;  // parameters included
    u32 local_slots = 0;
    u32 stack_slots_max = 0;  // deepest reachable operand stack, in 8-byte slots

    /// The heaviest locals of i32, i64 / f32, f64, heaviest first (ties: lower index first).
    /// References and v128 never appear.
    std::array<HotLocal, hot_integers_max> hot_integers;
    std::array<HotLocal, hot_floats_max> hot_floats;
    u32 hot_integer_count = 0;
    u32 hot_float_count = 0;

    std::vector<BlockSummary> blocks;

    bool has_call = false;    // any reachable row with trait calls
    bool has_helper = false;  // any reachable row with trait helper
    bool has_loop = false;
    bool uses_memory = false;
    bool has_call_in_loop = false;
};

}  // namespace wrun
