// Imports, the definitions that need no more than their type, exports and start (spec:
// §5.5.5–5.5.11).
#include "decoder/immediates.hpp"
#include "decoder/lone_const.hpp"
#include "decoder/sections.hpp"
#include "decoder/type_reader.hpp"

namespace wrun::decoder {
namespace {

/// Appends to an index space, whose size meets its bound.
template <class Space>
Result<u32> append(Space& space, const typename Space::value_type& item, u32 max, u32 at) {
    if (space.size() >= max) return Error{ErrorCode::too_many_items, 0, at};
    space.push_back(item);
    return static_cast<u32>(space.size() - 1);
}

Result<u32> read_import_type(Reader& reader, ExternKind kind, Module& module) {
    const u32 at = reader.offset();
    switch (kind) {
        case ExternKind::func: {
            const TypeIndex type {
                WRUN_TRY(reader.leb_u32())
            };
            ++module.imported_function_count;
            return append(module.functions, type, limits::functions_max, at);
        }
        case ExternKind::table: {
            const TableType type = WRUN_TRY(read_table_type(reader));
            ++module.imported_table_count;
            return append(module.tables, {type, {}, true}, limits::tables_max, at);
        }
        case ExternKind::memory: {
            const MemoryType type = WRUN_TRY(read_memory_type(reader));
            ++module.imported_memory_count;
            return append(module.memories, {type, true}, limits::memories_max, at);
        }
        case ExternKind::global: {
            const GlobalType type = WRUN_TRY(read_global_type(reader));
            ++module.imported_global_count;
            return append(module.globals, {type, {}, true}, limits::globals_max, at);
        }
        case ExternKind::tag: {
            // Read first: what is cut off here is malformed, whatever is supported.
            (void)WRUN_TRY(reader.byte());
            (void)WRUN_TRY(reader.leb_u32());
            return unsupported(Feature::exceptions, at);
        }
    }
    unreachable();
}

Result<ExternKind> read_extern_kind(Reader& reader, ErrorCode wrong) {
    const u32 at = reader.offset();
    const u8 kind = WRUN_TRY(reader.byte());
    if (kind > to_underlying(ExternKind::tag)) return Error{wrong, 0, at};
    return static_cast<ExternKind>(kind);
}

/// A table with an initialiser begins with 0x40 0x00.
Result<Table> read_table(Reader& reader) {
    const u32 at = reader.offset();
    const u8 first = WRUN_TRY(reader.peek());
    if (first != type_byte::empty) return Table {
            WRUN_TRY(read_table_type(reader))
            , {}, false
        };
    (void)WRUN_TRY(reader.byte());
    if (!reader.has(Feature::function_references)) {
        return unsupported(Feature::function_references, at);
    }
    const u32 zero_at = reader.offset();
    const u8 zero = WRUN_TRY(reader.byte());
    if (zero != 0) return Error{ErrorCode::zero_byte_expected, 0, zero_at};
    Table table;
    table.type = WRUN_TRY(read_table_type(reader));
    table.init = WRUN_TRY(read_const_expr(reader));
    return table;
}

/// The count of a section that defines items of an index space which may hold imports already.
template <class Space>
Result<u32> read_item_count(Reader& reader, const Space& space, u32 max, u32 item_bytes) {
    const u32 at = reader.offset();
    const u32 count = WRUN_TRY(reader.count(max, item_bytes));
    if (count > max - space.size()) return Error{ErrorCode::too_many_items, 0, at};
    return count;
}

}  // namespace

Result<void> read_imports(Reader& reader, Module& module) {
    constexpr u32 import_bytes_min = 4;
    const u32 count = WRUN_TRY(reader.count(limits::imports_max, import_bytes_min));
    module.imports.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        Import import;
        import.module = WRUN_TRY(reader.name());
        import.field = WRUN_TRY(reader.name());
        import.kind = WRUN_TRY(read_extern_kind(reader, ErrorCode::malformed_import_kind));
        import.index = WRUN_TRY(read_import_type(reader, import.kind, module));
        module.imports.push_back(import);
    }
    return {};
}

Result<void> read_functions(Reader& reader, Module& module) {
    const u32 count = WRUN_TRY(read_item_count(reader, module.functions, limits::functions_max, 1));
    module.functions.reserve(module.functions.size() + count);
    for (u32 i = 0; i < count; ++i) {
        module.functions.push_back(TypeIndex { WRUN_TRY(reader.leb_u32()) });
    }
    return {};
}

Result<void> read_tables(Reader& reader, Module& module) {
    constexpr u32 table_bytes_min = 3;
    const u32 count =
        WRUN_TRY(read_item_count(reader, module.tables, limits::tables_max, table_bytes_min));
    for (u32 i = 0; i < count; ++i)
        module.tables.push_back(WRUN_TRY(read_table(reader)));
    return {};
}

Result<void> read_memories(Reader& reader, Module& module) {
    constexpr u32 memory_bytes_min = 2;
    const u32 count =
        WRUN_TRY(read_item_count(reader, module.memories, limits::memories_max, memory_bytes_min));
    for (u32 i = 0; i < count; ++i) {
        module.memories.push_back({
            WRUN_TRY(read_memory_type(reader))
            , false
        });
    }
    return {};
}

Result<void> read_globals(Reader& reader, Module& module) {
    constexpr u32 global_bytes_min = 3;
    const u32 count =
        WRUN_TRY(read_item_count(reader, module.globals, limits::globals_max, global_bytes_min));
    module.globals.reserve(module.globals.size() + count);
    for (u32 i = 0; i < count; ++i) {
        Global global;
        global.type = WRUN_TRY(read_global_type(reader));
        global.init = WRUN_TRY(read_const_expr(reader));
        module.globals.push_back(global);
    }
    return {};
}

Result<void> read_exports(Reader& reader, Module& module) {
    constexpr u32 export_bytes_min = 3;
    const u32 count = WRUN_TRY(reader.count(limits::exports_max, export_bytes_min));
    module.exports.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        Export item;
        item.field = WRUN_TRY(reader.name());
        item.kind = WRUN_TRY(read_extern_kind(reader, ErrorCode::malformed_export_kind));
        item.index = WRUN_TRY(reader.leb_u32());
        if (item.kind == ExternKind::tag) return unsupported(Feature::exceptions, item.field.begin);
        module.exports.push_back(item);
    }
    return {};
}

Result<void> read_start(Reader& reader, Module& module) {
    module.start = FuncIndex {
        WRUN_TRY(reader.leb_u32())
    };
    return {};
}

/// Opcodes are stepped over as in a body: `end` closes at the outermost level only.
Result<ConstExpr> read_const_expr(Reader& reader) {
    const u32 begin = reader.offset();
    if (const LoneConst lone = lone_i32_const(reader.rest()); lone.bytes != 0) {
        return reader.bytes(lone.bytes);
    }
    u32 depth = 0;
    for (;;) {
        const u32 at = reader.offset();
        const OpLookup found = WRUN_TRY(read_op(reader));
        if (!found.known()) {
            return found.is_later() ? unsupported(found.feature(), at)
                                    : Error{ErrorCode::illegal_opcode, 0, at};
        }
        const Op op = found.op();
        if (op == Op::end && depth-- == 0) return ConstExpr{begin, reader.offset()};
        if (op == Op::block || op == Op::loop || op == Op::if_) ++depth;
        WRUN_TRY(skip_immediates(reader, info(op).immediate));
    }
}

}  // namespace wrun::decoder
