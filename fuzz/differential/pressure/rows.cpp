// See rows.hpp.
#include "fuzz/differential/pressure/rows.hpp"

#include <algorithm>
#include <string_view>

namespace wrun::differ {
namespace {

Type number_of(ValType type) {
    for (const Type candidate : number_types) {
        if (val_type_of(candidate) == type) return candidate;
    }
    return Type::other;
}

std::vector<Row> make_rows() {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::none || row.signature.special ||
            row.signature.pushes != 1 || !default_features().has(row.feature))
            continue;
        Row made;
        made.op = static_cast<Op>(i);
        bool usable = true;
        for (u8 k = 0; k < row.signature.pops; ++k)
            made.operands.push_back(number_of(row.signature.types[k]));
        made.result = number_of(row.signature.types[row.signature.pops]);
        for (const Type type : made.operands)
            usable = usable && type != Type::other;
        made.traps = row.has(trait::traps);
        made.sees_bits = row.text.find("reinterpret_f") != std::string_view::npos ||
                         row.text.find("copysign") != std::string_view::npos;
        if (usable && made.result != Type::other) rows.push_back(made);
    }
    return rows;
}

const std::vector<Row>& rows() {
    static const std::vector<Row> made = make_rows();
    return made;
}

/// Rows that fit, by what they push.
template <class Fits>
Rows rows_where(Fits fits) {
    Rows found;
    for (const Row& row : rows()) {
        if (fits(row)) found.push_back(&row);
    }
    return found;
}

std::vector<Access> accesses(bool store) {
    std::vector<Access> all;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::mem || !default_features().has(row.feature)) continue;
        if ((row.signature.pushes == 0) != store) continue;
        const Type type = number_of(row.signature.types[1]);
        if (type != Type::other) all.push_back({static_cast<Op>(i), type, row.access_bytes});
    }
    return all;
}

}  // namespace

ValType val_type_of(Type type) noexcept {
    static constexpr std::array<ValType, 6> types = {
        type_i32, type_i64, type_f32, type_f64, type_funcref, type_externref};
    return types[to_underlying(type)];
}

const Rows& rows_for(Type result) {
    static const auto made = [] {
        std::array<Rows, 4> all;
        for (const Type type : number_types)
            all[to_underlying(type)] = rows_where([&](const Row& r) { return r.result == type; });
        return all;
    }();
    return made[to_underlying(result)];
}

const Rows& combining_rows(Type type) {
    static const auto made = [] {
        std::array<Rows, 4> all;
        for (const Type t : number_types)
            all[to_underlying(t)] = rows_where([&](const Row& r) {
                return r.result == t && r.operands == Types{t, t} && !r.traps;
            });
        return all;
    }();
    return made[to_underlying(type)];
}

const Rows& converting_rows(Type from, Type to) {
    static const auto made = [] {
        std::array<std::array<Rows, 4>, 4> all;
        for (const Type f : number_types) {
            for (const Type t : number_types)
                all[to_underlying(f)][to_underlying(t)] = rows_where([&](const Row& r) {
                    return r.result == t && r.operands == Types{f} && !r.traps;
                });
        }
        return all;
    }();
    return made[to_underlying(from)][to_underlying(to)];
}

const Access& pick_access(bool store, Type type, Random& random) {
    static const std::vector<Access> loads = accesses(false);
    static const std::vector<Access> stores = accesses(true);
    const auto& all = store ? stores : loads;
    for (;;) {
        const Access& access = all[random.below(static_cast<u32>(all.size()))];
        if (access.type == type) return access;
    }
}

}  // namespace wrun::differ
