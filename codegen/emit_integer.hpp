// Codegen: integer arithmetic, comparisons, extensions and constants.
// Results go to the local that the next operation sets, else into an operand that dies here.
#pragma once

#include "codegen/emit_local.hpp"

namespace wrun::codegen {

namespace detail {

constexpr bool is_wide(Kind kind) noexcept {
    return kind != Kind::i32 && kind != Kind::f32;
}

/// The value an i32 or i64 constant is kept as.
constexpr u64 narrow(Kind kind, u64 value) noexcept {
    return kind == Kind::i32 ? static_cast<u32>(value) : value;
}

/// Whether the value is better on the right-hand side: it needs no register there.
constexpr bool prefers_right(const Operand& operand) noexcept {
    return operand.loc == Loc::constant || operand.loc == Loc::load || operand.loc == Loc::slot;
}

}  // namespace detail

template <class Masm>
auto Codegen<Masm>::destination_of_two(Kind kind, Held left, Held right, const Src& source) -> Gp {
    Gp to{};
    if (const auto hint = destination_hint(kind)) {
        to = *hint;
    } else if (left.owned) {
        to = left.reg;
    } else if (right.owned && source.form == Src::Form::reg) {
        to = right.reg;
    } else {
        to = alloc();
    }
    // Nothing is allocated before the operation is emitted, so giving up its operands now is early
    // enough.
    release(left);
    release(right);
    free_ &= ~(1u << to_underlying(to));
    return to;
}

template <class Masm>
void Codegen<Masm>::integer_alu(Kind kind, AluOp op) {
    const bool wide = detail::is_wide(kind);
    const Operand* b = &pop();
    const Operand* a = &pop();
    if (op != AluOp::sub && detail::prefers_right(*a) && !detail::prefers_right(*b))
        std::swap(a, b);
    const Held left = use(*a);
    Held right;
    const Src source = use_src(*b, right);
    const Gp to = destination_of_two(kind, left, right, source);
    masm_.alu(wide, op, to, left.reg, source);
    note_src(*b);
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::integer_mul(Kind kind) {
    const bool wide = detail::is_wide(kind);
    const Operand* b = &pop();
    const Operand* a = &pop();
    if (detail::prefers_right(*a) && !detail::prefers_right(*b)) std::swap(a, b);
    if (b->is_constant() && b->bits != 0 && (b->bits & (b->bits - 1)) == 0) {
        const Held held = use(*a);
        const Gp to = destination(kind, held);
        masm_.shift_imm(
            wide, ShiftOp::shl, to, held.reg, static_cast<u8>(std::countr_zero(b->bits)));
        return push_reg(kind, to);
    }
    const Held left = use(*a);
    Held right;
    const Src source = use_src(*b, right);
    const Gp to = destination_of_two(kind, left, right, source);
    masm_.mul(wide, to, left.reg, source);
    note_src(*b);
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::integer_shift(Kind kind, ShiftOp op) {
    const bool wide = detail::is_wide(kind);
    const Operand& b = pop();
    Operand a = pop();
    if (b.is_constant()) {
        const Held held = use(a);
        const Gp to = destination(kind, held);
        masm_.shift_imm(wide, op, to, held.reg, static_cast<u8>(b.bits));
        return push_reg(kind, to);
    }
    if (!masm_.needs_shift_count(op)) {
        const Held count = use(b);
        const Held held = use(a);
        const Gp to = destination(kind, held);
        masm_.shift_var(wide, op, to, held.reg, count.reg);
        release(count);
        return push_reg(kind, to);
    }
    if (a.loc == Loc::reg && a.reg == to_underlying(Masm::shift_count)) {
        const Gp other = alloc();
        masm_.move(wide, other, Masm::shift_count);
        release(Masm::shift_count);
        a.reg = to_underlying(other);
    }
    if (b.loc != Loc::reg || b.reg != to_underlying(Masm::shift_count)) {
        take(Masm::shift_count);
        load_into(Masm::shift_count, b);
        discard(b);
    }
    const Held held = use(a);
    const Gp to = destination(kind, held);
    masm_.shift_var(wide, op, to, held.reg, Masm::shift_count);
    release(Masm::shift_count);
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::integer_divide(Kind kind, typename Masm::DivisionOp op) {
    using Division = typename Masm::DivisionOp;
    const bool wide = detail::is_wide(kind);
    const bool wants_quotient = op == Division::div_s || op == Division::div_u;
    const Operand& b = pop();
    const Operand& a = pop();
    if (b.is_constant() && (op == Division::div_u || op == Division::rem_u) && b.bits != 0 &&
        (b.bits & (b.bits - 1)) == 0) {
        const Held held = use(a);
        const u32 log2 = static_cast<u32>(std::countr_zero(b.bits));
        if (op == Division::div_u) {
            const Gp to = destination(kind, held);
            masm_.shift_imm(wide, ShiftOp::shr, to, held.reg, static_cast<u8>(log2));
            return push_reg(kind, to);
        }
        if (b.bits - 1 <= 0x7fff'ffff) {
            const Gp to = destination(kind, held);
            masm_.alu(wide, AluOp::and_, to, held.reg, Src::of(static_cast<i32>(b.bits - 1)));
            return push_reg(kind, to);
        }
        release(held);
        const Gp to = alloc();
        masm_.move(wide, to, held.reg);
        masm_.shift_imm(wide, ShiftOp::shl, to, to, static_cast<u8>((wide ? 64 : 32) - log2));
        masm_.shift_imm(wide, ShiftOp::shr, to, to, static_cast<u8>((wide ? 64 : 32) - log2));
        return push_reg(kind, to);
    }
    const auto in = [](const Operand& operand, Gp reg) {
        return operand.loc == Loc::reg && operand.reg == to_underlying(reg);
    };
    // The divisor must survive in neither of the two fixed registers; the scratch register is free
    // here.
    Gp divisor = Masm::scratch;
    const bool divisor_moves = in(b, Masm::dividend) || in(b, Masm::remainder);
    if (divisor_moves) {
        masm_.move(wide, Masm::scratch, static_cast<Gp>(b.reg));
        discard(b);
    }
    if (!in(a, Masm::dividend)) {
        // Moving an operand out of the way needs no scratch register: it is a plain move or store.
        take(Masm::dividend);
        load_into(Masm::dividend, a);
        discard(a);
    }
    take(Masm::remainder);
    if (!divisor_moves) {
        const u8 home = b.loc == Loc::local ? b.reg : no_home;
        if (b.loc == Loc::reg) {
            divisor = static_cast<Gp>(b.reg);
        } else if (home != no_home) {
            ensure_home(home);
            divisor = home_reg(home);
        } else {
            load_into(Masm::scratch, b);
        }
    }
    masm_.divide(wide, op, divisor);
    trap_row(masm_.fault_position(), runtime::TrapCode::integer_divide_by_zero, here(),
        to_underlying(divisor));
    if (!divisor_moves) discard(b);
    release(wants_quotient ? Masm::remainder : Masm::dividend);
    push_reg(kind, wants_quotient ? Masm::dividend : Masm::remainder);
}

template <class Masm>
void Codegen<Masm>::integer_compare(Kind kind, Cond cond) {
    const bool wide = detail::is_wide(kind);
    const Operand* b = &pop();
    const Operand* a = &pop();
    if (a->is_constant() && !b->is_constant()) {
        std::swap(a, b);
        cond = mirror(cond);
    }
    Held right;
    const bool left_in_memory =
        a->loc == Loc::load || a->loc == Loc::slot || (a->loc == Loc::local && a->reg == no_home);
    if (left_in_memory && b->loc != Loc::load) {
        Held left;
        const Src memory = use_src(*a, left);
        Src source = use_src(*b, right);
        if (source.form == Src::Form::mem) {
            right = use(*b);
            source = Src::of(right.reg);
        }
        masm_.compare_mem(wide, memory.mem, source);
        note_src(*a);
        release(left);
        release(right);
        return push_flags(cond);
    }
    const Held left = use(*a);
    const Src source = use_src(*b, right);
    masm_.compare(wide, left.reg, source);
    note_src(*b);
    release(left);
    release(right);
    push_flags(cond);
}

template <class Masm>
void Codegen<Masm>::integer_eqz(Kind kind) {
    if (operands_.back().loc == Loc::flags) {
        Operand& top = operands_.back();
        top.reg = to_underlying(negate(static_cast<Cond>(top.reg)));
        return;
    }
    push_constant(kind, 0);
    integer_compare(kind, Cond::eq);
}

template <class Masm>
void Codegen<Masm>::integer_bit_count(Kind kind, BitCount op) {
    const bool wide = detail::is_wide(kind);
    const Held held = use(pop());
    const Gp to = destination(kind, held);
    switch (op) {
        case BitCount::clz: masm_.clz(wide, to, held.reg); break;
        case BitCount::ctz: masm_.ctz(wide, to, held.reg); break;
        case BitCount::popcnt: masm_.popcnt_(wide, to, held.reg); break;
    }
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::integer_extend(Kind to_kind, Extend op) {
    const Operand& operand = pop();
    const Held held = use(operand);
    const Gp to = destination(to_kind, held);
    const bool wide = detail::is_wide(to_kind);
    switch (op) {
        case Extend::s8: masm_.sign_extend(8, wide, to, held.reg); break;
        case Extend::s16: masm_.sign_extend(16, wide, to, held.reg); break;
        case Extend::s32: masm_.sign_extend(32, true, to, held.reg); break;
        // An i32 in a register has a clear upper half: a temporary is an i64 as it stands.
        case Extend::u32_:
            if (to != held.reg) masm_.clear_upper(to, held.reg);
            break;
    }
    push_reg(to_kind, to);
}

// ---- rows -------------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::emit_i32_const(i32 value) {
    push_constant(Kind::i32, static_cast<u32>(value));
}
template <class Masm>
void Codegen<Masm>::emit_i64_const(i64 value) {
    push_constant(Kind::i64, static_cast<u64>(value));
}

#define WRUN_EMIT(name, call)           \
    template <class Masm>               \
    void Codegen<Masm>::emit_##name() { \
        call;                           \
    }
#define WRUN_EMIT_BOTH(name, call)          \
    template <class Masm>                   \
    void Codegen<Masm>::emit_i32_##name() { \
        constexpr Kind kind = Kind::i32;    \
        call;                               \
    }                                       \
    template <class Masm>                   \
    void Codegen<Masm>::emit_i64_##name() { \
        constexpr Kind kind = Kind::i64;    \
        call;                               \
    }

WRUN_EMIT_BOTH(add, integer_alu(kind, AluOp::add))
WRUN_EMIT_BOTH(sub, integer_alu(kind, AluOp::sub))
WRUN_EMIT_BOTH(and, integer_alu(kind, AluOp::and_))
WRUN_EMIT_BOTH(or, integer_alu(kind, AluOp::or_))
WRUN_EMIT_BOTH(xor, integer_alu(kind, AluOp::xor_))
WRUN_EMIT_BOTH(mul, integer_mul(kind))
WRUN_EMIT_BOTH(shl, integer_shift(kind, ShiftOp::shl))
WRUN_EMIT_BOTH(shr_s, integer_shift(kind, ShiftOp::sar))
WRUN_EMIT_BOTH(shr_u, integer_shift(kind, ShiftOp::shr))
WRUN_EMIT_BOTH(rotl, integer_shift(kind, ShiftOp::rol))
WRUN_EMIT_BOTH(rotr, integer_shift(kind, ShiftOp::ror))
WRUN_EMIT_BOTH(div_s, integer_divide(kind, Masm::DivisionOp::div_s))
WRUN_EMIT_BOTH(div_u, integer_divide(kind, Masm::DivisionOp::div_u))
WRUN_EMIT_BOTH(rem_s, integer_divide(kind, Masm::DivisionOp::rem_s))
WRUN_EMIT_BOTH(rem_u, integer_divide(kind, Masm::DivisionOp::rem_u))
WRUN_EMIT_BOTH(clz, integer_bit_count(kind, BitCount::clz))
WRUN_EMIT_BOTH(ctz, integer_bit_count(kind, BitCount::ctz))
WRUN_EMIT_BOTH(popcnt, integer_bit_count(kind, BitCount::popcnt))
WRUN_EMIT_BOTH(eqz, integer_eqz(kind))
WRUN_EMIT_BOTH(eq, integer_compare(kind, Cond::eq))
WRUN_EMIT_BOTH(ne, integer_compare(kind, Cond::ne))
WRUN_EMIT_BOTH(lt_s, integer_compare(kind, Cond::lt_s))
WRUN_EMIT_BOTH(lt_u, integer_compare(kind, Cond::lt_u))
WRUN_EMIT_BOTH(gt_s, integer_compare(kind, Cond::gt_s))
WRUN_EMIT_BOTH(gt_u, integer_compare(kind, Cond::gt_u))
WRUN_EMIT_BOTH(le_s, integer_compare(kind, Cond::le_s))
WRUN_EMIT_BOTH(le_u, integer_compare(kind, Cond::le_u))
WRUN_EMIT_BOTH(ge_s, integer_compare(kind, Cond::ge_s))
WRUN_EMIT_BOTH(ge_u, integer_compare(kind, Cond::ge_u))
WRUN_EMIT(i32_extend8_s, integer_extend(Kind::i32, Extend::s8))
WRUN_EMIT(i32_extend16_s, integer_extend(Kind::i32, Extend::s16))
WRUN_EMIT(i64_extend8_s, integer_extend(Kind::i64, Extend::s8))
WRUN_EMIT(i64_extend16_s, integer_extend(Kind::i64, Extend::s16))
WRUN_EMIT(i64_extend32_s, integer_extend(Kind::i64, Extend::s32))
WRUN_EMIT(i64_extend_i32_s, integer_extend(Kind::i64, Extend::s32))
WRUN_EMIT(i64_extend_i32_u, integer_extend(Kind::i64, Extend::u32_))

template <class Masm>
void Codegen<Masm>::emit_i32_wrap_i64() {
    const Operand& operand = pop();
    if (operand.is_constant()) return push_constant(Kind::i32, static_cast<u32>(operand.bits));
    const Held held = use(operand);
    const Gp to = destination(Kind::i32, held);
    masm_.clear_upper(to, held.reg);  // even onto itself: it clears the upper half
    push_reg(Kind::i32, to);
}

}  // namespace wrun::codegen
