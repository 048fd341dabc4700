// What the code generator asks of a target: one class, the macro assembler. Codegen<Masm> is the
// same walker for every target; a second target is a second folder with such a class and an
// instantiate.cpp.
//
// Types: Gp (enum of integer registers), Fp (struct with `id`), Mem (base + index << scale + disp),
// Label, Src (register, immediate or memory: the right-hand side of an integer operation), FpSrc
// (register or memory), and the enums of operations AluOp, ShiftOp, DivisionOp, FloatOp,
// RoundingOp, LoadOp.
//
// Constants: context, memory_base, scratch, frame, record, integer_result, float_result, the masks
// integer_temps and float_temps, home_registers() (codegen/homes.hpp). A target with fixed-register
// instructions names the registers in dividend, remainder and shift_count; one without names any
// temporary.
//
// Rules for every operation:
//   - `wide` means 64 bits, else 32; a 32-bit result leaves the register's upper half clear.
//   - Only `scratch` is lost besides the registers named, and only if no operand is in it.
//   - Moves, loads, stores, lea-like additions of the stack pointer: flags survive. All else may
//   change them.
//   - An operation that reads or writes memory through Src or Mem leaves in fault_position() where
//   the
//     instruction begins that can fault.
//   - Positions count from the start of the buffer. Nothing is relocated: constants and tables are
//   reached
//     relative to the code.
//   - A buffer that cannot grow sets out_of_memory() and writes nowhere else; nothing fails in
//   between.
#pragma once

#include <concepts>

#include "codegen/homes.hpp"
#include "codegen/operand.hpp"

namespace wrun::codegen {

template <class M>
concept MacroAssembler = requires(M masm, bool wide, u32 number, u64 bits, Cond cond,
    typename M::Gp reg, typename M::Fp fp, typename M::Mem mem, typename M::Src src,
    typename M::FpSrc fp_src, typename M::Label label, typename M::AluOp alu,
    typename M::ShiftOp shift, typename M::DivisionOp division, typename M::FloatOp float_op,
    typename M::RoundingOp rounding, typename M::LoadOp load, u8 count, i32 imm) {
    { M::home_registers() } -> std::same_as<const HomeRegisters&>;

    // the buffer
    { masm.position() } -> std::same_as<u32>;
    { masm.out_of_memory() } -> std::same_as<bool>;
    { masm.fault_position() } -> std::same_as<u32>;
    masm.rewind(number);
    masm.align_code(number);
    masm.data64(bits);

    // moves
    masm.move(wide, reg, reg);
    masm.move_imm(reg, bits);
    masm.zero(reg);
    masm.clear_upper(reg, reg);
    masm.check_clear_upper(reg);  // stress mode `check`; flags survive
    masm.load_word(wide, reg, mem);
    masm.store_word(wide, mem, reg);
    masm.store_word_imm(wide, mem, imm);
    masm.copy_word(mem, mem);
    masm.push_word(mem);
    masm.load_int(load, reg, mem);
    masm.store_int(number, mem, reg);
    masm.store_imm(number, mem, imm);
    masm.fmove(fp, fp);
    masm.fzero(fp);
    masm.fload(wide, fp, mem);
    masm.fload_label(wide, fp, label);
    masm.fstore(wide, mem, fp);
    masm.fmove_bits(wide, fp, bits);
    masm.bits_to_float(wide, fp, reg);
    masm.float_to_bits(wide, reg, fp);

    // integers: to, a, b
    masm.alu(wide, alu, reg, reg, src);
    masm.mul(wide, reg, reg, src);
    masm.shift_imm(wide, shift, reg, reg, count);
    { masm.needs_shift_count(shift) } -> std::same_as<bool>;
    masm.shift_var(wide, shift, reg, reg, reg);
    masm.divide(wide, division, reg);
    masm.clz(wide, reg, reg);
    masm.ctz(wide, reg, reg);
    masm.popcnt_(wide, reg, reg);
    masm.sign_extend(number, wide, reg, reg);

    // flags and jumps
    masm.compare(wide, reg, src);
    masm.compare_mem(wide, mem, src);
    masm.test(wide, reg, reg);
    masm.fcompare(wide, fp, fp_src);
    masm.set(cond, reg);
    masm.select_int(wide, cond, reg, reg);
    masm.select_float(cond, fp, fp);
    masm.branch(cond, label);
    masm.branch_unordered(label);
    masm.branch_if_minimum(wide, reg, label);
    { masm.take_from_word(mem) } -> std::same_as<u32>;  // flags: less is signed …
    masm.set_taken(number, number);                     // … what it takes, said later
    masm.jump(label);
    masm.bind(label);
    masm.label_field(label);
    masm.jump_through_table(label, reg, reg);

    // floats: to, a, b
    masm.farith(wide, float_op, fp, fp, fp_src);
    masm.fminmax(wide, wide, fp, fp);
    masm.fround(wide, rounding, fp, fp);
    masm.fsqrt(wide, fp, fp);
    masm.fabs_(wide, fp, fp, fp);
    masm.fneg_(wide, fp, fp, fp);
    masm.fcopysign(wide, fp, fp, fp);
    masm.float_to_float(wide, fp, fp);
    masm.int_to_float(wide, wide, fp, reg);
    masm.convert_u64_to_float(wide, fp, reg, reg);
    masm.float_to_int(wide, wide, reg, fp);
    masm.trunc_u64(wide, reg, fp, fp);
    masm.trunc_saturating(wide, wide, wide, reg, fp, fp);

    // frames and calls
    masm.enter_frame();
    masm.push_saved(reg);
    masm.leave_frame(number);
    masm.compare_stack_limit(number, std::size_t{});
    masm.reserve_stack(number);
    masm.drop_stack(number);
    masm.stack_argument(number);
    masm.zero_words(mem, number);
    { masm.call_direct() } -> std::same_as<u32>;
    masm.call_through(mem);
    masm.call_helper(number, number, number);
    masm.push_bits(bits);
    masm.pushed();
    masm.trap();
};

}  // namespace wrun::codegen
