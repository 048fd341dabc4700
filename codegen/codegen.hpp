// P1: one trusting forward pass from a validated body to machine code. Codegen is a sink of the
// walk (validator/sink.hpp) and a template over the target's macro assembler, so no operation costs
// a virtual call and a second target is a second Masm. What it keeps while it goes:
//
//   operands_  what it knows of each value on the operand stack, mostly not yet in a register
//   state_     for each home register, whether it and its slot are up to date
//   controls_  the open blocks; a block's label carries a HomeState and nothing else
//
// Rules that make it right:
//   - A temporary register belongs to at most one operand. Operands deeper than `window` from the
//   top, and
//     all below an open block, are constants, slots, or locals that the block does not set.
//   - Flags and pending loads exist only while the operations that follow cannot disturb them
//   (`at`).
//   - An i32 in a register has a clear upper half; a slot's upper half means nothing.
//   - Only `guest_memory` builds an operand of the guest's memory.
// Members are defined by family in emit_*.hpp and instantiated in <target>/instantiate.cpp.
#pragma once

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "codegen/compile.hpp"
#include "codegen/homes.hpp"
#include "codegen/operand_stack.hpp"
#include "decoder/module.hpp"
#include "decoder/opcodes.hpp"
#include "runtime/abi.hpp"
#include "validator/summary.hpp"

namespace wrun::codegen {

/// Whether the state checker (check_state.hpp) is compiled in. Safety does not rest on it.
#ifdef NDEBUG
inline constexpr bool checks_state = false;
#else
inline constexpr bool checks_state = true;
#endif

/// Everything compile() produces, owned; offsets from the start of the chunk.
struct ChunkTables {
    std::vector<runtime::FunctionCode> functions;
    std::vector<runtime::TrapRow> rows;
    std::vector<CallFixup> calls;
    std::vector<LineRow> lines;
};

template <class Masm>  // a MacroAssembler, see codegen/masm.hpp
class Codegen {
public:
    using Gp = typename Masm::Gp;
    using Fp = typename Masm::Fp;
    using Mem = typename Masm::Mem;
    using Src = typename Masm::Src;
    using FpSrc = typename Masm::FpSrc;
    using Label = typename Masm::Label;

    Codegen(Masm& masm, ChunkTables& tables, const Module& module,
        const runtime::ContextLayout& layout, const CompileOptions& options)
        : masm_{masm},
          tables_{tables},
          module_{module},
          layout_{layout},
          options_{options},
          bounds_checked_{options.bounds == runtime::Bounds::checked} {}

    [[nodiscard]] Result<void> compile(FuncIndex func, const FunctionSummary& summary);
    [[nodiscard]] const HomeMap& homes() const noexcept { return homes_; }

    // ---- FunctionSink -----------------------------------------------------------------------

    WRUN_INLINE void at(u32 offset, const u8* next) {
        if constexpr (checks_state) check_state(&module_.bytes[offset]);
        op_offset_ = offset;
        next_ = next;
        if (attention_ != 0) [[unlikely]]
            attend_to(offset);
    }
    [[nodiscard]] bool gave_up() const noexcept { return too_large_; }

#define WRUN_PARAMS_none ()
#define WRUN_PARAMS_i32 (i32 value)
#define WRUN_PARAMS_i64 (i64 value)
#define WRUN_PARAMS_f32 (u32 bits)
#define WRUN_PARAMS_f64 (u64 bits)
#define WRUN_PARAMS_mem (MemArg arg)
#define WRUN_PARAMS_block (BlockType type)
#define WRUN_PARAMS_label (u32 depth)
#define WRUN_PARAMS_labels (LabelTable labels)
#define WRUN_PARAMS_func (FuncIndex func)
#define WRUN_PARAMS_local (LocalIndex local)
#define WRUN_PARAMS_global (GlobalIndex global)
#define WRUN_PARAMS_table (TableIndex table)
#define WRUN_PARAMS_memory (MemoryIndex memory)
#define WRUN_PARAMS_data (DataIndex segment)
#define WRUN_PARAMS_elem (ElemIndex segment)
#define WRUN_PARAMS_type_table (CallIndirect target)
#define WRUN_PARAMS_data_memory (DataIndex segment, MemoryIndex memory)
#define WRUN_PARAMS_memory_memory (MemoryIndex to, MemoryIndex from)
#define WRUN_PARAMS_elem_table (ElemIndex segment, TableIndex table)
#define WRUN_PARAMS_table_table (TableIndex to, TableIndex from)
#define WRUN_PARAMS_heap_type (ValType type)
#define WRUN_PARAMS_types (ValType type)
#define WRUN_OP(name, prefix, code, text, immediates, ...) \
    void emit_##name WRUN_PARAMS_##immediates;
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX

private:
    /// An operand's value in a register; `owned` when the register is a temporary to be released.
    struct Held {
        Gp reg{};
        bool owned = false;
    };
    struct HeldFp {
        Fp reg{};
        bool owned = false;
    };

