// Codegen: a function's frame, its beginning and its end, and what lies behind it out of line.
// A function that fails leaves no trace: its code, rows and calls are taken back.
#pragma once

#include "codegen/check_state.hpp"
#include "codegen/emit_control.hpp"
#include "validator/walk.hpp"

namespace wrun::codegen {

inline constexpr u32 chunk_bytes_max = u32{1} << 30;

template <class Masm>
Result<void> Codegen<Masm>::compile(FuncIndex func, const FunctionSummary& summary) {
    const std::size_t rows = tables_.rows.size();
    const std::size_t calls = tables_.calls.size();
    const std::size_t lines = tables_.lines.size();
    const u32 before = masm_.position();
    const auto undo = [&](ErrorCode code) {
        tables_.rows.resize(rows);
        tables_.calls.resize(calls);
        tables_.lines.resize(lines);
        masm_.rewind(before);
        return Error{code, 0, module_.body(func).begin};
    };
    const u64 frame_slots = u64{summary.local_slots} + summary.stack_slots_max;
    if (frame_slots > limits::frame_slots_max) return undo(ErrorCode::frame_too_large);

    masm_.align_code(16);
    const u32 code_begin = masm_.position();
    begin_function(func, summary);
    // Real code makes two bytes of one; a hostile body makes hundreds, by calls with many values.
    const u64 room = u64{limits::code_bytes_per_wasm_byte_max} * module_.body(func).size() +
                     limits::code_bytes_free;
    code_end_max_ = code_begin + static_cast<u32>(std::min<u64>(room, chunk_bytes_max));
    too_large_ = false;
    emit_prologue();
    walk_trusted(module_, func, *this);
    if (too_large_) return undo(ErrorCode::code_too_large);
    finish_function();
    if (masm_.out_of_memory()) return undo(ErrorCode::out_of_memory);
    if (masm_.position() > chunk_bytes_max) return undo(ErrorCode::code_too_large);
    tables_.functions.push_back({code_begin, masm_.position(), body_begin_});
    return {};
}

template <class Masm>
void Codegen<Masm>::begin_function(FuncIndex func, const FunctionSummary& summary) {
    summary_ = &summary;
    const TypeIndex type = module_.functions[func.value];
    params_ = module_.params(type);
    results_ = module_.results(type);
    body_begin_ = module_.body(func).begin;
    op_offset_ = body_begin_;
    block_cursor_ = 0;
    table_stamp_ = 0;
    reachable_ = true;
    operands_.clear();
    slot_height_ = 0;
    const bool is_observed =
        options_.record_lines || options_.fuel || options_.stress.spill || options_.stress.flush;
    attention_ = is_observed ? observed_bit : 0;
    controls_.clear();
    trap_stubs_.clear();
    trunc_stubs_.clear();
    epoch_stubs_.clear();
    paid_stretches_.clear();
    pool_.clear();

    const HomeRegisters& registers = Masm::home_registers();
    homes_.assign(summary, registers, options_.integer_homes_max, options_.float_homes_max);
    saved_count_ = 0;
    int_temps_ = Masm::integer_temps;
    float_temps_ = Masm::float_temps;
    for (u32 i = 0; i < registers.integer_count; ++i) {
        const bool used = ((homes_.assigned() >> i) & 1) != 0;
        if (i < registers.callee_saved_count) {
            saved_count_ += used;
        } else if (!used) {
            int_temps_ |= 1u << registers.reg[i];
        }
    }
    for (u32 i = registers.integer_count; i < registers.integer_count + registers.float_count;
         ++i) {
        if (((homes_.assigned() >> i) & 1) == 0) float_temps_ |= 1u << registers.reg[i];
    }
    free_ = int_temps_;
    free_float_ = float_temps_;
    state_ = {homes_.assigned(), 0};
    if constexpr (checks_state) begin_shadow();

    place_stack_params();
    local_head_count_ = 0;
    for (const LocalRun& run : summary.locals) {
        for (u32 i = 0; i < run.count && local_head_count_ < local_heads_.size(); ++i) {
            const u32 local = local_head_count_++;
            local_heads_[local] = make_local_head(local, run.type.kind());
        }
        if (local_head_count_ == local_heads_.size()) break;
    }

    Control& control = controls_.emplace_back();
    control.kind = ControlKind::function;
    control.results = results_;
    control.has_target = true;  // a function's end claims no home
}

/// Which parameters the caller left on the stack, and where. Functions of one type often follow
/// each other, and a type can have a thousand parameters: what the last function found is kept.
template <class Masm>
void Codegen<Masm>::place_stack_params() {
    if (placed_params_.data() == params_.data() && placed_params_.size() == params_.size()) return;
    placed_params_ = params_;
    const HomeRegisters& registers = Masm::home_registers();
    stack_params_.clear();
    stack_arg_slots_ = 0;
    register_params_end_ = 0;
    u32 integers = 0;
    u32 floats = 0;
    for (u32 local = 0; local < params_.size(); ++local) {
        const bool is_float = params_[local].is_float();
        const bool in_reg = is_float ? floats++ < registers.float_argument_count
                                     : integers++ < registers.integer_argument_count;
        if (in_reg) {
            register_params_end_ = local + 1;
            continue;
        }
        stack_params_.resize(params_.size(), in_register);
        stack_params_[local] = static_cast<u16>(stack_arg_slots_++);
    }
}

/// local_mem() of a parameter in a function that has some on the stack.
template <class Masm>
auto Codegen<Masm>::param_mem(u32 local) const noexcept -> Mem {
    if (stack_params_[local] == in_register) return Mem::at(Masm::frame, frame_disp(local));
    return Mem::at(Masm::frame, static_cast<i32>(runtime::slot_bytes * (Masm::return_address_slots +
                                                                           stack_params_[local])));
}

template <class Masm>
void Codegen<Masm>::emit_prologue() {
    const HomeRegisters& registers = Masm::home_registers();
    masm_.enter_frame();
    const u32 frame_bytes =
        runtime::slot_bytes * (summary_->local_slots + summary_->stack_slots_max);
    if (frame_bytes >= runtime::probe_frame_bytes) {
        masm_.compare_stack_limit(frame_bytes, offsetof(runtime::Context, stack_limit));
        masm_.branch(Cond::lt_u, trap_label(runtime::TrapCode::stack_overflow));
    }
    for (u32 i = 0; i < registers.callee_saved_count; ++i) {
        if (((homes_.assigned() >> i) & 1) != 0)
            masm_.push_saved(static_cast<Gp>(registers.reg[i]));
    }
    if (frame_bytes != 0) masm_.reserve_stack(frame_bytes);
    emit_parameters();
    zero_locals();
    emit_checkpoint();
}

/// At a function's entry and each loop's head, with the options `fuel` and `epoch`. Only flags and
/// the scratch register are lost.
template <class Masm>
void Codegen<Masm>::emit_checkpoint() {
    if (!options_.fuel && !options_.epoch) return;
    const Mem meter = Mem::at(Masm::context, offsetof(runtime::Context, meter));
    masm_.load_word(true, Masm::scratch, meter);
    if (options_.fuel) {
        const u32 field =
            masm_.take_from_word(Mem::at(Masm::scratch, offsetof(runtime::Meter, fuel)));
        paid_stretches_.push_back({field, 0});
        masm_.branch(Cond::lt_s, trap_label(runtime::TrapCode::out_of_fuel));
    }
    if (options_.epoch) {
        masm_.load_word(
            true, Masm::scratch, Mem::at(Masm::scratch, offsetof(runtime::Meter, attention)));
        masm_.compare_mem(false, Mem::at(Masm::scratch, 0), Src::of(0));
        EpochStub& stub = epoch_stubs_.emplace_back();
        stub.where = here();
        masm_.branch(Cond::ne, stub.entry);
        masm_.bind(stub.back);
    }
}

template <class Masm>
void Codegen<Masm>::end_paid_stretch() {
    if (!options_.fuel) return;
    const PaidStretch& stretch = paid_stretches_.back();
    masm_.set_taken(stretch.field, stretch.operations);
    paid_stretches_.pop_back();
}

/// Parameters go from where they arrive to their homes or slots.
template <class Masm>
void Codegen<Masm>::emit_parameters() {
    const HomeRegisters& registers = Masm::home_registers();
    std::array<Move, 16> int_moves;
    std::array<Move, 16> float_moves;
    u32 int_move_count = 0;
    u32 float_move_count = 0;
    u32 integers = 0;
    u32 floats = 0;
    // Registers first: a parameter from the stack may have its home in one of them.
    for (u32 local = 0; local < register_params_end_; ++local) {
        const ValType type = params_[local];
        const bool is_float = type.is_float();
        u32& position = is_float ? floats : integers;
        if (position >=
            (is_float ? registers.float_argument_count : registers.integer_argument_count)) {
            continue;
        }
        const u8 from =
            is_float ? registers.float_arguments[position] : registers.integer_arguments[position];
        ++position;
        const bool wide = detail::is_wide(type.kind());
        const u8 home = home_of(local);
        if (home == no_home) {
            if (is_float) {
                masm_.fstore(wide, local_mem(local), Fp{from});
            } else {
                masm_.store_word(wide, local_mem(local), static_cast<Gp>(from));
            }
        } else if (is_float) {
            float_moves[float_move_count++] = {homes_.home(home).reg, from, true, false};
        } else {
            int_moves[int_move_count++] = {homes_.home(home).reg, from, wide, false};
        }
    }
    move_arguments({int_moves.data(), int_move_count}, {float_moves.data(), float_move_count});
    // Those from the stack stay there; a home is loaded and its slot is up to date as well.
    for (u32 left = homes_.assigned(); left != 0; left &= left - 1) {
        const u32 home = static_cast<u32>(std::countr_zero(left));
        const u32 local = homes_.home(home).local;
        if (local >= stack_params_.size() || stack_params_[local] == in_register) continue;
        load_home(static_cast<u8>(home));
        state_.slot |= 1u << home;
    }
}

/// Declared locals start as zero: homes in registers, the others run by run in their slots.
template <class Masm>
void Codegen<Masm>::zero_locals() {
    const u32 declared = static_cast<u32>(params_.size());
    for (u32 left = homes_.assigned(); left != 0; left &= left - 1) {
        const Home& home = homes_.home(static_cast<u32>(std::countr_zero(left)));
        if (home.local < declared) continue;
        if (home.is_float) {
            masm_.fzero(Fp{home.reg});
        } else {
            masm_.zero(static_cast<Gp>(home.reg));
        }
    }
    if (summary_->local_count == declared) return;
    constexpr u32 unrolled_max = 12;
    const u32 count = summary_->local_count - declared;
    if (count <= unrolled_max) {
        for (u32 local = declared; local < summary_->local_count; ++local) {
            if (home_of(local) == no_home) masm_.store_word_imm(true, local_mem(local), 0);
        }
        return;
    }
    // Slots lie downwards: the last local's is the lowest address.
    masm_.zero_words(local_mem(summary_->local_count - 1), count);
}

template <class Masm>
void Codegen<Masm>::emit_epilogue() {
    const HomeRegisters& registers = Masm::home_registers();
    u32 k = 0;
    for (u32 i = 0; i < registers.callee_saved_count; ++i) {
        if (((homes_.assigned() >> i) & 1) == 0) continue;
        masm_.load_word(true, static_cast<Gp>(registers.reg[i]),
            Mem::at(Masm::frame, -static_cast<i32>(runtime::slot_bytes * ++k)));
    }
    masm_.leave_frame(stack_arg_slots_ * runtime::slot_bytes);
}

template <class Masm>
void Codegen<Masm>::end_function() {
    Control& control = controls_.back();
    if (reachable_) emit_edge(control);
    if (control.label.is_used()) masm_.bind(control.label);
    if (reachable_ || control.label.is_bound()) emit_epilogue();
    end_paid_stretch();
    truncate(0, 0);
    controls_.pop_back();
    reachable_ = false;
}

template <class Masm>
void Codegen<Masm>::finish_function() {
    if constexpr (checks_state) check_end();
    // Stubs may add traps; traps add nothing.
    for (std::size_t i = 0; i < trunc_stubs_.size(); ++i) {
        TruncStub stub = trunc_stubs_[i];
        note_line(LineRow::Kind::out_of_line, stub.where);
        emit_trunc_stub(stub);
    }
    for (EpochStub& stub : epoch_stubs_) {
        note_line(LineRow::Kind::out_of_line, stub.where);
        masm_.bind(stub.entry);
        // The handler goes on behind it unless the run shall end.
        trap_row(masm_.position(), runtime::TrapCode::interrupted, stub.where);
        masm_.trap();
        masm_.jump(stub.back);
    }
    for (TrapStub& stub : trap_stubs_) {
        note_line(LineRow::Kind::out_of_line, stub.where);
        masm_.bind(stub.label);
        trap_row(masm_.position(), stub.code, stub.where);
        masm_.trap();
    }
    if (pool_.empty()) return;
    masm_.align_code(runtime::slot_bytes);
    note_line(LineRow::Kind::constants, 0);
    for (PoolEntry& entry : pool_) {
        masm_.bind(entry.label);
        masm_.data64(entry.bits);
    }
}

}  // namespace wrun::codegen
