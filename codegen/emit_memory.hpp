// Codegen: loads and stores, memory.size and grow, globals, tables, references, bulk operations.
// Only guest_memory() builds an operand of the guest's memory: that is where a sandbox would leak.
#pragma once

#include "codegen/emit_call.hpp"

namespace wrun::codegen {

namespace detail {

template <class Mem>
Mem field(Mem mem, std::size_t offset) {
    mem.disp += static_cast<i32>(offset);
    return mem;
}

}  // namespace detail

/// The one place that builds an operand of the guest's memory. `address` is an i32, popped; `held`
/// keeps its register until the access has been emitted. base + index (32 bits, upper half clear) +
/// offset stays within the reservation of 8 GiB and more, so no sum can wrap and no access can miss
/// the guard; a memory without a guard is looked at before.
template <class Masm>
auto Codegen<Masm>::guest_memory(const Access& arg, const Operand& address, Held& held) -> Mem {
    held = {};
    constexpr u64 disp_max = 0x7fff'ffff;
    if (address.is_constant()) {
        const u64 effective = static_cast<u32>(address.bits) + arg.offset;
        if (bounds_checked_) check_bounds(arg.memory, std::nullopt, effective + arg.bytes);
        if (effective <= disp_max) {
            return Mem::at(Masm::memory_base, static_cast<i32>(effective));
        }
        masm_.move_imm(Masm::scratch, effective);
        return Mem::at(Masm::memory_base, Masm::scratch, 0, 0);
    }
    held = use(address);
    check_upper(held.reg);
    if (bounds_checked_) check_bounds(arg.memory, held.reg, arg.offset + arg.bytes);
    if (arg.offset <= disp_max) {
        return Mem::at(Masm::memory_base, held.reg, 0, static_cast<i32>(arg.offset));
    }
    masm_.move_imm(Masm::scratch, arg.offset);
    masm_.alu(true, AluOp::add, Masm::scratch, Masm::scratch, Src::of(held.reg));
    return Mem::at(Masm::memory_base, Masm::scratch, 0, 0);
}

/// Traps unless the memory has `bytes` bytes from `address` on, or from its begin. Below 2^34, so
/// that no sum wraps. Loses the scratch register and flags.
template <class Masm>
void Codegen<Masm>::check_bounds(MemoryIndex memory, std::optional<Gp> address, u64 bytes) {
    constexpr u64 immediate_max = 0x7fff'ffff;
    const bool is_imported = memory.value < module_.imported_memory_count;
    // May spill by way of the scratch register, which is therefore written after it.
    const Gp header = is_imported ? alloc() : Masm::scratch;
    const Mem size =
        detail::field(memory_header(memory, header), offsetof(runtime::MemoryHeader, bytes));
    Label& outside = trap_label(runtime::TrapCode::memory_out_of_bounds);
    if (!address && bytes <= immediate_max) {
        masm_.compare_mem(true, size, Src::of(static_cast<i32>(bytes)));
        masm_.branch(Cond::lt_u, outside);
    } else {
        if (address && bytes <= immediate_max) {
            masm_.alu(true, AluOp::add, Masm::scratch, *address, Src::of(static_cast<i32>(bytes)));
        } else {
            masm_.move_imm(Masm::scratch, bytes);
            if (address) {
                masm_.alu(true, AluOp::add, Masm::scratch, Masm::scratch, Src::of(*address));
            }
        }
        masm_.compare(true, Masm::scratch, Src::of(size));
        masm_.branch(Cond::gt_u, outside);
    }
    if (is_imported) release(header);
}

template <class Masm>
void Codegen<Masm>::load(Kind kind, typename Masm::LoadOp op, Access arg) {
    const Operand& address = pop();
    Held held;
    const Mem from = guest_memory(arg, address, held);
    const Gp to = destination(kind, held);
    masm_.load_int(op, to, from);
    note_access(here());
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::load_float(Kind kind, Access arg) {
    const Operand& address = pop();
    Held held;
    const Mem from = guest_memory(arg, address, held);
    const Fp to = destination_fp(kind, {});
    masm_.fload(detail::is_wide(kind), to, from);
    note_access(here());
    release(held);
    push_fp(kind, to);
}

/// A load as wide as its type need not happen yet: the operation that wants it may take it from
/// memory. Whether it may happen is checked here, so that it is only its value that comes late.
template <class Masm>
void Codegen<Masm>::load_pending(Kind kind, Access arg) {
    const u8 keeps = detail::keeps[*next_];
    const bool sets_local =
        *next_ == info(Op::local_set).code || *next_ == info(Op::local_tee).code;
    const Operand& top = operands_.back();
    if ((keeps & detail::keeps_loads) == 0 || sets_local || arg.offset > 0x7fff'ffff ||
        top.is_constant()) {
        if (kind == Kind::f32 || kind == Kind::f64) return load_float(kind, arg);
        return load(kind, kind == Kind::i64 ? Masm::LoadOp::u64_64 : Masm::LoadOp::u32_32, arg);
    }
    if (pending_loads() >= pending_loads_max) settle_loads();
    const Held held = use(pop());
    if (bounds_checked_) {
        check_upper(held.reg);
        check_bounds(arg.memory, held.reg, arg.offset + arg.bytes);
    }
    push(Loc::load, kind, to_underlying(held.reg),
        Operand::pending(static_cast<u32>(arg.offset), here()), held.owned);
    attention_ += one_load;
}

template <class Masm>
void Codegen<Masm>::store(u32 bytes, Access arg) {
    const Operand& value = pop();
    const Operand& address = pop();
    const i64 constant = static_cast<i64>(value.bits);
    const bool immediate =
        value.is_constant() && (bytes < 8 || constant == static_cast<i32>(constant));
    const Held from = immediate ? Held{} : use(value);
    Held held;
    const Mem to = guest_memory(arg, address, held);
    if (immediate) {
        masm_.store_imm(bytes, to, static_cast<i32>(constant));
    } else {
        masm_.store_int(bytes, to, from.reg);
    }
    note_access(here());
    release(held);
    release(from);
}

template <class Masm>
void Codegen<Masm>::store_float(Kind kind, Access arg) {
    const Operand& value = pop();
    const Operand& address = pop();
    const HeldFp from = use_fp(value);
    Held held;
    const Mem to = guest_memory(arg, address, held);
    masm_.fstore(detail::is_wide(kind), to, from.reg);
    note_access(here());
    release(held);
    release(from);
}

#define WRUN_EMIT_MEMORY(name, call)                                               \
    template <class Masm>                                                          \
    void Codegen<Masm>::emit_##name(MemArg place) {                                \
        const Access arg{place.offset, place.memory, info(Op::name).access_bytes}; \
        call;                                                                      \
    }
WRUN_EMIT_MEMORY(i32_load, load_pending(Kind::i32, arg))
WRUN_EMIT_MEMORY(i64_load, load_pending(Kind::i64, arg))
WRUN_EMIT_MEMORY(f32_load, load_pending(Kind::f32, arg))
WRUN_EMIT_MEMORY(f64_load, load_pending(Kind::f64, arg))
WRUN_EMIT_MEMORY(i32_load8_s, load(Kind::i32, Masm::LoadOp::s8_32, arg))
WRUN_EMIT_MEMORY(i32_load8_u, load(Kind::i32, Masm::LoadOp::u8_32, arg))
WRUN_EMIT_MEMORY(i32_load16_s, load(Kind::i32, Masm::LoadOp::s16_32, arg))
WRUN_EMIT_MEMORY(i32_load16_u, load(Kind::i32, Masm::LoadOp::u16_32, arg))
WRUN_EMIT_MEMORY(i64_load8_s, load(Kind::i64, Masm::LoadOp::s8_64, arg))
WRUN_EMIT_MEMORY(i64_load8_u, load(Kind::i64, Masm::LoadOp::u8_32, arg))
WRUN_EMIT_MEMORY(i64_load16_s, load(Kind::i64, Masm::LoadOp::s16_64, arg))
WRUN_EMIT_MEMORY(i64_load16_u, load(Kind::i64, Masm::LoadOp::u16_32, arg))
WRUN_EMIT_MEMORY(i64_load32_s, load(Kind::i64, Masm::LoadOp::s32_64, arg))
WRUN_EMIT_MEMORY(i64_load32_u, load(Kind::i64, Masm::LoadOp::u32_32, arg))
WRUN_EMIT_MEMORY(i32_store, store(4, arg))
WRUN_EMIT_MEMORY(i64_store, store(8, arg))
WRUN_EMIT_MEMORY(f32_store, store_float(Kind::f32, arg))
WRUN_EMIT_MEMORY(f64_store, store_float(Kind::f64, arg))
WRUN_EMIT_MEMORY(i32_store8, store(1, arg))
WRUN_EMIT_MEMORY(i32_store16, store(2, arg))
WRUN_EMIT_MEMORY(i64_store8, store(1, arg))
WRUN_EMIT_MEMORY(i64_store16, store(2, arg))
WRUN_EMIT_MEMORY(i64_store32, store(4, arg))

// ---- what the context reaches -----------------------------------------------------------------

template <class Masm>
auto Codegen<Masm>::context_item(u32 index, u32 imported_count, u32 imported_offset, u32 own_offset,
    u32 own_bytes, Gp spare) -> Mem {
    if (index >= imported_count) {
        return Mem::at(
            Masm::context, static_cast<i32>(own_offset + (index - imported_count) * own_bytes));
    }
    masm_.load_word(true, spare,
        Mem::at(Masm::context, static_cast<i32>(imported_offset + index * sizeof(void*))));
    return Mem::at(spare);
}

template <class Masm>
auto Codegen<Masm>::table_header(TableIndex table, Gp spare) -> Mem {
    return context_item(table.value, module_.imported_table_count, layout_.imported_tables,
        layout_.tables, sizeof(runtime::TableHeader), spare);
}

template <class Masm>
auto Codegen<Masm>::memory_header(MemoryIndex memory, Gp spare) -> Mem {
    return context_item(memory.value, module_.imported_memory_count, layout_.imported_memories,
        layout_.memories, sizeof(runtime::MemoryHeader), spare);
}

template <class Masm>
auto Codegen<Masm>::global_cell(GlobalIndex global, Gp spare) -> Mem {
    return context_item(global.value, module_.imported_global_count, layout_.imported_globals,
        layout_.globals, runtime::global_cell_bytes, spare);
}

template <class Masm>
void Codegen<Masm>::emit_global_get(GlobalIndex global) {
    const Kind kind = module_.globals[global.value].type.type.kind();
    const Mem cell = global_cell(global, Masm::scratch);
    if (kind == Kind::f32 || kind == Kind::f64) {
        const Fp to = destination_fp(kind, {});
        masm_.fload(detail::is_wide(kind), to, cell);
        return push_fp(kind, to);
    }
    const Gp to = destination(kind, {});
    masm_.load_word(detail::is_wide(kind), to, cell);
    push_reg(kind, to);
}

template <class Masm>
void Codegen<Masm>::emit_global_set(GlobalIndex global) {
    const Operand& value = pop();
    const bool wide = value.is_wide();
    if (value.is_float()) {
        const HeldFp held = use_fp(value);
        masm_.fstore(wide, global_cell(global, Masm::scratch), held.reg);
        return release(held);
    }
    const Held held = use(value);
    masm_.store_word(wide, global_cell(global, Masm::scratch), held.reg);
    release(held);
}

template <class Masm>
void Codegen<Masm>::emit_memory_size(MemoryIndex memory) {
    const Gp to = alloc();
    masm_.load_word(true, to,
        detail::field(
            memory_header(memory, Masm::scratch), offsetof(runtime::MemoryHeader, bytes)));
    masm_.shift_imm(
        true, ShiftOp::shr, to, to, static_cast<u8>(std::countr_zero(limits::wasm_page_bytes)));
    push_reg(Kind::i32, to);
}

// ---- tables and references --------------------------------------------------------------------

/// Checks the index against the table's size and leaves the element's address as an operand based
/// on the scratch register.
template <class Masm>
auto Codegen<Masm>::table_element(TableIndex table, Gp index, runtime::TrapCode code) -> Mem {
    check_upper(index);
    const Mem header = table_header(table, Masm::scratch);
    masm_.compare(
        true, index, Src::of(detail::field(header, offsetof(runtime::TableHeader, size))));
    masm_.branch(Cond::ge_u, trap_label(code));
    masm_.load_word(
        true, Masm::scratch, detail::field(header, offsetof(runtime::TableHeader, base)));
    return Mem::at(Masm::scratch, index, 3, 0);
}

template <class Masm>
void Codegen<Masm>::emit_table_get(TableIndex table) {
    const Held index = use(pop());
    const Mem element = table_element(table, index.reg, runtime::TrapCode::table_out_of_bounds);
    const Gp to = index.owned ? index.reg : alloc();
    masm_.load_word(true, to, element);
    push_reg(Kind::ref, to);
}

template <class Masm>
void Codegen<Masm>::emit_table_set(TableIndex table) {
    const Operand& value = pop();
    const Operand& index_operand = pop();
    const Held from = use(value);
    const Held index = use(index_operand);
    // First: the guest may be stopped for good between any two instructions.
    masm_.store_imm(8,
        detail::field(
            table_header(table, Masm::scratch), offsetof(runtime::TableHeader, is_written)),
        1);
    const Mem element = table_element(table, index.reg, runtime::TrapCode::table_out_of_bounds);
    masm_.store_word(true, element, from.reg);
    release(index);
    release(from);
}

template <class Masm>
void Codegen<Masm>::emit_table_size(TableIndex table) {
    const Gp to = alloc();
    masm_.load_word(true, to,
        detail::field(table_header(table, Masm::scratch), offsetof(runtime::TableHeader, size)));
    push_reg(Kind::i32, to);
}

template <class Masm>
void Codegen<Masm>::emit_ref_null(ValType) {
    push_constant(Kind::ref, 0);
}

template <class Masm>
void Codegen<Masm>::emit_ref_is_null() {
    push_constant(Kind::ref, 0);
    integer_compare(Kind::i64, Cond::eq);
}

template <class Masm>
void Codegen<Masm>::emit_ref_func(FuncIndex func) {
    const Gp to = alloc();
    if (module_.is_import(func)) {
        masm_.load_word(true, to,
            Mem::at(Masm::context,
                static_cast<i32>(layout_.imported_functions + func.value * sizeof(void*))));
    } else {
        const u32 index = module_.escape_index(func).value_or(0);
        masm_.load_word(true, to, Mem::at(Masm::context, offsetof(runtime::Context, records)));
        masm_.alu(true, AluOp::add, to, to,
            Src::of(static_cast<i32>(index * sizeof(runtime::FuncRecord))));
    }
    push_reg(Kind::ref, to);
}

// ---- helpers ----------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::emit_memory_grow(MemoryIndex memory) {
    call_helper(runtime::Helper::memory_grow, memory.value, 0, Kind::i32);
}
template <class Masm>
void Codegen<Masm>::emit_memory_init(DataIndex segment, MemoryIndex memory) {
    call_helper(runtime::Helper::memory_init, segment.value, memory.value, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_data_drop(DataIndex segment) {
    call_helper(runtime::Helper::data_drop, segment.value, 0, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_memory_copy(MemoryIndex to, MemoryIndex from) {
    call_helper(runtime::Helper::memory_copy, to.value, from.value, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_memory_fill(MemoryIndex memory) {
    call_helper(runtime::Helper::memory_fill, memory.value, 0, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_table_init(ElemIndex segment, TableIndex table) {
    call_helper(runtime::Helper::table_init, segment.value, table.value, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_elem_drop(ElemIndex segment) {
    call_helper(runtime::Helper::elem_drop, segment.value, 0, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_table_copy(TableIndex to, TableIndex from) {
    call_helper(runtime::Helper::table_copy, to.value, from.value, Kind::bottom);
}
template <class Masm>
void Codegen<Masm>::emit_table_grow(TableIndex table) {
    call_helper(runtime::Helper::table_grow, table.value, 0, Kind::i32);
}
template <class Masm>
void Codegen<Masm>::emit_table_fill(TableIndex table) {
    call_helper(runtime::Helper::table_fill, table.value, 0, Kind::bottom);
}

}  // namespace wrun::codegen