    enum class ControlKind : u8 { function, block, loop, if_, else_ };

    struct Control {
        ControlKind kind{};
        bool has_target = false;  // `target` is fixed: a branch has been made, or it is a loop
        u32 height = 0;           // operands below its parameters
        u32 slot_height = 0;      // the same in slots
        u32 lazy_base = 0;        // to restore at its end
        std::span<const ValType> params;
        std::span<const ValType> results;
        HomeState target;
        HomeState else_state;
        Label label;  // its end, or a loop's head
        Label else_label;
        u32 table_stamp = 0;  // the br_table that last looked at it …
        u32 table_edge = 0;   // … and its edge there, or no_edge
        [[nodiscard]] std::span<const ValType> label_types() const noexcept {
            return kind == ControlKind::loop ? params : results;
        }
    };

    /// A trap to be raised out of line: bound at the function's end before a ud2.
    struct TrapStub {
        Label label;
        runtime::TrapCode code{};
        u32 where = 0;
    };

    /// The slow side of a float → integer truncation.
    struct TruncStub {
        Label entry;
        Label back;
        Fp source{};
        Gp result{};
        bool from_f64 = false;
        bool wide = false;
        u32 where = 0;
    };

    /// Where the thread looks whether its run shall end; it comes back when not.
    struct EpochStub {
        Label entry;
        Label back;
        u32 where = 0;
    };

    /// A stretch of operations that are paid for at its begin: a function but its loops, a loop but
    /// those inside.
    struct PaidStretch {
        u32 field = 0;  // where the sum goes
        u32 operations = 0;
    };

    /// Eight bytes behind the code, read rip-relative.
    struct PoolEntry {
        Label label;
        u64 bits = 0;
    };

    /// A way from a br_table to one of its targets that needs moves first.
    struct TableEdge {
        Label label;
        u32 depth = 0;
    };

    static constexpr u32 window = OperandStack::window;
    static constexpr u32 pending_loads_max = 2;

    // ---- frame (emit_function.hpp) ----------------------------------------------------------

    void begin_function(FuncIndex func, const FunctionSummary& summary);
    void emit_prologue();
    void place_stack_params();
    void emit_parameters();
    void zero_locals();
    void emit_epilogue();
    void emit_checkpoint();
    void end_paid_stretch();
    void end_function();
    void finish_function();
    [[nodiscard]] i32 frame_disp(u32 slot) const noexcept {
        return -static_cast<i32>(runtime::slot_bytes * (saved_count_ + 1 + slot));
    }
    /// A local's slot: in the frame, or where the caller put it if it found no argument register.
    [[nodiscard]] Mem local_mem(u32 local) const noexcept {
        if (local < stack_params_.size()) [[unlikely]]
            return param_mem(local);
        return Mem::at(Masm::frame, frame_disp(local));
    }
    [[nodiscard]] Mem param_mem(u32 local) const noexcept;
    [[nodiscard]] Mem operand_mem(u32 slot) const noexcept {
        return Mem::at(Masm::frame, frame_disp(summary_->local_slots + slot));
    }
    /// Of an operand that means this local: its Operand::head() but for the slot.
    [[nodiscard]] WRUN_INLINE u32 local_head(u32 local) const noexcept {
        return local < local_head_count_ ? local_heads_[local] : find_local_head(local);
    }
    [[nodiscard]] u32 find_local_head(u32 local) const noexcept;
    [[nodiscard]] u32 make_local_head(u32 local, Kind kind) const noexcept {
        return static_cast<u32>(Operand::head(Loc::local, kind, 0, home_of(local)));
    }

