// The x86-64 macro assembler: what codegen/masm.hpp asks of a target, in terms of the encoder's
// forms. Three-operand operations resolve the two-address constraint here; nothing here knows of
// wasm's stack.
#pragma once

#include <vector>

#include "codegen/cpu.hpp"
#include "codegen/homes.hpp"
#include "codegen/operand.hpp"
#include "codegen/x64/encoder.hpp"

namespace wrun::codegen::x64 {

/// The right-hand side of an integer operation.
struct Src {
    enum class Form : u8 { reg, imm, mem };
    Form form = Form::reg;
    Gp reg{};
    i32 imm = 0;
    Mem mem;
    [[nodiscard]] static Src of(Gp reg) noexcept { return {Form::reg, reg, 0, {}}; }
    [[nodiscard]] static Src of(i32 imm) noexcept { return {Form::imm, Gp::rax, imm, {}}; }
    [[nodiscard]] static Src of(Mem mem) noexcept { return {Form::mem, Gp::rax, 0, mem}; }
};

/// The right-hand side of a floating operation.
struct FpSrc {
    bool is_mem = false;
    Fp reg;
    Mem mem;
};

enum class Rounding : u8 { nearest = 0, floor = 1, ceil = 2, trunc = 3 };
enum class Division : u8 { div_s, div_u, rem_s, rem_u };

class Masm : public Encoder {
public:
    using Gp = x64::Gp;
    using Fp = x64::Fp;
    using Mem = x64::Mem;
    using Src = x64::Src;
    using FpSrc = x64::FpSrc;
    using Label = x64::Label;
    using AluOp = Alu;
    using ShiftOp = Shift;
    using DivisionOp = Division;
    using FloatOp = Sse;
    using RoundingOp = Rounding;
    using LoadOp = LoadKind;

    static constexpr Gp context = runtime::x64::context_register;
    static constexpr Gp memory_base = runtime::x64::memory_register;
    static constexpr Gp scratch = runtime::x64::scratch_register;
    static constexpr Gp frame = runtime::x64::frame_register;
    static constexpr Gp integer_result = runtime::x64::integer_result;
    static constexpr Fp float_result{runtime::x64::float_result};
    static constexpr Gp record = runtime::x64::record_register;
    static constexpr u32 integer_temps = (1u << to_underlying(Gp::rax)) |
                                         (1u << to_underlying(Gp::rcx)) |
                                         (1u << to_underlying(Gp::rdx));
    static constexpr u32 float_temps = 0x000f;
    /// Where the fixed-register instructions want their operands.
    static constexpr Gp dividend = Gp::rax;
    static constexpr Gp remainder = Gp::rdx;
    static constexpr Gp shift_count = Gp::rcx;
    static constexpr u32 return_address_slots = 2;  // saved rbp, return address

    Masm(asmjit::CodeHolder* code, const CpuFeatures& cpu) : Encoder(code), cpu_{cpu} {}

    [[nodiscard]] static const HomeRegisters& home_registers() noexcept;
    [[nodiscard]] const CpuFeatures& cpu() const noexcept { return cpu_; }
    /// Where the instruction begins that touches memory in the operation emitted last.
    [[nodiscard]] u32 fault_position() const noexcept { return fault_position_; }

    // ---- moves ------------------------------------------------------------------------------
    // None of them changes flags unless its comment says so.

