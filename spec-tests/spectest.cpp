// https://github.com/WebAssembly/spec/blob/main/interpreter/host/spectest.ml
#include "spec-tests/spectest.hpp"

#include <bit>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.hpp"

namespace wrun::spec {
namespace {

constexpr std::string_view module_name = "spectest";

engine::HostResult print(engine::Caller&, void*, std::span<u64>) {
    return engine::HostResult::ok();
}

struct PrintFunction {
    std::string_view field;
    std::vector<ValType> params;
};

struct HostGlobal {
    std::string_view field;
    ValType type;
    u64 bits;
};

}  // namespace

Result<void> define_spectest(engine::Store& store, engine::Linker& linker) {
    const std::vector<PrintFunction> functions = {{"print", {}}, {"print_i32", {type_i32}},
        {"print_i64", {type_i64}}, {"print_f32", {type_f32}}, {"print_f64", {type_f64}},
        {"print_i32_f32", {type_i32, type_f32}}, {"print_f64_f64", {type_f64, type_f64}}};
    for (const PrintFunction& function : functions)
        WRUN_TRY(linker.define_function(
            module_name, function.field, {function.params, {}}, print, nullptr));

    const HostGlobal globals[] = {{"global_i32", type_i32, 666}, {"global_i64", type_i64, 666},
        {"global_f32", type_f32, std::bit_cast<u32>(666.6F)},
        {"global_f64", type_f64, std::bit_cast<u64>(666.6)}};
    for (const HostGlobal& global : globals) {
        engine::Extern item;
        item.kind = ExternKind::global;
        item.global = store.make_global({global.type, false}, global.bits);
        WRUN_TRY(linker.define(module_name, global.field, item));
    }

    engine::Extern memory;
    memory.kind = ExternKind::memory;
    memory.memory = WRUN_TRY(store.make_memory({Limits{1, 2}}));
    WRUN_TRY(linker.define(module_name, "memory", memory));

    engine::Extern table;
    table.kind = ExternKind::table;
    table.table = WRUN_TRY(store.make_table({type_funcref, Limits{10, 20}}, 0));
    WRUN_TRY(linker.define(module_name, "table", table));
    // Scripts that import this one need 64-bit tables anyway; the others must run without them.
    const Limits limits_64{10, 20, true};
    const Result<runtime::Table*> table64 = store.make_table({type_funcref, limits_64}, 0);
    if (table64.ok()) {
        table.table = table64.value();
        WRUN_TRY(linker.define(module_name, "table64", table));
    }
    // TODO(threads): `shared_memory`, once memories can be shared.
    return {};
}

}  // namespace wrun::spec