    // ---- operands (operands.hpp) ------------------------------------------------------------

    [[nodiscard]] u32 height() const noexcept { return operands_.size(); }
    WRUN_INLINE void push(Loc loc, Kind kind, u8 reg = 0, u64 bits = 0, u8 extra = 0) {
        if (operands_.window_is_full()) [[unlikely]]
            move_window();
        operands_.push(Operand::head(loc, kind, slot_height_, reg, extra), bits);
        slot_height_ += kind == Kind::v128 ? 2 : 1;
    }
    [[gnu::noinline]] void move_window();
    void push_reg(Kind kind, Gp reg) { push(Loc::reg, kind, to_underlying(reg)); }
    void push_fp(Kind kind, Fp reg) { push(Loc::reg, kind, reg.id); }
    void push_constant(Kind kind, u64 bits) { push(Loc::constant, kind, 0, bits); }
    WRUN_INLINE void push_local(u32 local) {
        if (operands_.window_is_full()) [[unlikely]]
            move_window();
        const u32 head = local_head(local);
        operands_.push(head | (u64{slot_height_} << 32), local);
        slot_height_ += static_cast<Kind>((head >> 8) & 0xff) == Kind::v128 ? 2 : 1;
    }
    void push_flags(Cond cond);
    /// The operand taken stays where it is until the next push.
    WRUN_INLINE const Operand& pop() {
        const Operand& operand = operands_.pop();
        slot_height_ = operand.slot;
        if (operand.loc >= Loc::flags) [[unlikely]]
            forget_pending(operand.loc);
        return operand;
    }
    void forget_pending(Loc loc) noexcept;
    void truncate(u32 new_height, u32 new_slot_height) {
        if (height() != new_height) drop_to(new_height);
        slot_height_ = new_slot_height;
    }
    void drop_to(u32 new_height);
    void push_label_types(std::span<const ValType> types, bool first_in_registers);
    void leave_window(const Control& control);

    [[nodiscard]] bool is_temp(u8 reg) const noexcept { return ((int_temps_ >> reg) & 1) != 0; }
    [[nodiscard]] bool is_float_temp(u8 reg) const noexcept {
        return ((float_temps_ >> reg) & 1) != 0;
    }
    Gp alloc();
    Fp alloc_fp();
    void release(Gp reg) noexcept { free_ |= (1u << to_underlying(reg)) & int_temps_; }
    void release(Fp reg) noexcept { free_float_ |= (1u << reg.id) & float_temps_; }
    // Whether a register is owned is seldom foreseeable, so nothing branches on it.
    void release(Held held) noexcept {
        free_ |= (u32{held.owned} << to_underlying(held.reg)) & int_temps_;
    }
    void release(HeldFp held) noexcept {
        free_float_ |= (u32{held.owned} << held.reg.id) & float_temps_;
    }
    /// Gives up whatever register the operand holds.
    void discard(const Operand& operand) noexcept;
    /// Takes one particular temporary, moving its holder elsewhere.
    void take(Gp reg);

