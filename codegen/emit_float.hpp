// Codegen: floating arithmetic and the conversions between the register files.
// Comparisons mind that a NaN is unordered; conversions that trap check before they convert.
#pragma once

#include "codegen/emit_integer.hpp"

namespace wrun::codegen {

template <class Masm>
void Codegen<Masm>::float_arith(Kind kind, typename Masm::FloatOp op) {
    const bool wide = detail::is_wide(kind);
    const Operand& b = pop();
    const Operand& a = pop();
    const HeldFp left = use_fp(a);
    HeldFp right;
    const FpSrc source = use_fp_src(b, right);
    const bool commutes = op == Masm::FloatOp::add || op == Masm::FloatOp::mul;
    const auto clashes = [&](Fp reg) { return !source.is_mem && !commutes && source.reg == reg; };
    std::optional<Fp> hint = destination_hint_fp(kind);
    if (hint && *hint != left.reg && clashes(*hint)) hint.reset();
    Fp to{};
    if (hint) {
        to = *hint;
    } else if (left.owned) {
        to = left.reg;
    } else if (right.owned && commutes) {
        to = right.reg;
    } else {
        to = alloc_fp();
    }
    masm_.farith(wide, op, to, left.reg, source);
    note_src(b);
    if (b.loc == Loc::load) discard(b);
    if (left.owned && left.reg != to) release(left);
    if (right.owned && right.reg != to) release(right);
    push_fp(kind, to);
}

template <class Masm>
void Codegen<Masm>::float_min_max(Kind kind, bool is_max) {
    const Operand& b = pop();
    const Operand& a = pop();
    const HeldFp right = use_fp(b);
    const Fp to = use_owned_fp(a);
    masm_.fminmax(detail::is_wide(kind), is_max, to, right.reg);
    release(right);
    push_fp(kind, to);
}

template <class Masm>
void Codegen<Masm>::float_compare(Kind kind, Cond cond, bool swap) {
    const Operand* b = &pop();
    const Operand* a = &pop();
    if (swap) std::swap(a, b);
    const HeldFp left = use_fp(*a);
    HeldFp right;
    const FpSrc source = use_fp_src(*b, right);
    masm_.fcompare(detail::is_wide(kind), left.reg, source);
    note_src(*b);
    if (b->loc == Loc::load) discard(*b);
    release(left);
    release(right);
    push_flags(cond);
}

template <class Masm>
void Codegen<Masm>::float_round(Kind kind, typename Masm::RoundingOp mode) {
    const HeldFp held = use_fp(pop());
    const Fp to = destination_fp(kind, held);
    masm_.fround(detail::is_wide(kind), mode, to, held.reg);
    push_fp(kind, to);
}

template <class Masm>
void Codegen<Masm>::float_sqrt(Kind kind) {
    const HeldFp held = use_fp(pop());
    const Fp to = destination_fp(kind, held);
    masm_.fsqrt(detail::is_wide(kind), to, held.reg);
    push_fp(kind, to);
}

template <class Masm>
void Codegen<Masm>::float_sign(Kind kind, bool negate) {
    const HeldFp held = use_fp(pop());
    const Fp spare = alloc_fp();
    const Fp to = destination_fp(kind, held);
    if (negate) {
        masm_.fneg_(detail::is_wide(kind), to, held.reg, spare);
    } else {
        masm_.fabs_(detail::is_wide(kind), to, held.reg, spare);
    }
    release(spare);
    push_fp(kind, to);
}

template <class Masm>
void Codegen<Masm>::float_copysign(Kind kind) {
    const Operand& sign = pop();
    const Operand& magnitude = pop();
    const HeldFp from = use_fp(sign);
    const Fp to = use_owned_fp(magnitude);
    const Fp spare = alloc_fp();
    masm_.fcopysign(detail::is_wide(kind), to, from.reg, spare);
    release(spare);
    release(from);
    push_fp(kind, to);
}

// ---- conversions ------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::convert_int_to_float(Kind from, Kind to_kind, bool is_signed) {
    const bool is_f64 = to_kind == Kind::f64;
    const Held held = use(pop());
    const Fp to = destination_fp(to_kind, {});
    if (from == Kind::i64 && !is_signed) {
        const Gp spare = alloc();
        masm_.convert_u64_to_float(is_f64, to, held.reg, spare);
        release(spare);
    } else {
        // An unsigned i32 is a non-negative i64 in its register.
        masm_.int_to_float(is_f64, from == Kind::i64 || !is_signed, to, held.reg);
    }
    release(held);
    push_fp(to_kind, to);
}