    void move(bool wide, Gp to, Gp from) {
        if (to != from) mov_rr(wide, to, from);
    }
    void move_imm(Gp to, u64 value) { mov_ri(to, value); }
    /// Changes flags.
    void zero(Gp to) { alu_rr(false, Alu::xor_, to, to); }
    void fmove(Fp to, Fp from) {
        if (to != from) movaps_rr(to, from);
    }
    void fzero(Fp to) { sse_bits_rr(SseBits::xor_, to, to); }
    void fload(bool wide, Fp to, Mem from) {
        fault_position_ = position();
        movs_rm(wide, to, from);
    }
    void fstore(bool wide, Mem to, Fp from) {
        fault_position_ = position();
        movs_mr(wide, to, from);
    }
    void load_int(LoadKind kind, Gp to, Mem from) {
        fault_position_ = position();
        load(kind, to, from);
    }
    /// Between registers and words of the frame, the context and what it reaches: 4 bytes, wide: 8.
    void load_word(bool wide, Gp to, Mem from) { mov_rm(wide, to, from); }
    void store_word(bool wide, Mem to, Gp from) { mov_mr(wide, to, from); }
    void store_word_imm(bool wide, Mem to, i32 imm) { mov_mi(wide, to, imm); }
    /// to = the lower half of from, upper half clear; an instruction even when to is from.
    void clear_upper(Gp to, Gp from) { mov_rr(false, to, from); }
    /// Stops the process, by a ud2 without a trap row, unless the upper half is clear.
    void check_clear_upper(Gp reg);
    void bits_to_float(bool wide, Fp to, Gp from) { mov_fg(wide, to, from); }
    void float_to_bits(bool wide, Gp to, Fp from) { mov_gf(wide, to, from); }
    void fload_label(bool wide, Fp to, Label& label) { movs_l(wide, to, label); }
    /// Eight bytes from memory to memory without a register.
    void copy_word(Mem to, Mem from) {
        push_m(from);
        pop_m(to);
    }
    /// A word kept aside on the machine stack, at pushed() until drop_stack().
    void push_word(Mem from) { push_m(from); }
    /// Accesses to the guest's memory; fault_position() is theirs. `bytes` is 1, 2, 4 or 8.
    void store_int(u32 bytes, Mem to, Gp from);
    void store_imm(u32 bytes, Mem to, i32 imm);

    // ---- integers ---------------------------------------------------------------------------

    void alu(bool wide, Alu op, Gp to, Gp a, const Src& b);
    void mul(bool wide, Gp to, Gp a, const Src& b);
    void shift_imm(bool wide, Shift op, Gp to, Gp a, u8 count);
    /// Whether a variable shift needs its count in `shift_count`.
    [[nodiscard]] bool needs_shift_count(Shift op) const noexcept {
        return !cpu_.bmi2 || op == Shift::rol || op == Shift::ror;
    }
    /// Count in any register when needs_shift_count() is false, else in `shift_count`; `to` is
    /// another.
    void shift_var(bool wide, Shift op, Gp to, Gp a, Gp count);
    /// From the low `bits` (8, 16 or 32) of `from`.
    void sign_extend(u32 bits, bool wide, Gp to, Gp from) {
        if (bits == 8) return movsx8_rr(wide, to, from);
        if (bits == 16) return movsx16_rr(wide, to, from);
        movsxd_rr(to, from);
    }
    void compare(bool wide, Gp a, const Src& b);
    void compare_mem(bool wide, Mem a, const Src& b);
    /// Subtracts from the 8 bytes at `from` what set_taken() will say of the field answered.
    u32 take_from_word(Mem from) {
        alu_mi(true, Alu::sub, from, largest_imm);
        return position() - 4;
    }
    void set_taken(u32 field, u32 count) {
        if (!out_of_memory()) patch32(field, count);
    }
    void test(bool wide, Gp a, Gp b) { test_rr(wide, a, b); }
    /// `to` is not `from` where the CPU lacks the instruction (see needs_distinct_bit_count()).
    void clz(bool wide, Gp to, Gp from);
    void ctz(bool wide, Gp to, Gp from);
    void popcnt_(bool wide, Gp to, Gp from);
    /// Dividend in `dividend`; quotient there, remainder in `remainder`; both are lost.
    /// fault_position() is that of the dividing instruction.
    void divide(bool wide, Division kind, Gp divisor);

    // ---- conditions -------------------------------------------------------------------------

    void set(Cond cond, Gp to);
    void select_int(bool wide, Cond cond, Gp to, Gp if_true);  // to = cond ? if_true : to
    void select_float(Cond cond, Fp to, Fp if_true);
    void branch(Cond cond, Label& target);
    void jump(Label& target) { jmp_l(target); }
    using Encoder::bind;  // not hidden, and not called
    void bind(Label& label) { bind_l(label); }

    // ---- floats -----------------------------------------------------------------------------

    void farith(bool is_f64, Sse op, Fp to, Fp a, const FpSrc& b);
    void fcompare(bool is_f64, Fp a, const FpSrc& b);
    /// `to` is `a` or differs from `b`. Changes flags.
    void fminmax(bool is_f64, bool is_max, Fp to, Fp b);
    void fround(bool is_f64, Rounding mode, Fp to, Fp from);
    /// Loads bits without a memory constant.
    void fmove_bits(bool is_f64, Fp to, u64 bits);
    void fabs_(bool is_f64, Fp to, Fp from, Fp spare);
    void fneg_(bool is_f64, Fp to, Fp from, Fp spare);
    /// to = |magnitude| with sign's sign; `to` is magnitude; `spare` and `to` differ from `sign`.
    void fcopysign(bool is_f64, Fp to, Fp sign, Fp spare);
    void convert_u64_to_float(bool is_f64, Fp to, Gp from, Gp spare);
    /// Unsigned 64-bit truncation of a value known to lie in (-1, 2^64); `spare` is lost.
    void trunc_u64(bool is_f64, Gp to, Fp from, Fp spare);

