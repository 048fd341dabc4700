// The second engine's C interface, as far as comparisons (these, and bench/cold) need it, declared
// by hand: the Python wheel it comes in (tools/setup) has the library and no headers. Layouts are
// those of the version that tools/requirements.txt pins; the sizes below are checked against what
// it hands out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wrun::differ::second {

// ---- opaque -----------------------------------------------------------------------------------
struct Config;
struct Engine;
struct PoolConfig;
struct Linker;
struct InstancePre;
struct StoreBox;
struct Context;  // of a store
struct ModuleBox;
struct ErrorBox;
struct TrapBox;
struct Caller;
struct ValTypeBox;
struct FuncTypeBox;
struct GlobalTypeBox;
struct TableTypeBox;
struct MemoryTypeBox;
struct ExternTypeBox;
struct ImportTypeBox;
struct ExportTypeBox;

// ---- plain ------------------------------------------------------------------------------------
template <class T>
struct Vec {
    std::size_t size = 0;
    T* data = nullptr;
};
using Bytes = Vec<char>;

struct Limits {
    std::uint32_t min;
    std::uint32_t max;  // all ones: none
};

/// As the type objects number them.
namespace val_kind {
inline constexpr std::uint8_t i32 = 0, i64 = 1, f32 = 2, f64 = 3, externref = 128, funcref = 129;
}
namespace regalloc {
inline constexpr std::uint8_t backtracking = 0, single_pass = 1;
}
namespace extern_kind {
inline constexpr std::uint8_t func = 0, global = 1, table = 2, memory = 3;
}

struct Func {
    std::uint64_t store_id;
    void* inner;
};
/// Tables and memories look the same from outside.
struct Object {
    std::uint64_t store_id;
    std::uint32_t inner_1;
    std::uint32_t padding;
    std::uint32_t inner_2;
};
struct Global {
    std::uint64_t store_id;
    std::uint32_t inner[3];
};
struct ExternRef {
    std::uint64_t store_id;
    std::uint32_t inner_1;
    std::uint32_t inner_2;
    void* inner_3;
};
struct Instance {
    std::uint64_t store_id;
    std::size_t inner;
};

/// `kind` as values number them: 0–3 numbers, 5 funcref, 6 externref.
struct Val {
    static constexpr std::uint8_t funcref = 5;
    static constexpr std::uint8_t externref = 6;
    std::uint8_t kind;
    union {
        std::uint32_t u32;
        std::uint64_t u64;
        Func func;
        ExternRef extern_ref;
    } of;
};
static_assert(sizeof(Val) == 32);

struct Extern {
    std::uint8_t kind;
    union {
        Func func;
        Global global;
        Object object;
    } of;
};
static_assert(sizeof(Extern) == 32);

/// Without a type: whoever calls knows it.
union RawVal {
    std::uint32_t u32;
    std::uint64_t u64[2];
};
static_assert(sizeof(RawVal) == 16);

using Callback = TrapBox* (*)(void* env, Caller* caller, const Val* arguments, std::size_t count,
    Val* results, std::size_t result_count);
using Finalizer = void (*)(void*);