/// Truncation that traps: convert first, look only when the answer is the one that means "no
/// answer".
template <class Masm>
void Codegen<Masm>::truncate_float(Kind from, Kind to_kind, bool is_signed, bool saturate) {
    if (saturate) return truncate_saturating(from, to_kind, is_signed);
    const bool from_f64 = from == Kind::f64;
    const HeldFp held = use_fp(pop());
    const Gp to = alloc();
    if (is_signed) {
        const bool wide = to_kind == Kind::i64;
        masm_.float_to_int(from_f64, wide, to, held.reg);
        trunc_stubs_.push_back({{}, {}, held.reg, to, from_f64, wide, here()});
        TruncStub& stub = trunc_stubs_.back();
        masm_.branch_if_minimum(wide, to, stub.entry);
        masm_.bind(stub.back);
        release(held);
        return push_reg(to_kind, to);
    }
    // NaN, then the open interval (-1, 2^n).
    masm_.fcompare(from_f64, held.reg, FpSrc{false, held.reg, {}});
    masm_.branch_unordered(trap_label(runtime::TrapCode::invalid_conversion));
    const Fp bound = alloc_fp();
    masm_.fmove_bits(from_f64, bound, from_f64 ? 0xbff0'0000'0000'0000 : 0xbf80'0000);
    masm_.fcompare(from_f64, held.reg, FpSrc{false, bound, {}});
    masm_.branch(Cond::f_not_gt, trap_label(runtime::TrapCode::integer_overflow));
    const bool to_i64 = to_kind == Kind::i64;
    const u64 upper = from_f64 ? (to_i64 ? 0x43f0'0000'0000'0000 : 0x41f0'0000'0000'0000)
                               : (to_i64 ? 0x5f80'0000 : 0x4f80'0000);
    masm_.fmove_bits(from_f64, bound, upper);
    masm_.fcompare(from_f64, held.reg, FpSrc{false, bound, {}});
    masm_.branch(Cond::f_ge, trap_label(runtime::TrapCode::integer_overflow));
    if (to_i64) {
        masm_.trunc_u64(from_f64, to, held.reg, bound);
    } else {
        masm_.float_to_int(from_f64, true, to, held.reg);
        masm_.clear_upper(to, to);
    }
    release(bound);
    release(held);
    push_reg(to_kind, to);
}

/// Bound at the function's end: `result` is the smallest integer, either rightly or because the
/// source is NaN or out of range.
template <class Masm>
void Codegen<Masm>::emit_trunc_stub(TruncStub& stub) {
    masm_.bind(stub.entry);
    const auto trap = [&](runtime::TrapCode code) -> Label& {
        trap_stubs_.push_back({{}, code, stub.where});
        return trap_stubs_.back().label;
    };
    masm_.fcompare(stub.from_f64, stub.source, FpSrc{false, stub.source, {}});
    masm_.branch_unordered(trap(runtime::TrapCode::invalid_conversion));
    // In range iff the source lies above the first float that is too small (f64 → i32: -2^31 - 1,
    // and whatever lies between truncates to -2^31), else iff it is -2^n itself.
    const bool exclusive = stub.from_f64 && !stub.wide;
    const u64 bits = stub.from_f64 ? (stub.wide ? 0xc3e0'0000'0000'0000 : 0xc1e0'0000'0020'0000)
                                   : (stub.wide ? 0xdf00'0000 : 0xcf00'0000);
    masm_.push_bits(bits);
    masm_.fcompare(stub.from_f64, stub.source, FpSrc{true, {}, masm_.pushed()});
    masm_.drop_stack(runtime::slot_bytes);
    masm_.branch(
        exclusive ? Cond::f_not_gt : Cond::f_not_ge, trap(runtime::TrapCode::integer_overflow));
    // Not too small, so a source that is not negative was too large.
    masm_.push_bits(0);
    masm_.fcompare(stub.from_f64, stub.source, FpSrc{true, {}, masm_.pushed()});
    masm_.drop_stack(runtime::slot_bytes);
    masm_.branch(Cond::f_ge, trap(runtime::TrapCode::integer_overflow));
    masm_.jump(stub.back);
}

template <class Masm>
void Codegen<Masm>::truncate_saturating(Kind from, Kind to_kind, bool is_signed) {
    const bool from_f64 = from == Kind::f64;
    const bool wide = to_kind == Kind::i64;
    const HeldFp held = use_fp(pop());
    const Fp spare = alloc_fp();
    const Gp to = alloc();
    masm_.trunc_saturating(from_f64, wide, is_signed, to, held.reg, spare);
    release(spare);
    release(held);
    push_reg(to_kind, to);
}

template <class Masm>
void Codegen<Masm>::reinterpret(Kind to_kind) {
    const Operand& operand = pop();
    const bool wide = detail::is_wide(to_kind);
    if (operand.is_constant()) return push_constant(to_kind, operand.bits);
    if (to_kind == Kind::f32 || to_kind == Kind::f64) {
        const Held held = use(operand);
        const Fp to = destination_fp(to_kind, {});
        masm_.bits_to_float(wide, to, held.reg);
        release(held);
        return push_fp(to_kind, to);
    }
    const HeldFp held = use_fp(operand);
    const Gp to = destination(to_kind, {});
    masm_.float_to_bits(wide, to, held.reg);
    release(held);
    push_reg(to_kind, to);
}