    void fsqrt(bool is_f64, Fp to, Fp from) { sse_rr(is_f64, Sse::sqrt, to, from); }
    void float_to_float(bool from_f64, Fp to, Fp from) { cvts2s(from_f64, to, from); }
    void int_to_float(bool is_f64, bool wide, Fp to, Gp from) {
        fzero(to);  // the conversion writes the low half only: clearing breaks a false dependency
        cvtsi2s(is_f64, wide, to, from);
    }
    /// Truncates; the smallest integer also stands for "no answer".
    void float_to_int(bool is_f64, bool wide, Gp to, Fp from) { cvtts2si(is_f64, wide, to, from); }
    /// Saturating truncation; flags and `spare` are lost.
    void trunc_saturating(bool is_f64, bool wide, bool is_signed, Gp to, Fp from, Fp spare);
    /// Branches when `value` is the smallest signed integer: cvtts2si's "no answer".
    void branch_if_minimum(bool wide, Gp value, Label& target) {
        alu_ri(wide, Alu::cmp, value, 1);
        jcc_l(Cc::o, target);
    }
    /// After a compare of floats.
    void branch_unordered(Label& target) { jcc_l(Cc::p, target); }
    /// A constant kept aside, likewise.
    void push_bits(u64 bits) {
        mov_ri(scratch, bits);
        push_r(scratch);
    }
    [[nodiscard]] static Mem pushed() noexcept { return Mem::at(Gp::rsp); }

    // ---- calls and frames -------------------------------------------------------------------

    void call_through(Mem to) { call_m(to); }
    /// Answers the position of the field to be linked.
    u32 call_direct() { return call_rel32(); }
    void trap() { ud2_(); }
    void push_saved(Gp reg) { push_r(reg); }
    void enter_frame() {
        push_r(Gp::rbp);
        mov_rr(true, Gp::rbp, Gp::rsp);
    }
    /// Undoes the frame and returns, dropping the caller's stack arguments.
    void leave_frame(u32 argument_bytes) {
        leave_();
        ret_n(static_cast<u16>(argument_bytes));
    }
    /// Flags of (rsp - bytes) compared with the limit in the context.
    void compare_stack_limit(u32 bytes, std::size_t limit_offset) {
        lea(true, scratch, Mem::at(Gp::rsp, -static_cast<i32>(bytes)));
        alu_rm(true, Alu::cmp, scratch, Mem::at(context, static_cast<i32>(limit_offset)));
    }
    /// Zeroes `count` words upwards from `lowest`, at a function's entry: rax and rcx are free
    /// there.
    void zero_words(Mem lowest, u32 count);
    /// Jumps to the distance that entry `index` of the table of label fields holds. `spare` is
    /// lost.
    void jump_through_table(Label& table, Gp index, Gp spare);
    /// Where stack argument `slot` of the call being made lies, after reserve_stack().
    [[nodiscard]] static Mem stack_argument(u32 slot) {
        return Mem::at(Gp::rsp, static_cast<i32>(slot * runtime::slot_bytes));
    }
    /// Operands are in place; loads number and immediates and calls the helper stub.
    void call_helper(u32 number, u32 immediate0, u32 immediate1);
    void drop_stack(u32 bytes) { lea(true, Gp::rsp, Mem::at(Gp::rsp, static_cast<i32>(bytes))); }
    void reserve_stack(u32 bytes) { alu_ri(true, Alu::sub, Gp::rsp, static_cast<i32>(bytes)); }

private:
    static constexpr i32 largest_imm = 0x7fff'ffff;  // takes its four bytes

    void vex_shift(bool wide, Shift op, Gp to, Gp from, Gp count);
    void ffill_mask(bool is_f64, bool sign_only, Fp to);

    CpuFeatures cpu_;
    u32 fault_position_ = 0;
};

}  // namespace wrun::codegen::x64
