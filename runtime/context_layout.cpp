// Offsets behind the fixed part of a context.
#include "runtime/context_layout.hpp"

namespace wrun::runtime {

Result<ContextLayout> context_layout(const Module& module) {
    ContextLayout layout;
    u64 offset = sizeof(Context);
    const auto place = [&](std::size_t count, u64 bytes_each) {
        const u64 here = offset;
        offset += count * bytes_each;
        return static_cast<u32>(here);
    };
    layout.imported_functions = place(module.imported_function_count, sizeof(void*));
    layout.imported_tables = place(module.imported_table_count, sizeof(void*));
    layout.imported_memories = place(module.imported_memory_count, sizeof(void*));
    layout.imported_globals = place(module.imported_global_count, sizeof(void*));
    offset = (offset + 15) & ~u64{15};
    layout.memories =
        place(module.memories.size() - module.imported_memory_count, sizeof(MemoryHeader));
    layout.tables = place(module.tables.size() - module.imported_table_count, sizeof(TableHeader));
    layout.globals = place(module.globals.size() - module.imported_global_count, global_cell_bytes);
    if (offset > 0x7fff'ffff) return Error{ErrorCode::too_many_items};
    layout.total_bytes = static_cast<u32>(offset);
    return layout;
}

}  // namespace wrun::runtime