// ---- rows -------------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::emit_f32_const(u32 bits) {
    push_constant(Kind::f32, bits);
}
template <class Masm>
void Codegen<Masm>::emit_f64_const(u64 bits) {
    push_constant(Kind::f64, bits);
}

#define WRUN_EMIT_FLOATS(name, call)        \
    template <class Masm>                   \
    void Codegen<Masm>::emit_f32_##name() { \
        constexpr Kind kind = Kind::f32;    \
        call;                               \
    }                                       \
    template <class Masm>                   \
    void Codegen<Masm>::emit_f64_##name() { \
        constexpr Kind kind = Kind::f64;    \
        call;                               \
    }

WRUN_EMIT_FLOATS(add, float_arith(kind, Masm::FloatOp::add))
WRUN_EMIT_FLOATS(sub, float_arith(kind, Masm::FloatOp::sub))
WRUN_EMIT_FLOATS(mul, float_arith(kind, Masm::FloatOp::mul))
WRUN_EMIT_FLOATS(div, float_arith(kind, Masm::FloatOp::div))
WRUN_EMIT_FLOATS(min, float_min_max(kind, false))
WRUN_EMIT_FLOATS(max, float_min_max(kind, true))
WRUN_EMIT_FLOATS(copysign, float_copysign(kind))
WRUN_EMIT_FLOATS(abs, float_sign(kind, false))
WRUN_EMIT_FLOATS(neg, float_sign(kind, true))
WRUN_EMIT_FLOATS(ceil, float_round(kind, Masm::RoundingOp::ceil))
WRUN_EMIT_FLOATS(floor, float_round(kind, Masm::RoundingOp::floor))
WRUN_EMIT_FLOATS(trunc, float_round(kind, Masm::RoundingOp::trunc))
WRUN_EMIT_FLOATS(nearest, float_round(kind, Masm::RoundingOp::nearest))
WRUN_EMIT_FLOATS(sqrt, float_sqrt(kind))
WRUN_EMIT_FLOATS(eq, float_compare(kind, Cond::f_eq, false))
WRUN_EMIT_FLOATS(ne, float_compare(kind, Cond::f_ne, false))
WRUN_EMIT_FLOATS(gt, float_compare(kind, Cond::f_gt, false))
WRUN_EMIT_FLOATS(ge, float_compare(kind, Cond::f_ge, false))
WRUN_EMIT_FLOATS(lt, float_compare(kind, Cond::f_gt, true))
WRUN_EMIT_FLOATS(le, float_compare(kind, Cond::f_ge, true))
WRUN_EMIT_FLOATS(convert_i32_s, convert_int_to_float(Kind::i32, kind, true))
WRUN_EMIT_FLOATS(convert_i32_u, convert_int_to_float(Kind::i32, kind, false))
WRUN_EMIT_FLOATS(convert_i64_s, convert_int_to_float(Kind::i64, kind, true))
WRUN_EMIT_FLOATS(convert_i64_u, convert_int_to_float(Kind::i64, kind, false))
WRUN_EMIT_BOTH(trunc_f32_s, truncate_float(Kind::f32, kind, true, false))
WRUN_EMIT_BOTH(trunc_f32_u, truncate_float(Kind::f32, kind, false, false))
WRUN_EMIT_BOTH(trunc_f64_s, truncate_float(Kind::f64, kind, true, false))
WRUN_EMIT_BOTH(trunc_f64_u, truncate_float(Kind::f64, kind, false, false))
WRUN_EMIT_BOTH(trunc_sat_f32_s, truncate_float(Kind::f32, kind, true, true))
WRUN_EMIT_BOTH(trunc_sat_f32_u, truncate_float(Kind::f32, kind, false, true))
WRUN_EMIT_BOTH(trunc_sat_f64_s, truncate_float(Kind::f64, kind, true, true))
WRUN_EMIT_BOTH(trunc_sat_f64_u, truncate_float(Kind::f64, kind, false, true))
WRUN_EMIT(i32_reinterpret_f32, reinterpret(Kind::i32))
WRUN_EMIT(i64_reinterpret_f64, reinterpret(Kind::i64))
WRUN_EMIT(f32_reinterpret_i32, reinterpret(Kind::f32))
WRUN_EMIT(f64_reinterpret_i64, reinterpret(Kind::f64))

template <class Masm>
void Codegen<Masm>::emit_f32_demote_f64() {
    const HeldFp held = use_fp(pop());
    const Fp to = destination_fp(Kind::f32, held);
    masm_.float_to_float(true, to, held.reg);
    push_fp(Kind::f32, to);
}
template <class Masm>
void Codegen<Masm>::emit_f64_promote_f32() {
    const HeldFp held = use_fp(pop());
    const Fp to = destination_fp(Kind::f64, held);
    masm_.float_to_float(false, to, held.reg);
    push_fp(Kind::f64, to);
}

}  // namespace wrun::codegen
