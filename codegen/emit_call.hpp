// Codegen: calls. Everything that does not survive a call is saved before it; arguments move in
// parallel to where docs/abi.md wants them; results come back as operands.
#pragma once

#include "codegen/emit_float.hpp"

namespace wrun::codegen {

/// Register-to-register moves that happen at once: whatever is still to be read is never
/// overwritten. At most fourteen of them, so the quadratic search is bounded. `move` makes one; a
/// cycle is opened by `park`, which keeps one value aside, and closed by `unpark`.
template <class Masm>
template <class MoveOne, class Park, class Unpark>
void Codegen<Masm>::parallel_moves(
    std::span<Move> moves, MoveOne&& move_one, Park&& park, Unpark&& unpark) {
    u32 left = 0;
    for (Move& move : moves) {
        move.done = move.to == move.from;
        left += !move.done;
    }
    const auto is_wanted = [&](u8 reg) {
        return std::any_of(moves.begin(), moves.end(),
            [reg](const Move& move) { return !move.done && move.from == reg; });
    };
    while (left != 0) {
        const u32 before = left;
        for (Move& move : moves) {
            if (move.done || is_wanted(move.to)) continue;
            move_one(move.to, move.from, move.wide);
            move.done = true;
            --left;
        }
        if (left != before) continue;
        // Only cycles are left. Each register in one is the source of exactly one move.
        const u8 first = std::find_if(moves.begin(), moves.end(), [](const Move& move) {
            return !move.done;
        })->to;
        park(first);
        for (u8 hole = first;;) {
            Move& next = *std::find_if(moves.begin(), moves.end(),
                [hole](const Move& move) { return !move.done && move.to == hole; });
            next.done = true;
            --left;
            if (next.from == first) {
                unpark(hole);
                break;
            }
            move_one(hole, next.from, next.wide);
            hole = next.from;
        }
    }
}

template <class Masm>
void Codegen<Masm>::move_arguments(std::span<Move> integers, std::span<Move> floats) {
    parallel_moves(
        integers,
        [this](u8 to, u8 from, bool wide) {
            masm_.move(wide, static_cast<Gp>(to), static_cast<Gp>(from));
        },
        [this](u8 reg) { masm_.move(true, Masm::scratch, static_cast<Gp>(reg)); },
        [this](u8 reg) { masm_.move(true, static_cast<Gp>(reg), Masm::scratch); });
    parallel_moves(
        floats, [this](u8 to, u8 from, bool) { masm_.fmove(Fp{to}, Fp{from}); },
        [this](u8 reg) { masm_.float_to_bits(true, Masm::scratch, Fp{reg}); },
        [this](u8 reg) { masm_.bits_to_float(true, Fp{reg}, Masm::scratch); });
}

/// Homes that a call destroys go to their slots.
template <class Masm>
void Codegen<Masm>::save_for_call() {
    const u32 lost = homes_.assigned() & ~callee_saved_mask();
    for (u32 left = lost & state_.reg & ~state_.slot; left != 0; left &= left - 1) {
        save_home(static_cast<u8>(std::countr_zero(left)));
    }
    state_.slot |= lost & state_.reg;
}

/// Takes the arguments off the stack and puts them where the callee wants them; `record` moves to
/// the record register with them. Answers the number of stack slots reserved, which the callee
/// pops.
template <class Masm>
u32 Codegen<Masm>::place_arguments(std::span<const ValType> types, std::optional<Gp> record) {
    const HomeRegisters& registers = Masm::home_registers();
    const u32 count = static_cast<u32>(types.size());
    const u32 first = height() - count;
    std::array<Move, 16> int_moves;
    std::array<Move, 16> float_moves;
    u32 int_move_count = 0;
    u32 float_move_count = 0;
    struct Late {
        u8 reg;
        u8 is_float;
        u32 operand;
    };
    std::array<Late, 16> late;
    u32 late_count = 0;

    u32 integers = 0;
    u32 floats = 0;
    u32 stack_slots = 0;
    for (const ValType type : types) {
        if (type.is_float()) {
            stack_slots += floats++ >= registers.float_argument_count;
        } else {
            stack_slots += integers++ >= registers.integer_argument_count;
        }
    }
    if (stack_slots != 0) masm_.reserve_stack(stack_slots * runtime::slot_bytes);

    integers = 0;
    floats = 0;
    u32 stack_slot = 0;
    for (u32 i = 0; i < count; ++i) {
        const Operand& operand = operands_[first + i];
        const bool is_float = types[i].is_float();
        u32& position = is_float ? floats : integers;
        const u32 limit =
            is_float ? registers.float_argument_count : registers.integer_argument_count;
        if (position >= limit) {
            store_to(masm_.stack_argument(stack_slot++), operand);
            ++position;
            continue;
        }
        const u8 to =
            is_float ? registers.float_arguments[position] : registers.integer_arguments[position];
        ++position;
        std::optional<u8> from;
        if (operand.loc == Loc::reg) {
            from = operand.reg;
        } else if (operand.loc == Loc::local) {
            if (is_loaded(operand.reg)) from = homes_.home(operand.reg).reg;
        }
        if (!from) {
            late[late_count++] = {to, is_float, first + i};
        } else if (is_float) {
            float_moves[float_move_count++] = {to, *from, true, false};
        } else {
            int_moves[int_move_count++] = {to, *from, operand.is_wide(), false};
        }
    }
    if (record) {
        int_moves[int_move_count++] = {
            to_underlying(Masm::record), to_underlying(*record), true, false};
    }
    move_arguments({int_moves.data(), int_move_count}, {float_moves.data(), float_move_count});
    for (u32 i = 0; i < late_count; ++i) {
        const Operand& operand = operands_[late[i].operand];
        if (late[i].is_float != 0) {
            load_into(Fp{late[i].reg}, operand);
        } else {
            load_into(static_cast<Gp>(late[i].reg), operand);
        }
    }
    truncate(first, first == height() ? slot_height_ : operands_[first].slot);
    return stack_slots;
}

/// What a call leaves behind: no temporary, no home that it destroys; then its results.
template <class Masm>
void Codegen<Masm>::after_call(std::span<const ValType> results) {
    check_code_size();
    const u32 kept = callee_saved_mask();
    state_.slot |= homes_.assigned() & ~kept;
    state_.reg &= kept;
    bool have_integer = false;
    bool have_float = false;
    u32 buffer_slot = 0;
    for (const ValType type : results) {
        const Kind kind = type.kind();
        const bool is_float = type.is_float();
        bool& have = is_float ? have_float : have_integer;
        if (!have) {
            have = true;
            if (is_float) {
                free_float_ &= ~(1u << Masm::float_result.id);
                push_fp(kind, Masm::float_result);
            } else {
                free_ &= ~(1u << to_underlying(Masm::integer_result));
                push_reg(kind, Masm::integer_result);
            }
        } else {
            push(Loc::slot, kind);
            masm_.load_word(
                true, Masm::scratch, Mem::at(Masm::context, offsetof(runtime::Context, results)));
            masm_.load_word(true, Masm::scratch,
                Mem::at(Masm::scratch, static_cast<i32>(buffer_slot * runtime::slot_bytes)));
            masm_.store_word(true, operand_mem(operands_.back().slot), Masm::scratch);
        }
        buffer_slot += type.slots();
    }
}

template <class Masm>
void Codegen<Masm>::emit_call(FuncIndex func) {
    const TypeIndex type = module_.functions[func.value];
    const auto params = module_.params(type);
    const auto results = module_.results(type);
    spill_temps(height() - static_cast<u32>(params.size()));
    save_for_call();
    place_arguments(params, std::nullopt);
    if (module_.is_import(func)) {
        masm_.load_word(true, Masm::record,
            Mem::at(Masm::context,
                static_cast<i32>(layout_.imported_functions + func.value * sizeof(void*))));
        masm_.call_through(Mem::at(Masm::context, offsetof(runtime::Context, switch_call)));
    } else {
        tables_.calls.push_back({masm_.call_direct(), func});
    }
    after_call(results);
}

template <class Masm>
void Codegen<Masm>::emit_call_indirect(CallIndirect target) {
    const auto params = module_.params(target.type);
    const auto results = module_.results(target.type);
    const Held index = use(pop());
    const Mem element =
        table_element(target.table, index.reg, runtime::TrapCode::undefined_element);
    const Gp record = index.owned ? index.reg : alloc();
    masm_.load_word(true, record, element);
    // The type the callee must have, as the engine numbers it.
    masm_.load_word(
        true, Masm::scratch, Mem::at(Masm::context, offsetof(runtime::Context, type_ids)));
    masm_.load_word(false, Masm::scratch,
        Mem::at(Masm::scratch, static_cast<i32>(target.type.value * sizeof(u32))));
    masm_.compare_mem(
        false, Mem::at(record, offsetof(runtime::FuncRecord, type_id)), Src::of(Masm::scratch));
    trap_row(masm_.fault_position(), runtime::TrapCode::uninitialized_element, here());
    masm_.branch(Cond::ne, trap_label(runtime::TrapCode::indirect_call_type_mismatch));

    spill_temps(height() - static_cast<u32>(params.size()));
    save_for_call();
    place_arguments(params, record);
    release(record);
    Label other;
    Label done;
    masm_.compare_mem(true, Mem::at(Masm::record, offsetof(runtime::FuncRecord, context)),
        Src::of(Masm::context));
    masm_.branch(Cond::ne, other);
    masm_.call_through(Mem::at(Masm::record, offsetof(runtime::FuncRecord, code)));
    masm_.jump(done);
    masm_.bind(other);
    masm_.call_through(Mem::at(Masm::context, offsetof(runtime::Context, switch_call)));
    masm_.bind(done);
    after_call(results);
}

/// `result` is Kind::bottom when there is none.
template <class Masm>
void Codegen<Masm>::call_helper(
    runtime::Helper helper, u32 immediate0, u32 immediate1, Kind result) {
    static constexpr std::array operand_counts = {
#define WRUN_HELPER(name, operands, immediates, result) u32{operands},
#include "runtime/helpers.def"
#undef WRUN_HELPER
    };
    const u32 operands = operand_counts[to_underlying(helper)];
    // To the argument logic a helper is a function of so many integers.
    static constexpr std::array<ValType, 3> integers = {type_i64, type_i64, type_i64};
    spill_temps(height() - operands);
    save_for_call();
    place_arguments(std::span{integers}.first(operands), std::nullopt);
    masm_.call_helper(to_underlying(helper), immediate0, immediate1);
    // For backtraces: the byte before the return address is at a row.
    trap_row(masm_.position() - 1, runtime::TrapCode::host, here());
    const ValType type = result == Kind::bottom ? type_bottom : ValType{result};
    after_call(std::span{&type, result == Kind::bottom ? 0u : 1u});
    if (result == Kind::i32) {
        masm_.clear_upper(Masm::integer_result, Masm::integer_result);
    }
}

}  // namespace wrun::codegen