    /// Value into a register for reading. Flags survive.
    Held use(const Operand& operand);
    [[gnu::noinline]] Held fetch(const Operand& operand);
    [[gnu::noinline]] Held checked(Kind kind, Held held) {
        if (kind == Kind::i32) check_upper(held.reg);
        return held;
    }
    HeldFp use_fp(const Operand& operand);
    /// Value into a register that may be overwritten.
    Gp use_owned(const Operand& operand);
    Fp use_owned_fp(const Operand& operand);
    /// Value into this very register (a home or a temporary already taken).
    void load_into(Gp reg, const Operand& operand);
    void load_into(Fp reg, const Operand& operand);
    /// Value as the right-hand side of an operation; `held` must be released afterwards.
    Src use_src(const Operand& operand, Held& held);
    FpSrc use_fp_src(const Operand& operand, HeldFp& held);
    /// After an operation with such a right-hand side: the trap row of a pending load.
    void note_src(const Operand& operand);
    [[nodiscard]] Mem pending_mem(const Operand& operand);

    /// The home to compute straight into when the next operation sets that local.
    std::optional<Gp> destination_hint(Kind kind);
    std::optional<Fp> destination_hint_fp(Kind kind);
    [[nodiscard]] u8 hinted_home(bool is_float);
    /// Register for a result, reusing `held` when it may be overwritten.
    Gp destination(Kind kind, Held held);
    Fp destination_fp(Kind kind, HeldFp held);

    void spill(Operand& operand);
    void store_to(Mem to, const Operand& operand);
    void settle(Operand& operand);
    void settle_flags();
    void settle_loads();
    void flush_for_block(LocalSet set, bool all, u32 keep_from);
    void spill_temps(u32 below);
    void materialize_aliases(u32 local);
    void attend_to(u32 offset);
    void strain(u32 offset);

    // ---- the state checker (check_state.hpp) --------------------------------------------------

    static constexpr u32 no_local = 0xffff'ffff;
    /// What must be found again one operation later.
    struct Shadow {
        std::vector<Operand> deep;                  // the operands below the window
        std::unordered_map<u32, u32> deep_aliases;  // how many of them mean a local
        std::optional<Op> before;                   // the operation announced last
        bool was_reachable = false;
        u32 height = 0;        // of the stack then
        u32 block_height = 0;  // below the innermost block then
        u32 block_base = 0;    // and how much of that could not move before it
        u32 local = no_local;  // the local it sets to another value
    };
    void begin_shadow();
    void check_state(const u8* opcode);
    void check_shadow();
    void check_effect();
    void check_window(Op next, const u8* opcode);
    void check_homes();
    void check_pending(const u8* opcode);
    void check_end();
    [[nodiscard]] u32 integer_home_at(u8 reg) const noexcept;

    // ---- homes (emit_local.hpp) ---------------------------------------------------------------

    [[nodiscard]] u8 home_of(u32 local) const noexcept { return homes_.home_of(local); }
    /// Brings a home's register up to date. Flags survive.
    void ensure_home(u8 home);
    void save_home(u8 home);
    void load_home(u8 home);
    [[nodiscard]] Gp home_reg(u8 home) const noexcept {
        return static_cast<Gp>(homes_.home(home).reg);
    }
    [[nodiscard]] Fp home_fp(u8 home) const noexcept { return Fp{homes_.home(home).reg}; }
    void set_home_written(u8 home) noexcept {
        state_.reg |= 1u << home;
        state_.slot &= ~(1u << home);
    }
    [[nodiscard]] bool is_loaded(u8 home) const noexcept { return ((state_.reg >> home) & 1) != 0; }
    void set_local(u32 local, u8 home, const Operand& value);

    // ---- control (emit_control.hpp) ---------------------------------------------------------

