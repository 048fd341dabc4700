// Codegen: blocks, branches, joins, select. A label's state is two masks over the home registers;
// the first branch to a forward label fixes them, every later one conforms on its own edge. Results
// of a block travel in the first integer and the first floating result register, further ones in
// their canonical slots; the parameters of a loop all in their slots.
#pragma once

#include "codegen/emit_memory.hpp"

namespace wrun::codegen {

template <class Masm>
void Codegen<Masm>::block_signature(
    BlockType type, std::span<const ValType>& params, std::span<const ValType>& results) {
    // A lone result has no entry in the module's types: each kind has one here.
    static constexpr std::array<ValType, 5> singles = {
        type_i32, type_i64, type_f32, type_f64, type_funcref};
    params = {};
    results = {};
    if (type.form == BlockType::Form::type) {
        params = module_.params(type.type);
        results = module_.results(type.type);
    } else if (type.form == BlockType::Form::value) {
        const u32 index = type.result.is_ref() ? 4 : to_underlying(type.result.kind());
        results = std::span{singles}.subspan(index, 1);
    }
}

template <class Masm>
auto Codegen<Masm>::push_control(ControlKind kind, BlockType type) -> Control& {
    Control& control = controls_.emplace_back();
    control.kind = kind;
    block_signature(type, control.params, control.results);
    control.height = height() - static_cast<u32>(control.params.size());
    control.slot_height =
        control.height == height() ? slot_height_ : operands_[control.height].slot;
    control.lazy_base = std::min(operands_.lazy_base(), control.height);
    return control;
}

template <class Masm>
const BlockSummary* Codegen<Masm>::next_block_summary(bool is_loop) {
    if (!is_loop && height() == 0) return nullptr;
    WRUN_CHECK(block_cursor_ < summary_->blocks.size());
    return &summary_->blocks[block_cursor_++];
}

/// Opens a block: what lies below it can no longer move, since no path may change it for another.
template <class Masm>
void Codegen<Masm>::enter_block(ControlKind kind, BlockType type) {
    Control& control = push_control(kind, type);
    const BlockSummary* block = next_block_summary(kind == ControlKind::loop);
    flush_for_block(
        block != nullptr ? block->set : LocalSet{}, kind != ControlKind::block, control.height);
    if (operands_.lazy_base() < control.height) operands_.set_lazy_base(control.height);
    if (kind == ControlKind::if_) control.else_state = state_;
    if (kind == ControlKind::loop) {
        control.target = loop_state(*block);
        control.has_target = true;
        conform(control.target);
        state_ = control.target;
        masm_.bind(control.label);
        emit_checkpoint();
    }
}

/// What a loop's head claims of each home: a register for what the loop uses and no call inside
/// destroys, a slot for what a call inside does destroy, as it was for the rest.
template <class Masm>
HomeState Codegen<Masm>::loop_state(const BlockSummary& block) const noexcept {
    HomeState result;
    const bool calls = block.has_call || block.has_helper;
    const u32 kept = calls ? callee_saved_mask() : ~u32{0};
    for (u32 left = homes_.assigned(); left != 0; left &= left - 1) {
        const u32 index = static_cast<u32>(std::countr_zero(left));
        const u32 bit = 1u << index;
        const u32 local = homes_.home(index).local;
        if ((kept & bit) == 0) {
            result.slot |= bit;
        } else if (block.used.may_hold(local)) {
            result.reg |= bit;
            if (!block.set.may_hold(local)) result.slot |= state_.slot & bit;
        } else {
            result.reg |= state_.reg & bit;
            result.slot |= state_.slot & bit;
        }
    }
    return result;
}

template <class Masm>
void Codegen<Masm>::conform(HomeState target) {
    for (u32 left = target.slot & ~state_.slot; left != 0; left &= left - 1) {
        save_home(static_cast<u8>(std::countr_zero(left)));
    }
    for (u32 left = target.reg & ~state_.reg; left != 0; left &= left - 1) {
        load_home(static_cast<u8>(std::countr_zero(left)));
    }
}

template <class Masm>
void Codegen<Masm>::fix_target(Control& target) {
    if (target.has_target) return;
    target.has_target = true;
    target.target = state_;
}

template <class Masm>
bool Codegen<Masm>::edge_is_empty(const Control& target) const noexcept {
    if (((target.target.slot & ~state_.slot) | (target.target.reg & ~state_.reg)) != 0)
        return false;
    const auto types = target.label_types();
    if (types.empty()) return true;
    // One value that is in its register already.
    if (types.size() != 1 || target.kind == ControlKind::loop) return false;
    const Operand& value = operands_.back();
    const u8 reg = value.is_float() ? Masm::float_result.id : to_underlying(Masm::integer_result);
    return value.loc == Loc::reg && value.reg == reg;
}

/// Moves the label's values to where they travel and the homes to what the label claims, on this
/// path only: what codegen knows stays as it was. Flags are lost only on paths that have read them.
template <class Masm>
void Codegen<Masm>::emit_edge(Control& target) {
    check_code_size();
    if (too_large_) [[unlikely]]
        return;
    const auto types = target.label_types();
    if (types.empty()) return conform(target.target);
    const u32 count = static_cast<u32>(types.size());
    const u32 first = height() - count;
    const bool to_function = target.kind == ControlKind::function;
    const Operand* integer = nullptr;
    const Operand* floating = nullptr;
    if (target.kind != ControlKind::loop) {
        for (u32 i = 0; i < count && (integer == nullptr || floating == nullptr); ++i) {
            const Operand*& taken = types[i].is_float() ? floating : integer;
            if (taken == nullptr) taken = &operands_[first + i];
        }
    }
    // These two arrive last, when their registers are no longer read; a slot that one of them lies
    // in may have been written by then.
    const bool writes_slots = count > 1 && !to_function;
    const bool keep_integer = writes_slots && integer != nullptr && integer->loc == Loc::slot;
    const bool keep_floating = writes_slots && floating != nullptr && floating->loc == Loc::slot;
    if (keep_integer) masm_.push_word(operand_mem(integer->slot));
    if (keep_floating) masm_.push_word(operand_mem(floating->slot));
    // Upwards: a value's slot never lies below its destination, so nothing unread is overwritten.
    u32 slot = to_function ? 0 : target.slot_height;
    for (u32 i = 0; i < count; ++i) {
        const Operand& value = operands_[first + i];
        if (&value == integer || &value == floating) {
            // its turn comes below
        } else if (to_function) {
            store_result(slot, value);
        } else if (value.loc != Loc::slot || value.slot != slot) {
            store_to(operand_mem(slot), value);
        }
        slot += types[i].slots();
    }
    for (u32 left = target.target.slot & ~state_.slot; left != 0; left &= left - 1) {
        save_home(static_cast<u8>(std::countr_zero(left)));
    }
    if (keep_floating) {
        masm_.fload(floating->is_wide(), Masm::float_result, masm_.pushed());
        masm_.drop_stack(runtime::slot_bytes);
    } else if (floating != nullptr) {
        load_into(Masm::float_result, *floating);
    }
    if (keep_integer) {
        masm_.load_word(integer->is_wide(), Masm::integer_result, masm_.pushed());
        masm_.drop_stack(runtime::slot_bytes);
    } else if (integer != nullptr) {
        load_into(Masm::integer_result, *integer);
    }
    for (u32 left = target.target.reg & ~state_.reg; left != 0; left &= left - 1) {
        load_home(static_cast<u8>(std::countr_zero(left)));
    }
}

/// A result of the function that found no register: into the result buffer. Only the scratch
/// register is free here, and it holds the buffer's address.
template <class Masm>
void Codegen<Masm>::store_result(u32 slot, const Operand& value) {
    masm_.load_word(
        true, Masm::scratch, Mem::at(Masm::context, offsetof(runtime::Context, results)));
    const i32 disp = static_cast<i32>(slot * runtime::slot_bytes);
    const Mem to = Mem::at(Masm::scratch, disp);
    const bool wide = value.is_wide();
    if (value.is_constant()) {
        masm_.store_word_imm(false, to, static_cast<i32>(value.bits));
        if (wide) {
            masm_.store_word_imm(
                false, Mem::at(Masm::scratch, disp + 4), static_cast<i32>(value.bits >> 32));
        }
    } else if (value.loc == Loc::reg || (value.loc == Loc::local && is_loaded(value.reg))) {
        store_to(to, value);
    } else {
        masm_.copy_word(
            to, value.loc == Loc::local ? local_mem(value.index()) : operand_mem(value.slot));
    }
}

template <class Masm>
void Codegen<Masm>::branch_if(Cond cond, Control& target) {
    fix_target(target);
    if (edge_is_empty(target)) return masm_.branch(cond, target.label);
    Label skip;
    masm_.branch(negate(cond), skip);
    emit_edge(target);
    masm_.jump(target.label);
    masm_.bind(skip);
}

/// The condition on top as a condition of the flags.
template <class Masm>
Cond Codegen<Masm>::pop_condition() {
    const Operand& operand = pop();
    if (operand.loc == Loc::flags) return static_cast<Cond>(operand.reg);
    const Held held = use(operand);
    masm_.test(false, held.reg, held.reg);
    release(held);
    return Cond::ne;
}

// ---- rows -------------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::emit_unreachable() {
    trap_row(masm_.position(), runtime::TrapCode::unreachable, here());
    masm_.trap();
    reachable_ = false;
}

