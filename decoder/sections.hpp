// Inside decode(): one function per section (spec: §5.5). Each reads its section's payload from a
// Reader that ends where the section ends, and fills its fields of the module. Not for other
// folders.
#pragma once

#include "base/result.hpp"
#include "decoder/module.hpp"
#include "decoder/reader.hpp"

namespace wrun::decoder {

enum class SectionId : u8 {
    custom,
    type,
    import,
    function,
    table,
    memory,
    global,
    export_,
    start,
    element,
    code,
    data,
    data_count,
    tag,
};

[[nodiscard]] Result<void> read_types(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_imports(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_functions(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_tables(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_memories(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_globals(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_exports(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_start(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_elements(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_data_count(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_code(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_data(Reader& reader, Module& module);
[[nodiscard]] Result<void> read_custom(Reader& reader, Module& module);

/// Fills the module's names from a name section's payload, or leaves them when it is malformed.
void read_names(Reader reader, Module& module);

[[nodiscard]] Result<TableType> read_table_type(Reader& reader);
[[nodiscard]] Result<MemoryType> read_memory_type(Reader& reader);
[[nodiscard]] Result<GlobalType> read_global_type(Reader& reader);
/// Up to the `end` that closes it. Whether it is constant is the validator's question.
[[nodiscard]] Result<ConstExpr> read_const_expr(Reader& reader);

}  // namespace wrun::decoder