    Control& control_at(u32 depth) noexcept { return controls_[controls_.size() - 1 - depth]; }
    void block_signature(
        BlockType type, std::span<const ValType>& params, std::span<const ValType>& results);
    Control& push_control(ControlKind kind, BlockType type);
    void enter_block(ControlKind kind, BlockType type);
    [[nodiscard]] const BlockSummary* next_block_summary(bool is_loop);
    HomeState loop_state(const BlockSummary& block) const noexcept;
    /// Makes the current state hold what `target` claims, on this path only.
    void conform(HomeState target);
    [[nodiscard]] bool edge_is_empty(const Control& target) const noexcept;
    void emit_edge(Control& target);
    void fix_target(Control& target);
    void branch_if(Cond cond, Control& target);
    void store_result(u32 slot, const Operand& value);
    void restore_entry(const Control& control);
    void join_missing_else(Control& control);
    Cond pop_condition();

    // ---- calls (emit_call.hpp) --------------------------------------------------------------

    struct Move {
        u8 to = 0;
        u8 from = 0;
        bool wide = false;
        bool done = false;
    };
    template <class MoveOne, class Park, class Unpark>
    static void parallel_moves(
        std::span<Move> moves, MoveOne&& move_one, Park&& park, Unpark&& unpark);
    void move_arguments(std::span<Move> integers, std::span<Move> floats);
    void save_for_call();
    u32 place_arguments(std::span<const ValType> types, std::optional<Gp> record);
    void after_call(std::span<const ValType> results);
    void call_helper(runtime::Helper helper, u32 immediate0, u32 immediate1, Kind result);
    [[nodiscard]] static u32 callee_saved_mask() noexcept {
        return (1u << Masm::home_registers().callee_saved_count) - 1;
    }

    // ---- families ---------------------------------------------------------------------------

    using AluOp = typename Masm::AluOp;
    using ShiftOp = typename Masm::ShiftOp;
    void integer_alu(Kind kind, AluOp op);
    void integer_mul(Kind kind);
    /// Register for the result of an operation of two operands; gives up the others it held.
    Gp destination_of_two(Kind kind, Held left, Held right, const Src& source);
    void integer_shift(Kind kind, ShiftOp op);
    void integer_divide(Kind kind, typename Masm::DivisionOp op);
    void integer_compare(Kind kind, Cond cond);
    void integer_eqz(Kind kind);
    enum class BitCount : u8 { clz, ctz, popcnt };
    void integer_bit_count(Kind kind, BitCount op);
    enum class Extend : u8 { s8, s16, s32, u32_ };
    void integer_extend(Kind to, Extend op);
    void float_arith(Kind kind, typename Masm::FloatOp op);
    void float_min_max(Kind kind, bool is_max);
    void float_compare(Kind kind, Cond cond, bool swap);
    void float_round(Kind kind, typename Masm::RoundingOp mode);
    void float_sqrt(Kind kind);
    void float_sign(Kind kind, bool negate);
    void float_copysign(Kind kind);
    void convert_int_to_float(Kind from, Kind to, bool is_signed);
    void truncate_float(Kind from, Kind to, bool is_signed, bool saturate);
    void emit_trunc_stub(TruncStub& stub);
    void truncate_saturating(Kind from, Kind to, bool is_signed);
    void reinterpret(Kind to);
    void select();

    /// Stress mode `check`: here the register holds an i32 and so has a clear upper half.
    void check_upper(Gp reg) {
        if (options_.stress.check) [[unlikely]]
            masm_.check_clear_upper(reg);
    }
    /// What a load or store says of its place: address + offset, so many bytes of this memory.
    struct Access {
        u64 offset;
        MemoryIndex memory;
        u32 bytes;
    };
    Mem guest_memory(const Access& arg, const Operand& address, Held& held);
    void check_bounds(MemoryIndex memory, std::optional<Gp> address, u64 bytes);
    void note_access(u32 where);
    void load(Kind kind, typename Masm::LoadOp op, Access arg);
    void load_float(Kind kind, Access arg);
    void load_pending(Kind kind, Access arg);
    void store(u32 bytes, Access arg);
    void store_float(Kind kind, Access arg);

    // ---- resources ---------------------------------------------------------------------------

    /// Asked where few bytes of wasm make much code: calls and edges with many values. Once the
    /// code is too large the walk ends behind the operation it is at.
    void check_code_size() noexcept { too_large_ |= masm_.position() > code_end_max_; }

