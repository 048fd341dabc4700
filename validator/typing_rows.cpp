// Typing of the rows that name globals, tables, memories, segments and references.
#include "validator/matches.hpp"
#include "validator/typing.hpp"

namespace wrun {

ErrorCode Typing::global_get(GlobalIndex global) noexcept {
    if (global.value >= module_.globals.size()) return ErrorCode::unknown_global;
    return push(module_.globals[global.value].type.type);
}

ErrorCode Typing::global_set(GlobalIndex global) noexcept {
    if (global.value >= module_.globals.size()) return ErrorCode::unknown_global;
    const GlobalType& type = module_.globals[global.value].type;
    if (!type.is_mutable) return ErrorCode::immutable_global;
    return pop(type.type);
}

ErrorCode Typing::memory_row_slow(Op op, MemArg arg) noexcept {
    if (arg.memory.value >= module_.memories.size()) return ErrorCode::unknown_memory;
    const OpInfo& row = info(op);
    if (arg.align_log2 > __builtin_ctz(row.access_bytes)) return ErrorCode::alignment_too_large;
    const Limits& limits = module_.memories[arg.memory.value].type.limits;
    if (!limits.is_64 && arg.offset > 0xffff'ffff) return ErrorCode::offset_out_of_range;
    const Signature& signature = row.signature;
    for (u32 i = signature.pops; i-- > 0;) {
        const ValType type = i == 0 ? address_type(limits) : signature.types[i];
        if (const ErrorCode code = pop(type); code != ErrorCode::ok) return code;
    }
    return signature.pushes == 0 ? ErrorCode::ok : push(signature.types[signature.pops]);
}

ErrorCode Typing::table_row(Op op, TableIndex index) noexcept {
    if (index.value >= module_.tables.size()) return ErrorCode::unknown_table;
    const TableType& table = module_.tables[index.value].type;
    const ValType address = address_type(table.limits);
    ErrorCode code = ErrorCode::ok;
    switch (op) {
        case Op::table_get:
            code = pop(address);
            return code != ErrorCode::ok ? code : push(table.element);
        case Op::table_set: return pop_each({address, table.element});
        case Op::table_size: return push(address);
        case Op::table_grow:
            code = pop_each({table.element, address});
            return code != ErrorCode::ok ? code : push(address);
        default: WRUN_ASSERT(op == Op::table_fill);
    }
    return pop_each({address, table.element, address});
}

ErrorCode Typing::table_init(ElemIndex elem, TableIndex index) noexcept {
    if (index.value >= module_.tables.size()) return ErrorCode::unknown_table;
    if (elem.value >= module_.elems.size()) return ErrorCode::unknown_elem_segment;
    const TableType& table = module_.tables[index.value].type;
    if (!matches(module_, module_.elems[elem.value].type, table.element)) {
        return ErrorCode::type_mismatch;
    }
    return pop_each({address_type(table.limits), type_i32, type_i32});
}

ErrorCode Typing::elem_drop(ElemIndex elem) const noexcept {
    return elem.value < module_.elems.size() ? ErrorCode::ok : ErrorCode::unknown_elem_segment;
}

ErrorCode Typing::table_copy(TableIndex to, TableIndex from) noexcept {
    if (to.value >= module_.tables.size()) return ErrorCode::unknown_table;
    if (from.value >= module_.tables.size()) return ErrorCode::unknown_table;
    const TableType& target = module_.tables[to.value].type;
    const TableType& source = module_.tables[from.value].type;
    if (!matches(module_, source.element, target.element)) return ErrorCode::type_mismatch;
    return pop_copy(target.limits, source.limits);
}

ErrorCode Typing::memory_size_row(Op op, MemoryIndex memory) noexcept {
    if (memory.value >= module_.memories.size()) return ErrorCode::unknown_memory;
    const ValType address = address_type(module_.memories[memory.value].type.limits);
    switch (op) {
        case Op::memory_size: return push(address);
        case Op::memory_grow: {
            const ErrorCode code = pop(address);
            return code != ErrorCode::ok ? code : push(address);
        }
        default: WRUN_ASSERT(op == Op::memory_fill);
    }
    return pop_each({address, type_i32, address});
}

ErrorCode Typing::memory_init(DataIndex data, MemoryIndex memory) noexcept {
    if (!module_.data_count) return ErrorCode::data_count_required;
    if (memory.value >= module_.memories.size()) return ErrorCode::unknown_memory;
    if (const ErrorCode code = data_drop(data); code != ErrorCode::ok) return code;
    return pop_each({address_type(module_.memories[memory.value].type.limits), type_i32, type_i32});
}

ErrorCode Typing::data_drop(DataIndex data) const noexcept {
    if (!module_.data_count) return ErrorCode::data_count_required;
    return data.value < *module_.data_count ? ErrorCode::ok : ErrorCode::unknown_data_segment;
}

ErrorCode Typing::memory_copy(MemoryIndex to, MemoryIndex from) noexcept {
    if (to.value >= module_.memories.size()) return ErrorCode::unknown_memory;
    if (from.value >= module_.memories.size()) return ErrorCode::unknown_memory;
    return pop_copy(
        module_.memories[to.value].type.limits, module_.memories[from.value].type.limits);
}

/// Two addresses and a length, which is 64-bit only when both sides are.
ErrorCode Typing::pop_copy(const Limits& to, const Limits& from) noexcept {
    const ValType length = to.is_64 && from.is_64 ? type_i64 : type_i32;
    return pop_each({address_type(to), address_type(from), length});
}

ErrorCode Typing::ref_null(ValType type) noexcept {
    return is_known(type) ? push(type) : ErrorCode::unknown_type;
}

ErrorCode Typing::ref_is_null() noexcept {
    ValType type;
    if (const ErrorCode code = pop_any(type); code != ErrorCode::ok) return code;
    if (!type.is_ref() && type != type_bottom) return ErrorCode::type_mismatch;
    return push(type_i32);
}

ErrorCode Typing::ref_func(FuncIndex func) noexcept {
    if (func.value >= module_.functions.size()) return ErrorCode::unknown_function;
    if (!module_.escape_index(func)) return ErrorCode::undeclared_function_reference;
    if (!has(Feature::function_references)) return push(type_funcref);
    return push(ValType::reference(module_.functions[func.value], false));
}

}  // namespace wrun
