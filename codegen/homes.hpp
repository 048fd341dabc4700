// Home registers: which locals of a function live in registers, and the two masks that say, at any
// point of the code, where each of them is up to date. A join carries two such masks, never a copy
// of the state.
#pragma once

#include <array>
#include <vector>

#include "base/types.hpp"
#include "validator/summary.hpp"

namespace wrun::codegen {

inline constexpr u32 homes_max = 20;  // integer homes first, then floating ones
/// A bit of HomeState that is never set, so that asking for it needs no look at whether it is a
/// home.
inline constexpr u8 no_home = 31;
static_assert(no_home >= homes_max);

/// Bit i: home i's register (`reg`) or its local's slot (`slot`) holds the local's value. At least
/// one of the two bits of each assigned home is set at every point that code can reach.
struct HomeState {
    u32 reg = 0;
    u32 slot = 0;
    constexpr bool operator==(const HomeState&) const = default;
};

struct Home {
    u32 local = 0;
    u8 reg = 0;  // register number of its class
    bool is_float = false;
    bool is_wide = false;
};

/// What a target offers: its home registers, in the order of HomeState's bits.
struct HomeRegisters {
    std::array<u8, homes_max> reg{};
    u32 integer_count = 0;
    u32 callee_saved_count = 0;  // the first so many integer homes survive calls
    u32 float_count = 0;
    std::array<u8, 8> integer_arguments{};
    u32 integer_argument_count = 0;
    std::array<u8, 8> float_arguments{};
    u32 float_argument_count = 0;
};

/// The homes of one function. Reused: reset() costs what the last function had, not what it could
/// have.
class HomeMap {
public:
    /// Chooses among the summary's hottest locals. Home i is assigned iff bit i of assigned().
    void assign(const FunctionSummary& summary, const HomeRegisters& registers,
        u32 integer_homes_max, u32 float_homes_max);

    [[nodiscard]] u8 home_of(u32 local) const noexcept {
        return local < by_local_.size() ? by_local_[local] : no_home;
    }
    [[nodiscard]] const Home& home(u32 index) const noexcept { return homes_[index]; }
    [[nodiscard]] u32 assigned() const noexcept { return assigned_; }

private:
    void place(u32 index, const HotLocal& local, u8 reg, bool is_float);

    std::vector<u8> by_local_;               // home index or no_home
    std::array<Home, no_home + 1> homes_{};  // so that no_home may be looked at
    u32 assigned_ = 0;
};

}  // namespace wrun::codegen
