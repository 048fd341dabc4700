// Codegen: the state checker. In builds with assertions it runs between every two operations and
// holds what codegen knows against the rules at the top of codegen.hpp; release has none of it. It
// keeps a shadow of what it must find again: the operands below the window, and what the operation
// before was to do to the stack. Amortised constant time for each operation, whatever the input.
#pragma once

#include "codegen/emit_float.hpp"

namespace wrun::codegen {

namespace detail {

inline bool is_same(const Operand& a, const Operand& b) noexcept {
    return a.loc == b.loc && a.kind == b.kind && a.reg == b.reg && a.extra == b.extra &&
           a.slot == b.slot && a.bits == b.bits;
}

/// The first immediate of the operation at `opcode`, a plain one.
inline u32 index_at(const u8* opcode) noexcept {
    ++opcode;
    return read_leb(opcode);
}

inline bool sets_local(Op op) noexcept {
    return op == Op::local_set || op == Op::local_tee;
}

}  // namespace detail

/// The operation at `opcode`.
inline Op op_at(const u8* opcode) noexcept {
    if (*opcode != prefix_fc) return lookup_plain[*opcode].op();
    return lookup_fc[detail::index_at(opcode)].op();
}

template <class Masm>
void Codegen<Masm>::begin_shadow() {
    shadow_.deep.clear();
    shadow_.deep_aliases.clear();
    shadow_.before.reset();
}

/// What the operation before has left, and what `next` will find.
template <class Masm>
void Codegen<Masm>::check_state(const u8* opcode) {
    const Op next = op_at(opcode);
    check_shadow();
    if (reachable_) {
        check_effect();
        check_window(next, opcode);
        check_homes();
    }
    shadow_.before = next;
    shadow_.was_reachable = reachable_;
    shadow_.height = height();
    shadow_.block_height = controls_.back().height;
    shadow_.block_base = controls_.back().lazy_base;
    shadow_.local = no_local;
    if (detail::sets_local(next) && reachable_) {
        const Operand& value = operands_.back();
        const u32 local = detail::index_at(opcode);
        // A local set to itself does not change.
        if (value.loc != Loc::local || value.index() != local) shadow_.local = local;
    }
}

/// Operands below the window cannot move, and are nothing that a path could change.
template <class Masm>
void Codegen<Masm>::check_shadow() {
    WRUN_CHECK(operands_.lazy_base() <= height());
    // What an `end` uncovers lay below the block and is as it was, unless it went to its slot at
    // once because too much was on top. All else that lowers the window takes the operands off the
    // stack.
    const bool uncovers = shadow_.before == Op::end;
    const u32 base =
        uncovers ? std::min(operands_.lazy_base(), shadow_.block_base) : operands_.lazy_base();
    while (shadow_.deep.size() > base) {
        const Operand& was = shadow_.deep.back();
        const u32 index = static_cast<u32>(shadow_.deep.size()) - 1;
        if (uncovers && index < shadow_.block_height) {
            const Operand& is = operands_[index];
            WRUN_CHECK(detail::is_same(was, is) || (index < operands_.lazy_base() &&
                                                       is.loc == Loc::slot && is.slot == was.slot));
        }
        if (was.loc == Loc::local) --shadow_.deep_aliases[was.index()];
        shadow_.deep.pop_back();
    }
    while (shadow_.deep.size() < operands_.lazy_base()) {
        const Operand& operand = operands_[static_cast<u32>(shadow_.deep.size())];
        WRUN_CHECK(
            operand.loc == Loc::constant || operand.loc == Loc::slot || operand.loc == Loc::local);
        if (operand.loc == Loc::local) ++shadow_.deep_aliases[operand.index()];
        shadow_.deep.push_back(operand);
    }
}

/// The operation before changed the stack as its row of the table says, and whoever meant a local
/// that it set means it no longer.
template <class Masm>
void Codegen<Masm>::check_effect() {
    if (!shadow_.before || !shadow_.was_reachable) return;
    const Signature& signature = info(*shadow_.before).signature;
    if (!signature.special) {
        WRUN_CHECK(height() == shadow_.height - signature.pops + signature.pushes);
        if (signature.pushes != 0) {
            WRUN_CHECK(operands_.back().kind == signature.types[signature.pops].kind());
        }
    }
    if (shadow_.local == no_local) return;
    const auto deep = shadow_.deep_aliases.find(shadow_.local);
    WRUN_CHECK(deep == shadow_.deep_aliases.end() || deep->second == 0);
    const u32 end = height() - (*shadow_.before == Op::local_tee);
    for (u32 i = operands_.lazy_base(); i < end; ++i) {
        WRUN_CHECK(operands_[i].loc != Loc::local || operands_[i].index() != shadow_.local);
    }
}

/// The operands that may be anything: each register has one holder, and every register that is not
/// free has one.
template <class Masm>
void Codegen<Masm>::check_window(Op next, const u8* opcode) {
    WRUN_CHECK(height() - operands_.lazy_base() <= window);
    u32 slot = 0;
    if (!shadow_.deep.empty()) {
        const Operand& last = shadow_.deep.back();
        slot = last.slot + (last.kind == Kind::v128 ? 2 : 1);
    }
    u32 held = 0;
    u32 held_float = 0;
    u32 loads = 0;
    const auto hold = [](u32& mask, u32 temps, u8 reg) {
        const u32 bit = 1u << reg;
        WRUN_CHECK((mask & bit) == 0 && (temps & bit) != 0);
        mask |= bit;
    };
    for (u32 i = operands_.lazy_base(); i < height(); ++i) {
        const Operand& operand = operands_[i];
        const bool is_top = i + 1 == height();
        WRUN_CHECK(operand.slot == slot);
        slot += operand.kind == Kind::v128 ? 2 : 1;
        switch (operand.loc) {
            case Loc::constant: WRUN_CHECK(operand.is_wide() || operand.bits >> 32 == 0); break;
            case Loc::slot: break;
            case Loc::local:
                WRUN_CHECK(operand.index() < summary_->local_count);
                WRUN_CHECK(static_cast<u32>(Operand::head(Loc::local, operand.kind, 0,
                               operand.reg)) == local_head(operand.index()));
                break;
            case Loc::flags: WRUN_CHECK(is_top && pending_flags()); break;
            case Loc::load: {
                ++loads;
                if (operand.extra != 0) {
                    hold(held, int_temps_, operand.reg);
                    break;
                }
                // The address is a local's home, which the load relies on.
                const u32 index = integer_home_at(operand.reg);
                WRUN_CHECK(((homes_.assigned() & state_.reg) >> index & 1) != 0);
                break;
            }
            case Loc::reg:
                if (operand.is_float() ? is_float_temp(operand.reg) : is_temp(operand.reg)) {
                    if (operand.is_float()) {
                        hold(held_float, float_temps_, operand.reg);
                    } else {
                        hold(held, int_temps_, operand.reg);
                    }
                    break;
                }
                // Computed straight into the home of the local that the next operation sets.
                WRUN_CHECK(is_top && detail::sets_local(next));
                {
                    const u8 home = home_of(detail::index_at(opcode));
                    WRUN_CHECK(home != no_home && homes_.home(home).reg == operand.reg &&
                               homes_.home(home).is_float == operand.is_float());
                }
                break;
        }
    }
    WRUN_CHECK(slot_height_ == slot);
    WRUN_CHECK(slot_height_ <= summary_->stack_slots_max);
    WRUN_CHECK(pending_loads() == loads && loads <= pending_loads_max);
    WRUN_CHECK(pending_flags() == (height() != 0 && operands_.back().loc == Loc::flags));
    WRUN_CHECK(held == (int_temps_ & ~free_) && (free_ & ~int_temps_) == 0);
    WRUN_CHECK(held_float == (float_temps_ & ~free_float_) && (free_float_ & ~float_temps_) == 0);
}

/// The index of the integer home that lives in this register.
template <class Masm>
u32 Codegen<Masm>::integer_home_at(u8 reg) const noexcept {
    const HomeRegisters& registers = Masm::home_registers();
    u32 index = 0;
    while (index < registers.integer_count && registers.reg[index] != reg)
        ++index;
    WRUN_CHECK(index < registers.integer_count);
    return index;
}

template <class Masm>
void Codegen<Masm>::check_homes() {
    const u32 assigned = homes_.assigned();
    WRUN_CHECK((state_.reg | state_.slot) == assigned);
    const Control& control = controls_.back();
    if (control.kind == ControlKind::function) return;
    if (control.has_target) {
        WRUN_CHECK((control.target.reg | control.target.slot) == assigned);
    }
    if (control.kind == ControlKind::if_) {
        WRUN_CHECK((control.else_state.reg | control.else_state.slot) == assigned);
    }
}

/// Behind what `at` settles: what the operation would disturb is not pending.
template <class Masm>
void Codegen<Masm>::check_pending(const u8* opcode) {
    const Op op = op_at(opcode);
    const OpInfo& row = info(op);
    constexpr u8 disturbs = trait::control | trait::calls | trait::helper | trait::traps;
    if (pending_loads() != 0) WRUN_CHECK(!row.has(disturbs) && op != Op::global_set);
    if (pending_flags()) {
        WRUN_CHECK(op == Op::local_set || op == Op::br_if || op == Op::if_ || op == Op::select ||
                   op == Op::select_t || op == Op::i32_eqz);
    }
}

/// A function has ended: nothing is left.
template <class Masm>
void Codegen<Masm>::check_end() {
    WRUN_CHECK(
        operands_.empty() && controls_.empty() && slot_height_ == 0 && operands_.lazy_base() == 0);
    WRUN_CHECK(pending_loads() == 0 && !pending_flags());
    WRUN_CHECK(free_ == int_temps_ && free_float_ == float_temps_);
}

}  // namespace wrun::codegen