template <class Masm>
void Codegen<Masm>::emit_nop() {}

template <class Masm>
void Codegen<Masm>::emit_drop() {
    discard(pop());
}

template <class Masm>
void Codegen<Masm>::emit_block(BlockType type) {
    enter_block(ControlKind::block, type);
}

template <class Masm>
void Codegen<Masm>::emit_loop(BlockType type) {
    enter_block(ControlKind::loop, type);
}

template <class Masm>
void Codegen<Masm>::emit_if_(BlockType type) {
    const Cond cond = pop_condition();
    enter_block(ControlKind::if_, type);
    masm_.branch(negate(cond), controls_.back().else_label);
}

/// The operands as they were when the block was entered, its parameters in their slots.
template <class Masm>
void Codegen<Masm>::restore_entry(const Control& control) {
    truncate(control.height, control.slot_height);
    operands_.set_lazy_base(control.height);
    push_label_types(control.params, false);
    state_ = control.else_state;
    reachable_ = true;
}

template <class Masm>
void Codegen<Masm>::emit_else_() {
    Control& control = controls_.back();
    if (reachable_) {
        fix_target(control);
        emit_edge(control);
        masm_.jump(control.label);
    }
    masm_.bind(control.else_label);
    restore_entry(control);
    control.kind = ControlKind::else_;
}

