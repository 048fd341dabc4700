// See variants.hpp.
#include "tests/matrix/variants.hpp"

#include <algorithm>

namespace wrun::matrix {
namespace {

std::vector<Place> places_of(ValType type) {
    if (type.is_ref()) return {Place::local, Place::temp, Place::slot};
    if (type == type_i32) {
        return {Place::home, Place::local, Place::temp, Place::slot, Place::load, Place::flags};
    }
    return {Place::home, Place::local, Place::temp, Place::slot, Place::load};
}

class Maker {
public:
    Maker(const std::vector<Case>& cases, bool few) : cases_{cases}, few_{few} {}

    std::vector<Variant> make() {
        for (u32 i = 0; i < cases_.size(); ++i) {
            variant_ = {};
            variant_.case_index = i;
            add_places(0);
            add_constants();
        }
        return std::move(all_);
    }

private:
    [[nodiscard]] const Case& tested() const { return cases_[variant_.case_index]; }

    /// Every combination for two operands; of three the last rotates.
    void add_places(u32 index) {
        const Case& one = tested();
        if (index == one.operands.size()) return add_pressures();
        const std::vector<Place> places = places_of(one.operands[index]);
        if (index == 2) {
            variant_.places[2] = places[combination_++ % places.size()];
            return add_pressures();
        }
        for (const Place place : places) {
            variant_.places[index] = place;
            add_places(index + 1);
        }
    }

    void add_pressures() {
        ++combination_;
        // Cases that come with many offsets or operands take the pressures in turn.
        const bool in_turn = few_ || tested().operands.size() > 2 ||
                             (tested().accesses && tested().operands.size() > 1);
        for (u32 i = 0; i < pressures.size(); ++i) {
            if (in_turn && i != combination_ % pressures.size()) continue;
            variant_.pressure = static_cast<u8>(i);
            add();
            const bool alike =
                tested().operands.size() == 2 && tested().operands[0] == tested().operands[1] &&
                variant_.places[0] == variant_.places[1] &&
                (variant_.places[0] == Place::home || variant_.places[0] == Place::local);
            if (!alike) continue;
            variant_.same = true;
            add();
            variant_.same = false;
        }
    }

    /// Each value of each operand as a constant, the others in places by turns; then all constant.
    void add_constants() {
        const Case& one = tested();
        for (u32 index = 0; index < one.operands.size(); ++index) {
            const u32 turns = one.operands.size() == 1 || few_ ? 1 : one.accesses ? 2 : 3;
            const u32 count = static_cast<u32>(one.values[index].size());
            for (u32 value = 0; value < (few_ ? (count + 3) / 4 : count); ++value) {
                if (one.operands[index].is_ref() && value != 0) continue;  // only null is one
                for (u32 turn = 0; turn < turns; ++turn) {
                    take_turn();
                    set_constant(index, value);
                    add();
                }
            }
        }
        if (one.operands.size() < 2) return;
        const u32 step = few_ ? 5 : 1;
        for (u32 value = 0; value < one.values[0].size(); value += step) {
            for (u32 other = 0; other < std::min<std::size_t>(one.values[1].size(), 3); ++other) {
                take_turn();
                set_constant(0, value);
                set_constant(1, (value + other) % one.values[1].size());
                if (!one.operands[0].is_ref() && !one.operands[1].is_ref()) add();
            }
        }
    }

    void take_turn() {
        ++combination_;
        variant_.pressure = static_cast<u8>(combination_ % pressures.size());
        u32 rest = combination_ / 2;
        for (u32 i = 0; i < tested().operands.size(); ++i) {
            const std::vector<Place> places = places_of(tested().operands[i]);
            variant_.places[i] = places[rest % places.size()];
            rest /= static_cast<u32>(places.size());
        }
    }

    void set_constant(u32 index, std::size_t value) {
        variant_.places[index] = Place::constant;
        variant_.constants[index] = static_cast<u8>(value);
    }

    void add() {
        variant_.number = static_cast<u32>(all_.size());
        all_.push_back(variant_);
    }

    const std::vector<Case>& cases_;
    bool few_;
    Variant variant_;
    u32 combination_ = 0;
    std::vector<Variant> all_;
};

}  // namespace

const char* name(Place place) {
    static constexpr const char* names[] = {
        "home", "local", "temp", "slot", "load", "flags", "constant"};
    return names[to_underlying(place)];
}

std::vector<Variant> all_variants(const std::vector<Case>& cases, bool few) {
    return Maker{cases, few}.make();
}

std::vector<u64> values_of(const Case& tested, const Variant& variant, u32 index, bool few) {
    const std::vector<u64>& all = tested.values[index];
    if (variant.places[index] == Place::constant) return {all[variant.constants[index]]};
    if (variant.same && index == 1) return {all[0]};  // not looked at
    if (variant.places[index] == Place::flags) return {0, 5};
    if (few && all.size() > 6) return {all.begin(), all.begin() + 6};
    return all;
}

std::string text(const std::vector<Case>& cases, const Variant& variant) {
    const Case& tested = cases[variant.case_index];
    std::string all = tested.name + " (";
    for (u32 i = 0; i < tested.operands.size(); ++i) {
        if (i != 0) all += ' ';
        all += variant.same && i == 1 ? "same" : name(variant.places[i]);
        if (variant.places[i] == Place::constant)
            all += ' ' + std::to_string(tested.values[i][variant.constants[i]]);
    }
    return all + ") pressure " + std::to_string(variant.pressure) + " #" +
           std::to_string(variant.number);
}

}  // namespace wrun::matrix
