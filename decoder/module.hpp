// A decoded module: plain data, one field per section (spec: binary format, §5.5; structure §2.5),
// in the module's index spaces (imports first). Borrows the module's bytes: names, bodies, data and
// constant expressions are ranges of them. Made by decode(), checked by validate_module(), read by
// everyone.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/items.hpp"
#include "base/types.hpp"
#include "decoder/types.hpp"

namespace wrun {

/// A range of the module's bytes.
struct ByteRange {
    u32 begin = 0;
    u32 end = 0;
    [[nodiscard]] constexpr u32 size() const noexcept { return end - begin; }
    constexpr bool operator==(const ByteRange&) const = default;
};

/// An entry of the type section: a composite type inside its recursion group (§2.3.8–2.3.10). Only
/// functions so far. Parameter and result types lie in Module::value_types.
struct TypeDef {
    enum class Form : u8 { func, struct_, array };
    Form form = Form::func;
    bool is_final = true;
    u16 reserved = 0;
    u32 group_begin = 0;  // first type index of its recursion group
    u32 group_size = 1;
    u32 super_type = no_super;
    u32 values_begin = 0;  // parameters, then results
    u32 param_count = 0;
    u32 result_count = 0;
    static constexpr u32 no_super = 0xffff'ffff;
};

struct Import {
    ByteRange module;
    ByteRange field;
    ExternKind kind = ExternKind::func;
    std::array<u8, 3> reserved{};
    u32 index = 0;  // in the index space of its kind
};

struct Export {
    ByteRange field;
    ExternKind kind = ExternKind::func;
    std::array<u8, 3> reserved{};
    u32 index = 0;
};

/// A constant expression, its `end` included. Validated; evaluated at instantiation.
using ConstExpr = ByteRange;

struct Table {
    TableType type;
    ConstExpr init;  // empty when the table starts with null
    bool imported = false;
};

struct Memory {
    MemoryType type;
    bool imported = false;
};

struct Global {
    GlobalType type;
    ConstExpr init;  // empty when imported
    bool imported = false;
};

enum class SegmentMode : u32 { active, passive, declarative };

/// An item of an element segment: a function index, or a constant expression.
struct ElemItem {
    u32 func_or_begin = 0;
    u32 end = 0;  // 0: func_or_begin is a function index
    [[nodiscard]] constexpr bool is_func() const noexcept { return end == 0; }
};

struct ElemSegment {
    SegmentMode mode = SegmentMode::active;
    TableIndex table;
    ConstExpr offset;  // active only
    ValType type = type_funcref;
    u32 items_begin = 0;  // in Module::elem_items
    u32 item_count = 0;
};

struct DataSegment {
    SegmentMode mode = SegmentMode::active;
    MemoryIndex memory;
    ConstExpr offset;  // active only
    ByteRange bytes;
};

struct CustomSection {
    ByteRange field;  // its name
    ByteRange bytes;
};

/// An entry of the name section's function map, ordered by function.
struct FunctionName {
    FuncIndex func;
    ByteRange text;
};

struct SectionInfo {
    u8 id = 0;
    ByteRange bytes;  // payload
};

struct Module {
    std::span<const u8> bytes;  // borrowed

    Items<TypeDef> types;
    Items<ValType> value_types;
    Items<Import> imports;
    Items<TypeIndex> functions;  // the type of every function, imports first
    std::vector<Table> tables;
    std::vector<Memory> memories;
    std::vector<Global> globals;
    Items<Export> exports;
    std::optional<FuncIndex> start;
    Items<ElemSegment> elems;
    Items<ElemItem> elem_items;
    std::vector<ByteRange> bodies;  // code entries without their size: locals, then the expression
    Items<DataSegment> data;
    std::optional<u32> data_count;
    std::vector<CustomSection> customs;
    std::vector<SectionInfo> sections;

    ByteRange name;  // the name section's module name, empty when there is none
    Items<FunctionName> function_names;

    u32 imported_function_count = 0;
    u32 imported_table_count = 0;
    u32 imported_memory_count = 0;
    u32 imported_global_count = 0;
    u32 code_begin = 0;  // of the code section's payload, for size figures
    u32 code_end = 0;

    /// Functions that a reference to may exist of: exports, element segments, `ref.func` outside
    /// bodies. Ascending, without doubles. ref.func in a body may name only these (spec: C.refs).
    Items<FuncIndex> escaping_functions;

    [[nodiscard]] std::string_view text(ByteRange range) const noexcept {
        return {reinterpret_cast<const char*>(bytes.data()) + range.begin, range.size()};
    }
    [[nodiscard]] std::span<const u8> slice(ByteRange range) const noexcept {
        return bytes.subspan(range.begin, range.size());
    }
    [[nodiscard]] std::span<const ValType> params(TypeIndex type) const noexcept {
        const TypeDef& def = types[type.value];
        return std::span{value_types}.subspan(def.values_begin, def.param_count);
    }
    [[nodiscard]] std::span<const ValType> results(TypeIndex type) const noexcept {
        const TypeDef& def = types[type.value];
        return std::span{value_types}.subspan(def.values_begin + def.param_count, def.result_count);
    }
    [[nodiscard]] bool is_import(FuncIndex func) const noexcept {
        return func.value < imported_function_count;
    }
    [[nodiscard]] ByteRange body(FuncIndex func) const noexcept {
        return bodies[func.value - imported_function_count];
    }
    /// Position in escaping_functions, or nothing. Binary search.
    [[nodiscard]] std::optional<u32> escape_index(FuncIndex func) const noexcept;
    /// The function's name from the name section, else from an export, else "". Binary search.
    [[nodiscard]] std::string_view function_name(FuncIndex func) const noexcept;
};

}  // namespace wrun