/// An `if` without `else` ends: the path that skipped it joins.
template <class Masm>
void Codegen<Masm>::join_missing_else(Control& control) {
    if (control.results.empty()) {
        if (!control.has_target) {
            control.has_target = true;
            control.target = control.else_state;
        }
        const u32 missing = (control.target.slot & ~control.else_state.slot) |
                            (control.target.reg & ~control.else_state.reg);
        if (missing == 0) {
            if (reachable_) emit_edge(control);
            return masm_.bind(control.else_label);
        }
    }
    emit_else_();
    fix_target(control);
    emit_edge(control);
}

template <class Masm>
void Codegen<Masm>::emit_end() {
    Control& control = controls_.back();
    if (control.kind == ControlKind::function) return end_function();
    if (control.kind == ControlKind::loop) end_paid_stretch();
    if (control.kind == ControlKind::if_) {
        join_missing_else(control);
    } else if (reachable_ && control.kind != ControlKind::loop && control.label.is_used()) {
        emit_edge(control);
    } else if (reachable_) {
        // Nothing joins here: the results stay whatever and wherever they are.
        leave_window(control);
        controls_.pop_back();
        return;
    }
    truncate(control.height, control.slot_height);
    operands_.set_lazy_base(control.lazy_base);
    if (control.kind == ControlKind::loop || !control.has_target) {
        // No path comes here, but the specification types what follows: any consistent state will
        // do.
        push_label_types(control.results, false);
    } else {
        masm_.bind(control.label);
        state_ = control.target;
        push_label_types(control.results, true);
    }
    reachable_ = true;
    controls_.pop_back();
}

