// See homes.hpp. Linear in the runs of locals, however many locals there are.
#include "codegen/homes.hpp"

#include <algorithm>
#include <bit>

namespace wrun::codegen {

namespace {

/// A local lighter than this does not repay the push and pop of a callee-saved register.
constexpr u32 callee_saved_weight_min = 4;

/// Argument position of parameter `local` within its class, or `none`.
struct ArgumentPositions {
    static constexpr u32 none = 0xffff'ffff;
    std::array<u32, 8> integer_local;
    std::array<u32, 8> float_local;

    explicit ArgumentPositions(const FunctionSummary& summary) {
        integer_local.fill(none);
        float_local.fill(none);
        u32 integers = 0;
        u32 floats = 0;
        for (const LocalRun& run : summary.locals) {
            if (run.begin >= summary.param_count || (integers == 8 && floats == 8)) break;
            auto& locals = run.type.is_float() ? float_local : integer_local;
            u32& taken = run.type.is_float() ? floats : integers;
            const u32 end = std::min(run.begin + run.count, summary.param_count);
            for (u32 local = run.begin; local < end && taken < 8; ++local)
                locals[taken++] = local;
        }
    }
};

}  // namespace

void HomeMap::place(u32 index, const HotLocal& local, u8 reg, bool is_float) {
    homes_[index] = {local.local, reg, is_float,
        local.type.kind() == Kind::i64 || local.type.kind() == Kind::f64};
    assigned_ |= u32{1} << index;
    if (local.local >= by_local_.size()) by_local_.resize(local.local + 1, no_home);
    by_local_[local.local] = static_cast<u8>(index);
}

void HomeMap::assign(const FunctionSummary& summary, const HomeRegisters& registers,
    u32 integer_homes_max, u32 float_homes_max) {
    for (u32 left = assigned_; left != 0; left &= left - 1) {
        by_local_[homes_[static_cast<u32>(std::countr_zero(left))].local] = no_home;
    }
    assigned_ = 0;

    const bool leaf = !summary.has_call && !summary.has_helper;
    const ArgumentPositions arguments{summary};
    const u32 integer_count =
        std::min({summary.hot_integer_count, registers.integer_count, integer_homes_max});
    u32 free = (u32{1} << registers.integer_count) - 1;
    const u32 callee_saved = (u32{1} << registers.callee_saved_count) - 1;
    std::array<bool, FunctionSummary::hot_integers_max> placed{};
    const auto put = [&](u32 rank, u32 index) {
        place(index, summary.hot_integers[rank], registers.reg[index], false);
        free &= ~(u32{1} << index);
        placed[rank] = true;
    };

    // Heaviest first into what survives calls, if there are calls to survive.
    if (!leaf) {
        for (u32 rank = 0; rank < integer_count && (free & callee_saved) != 0; ++rank) {
            if (summary.hot_integers[rank].weight < callee_saved_weight_min) break;
            put(rank, static_cast<u32>(std::countr_zero(free)));
        }
    }
    // A parameter stays where it arrives.
    for (u32 rank = 0; rank < integer_count; ++rank) {
        if (placed[rank]) continue;
        for (u32 k = 0; k < registers.integer_argument_count; ++k) {
            if (arguments.integer_local[k] != summary.hot_integers[rank].local) continue;
            for (u32 index = registers.callee_saved_count; index < registers.integer_count;
                 ++index) {
                if (registers.reg[index] == registers.integer_arguments[k] &&
                    ((free >> index) & 1) != 0) {
                    put(rank, index);
                    break;
                }
            }
        }
    }
    // The rest wherever it costs nothing, then, if heavy enough, in what must be pushed.
    for (u32 rank = 0; rank < integer_count; ++rank) {
        if (placed[rank]) continue;
        u32 candidates = free & ~callee_saved;
        if (candidates == 0 && summary.hot_integers[rank].weight >= callee_saved_weight_min) {
            candidates = free;
        }
        if (candidates == 0) break;
        put(rank, static_cast<u32>(std::countr_zero(candidates)));
    }

    const u32 float_count =
        std::min({summary.hot_float_count, registers.float_count, float_homes_max});
    u32 free_floats = (u32{1} << registers.float_count) - 1;
    u32 later = 0;
    for (u32 rank = 0; rank < float_count; ++rank) {
        bool arrived = false;
        for (u32 k = 0; k < registers.float_argument_count && !arrived; ++k) {
            if (arguments.float_local[k] != summary.hot_floats[rank].local) continue;
            for (u32 i = 0; i < registers.float_count; ++i) {
                const u32 index = registers.integer_count + i;
                if (registers.reg[index] == registers.float_arguments[k] &&
                    ((free_floats >> i) & 1) != 0) {
                    place(index, summary.hot_floats[rank], registers.reg[index], true);
                    free_floats &= ~(u32{1} << i);
                    arrived = true;
                    break;
                }
            }
        }
        if (!arrived) later |= u32{1} << rank;
    }
    for (; later != 0; later &= later - 1) {
        const u32 rank = static_cast<u32>(std::countr_zero(later));
        // From the top: high registers are the last to be wanted by arguments.
        const u32 i = static_cast<u32>(std::bit_width(free_floats)) - 1;
        const u32 index = registers.integer_count + i;
        place(index, summary.hot_floats[rank], registers.reg[index], true);
        free_floats &= ~(u32{1} << i);
    }
}

}  // namespace wrun::codegen
