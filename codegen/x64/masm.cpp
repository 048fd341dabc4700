// The longer sequences of the x86-64 macro assembler.
#include "codegen/x64/masm.hpp"

namespace wrun::codegen::x64 {

namespace {

constexpr Cc cc_of(Cond cond) noexcept {
    switch (cond) {
        case Cond::eq: return Cc::e;
        case Cond::ne: return Cc::ne;
        case Cond::lt_s: return Cc::l;
        case Cond::ge_s: return Cc::ge;
        case Cond::lt_u: return Cc::b;
        case Cond::ge_u: return Cc::ae;
        case Cond::gt_s: return Cc::g;
        case Cond::le_s: return Cc::le;
        case Cond::gt_u:
        case Cond::f_gt: return Cc::a;
        case Cond::le_u:
        case Cond::f_not_gt: return Cc::be;
        case Cond::f_ge: return Cc::ae;
        case Cond::f_not_ge: return Cc::b;
        case Cond::f_eq: return Cc::e;   // and not parity
        case Cond::f_ne: return Cc::ne;  // or parity
    }
    return Cc::e;
}

constexpr HomeRegisters make_home_registers() {
    HomeRegisters result;
    for (const Gp reg : runtime::x64::integer_homes) {
        result.reg[result.integer_count++] = to_underlying(reg);
    }
    result.callee_saved_count = runtime::x64::callee_saved_home_count;
    for (u32 i = 0; i < runtime::x64::float_home_count; ++i) {
        result.reg[result.integer_count + i] = static_cast<u8>(runtime::x64::float_home_first + i);
    }
    result.float_count = runtime::x64::float_home_count;
    for (const Gp reg : runtime::x64::integer_arguments) {
        result.integer_arguments[result.integer_argument_count++] = to_underlying(reg);
    }
    for (u32 i = 0; i < runtime::x64::float_argument_count; ++i) {
        result.float_arguments[result.float_argument_count++] =
            static_cast<u8>(runtime::x64::float_argument_first + i);
    }
    return result;
}

constexpr HomeRegisters home_register_table = make_home_registers();

bool reads(Mem mem, Gp reg) noexcept {
    return mem.base == reg || mem.index == to_underlying(reg);
}

asmjit::x86::Gp gp(bool wide, Gp reg) {
    return wide ? asmjit::x86::Gp(asmjit::x86::gpq(to_underlying(reg)))
                : asmjit::x86::Gp(asmjit::x86::gpd(to_underlying(reg)));
}

}  // namespace

const HomeRegisters& Masm::home_registers() noexcept {
    return home_register_table;
}

// ---- moves ----------------------------------------------------------------------------------

void Masm::store_int(u32 bytes, Mem to, Gp from) {
    fault_position_ = position();
    switch (bytes) {
        case 1: return mov8_mr(to, from);
        case 2: return mov16_mr(to, from);
        case 4: return mov_mr(false, to, from);
        default: return mov_mr(true, to, from);
    }
}

void Masm::store_imm(u32 bytes, Mem to, i32 imm) {
    fault_position_ = position();
    switch (bytes) {
        case 1: return mov8_mi(to, static_cast<u8>(imm));
        case 2: return mov16_mi(to, static_cast<u16>(imm));
        case 4: return mov_mi(false, to, imm);
        default: return mov_mi(true, to, imm);
    }
}

void Masm::check_clear_upper(Gp reg) {
    Label clear;
    pushfq();
    mov_rr(true, scratch, reg);
    shift_ri(true, Shift::shr, scratch, 32);
    jcc_l(Cc::e, clear);
    ud2_();
    bind_l(clear);
    popfq();
}

// ---- integers -------------------------------------------------------------------------------

void Masm::alu(bool wide, Alu op, Gp to, Gp a, const Src& b) {
    const bool commutes = op != Alu::sub;
    switch (b.form) {
        case Src::Form::imm:
            if (to != a && op == Alu::add) return lea(wide, to, Mem::at(a, b.imm));
            if (to != a && op == Alu::sub && b.imm != INT32_MIN) {
                return lea(wide, to, Mem::at(a, -b.imm));
            }
            move(wide, to, a);
            return alu_ri(wide, op, to, b.imm);
        case Src::Form::reg:
            if (to == a) return alu_rr(wide, op, to, b.reg);
            if (op == Alu::add) return lea(wide, to, Mem::at(a, b.reg, 0, 0));
            if (to == b.reg) {
                if (commutes) return alu_rr(wide, op, to, a);
                neg(wide, to);
                return alu_rr(wide, Alu::add, to, a);
            }
            mov_rr(wide, to, a);
            return alu_rr(wide, op, to, b.reg);
        case Src::Form::mem:
            if (to == a) {
                fault_position_ = position();
                return alu_rm(wide, op, to, b.mem);
            }
            if (!reads(b.mem, to)) {
                mov_rr(wide, to, a);
                fault_position_ = position();
                return alu_rm(wide, op, to, b.mem);
            }
            mov_rr(wide, scratch, a);
            fault_position_ = position();
            alu_rm(wide, op, scratch, b.mem);
            return mov_rr(wide, to, scratch);
    }
}

void Masm::mul(bool wide, Gp to, Gp a, const Src& b) {
    switch (b.form) {
        case Src::Form::imm: return imul_rri(wide, to, a, b.imm);
        case Src::Form::reg:
            if (to == a) return imul_rr(wide, to, b.reg);
            if (to == b.reg) return imul_rr(wide, to, a);
            mov_rr(wide, to, a);
            return imul_rr(wide, to, b.reg);
        case Src::Form::mem:
            if (to != a && reads(b.mem, to)) {
                mov_rr(wide, scratch, a);
                fault_position_ = position();
                imul_rm(wide, scratch, b.mem);
                return mov_rr(wide, to, scratch);
            }
            move(wide, to, a);
            fault_position_ = position();
            return imul_rm(wide, to, b.mem);
    }
}

void Masm::shift_imm(bool wide, Shift op, Gp to, Gp a, u8 count) {
    count &= wide ? 63 : 31;
    if (op == Shift::shl && count == 1 && to != a) return lea(wide, to, Mem::at(a, a, 0, 0));
    move(wide, to, a);
    if (count != 0) return shift_ri(wide, op, to, count);
    // An i32 in a register has a clear upper half already.
}

void Masm::vex_shift(bool wide, Shift op, Gp to, Gp from, Gp count) {
    const auto to_op = gp(wide, to);
    const auto from_op = gp(wide, from);
    const auto count_op = gp(wide, count);
    if (op == Shift::shl) {
        shlx(to_op, from_op, count_op);
    } else if (op == Shift::shr) {
        shrx(to_op, from_op, count_op);
    } else {
        sarx(to_op, from_op, count_op);
    }
}

void Masm::shift_var(bool wide, Shift op, Gp to, Gp a, Gp count) {
    if (!needs_shift_count(op)) return vex_shift(wide, op, to, a, count);
    WRUN_ASSERT(count == shift_count && to != shift_count);
    move(wide, to, a);
    shift_rcl(wide, op, to);
}

void Masm::compare(bool wide, Gp a, const Src& b) {
    switch (b.form) {
        case Src::Form::imm:
            if (b.imm == 0) return test_rr(wide, a, a);
            return alu_ri(wide, Alu::cmp, a, b.imm);
        case Src::Form::reg: return alu_rr(wide, Alu::cmp, a, b.reg);
        case Src::Form::mem: fault_position_ = position(); return alu_rm(wide, Alu::cmp, a, b.mem);
    }
}

void Masm::compare_mem(bool wide, Mem a, const Src& b) {
    WRUN_ASSERT(b.form != Src::Form::mem);
    fault_position_ = position();
    if (b.form == Src::Form::imm) return alu_mi(wide, Alu::cmp, a, b.imm);
    alu_mr(wide, Alu::cmp, a, b.reg);
}

void Masm::clz(bool wide, Gp to, Gp from) {
    if (cpu_.lzcnt) {
        lzcnt(gp(wide, to), gp(wide, from));
        return;
    }
    // bsr leaves its destination alone for zero on every CPU, but only by custom: select
    // explicitly.
    const u32 bits = wide ? 64 : 32;
    bsr(gp(wide, scratch), gp(wide, from));
    mov_ri(to, 2 * bits - 1);
    cmov_rr(wide, Cc::ne, to, scratch);
    alu_ri(wide, Alu::xor_, to, static_cast<i32>(bits - 1));
}

void Masm::ctz(bool wide, Gp to, Gp from) {
    if (cpu_.bmi1) {
        tzcnt(gp(wide, to), gp(wide, from));
        return;
    }
    bsf(gp(wide, scratch), gp(wide, from));
    mov_ri(to, wide ? 64 : 32);
    cmov_rr(wide, Cc::ne, to, scratch);
}

void Masm::popcnt_(bool wide, Gp to, Gp from) {
    popcnt(gp(wide, to), gp(wide, from));
}

void Masm::divide(bool wide, Division kind, Gp divisor) {
    const bool is_signed = kind == Division::div_s || kind == Division::rem_s;
    if (!is_signed) {
        zero(remainder);
        fault_position_ = position();
        return div_r(wide, divisor);
    }
    if (kind == Division::div_s) {
        cdq_cqo(wide);
        fault_position_ = position();
        return idiv_r(wide, divisor);
    }
    // x rem -1 is 0, also for the smallest x, which idiv refuses.
    Label divide_it;
    Label done;
    alu_ri(wide, Alu::cmp, divisor, -1);
    branch(Cond::ne, divide_it);
    zero(remainder);
    jump(done);
    bind(divide_it);
    cdq_cqo(wide);
    fault_position_ = position();
    idiv_r(wide, divisor);
    bind(done);
}

// ---- conditions -----------------------------------------------------------------------------

void Masm::set(Cond cond, Gp to) {
    if (cond == Cond::f_eq || cond == Cond::f_ne) {
        setcc(cond == Cond::f_eq ? Cc::np : Cc::p, scratch);
        setcc(cc_of(cond), to);
        alu_rr(false, cond == Cond::f_eq ? Alu::and_ : Alu::or_, to, scratch);
    } else {
        setcc(cc_of(cond), to);
    }
    movzx8_rr(to, to);
}

void Masm::select_int(bool wide, Cond cond, Gp to, Gp if_true) {
    if (cond == Cond::f_eq) {
        // to = (e and np) ? if_true : to
        Label skip;
        jcc_l(Cc::p, skip);
        cmov_rr(wide, Cc::e, to, if_true);
        bind(skip);
        return;
    }
    cmov_rr(wide, cc_of(cond), to, if_true);
    if (cond == Cond::f_ne) cmov_rr(wide, Cc::p, to, if_true);
}

void Masm::select_float(Cond cond, Fp to, Fp if_true) {
    Label skip;
    branch(negate(cond), skip);
    fmove(to, if_true);
    bind(skip);
}

void Masm::branch(Cond cond, Label& target) {
    if (cond == Cond::f_eq) {
        Label skip;
        jcc_l(Cc::p, skip);
        jcc_l(Cc::e, target);
        bind(skip);
        return;
    }
    if (cond == Cond::f_ne) jcc_l(Cc::p, target);
    jcc_l(cc_of(cond), target);
}

// ---- floats ---------------------------------------------------------------------------------

void Masm::farith(bool is_f64, Sse op, Fp to, Fp a, const FpSrc& b) {
    if (b.is_mem) {
        fmove(to, a);
        fault_position_ = position();
        return sse_rm(is_f64, op, to, b.mem);
    }
    if (to == a) return sse_rr(is_f64, op, to, b.reg);
    if (to == b.reg) {
        // Which NaN payload wins is left open by the specification, so these two may swap.
        WRUN_ASSERT(op == Sse::add || op == Sse::mul);
        return sse_rr(is_f64, op, to, a);
    }
    movaps_rr(to, a);
    sse_rr(is_f64, op, to, b.reg);
}

void Masm::fcompare(bool is_f64, Fp a, const FpSrc& b) {
    if (b.is_mem) {
        fault_position_ = position();
        return ucomis_rm(is_f64, a, b.mem);
    }
    ucomis_rr(is_f64, a, b.reg);
}

void Masm::fminmax(bool is_f64, bool is_max, Fp to, Fp b) {
    Label differ;
    Label nan;
    Label done;
    ucomis_rr(is_f64, to, b);
    jcc_l(Cc::ne, differ);
    jcc_l(Cc::p, nan);
    // Equal: only the signs of zeros can differ.
    sse_bits_rr(is_max ? SseBits::and_ : SseBits::or_, to, b);
    jump(done);
    bind(nan);
    sse_rr(is_f64, Sse::add, to, b);
    jump(done);
    bind(differ);
    sse_rr(is_f64, is_max ? Sse::max : Sse::min, to, b);
    bind(done);
}

void Masm::fround(bool is_f64, Rounding mode, Fp to, Fp from) {
    const auto to_op = asmjit::x86::xmm(to.id);
    const auto from_op = asmjit::x86::xmm(from.id);
    const auto imm = asmjit::imm(to_underlying(mode) | 8);  // 8: no inexact exception
    if (is_f64) {
        roundsd(to_op, from_op, imm);
    } else {
        roundss(to_op, from_op, imm);
    }
}

void Masm::fmove_bits(bool is_f64, Fp to, u64 bits) {
    if (bits == 0) return fzero(to);
    mov_ri(scratch, bits);
    mov_fg(is_f64, to, scratch);
}

void Masm::ffill_mask(bool is_f64, bool sign_only, Fp to) {
    const u64 sign = is_f64 ? u64{1} << 63 : u64{1} << 31;
    const u64 all = is_f64 ? ~u64{0} : u64{0xffff'ffff};
    mov_ri(scratch, sign_only ? sign : all & ~sign);
    mov_fg(is_f64, to, scratch);
}

void Masm::fabs_(bool is_f64, Fp to, Fp from, Fp spare) {
    ffill_mask(is_f64, false, spare);
    fmove(to, from);
    sse_bits_rr(SseBits::and_, to, spare);
}

void Masm::fneg_(bool is_f64, Fp to, Fp from, Fp spare) {
    ffill_mask(is_f64, true, spare);
    fmove(to, from);
    sse_bits_rr(SseBits::xor_, to, spare);
}

void Masm::fcopysign(bool is_f64, Fp to, Fp sign, Fp spare) {
    ffill_mask(is_f64, false, spare);
    sse_bits_rr(SseBits::and_, to, spare);
    sse_bits_rr(SseBits::andn, spare, sign);  // ~mask & sign
    sse_bits_rr(SseBits::or_, to, spare);
}

void Masm::convert_u64_to_float(bool is_f64, Fp to, Gp from, Gp spare) {
    Label big;
    Label done;
    fzero(to);
    test_rr(true, from, from);
    jcc_l(Cc::s, big);
    cvtsi2s(is_f64, true, to, from);
    jump(done);
    bind(big);
    // Halve, keeping the lost bit sticky so that rounding happens once; then double, which is
    // exact.
    mov_rr(true, scratch, from);
    mov_rr(true, spare, from);
    shift_ri(true, Shift::shr, scratch, 1);
    alu_ri(true, Alu::and_, spare, 1);
    alu_rr(true, Alu::or_, scratch, spare);
    cvtsi2s(is_f64, true, to, scratch);
    sse_rr(is_f64, Sse::add, to, to);
    bind(done);
}

void Masm::trunc_u64(bool is_f64, Gp to, Fp from, Fp spare) {
    Label big;
    Label done;
    const u64 two_63 = is_f64 ? 0x43e0'0000'0000'0000 : 0x5f00'0000;
    const u64 sign = is_f64 ? u64{1} << 63 : u64{1} << 31;
    fmove_bits(is_f64, spare, two_63);
    ucomis_rr(is_f64, from, spare);
    jcc_l(Cc::ae, big);
    cvtts2si(is_f64, true, to, from);
    jump(done);
    bind(big);
    // from - 2^63, then put the top bit back.
    fmove_bits(is_f64, spare, two_63 | sign);
    sse_rr(is_f64, Sse::add, spare, from);
    cvtts2si(is_f64, true, to, spare);
    mov_ri(scratch, u64{1} << 63);
    alu_rr(true, Alu::xor_, to, scratch);
    bind(done);
}

void Masm::trunc_saturating(bool is_f64, bool wide, bool is_signed, Gp to, Fp from, Fp spare) {
    Label done;
    if (is_signed) {
        Label nan;
        cvtts2si(is_f64, wide, to, from);
        alu_ri(wide, Alu::cmp, to, 1);
        jcc_l(Cc::no, done);
        ucomis_rr(is_f64, from, from);
        jcc_l(Cc::p, nan);
        fzero(spare);
        ucomis_rr(is_f64, from, spare);
        jcc_l(Cc::b, done);  // negative: the smallest it is
        mov_ri(to, wide ? u64{INT64_MAX} : u64{INT32_MAX});
        jump(done);
        bind(nan);
        zero(to);
        bind(done);
        return;
    }
    Label positive;
    Label in_range;
    fzero(spare);
    ucomis_rr(is_f64, from, spare);
    jcc_l(Cc::a, positive);
    zero(to);
    jump(done);
    bind(positive);
    const u64 bound = is_f64 ? (wide ? 0x43f0'0000'0000'0000 : 0x41f0'0000'0000'0000)
                             : (wide ? 0x5f80'0000 : 0x4f80'0000);
    fmove_bits(is_f64, spare, bound);
    ucomis_rr(is_f64, from, spare);
    jcc_l(Cc::b, in_range);
    mov_ri(to, wide ? ~u64{0} : u64{0xffff'ffff});
    jump(done);
    bind(in_range);
    if (wide) {
        trunc_u64(is_f64, to, from, spare);
    } else {
        cvtts2si(is_f64, true, to, from);
        mov_rr(false, to, to);
    }
    bind(done);
}

// ---- calls and frames -----------------------------------------------------------------------

void Masm::zero_words(Mem lowest, u32 count) {
    lea(true, scratch, lowest);
    zero(Gp::rax);
    mov_ri(Gp::rcx, count);
    Label again;
    bind(again);
    mov_mr(true, Mem::at(scratch, Gp::rcx, 3, -8), Gp::rax);
    alu_ri(true, Alu::sub, Gp::rcx, 1);
    jcc_l(Cc::ne, again);
}

void Masm::jump_through_table(Label& table, Gp index, Gp spare) {
    // Entry i holds target - (table + 4 i + 4).
    lea_l(scratch, table);
    lea(true, scratch, Mem::at(scratch, index, 2, 0));
    load(LoadKind::s32_64, spare, Mem::at(scratch));
    lea(true, scratch, Mem::at(scratch, spare, 0, 4));
    jmp_r(scratch);
}

void Masm::call_helper(u32 number, u32 immediate0, u32 immediate1) {
    mov_ri(runtime::helper_immediates[0], immediate0);
    mov_ri(runtime::helper_immediates[1], immediate1);
    mov_ri(Gp::rax, number);
    call_m(Mem::at(context, offsetof(runtime::Context, helper_call)));
}

}  // namespace wrun::codegen::x64
