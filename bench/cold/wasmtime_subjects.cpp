// wasmtime through its C API: a store and an instance from a pre-linked module for each start, both
// gone at the end. Calls are the unchecked ones, and what can be done before the start is.
#include <algorithm>

#include "bench/cold/subject.hpp"
#include "fuzz/differential/second_api.hpp"

namespace wrun::cold {
namespace {

using namespace differ::second;

std::string text_of(ErrorBox* error) {
    Bytes bytes;
    api().wasmtime_error_message(error, &bytes);
    std::string text(bytes.data, bytes.size);
    api().wasm_byte_vec_delete(&bytes);
    api().wasmtime_error_delete(error);
    return text;
}

void check(ErrorBox* error, TrapBox* trap = nullptr) {
    if (error != nullptr) give_up("wasmtime", text_of(error));
    if (trap != nullptr) give_up("wasmtime", "the guest trapped");
}

enum class Allocator { pool, pool_keeping, on_demand };

/// So much of each memory and table is written anew instead of given back to the system.
constexpr std::size_t kept_bytes = 1 << 20;

Config* make_config(Allocator allocator, const Setup& setup) {
    const Api& a = api();
    Config* const config = a.wasm_config_new();
    if (setup.compiles_fast) {
        constexpr std::uint8_t no_optimization = 0;
        a.wasmtime_config_cranelift_opt_level_set(config, no_optimization);
        a.wasmtime_config_cranelift_regalloc_algorithm_set(config, regalloc::single_pass);
    }
    if (allocator == Allocator::on_demand) return config;
    PoolConfig* const pool = a.wasmtime_pooling_allocation_config_new();
    if (setup.slots != 0) {
        a.wasmtime_pooling_allocation_config_total_core_instances_set(pool, setup.slots);
        a.wasmtime_pooling_allocation_config_total_memories_set(pool, setup.slots);
        a.wasmtime_pooling_allocation_config_total_tables_set(pool, setup.slots);
    }
    if (setup.compiles_fast) {
        // Go's modules exceed the defaults.
        a.wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, 16 << 20);
        a.wasmtime_pooling_allocation_config_table_elements_set(pool, 200'000);
    }
    if (allocator == Allocator::pool_keeping) {
        a.wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, kept_bytes);
        a.wasmtime_pooling_allocation_config_table_keep_resident_set(pool, kept_bytes);
    }
    a.wasmtime_pooling_allocation_strategy_set(config, pool);
    a.wasmtime_pooling_allocation_config_delete(pool);
    return config;
}

class WasmtimeWorker final : public Worker {
public:
    WasmtimeWorker(Engine* engine, std::span<InstancePre* const> programs)
        : engine_{engine}, programs_{programs} {}
    WasmtimeWorker(const WasmtimeWorker&) = delete;
    WasmtimeWorker& operator=(const WasmtimeWorker&) = delete;
    ~WasmtimeWorker() override {
        for (StoreBox* const store : kept_)
            api().wasmtime_store_delete(store);
    }

    void start(std::size_t program) override {
        store_ = api().wasmtime_store_new(engine_, nullptr, nullptr);
        context_ = api().wasmtime_store_context(store_);
        TrapBox* trap = nullptr;
        ErrorBox* const error = api().wasmtime_instance_pre_instantiate(
            programs_[program], context_, &instance_, &trap);
        check(error, trap);
    }
    u32 call(u32 argument) override {
        const Extern handle = find("handle");
        RawVal value{argument};
        TrapBox* trap = nullptr;
        ErrorBox* const error =
            api().wasmtime_func_call_unchecked(context_, &handle.of.func, &value, 1, &trap);
        check(error, trap);
        return value.u32;
    }
    void finish() override { api().wasmtime_store_delete(store_); }
    std::span<const u8> memory() override {
        const Extern memory = find("memory");
        return {api().wasmtime_memory_data(context_, &memory.of.object),
            api().wasmtime_memory_data_size(context_, &memory.of.object)};
    }
    void keep() override { kept_.push_back(store_); }

private:
    Extern find(std::string_view name) {
        Extern found;
        if (!api().wasmtime_instance_export_get(
                context_, &instance_, name.data(), name.size(), &found))
            give_up("wasmtime", "an export is missing");
        return found;
    }

    Engine* engine_;
    std::span<InstancePre* const> programs_;
    StoreBox* store_ = nullptr;
    Context* context_ = nullptr;
    Instance instance_{};
    std::vector<StoreBox*> kept_;
};

/// Lives as long as the program: nothing is given back.
class WasmtimeSubject final : public Subject {
public:
    WasmtimeSubject(Allocator allocator, const Setup& setup)
        : engine_{api().wasm_engine_new_with_config(make_config(allocator, setup))} {
        for (const std::vector<u8>& bytes : setup.programs) {
            ModuleBox* module = nullptr;
            check(api().wasmtime_module_new(engine_, bytes.data(), bytes.size(), &module));
            Linker* const linker = api().wasmtime_linker_new(engine_);
            check(api().wasmtime_linker_define_unknown_imports_as_traps(linker, module));
            check(api().wasmtime_linker_instantiate_pre(linker, module, &programs_.emplace_back()));
        }
    }
    std::unique_ptr<Worker> worker() override {
        return std::make_unique<WasmtimeWorker>(engine_, programs_);
    }

private:
    Engine* engine_;
    std::vector<InstancePre*> programs_;
};

template <Allocator allocator>
std::unique_ptr<Subject> make(const Setup& setup) {
    return std::make_unique<WasmtimeSubject>(allocator, setup);
}

std::string missing() {
    return api().missing;
}

constexpr SubjectKind kinds[] = {
    {"wasmtime-pool", "wasmtime pool",
        "wasmtime's pooling allocator with copy-on-write images, its defaults: store, "
        "`instance_pre`, unchecked call, store gone",
        false, make<Allocator::pool>, missing},
    {"wasmtime-keep", "wasmtime pool, keep 1 MiB",
        "the same with 1 MiB of each memory and table kept resident (`*_keep_resident`); its C "
        "API has no `pagemap_scan`",
        false, make<Allocator::pool_keeping>, missing},
    {"wasmtime-demand", "wasmtime on demand",
        "the same with its default allocator, which maps and unmaps", false,
        make<Allocator::on_demand>, missing},
};

}  // namespace

std::span<const SubjectKind> wasmtime_kinds() {
    return kinds;
}

}  // namespace wrun::cold
