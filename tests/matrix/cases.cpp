// See cases.hpp.
#include "tests/matrix/cases.hpp"

#include <algorithm>
#include <map>

namespace wrun::matrix {

using namespace build;

u32 index_of(ValType type) {
    return to_underlying(type.kind()) - to_underlying(Kind::i32);
}
static_assert(to_underlying(Kind::f64) - to_underlying(Kind::i32) == 3);

const std::vector<u64>& edges(ValType type, bool in_pairs) {
    static const std::vector<u64> i32s = {0, 1, 0xffff'ffff, 0x8000'0000, 0x7fff'ffff, 31, 2, 0x80,
        0xffff, 32, 0xffff'fffe, 0x1234'5678, 0x8000'0001, 0x7f, 0xff, 0x8000};
    static const std::vector<u64> i64s = {0, 1, ~u64{0}, u64{1} << 63, (u64{1} << 63) - 1, 63,
        u64{1} << 32, 0xffff'ffff, 0x8000'0000, 64, 0x1234'5678'9abc'def0, (u64{1} << 63) + 1,
        0x7fff'ffff, 0xffff'ffff'8000'0000, 0xffff'ffff'7fff'ffff, 0x80, 0x8000, ~u64{1}};
    static const std::vector<u64> f32_pairs = {0, 0x8000'0000, 0x3f80'0000, 0x7f80'0000,
        0x7fc0'0000, 0xbfc0'0000, 0xff80'0000, 0x7fa0'0001, 1, 0x7f7f'ffff, 0xc020'0000,
        0xffc1'2345};
    static const std::vector<u64> f64_pairs = {0, u64{1} << 63, 0x3ff0'0000'0000'0000,
        0x7ff0'0000'0000'0000, 0x7ff8'0000'0000'0000, 0xbff8'0000'0000'0000, 0xfff0'0000'0000'0000,
        0x7ff4'0000'0000'0001, 1, 0x7fef'ffff'ffff'ffff, 0xc004'0000'0000'0000,
        0xfff8'1234'5678'9abc};
    // Around each bound of each conversion, and halves for rounding.
    static const std::vector<u64> f32s = [] {
        std::vector<u64> all = f32_pairs;
        for (const u64 power :
            {0x4f00'0000u, 0x4f80'0000u, 0x5f00'0000u, 0x5f80'0000u, 0x3f80'0000u}) {
            for (const u64 bits : {power - 1, power, power + 1}) {
                all.push_back(bits);
                all.push_back(bits | 0x8000'0000);
            }
        }
        for (const u64 bits :
            {0x3f00'0000u, 0xbf00'0000u, 0x3fc0'0000u, 0x4020'0000u, 0x4b00'0001u})
            all.push_back(bits);
        return all;
    }();
    static const std::vector<u64> f64s = [] {
        std::vector<u64> all = f64_pairs;
        for (const u64 power : {u64{0x41e0'0000'0000'0000}, u64{0x41f0'0000'0000'0000},
                 u64{0x43e0'0000'0000'0000}, u64{0x43f0'0000'0000'0000}, u64{0x3ff0'0000'0000'0000},
                 u64{0x41e0'0000'0020'0000}}) {
            for (const u64 bits : {power - 1, power, power + 1}) {
                all.push_back(bits);
                all.push_back(bits | (u64{1} << 63));
            }
        }
        for (const u64 bits : {u64{0x3fe0'0000'0000'0000}, u64{0xbfe0'0000'0000'0000},
                 u64{0x4004'0000'0000'0000}, u64{0x4330'0000'0000'0001}, u64{0x36a0'0000'0000'0000},
                 u64{0x47ef'ffff'f000'0000}, u64{0x41df'ffff'ffe0'0000}})
            all.push_back(bits);
        return all;
    }();
    static const std::vector<u64> references = {0, 1};
    switch (type.kind()) {
        case Kind::i32: return i32s;
        case Kind::i64: return i64s;
        case Kind::f32: return in_pairs ? f32_pairs : f32s;
        case Kind::f64: return in_pairs ? f64_pairs : f64s;
        default: return references;
    }
}

Bytes fold(ValType type) {
    Bytes bytes;
    switch (type.kind()) {
        case Kind::i32: append(bytes, i64_extend_i32_u()); break;
        case Kind::f32: append(bytes, join(i32_reinterpret_f32(), i64_extend_i32_u())); break;
        case Kind::f64: append(bytes, i64_reinterpret_f64()); break;
        case Kind::i64: break;
        default: append(bytes, join(ref_is_null(), i64_extend_i32_u())); break;
    }
    return join(bytes, local_get(world::checksum), i64_xor(), i64_const(7), i64_rotl(),
        local_set(world::checksum));
}

namespace {

/// Operations that make a NaN make whichever they like; moves, signs and bits do not.
bool chooses_nan(Op op) {
    const auto within = [op](Op first, Op last) { return op >= first && op <= last; };
    return within(Op::f32_ceil, Op::f32_max) || within(Op::f64_ceil, Op::f64_max) ||
           op == Op::f32_demote_f64 || op == Op::f64_promote_f32;
}

bool compares(Op op) {
    return op >= Op::i32_eqz && op <= Op::f64_ge;
}

Case plain_case(Op op) {
    const OpInfo& row = info(op);
    const Signature& signature = row.signature;
    Case made;
    made.op = op;
    made.name = row.text;
    for (u32 i = 0; i < signature.pops; ++i) {
        made.operands.push_back(signature.types[i]);
        made.values.push_back(edges(signature.types[i], signature.pops > 1));
    }
    if (signature.pushes != 0) made.result = signature.types[signature.pops];
    made.code = opcode(op);
    made.any_nan = chooses_nan(op);
    made.is_boolean = compares(op);
    return made;
}

/// Addresses that reach each edge with this offset, and the edges of an address itself.
std::vector<u64> addresses(u64 offset, u32 width) {
    std::vector<u64> all;
    const auto add = [&all](u64 address) {
        if (address <= 0xffff'ffff && std::find(all.begin(), all.end(), address) == all.end())
            all.push_back(address);
    };
    constexpr u64 size = world::memory_bytes;
    for (const u64 edge : {size - width, size - width + 1, size, u64{0}, size - width - 1, size - 1,
             size + 1, u64{1}, size - width - 2})
        if (edge >= offset) add(edge - offset);
    for (const u64 edge : {u64{1} << 31, u64{1} << 32, u64{1} << 33}) {
        for (const u64 reached : {edge - width - 1, edge - width, edge - 1, edge, edge + 1})
            if (reached >= offset) add(reached - offset);
    }
    for (const u64 address : {0ull, 0xffff'ffffull, 0x8000'0000ull, 1ull, 0x7fff'ffffull,
             0xffff'fffeull, 0x8000'0001ull, 0xffff'0000ull})
        add(address);
    // What lies between belongs to the driver.
    std::erase_if(all, [&](u64 address) {
        const u64 reached = address + offset;
        return reached >= world::tried_bytes - 8 && reached < size - world::tried_bytes;
    });
    return all;
}

void add_access_cases(std::vector<Case>& cases, Op op) {
    const OpInfo& row = info(op);
    constexpr u64 size = world::memory_bytes;
    for (const u64 offset :
        {u64{0}, u64{1}, u64{127}, u64{128}, u64{129}, size - row.access_bytes, size - 1, size,
            u64{0x7fff'ffff}, u64{0x8000'0000}, u64{0x8000'0001}, u64{0xffff'ffff}}) {
        Case made = plain_case(op);
        made.name += " offset=" + std::to_string(offset);
        made.values[0] = addresses(offset, row.access_bytes);
        if (made.values.size() > 1) made.values[1].resize(4);
        made.code = join(opcode(op), leb_u(0), leb_u(offset));
        made.accesses = true;
        cases.push_back(std::move(made));
    }
}

}  // namespace

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        const Op op = static_cast<Op>(i);
        if (row.signature.special || row.signature.pops == 0) continue;
        if (row.immediate == Immediate::mem && row.access_bytes != 0) {
            add_access_cases(cases, op);
        } else if (row.immediate == Immediate::none) {
            cases.push_back(plain_case(op));
        }
    }
    add_cases_by_hand(cases);
    return cases;
}

const std::vector<Excuse>& excuses() {
    static const std::vector<Excuse> all = {
        {Op::local_get, "is how operands are made"},
        {Op::i32_const, "is a place of operands"},
        {Op::i64_const, "is a place of operands"},
        {Op::f32_const, "is a place of operands"},
        {Op::f64_const, "is a place of operands"},
        {Op::else_, "is in the case of if"},
        {Op::end, "is in every case"},
        {Op::return_, "leaves the function under test"},
    };
    return all;
}

std::string uncovered_rows(const std::vector<Case>& cases) {
    std::map<Op, u32> found;
    for (const Case& one : cases)
        found[one.op] |= 1;
    for (const Excuse& excuse : excuses())
        found[excuse.op] |= 2;
    std::string text;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const u32 what = found[static_cast<Op>(i)];
        if (what == 0) text += "no case: " + std::string{op_table[i].text} + '\n';
        if (what == 3) text += "a case and an excuse: " + std::string{op_table[i].text} + '\n';
    }
    return text;
}

}  // namespace wrun::matrix