template <class Masm>
void Codegen<Masm>::emit_br(u32 depth) {
    Control& target = control_at(depth);
    fix_target(target);
    emit_edge(target);
    if (target.kind == ControlKind::function) {
        emit_epilogue();
    } else {
        masm_.jump(target.label);
    }
    reachable_ = false;
}

template <class Masm>
void Codegen<Masm>::emit_return_() {
    emit_br(static_cast<u32>(controls_.size()) - 1);
}

template <class Masm>
void Codegen<Masm>::emit_br_if(u32 depth) {
    const Cond cond = pop_condition();
    branch_if(cond, control_at(depth));
}

template <class Masm>
void Codegen<Masm>::emit_br_table(LabelTable labels) {
    constexpr u32 no_edge = 0xffff'ffff;
    const Operand& operand = pop();
    const Held index = use(operand);
    table_edges_.clear();
    ++table_stamp_;
    const u8* bytes = labels.bytes;
    /// The label to jump to for a depth: the target's own, or that of the one edge made to it here.
    const auto label_for = [&](u32 depth) -> Label& {
        Control& target = control_at(depth);
        if (target.table_stamp != table_stamp_) {
            target.table_stamp = table_stamp_;
            target.table_edge = no_edge;
            fix_target(target);
            if (!edge_is_empty(target)) {
                target.table_edge = static_cast<u32>(table_edges_.size());
                table_edges_.push_back({{}, depth});
            }
        }
        return target.table_edge == no_edge ? target.label : table_edges_[target.table_edge].label;
    };
    const Gp address = labels.count != 0 ? alloc() : Masm::scratch;
    Label table;
    Label otherwise;
    if (labels.count != 0) {
        masm_.compare(false, index.reg, Src::of(static_cast<i32>(labels.count)));
        masm_.branch(Cond::ge_u, otherwise);
        check_upper(index.reg);
        masm_.jump_through_table(table, index.reg, address);
        masm_.bind(table);
        note_line(LineRow::Kind::jump_table, here());
        for (u32 i = 0; i < labels.count; ++i)
            masm_.label_field(label_for(detail::read_leb(bytes)));
        note_line(LineRow::Kind::code, here());
        release(address);
    }
    masm_.bind(otherwise);
    release(index);
    masm_.jump(label_for(detail::read_leb(bytes)));
    for (TableEdge& edge : table_edges_) {
        masm_.bind(edge.label);
        Control& target = control_at(edge.depth);
        emit_edge(target);
        masm_.jump(target.label);
    }
    reachable_ = false;
}

// ---- select -----------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::select() {
    const Cond cond = pop_condition();
    const Operand& if_false = pop();
    const Operand& if_true = pop();
    const Kind kind = if_true.kind;
    if (if_true.is_float()) {
        const HeldFp held = use_fp(if_true);
        const Fp to = use_owned_fp(if_false);
        masm_.select_float(cond, to, held.reg);
        release(held);
        return push_fp(kind, to);
    }
    const Held held = use(if_true);
    const Gp to = use_owned(if_false);
    masm_.select_int(if_true.is_wide(), cond, to, held.reg);
    release(held);
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::emit_select() {
    select();
}

template <class Masm>
void Codegen<Masm>::emit_select_t(ValType) {
    select();
}

}  // namespace wrun::codegen