// The functions: name, result, parameters.
#define WRUN_SECOND_API(X)                                                                         \
    X(wasm_config_new, Config*, ())                                                                \
    X(wasmtime_config_parallel_compilation_set, void, (Config*, bool))                             \
    X(wasmtime_config_cranelift_opt_level_set, void, (Config*, std::uint8_t))                      \
    X(wasmtime_config_cranelift_regalloc_algorithm_set, void, (Config*, std::uint8_t))             \
    X(wasmtime_config_cranelift_nan_canonicalization_set, void, (Config*, bool))                   \
    X(wasmtime_config_max_wasm_stack_set, void, (Config*, std::size_t))                            \
    X(wasmtime_config_native_unwind_info_set, void, (Config*, bool))                               \
    X(wasmtime_config_wasm_simd_set, void, (Config*, bool))                                        \
    X(wasmtime_config_wasm_relaxed_simd_set, void, (Config*, bool))                                \
    X(wasmtime_config_wasm_threads_set, void, (Config*, bool))                                     \
    X(wasmtime_config_wasm_tail_call_set, void, (Config*, bool))                                   \
    X(wasmtime_config_wasm_multi_memory_set, void, (Config*, bool))                                \
    X(wasmtime_config_wasm_memory64_set, void, (Config*, bool))                                    \
    X(wasmtime_config_wasm_function_references_set, void, (Config*, bool))                         \
    X(wasmtime_config_wasm_gc_set, void, (Config*, bool))                                          \
    X(wasmtime_config_wasm_exceptions_set, void, (Config*, bool))                                  \
    X(wasmtime_config_wasm_custom_page_sizes_set, void, (Config*, bool))                           \
    X(wasmtime_config_wasm_wide_arithmetic_set, void, (Config*, bool))                             \
    X(wasmtime_config_consume_fuel_set, void, (Config*, bool))                                     \
    X(wasmtime_pooling_allocation_config_new, PoolConfig*, ())                                     \
    X(wasmtime_pooling_allocation_config_delete, void, (PoolConfig*))                              \
    X(wasmtime_pooling_allocation_config_total_core_instances_set, void,                           \
        (PoolConfig*, std::uint32_t))                                                              \
    X(wasmtime_pooling_allocation_config_total_memories_set, void, (PoolConfig*, std::uint32_t))   \
    X(wasmtime_pooling_allocation_config_total_tables_set, void, (PoolConfig*, std::uint32_t))     \
    X(wasmtime_pooling_allocation_config_max_core_instance_size_set, void,                         \
        (PoolConfig*, std::size_t))                                                                \
    X(wasmtime_pooling_allocation_config_table_elements_set, void, (PoolConfig*, std::size_t))     \
    X(wasmtime_pooling_allocation_config_linear_memory_keep_resident_set, void,                    \
        (PoolConfig*, std::size_t))                                                                \
    X(wasmtime_pooling_allocation_config_table_keep_resident_set, void,                            \
        (PoolConfig*, std::size_t))                                                                \
    X(wasmtime_pooling_allocation_strategy_set, void, (Config*, const PoolConfig*))                \
    X(wasm_engine_new_with_config, Engine*, (Config*))                                             \
    X(wasmtime_store_new, StoreBox*, (Engine*, void*, Finalizer))                                  \
    X(wasmtime_store_context, Context*, (StoreBox*))                                               \
    X(wasmtime_store_limiter, void,                                                                \
        (StoreBox*, std::int64_t memory_bytes, std::int64_t table_elements, std::int64_t,          \
            std::int64_t, std::int64_t))                                                           \
    X(wasmtime_store_delete, void, (StoreBox*))                                                    \
    X(wasmtime_module_new, ErrorBox*,                                                              \
        (Engine*, const std::uint8_t* bytes, std::size_t size, ModuleBox** module))                \
    X(wasmtime_module_validate, ErrorBox*, (Engine*, const std::uint8_t* bytes, std::size_t size)) \
    X(wasmtime_context_set_fuel, ErrorBox*, (Context*, std::uint64_t))                             \
    X(wasmtime_module_delete, void, (ModuleBox*))                                                  \
    X(wasmtime_module_imports, void, (const ModuleBox*, Vec<ImportTypeBox*>*))                     \
    X(wasmtime_module_exports, void, (const ModuleBox*, Vec<ExportTypeBox*>*))                     \
    X(wasm_importtype_vec_delete, void, (Vec<ImportTypeBox*>*))                                    \
    X(wasm_exporttype_vec_delete, void, (Vec<ExportTypeBox*>*))                                    \
    X(wasm_importtype_module, const Bytes*, (const ImportTypeBox*))                                \
    X(wasm_importtype_name, const Bytes*, (const ImportTypeBox*))                                  \
    X(wasm_importtype_type, const ExternTypeBox*, (const ImportTypeBox*))                          \
    X(wasm_exporttype_name, const Bytes*, (const ExportTypeBox*))                                  \
    X(wasm_exporttype_type, const ExternTypeBox*, (const ExportTypeBox*))                          \
    X(wasm_externtype_kind, std::uint8_t, (const ExternTypeBox*))                                  \
    X(wasm_externtype_as_functype_const, const FuncTypeBox*, (const ExternTypeBox*))               \
    X(wasm_externtype_as_globaltype_const, const GlobalTypeBox*, (const ExternTypeBox*))           \
    X(wasm_externtype_as_tabletype_const, const TableTypeBox*, (const ExternTypeBox*))             \
    X(wasm_externtype_as_memorytype_const, const MemoryTypeBox*, (const ExternTypeBox*))           \
    X(wasm_functype_params, const Vec<ValTypeBox*>*, (const FuncTypeBox*))                         \
    X(wasm_functype_results, const Vec<ValTypeBox*>*, (const FuncTypeBox*))                        \
    X(wasm_valtype_kind, std::uint8_t, (const ValTypeBox*))                                        \
    X(wasm_globaltype_content, const ValTypeBox*, (const GlobalTypeBox*))                          \
    X(wasm_globaltype_mutability, std::uint8_t, (const GlobalTypeBox*))                            \
    X(wasm_tabletype_element, const ValTypeBox*, (const TableTypeBox*))                            \
    X(wasm_tabletype_limits, const Limits*, (const TableTypeBox*))                                 \
    X(wasmtime_memorytype_minimum, std::uint64_t, (const MemoryTypeBox*))                          \
    X(wasmtime_memorytype_maximum, bool, (const MemoryTypeBox*, std::uint64_t*))                   \
    X(wasmtime_func_new, void,                                                                     \
        (Context*, const FuncTypeBox*, Callback, void* env, Finalizer, Func*))                     \
    X(wasmtime_func_call, ErrorBox*,                                                               \
        (Context*, const Func*, const Val*, std::size_t, Val*, std::size_t, TrapBox**))            \
    X(wasmtime_global_new, ErrorBox*, (Context*, const GlobalTypeBox*, const Val*, Global*))       \
    X(wasmtime_global_get, void, (Context*, const Global*, Val*))                                  \
    X(wasmtime_table_new, ErrorBox*, (Context*, const TableTypeBox*, const Val*, Object*))         \
    X(wasmtime_table_get, bool, (Context*, const Object*, std::uint64_t, Val*))                    \
    X(wasmtime_table_size, std::uint64_t, (const Context*, const Object*))                         \
    X(wasmtime_memory_new, ErrorBox*, (Context*, const MemoryTypeBox*, Object*))                   \
    X(wasmtime_memory_data, std::uint8_t*, (Context*, const Object*))                              \
    X(wasmtime_memory_data_size, std::size_t, (const Context*, const Object*))                     \
    X(wasmtime_externref_new, bool, (Context*, void* data, Finalizer, ExternRef*))                 \
    X(wasmtime_externref_data, void*, (Context*, const ExternRef*))                                \
    X(wasmtime_val_unroot, void, (Val*))                                                           \
    X(wasmtime_instance_new, ErrorBox*,                                                            \
        (Context*, const ModuleBox*, const Extern*, std::size_t, Instance*, TrapBox**))            \
    X(wasmtime_instance_export_get, bool,                                                          \
        (Context*, const Instance*, const char*, std::size_t, Extern*))                            \
    X(wasmtime_linker_new, Linker*, (Engine*))                                                     \
    X(wasmtime_linker_delete, void, (Linker*))                                                     \
    X(wasmtime_linker_define_unknown_imports_as_traps, ErrorBox*, (Linker*, const ModuleBox*))     \
    X(wasmtime_linker_instantiate_pre, ErrorBox*,                                                  \
        (const Linker*, const ModuleBox*, InstancePre**))                                          \
    X(wasmtime_instance_pre_instantiate, ErrorBox*,                                                \
        (const InstancePre*, Context*, Instance*, TrapBox**))                                      \
    X(wasmtime_instance_pre_delete, void, (InstancePre*))                                          \
    X(wasmtime_func_call_unchecked, ErrorBox*,                                                     \
        (Context*, const Func*, RawVal*, std::size_t, TrapBox**))                                  \
    X(wasmtime_instance_export_nth, bool,                                                          \
        (Context*, const Instance*, std::size_t, char**, std::size_t*, Extern*))                   \
    X(wasmtime_trap_new_code, TrapBox*, (std::uint8_t))                                            \
    X(wasmtime_trap_code, bool, (const TrapBox*, std::uint8_t*))                                   \
    X(wasm_trap_message, void, (const TrapBox*, Bytes*))                                           \
    X(wasm_trap_delete, void, (TrapBox*))                                                          \
    X(wasmtime_error_message, void, (const ErrorBox*, Bytes*))                                     \
    X(wasmtime_error_delete, void, (ErrorBox*))                                                    \
    X(wasm_byte_vec_delete, void, (Bytes*))

struct Api {
#define WRUN_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
    WRUN_SECOND_API(WRUN_MEMBER)
#undef WRUN_MEMBER
    std::string missing;  // why it is not there; empty when it is
};

/// Opened at the first use: the environment's WRUN_WASMTIME_LIB, else where tools/setup puts it.
[[nodiscard]] const Api& api();

}  // namespace wrun::differ::second
