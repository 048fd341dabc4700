// Which functions the matrix consists of: each case with each combination of operand places, under
// each register pressure, and each value as a constant. What more there is to vary (how a
// temporary came about, where the result goes, whether all homes are taken) is rotated by number.
#pragma once

#include <array>
#include <span>

#include "tests/matrix/cases.hpp"

namespace wrun::matrix {

/// Where the operation finds an operand.
enum class Place : u8 {
    home,      // a local in a register
    local,     // a local in its slot
    temp,      // a temporary register
    slot,      // the slot of its height
    load,      // memory, not loaded yet
    flags,     // of a comparison; the operand is 0 or 1
    constant,  // value number `constant` of its case
};
[[nodiscard]] const char* name(Place place);

inline constexpr u32 operands_max = 3;

struct Variant {
    u32 number = 0;  // among all: what is rotated goes by it
    u32 case_index = 0;
    std::array<Place, operands_max> places{};
    std::array<u8, operands_max> constants{};
    bool same = false;  // both operands are one local
    u8 pressure = 0;
};

/// Values below the operands, of each class; the last are more than there are registers.
struct Pressure {
    u32 integers;
    u32 floats;
};
inline constexpr std::array<Pressure, 6> pressures = {
    {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 5}, {9, 17}}};

/// `few`: every pressure and place still, but not in every combination, and fewer values.
[[nodiscard]] std::vector<Variant> all_variants(const std::vector<Case>& cases, bool few);

/// The values that operand `index` takes in this variant.
[[nodiscard]] std::vector<u64> values_of(
    const Case& tested, const Variant& variant, u32 index, bool few);

[[nodiscard]] std::string text(const std::vector<Case>& cases, const Variant& variant);

}  // namespace wrun::matrix