    // ---- traps and constants ----------------------------------------------------------------

    [[nodiscard]] u32 here() const noexcept { return op_offset_ - body_begin_; }
    void trap_row(u32 position, runtime::TrapCode code, u32 where, u32 aux = 0) {
        tables_.rows.push_back(runtime::TrapRow::make(position, where, code, aux));
    }
    void note_line(LineRow::Kind kind, u32 where) {
        if (options_.record_lines) tables_.lines.push_back({masm_.position(), where, kind});
    }
    Label& trap_label(runtime::TrapCode code) {
        trap_stubs_.push_back({{}, code, here()});
        return trap_stubs_.back().label;
    }
    Label& pool_label(u64 bits);
    /// Address of the header of a table or memory, own or imported, ready to be read at +0 and +8.
    Mem context_item(u32 index, u32 imported_count, u32 imported_offset, u32 own_offset,
        u32 own_bytes, Gp spare);
    Mem table_element(TableIndex table, Gp index, runtime::TrapCode code);
    Mem table_header(TableIndex table, Gp spare);
    Mem memory_header(MemoryIndex memory, Gp spare);
    Mem global_cell(GlobalIndex global, Gp spare);

    Masm& masm_;
    ChunkTables& tables_;
    const Module& module_;
    const runtime::ContextLayout& layout_;
    const CompileOptions& options_;

    // per function
    const FunctionSummary* summary_ = nullptr;
    std::span<const ValType> params_;
    std::span<const ValType> placed_params_;  // those that stack_params_ is about
    std::span<const ValType> results_;
    std::array<u32, 64> local_heads_{};  // of the first locals; the others are looked up in runs
    u32 local_head_count_ = 0;
    /// Of each parameter its slot among the stack arguments, or in_register; empty when all are.
    std::vector<u16> stack_params_;
    u32 register_params_end_ = 0;  // no parameter from here on arrives in a register
    static constexpr u16 in_register = 0xffff;
    u32 body_begin_ = 0;
    u32 op_offset_ = 0;
    const u8* next_ = nullptr;
    u32 saved_count_ = 0;      // callee-saved homes pushed
    u32 stack_arg_slots_ = 0;  // arguments this function pops
    u32 block_cursor_ = 0;     // into summary_->blocks
    u32 table_stamp_ = 0;
    u32 code_end_max_ = 0;  // more code than this for this body is refused
    bool reachable_ = true;
    bool too_large_ = false;
    HomeMap homes_;
    HomeState state_;
    u32 int_temps_ = 0;
    u32 float_temps_ = 0;
    u32 free_ = 0;
    u32 free_float_ = 0;
    OperandStack operands_;
    u32 slot_height_ = 0;
    const bool bounds_checked_;
    /// What the next operation may disturb, as one number to be asked by every operation.
    u32 attention_ = 0;
    static constexpr u32 one_load = 1;            // the lowest byte counts operands that are
    static constexpr u32 loads_mask = 0xff;       // Loc::load; all are within the window
    static constexpr u32 flags_bit = 0x100;       // the operand on top is Loc::flags
    static constexpr u32 observed_bit = 0x10000;  // a listing or a stress mode wants every one
    [[nodiscard]] u32 pending_loads() const noexcept { return attention_ & loads_mask; }
    [[nodiscard]] bool pending_flags() const noexcept { return (attention_ & flags_bit) != 0; }
    std::vector<Control> controls_;
    std::vector<TrapStub> trap_stubs_;
    std::vector<TruncStub> trunc_stubs_;
    std::vector<EpochStub> epoch_stubs_;
    std::vector<PaidStretch> paid_stretches_;  // the open ones
    std::vector<PoolEntry> pool_;
    std::vector<TableEdge> table_edges_;  // of the br_table being emitted
    Shadow shadow_;
};

}  // namespace wrun::codegen
