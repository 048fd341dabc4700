// Module: decode, validate, compile, publish.
#include <algorithm>
#include <numeric>

#include "base/limits.hpp"
#include "base/os_thread.hpp"
#include "decoder/decode.hpp"
#include "engine/pipeline.hpp"
#include "engine/state.hpp"
#include "runtime/context_layout.hpp"
#include "validator/validate.hpp"

namespace wrun::engine {

namespace {

[[nodiscard]] Result<wrun::Module> decode_and_check(
    const Engine& engine, std::span<const u8> bytes) {
    if (bytes.size() > limits::module_bytes_max) return Error{ErrorCode::module_too_large};
    wrun::Module module = WRUN_TRY(decode(bytes, engine.options().features));
    WRUN_TRY(validate_module(module, engine.options().features));
    return module;
}

[[nodiscard]] PipelineOptions pipeline_options(
    const EngineOptions& options, const ModuleOptions& module = {}) {
    PipelineOptions result;
    result.features = options.features;
    result.compile.integer_homes_max = options.integer_homes_max;
    result.compile.float_homes_max = options.float_homes_max;
    result.compile.stress = options.stress;
    result.compile.bounds = module.bounds;
    result.compile.epoch = module.epoch || options.stress.epoch;
    result.compile.fuel = module.fuel || options.stress.fuel;
    result.threads = options.compile_threads;
    result.progress = module.progress;
    return result;
}

}  // namespace

Items<u32> exports_by_name(const wrun::Module& module) {
    std::vector<u32> order(module.exports.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](u32 left, u32 right) {
        return module.text(module.exports[left].field) < module.text(module.exports[right].field);
    });
    return std::span<const u32>{order};
}

Items<u32> item_functions(const wrun::Module& module) {
    std::vector<u32> numbers(module.functions.size());
    std::iota(numbers.begin(), numbers.begin() + module.imported_function_count, 0u);
    for (u32 i = 0; i < module.escaping_functions.size(); ++i) {
        const FuncIndex func = module.escaping_functions[i];
        if (!module.is_import(func)) numbers[func.value] = module.imported_function_count + i;
    }
    Items<u32> result;
    result.reserve(module.elem_items.size());
    for (const ElemItem& item : module.elem_items)
        result.push_back(item.is_func() ? numbers[item.func_or_begin] : Module::State::no_function);
    return result;
}

Items<u32> escaping_code(const wrun::Module& module, const runtime::CodeImage& code) {
    Items<u32> result;
    result.reserve(module.escaping_functions.size());
    for (const FuncIndex func : module.escaping_functions) {
        const u32 imported = module.imported_function_count;
        if (module.is_import(func)) {
            result.push_back(0);
            continue;
        }
        const u32 function = func.value - imported;
        // By way of the jump table, whatever is compiled already.
        result.push_back(code.lazy != nullptr ? function * runtime::jump_table_entry_bytes
                                              : code.functions[function].code_begin);
    }
    return result;
}

Module::Module(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Module::~Module() = default;

const wrun::Module& Module::decoded() const noexcept {
    return state_->decoded;
}
const ModuleOptions& Module::options() const noexcept {
    return state_->options;
}
const CompileStats& Module::stats() const noexcept {
    return state_->stats;
}
Engine& Module::engine() const noexcept {
    return *state_->engine;
}

bool Module::is_complete() const noexcept {
    return !state_->lazy || state_->lazy->code().is_complete();
}

Result<void> Module::complete() const {
    return state_->lazy ? state_->lazy->finish() : Result<void>{};
}

const SnapshotFacts* Module::snapshot() const noexcept {
    return state_->snapshot.facts.empty() ? nullptr : state_->snapshot.facts.data();
}

std::span<const u8> Module::code(FuncIndex func) const noexcept {
    const wrun::Module& module = state_->decoded;
    if (func.value >= module.functions.size() || module.is_import(func)) return {};
    return state_->image->code(func.value - module.imported_function_count);
}

Result<void> Module::validate(Engine& engine, std::span<const u8> bytes, CompileStats* stats) {
    const u64 begin_ns = os::monotonic_ns();
    const wrun::Module module = WRUN_TRY(decode_and_check(engine, bytes));
    const u64 decoded_ns = os::monotonic_ns();
    WRUN_TRY(validate_functions(module, pipeline_options(engine.options())));
    if (stats == nullptr) return {};
    *stats = CompileStats{};
    stats->decode_ns = decoded_ns - begin_ns;
    stats->validate_ns = os::monotonic_ns() - decoded_ns;
    stats->wasm_bytes = bytes.size();
    stats->code_section_bytes = module.code_end - module.code_begin;
    stats->functions = static_cast<u32>(module.bodies.size());
    return {};
}

Result<std::shared_ptr<const Module>> Module::compile(Engine& engine, std::vector<u8> bytes) {
    const EngineOptions& options = engine.options();
    return compile(
        engine, std::move(bytes), {.bounds = options.bounds, .compilation = options.compilation});
}

Result<std::shared_ptr<const Module>> Module::compile(
    Engine& engine, std::vector<u8> bytes, const ModuleOptions& options) {
    auto state = std::make_unique<State>();
    const u64 begin_ns = os::monotonic_ns();
    state->engine = &engine;
    state->options = options;
    state->bytes = std::move(bytes);
    state->decoded = WRUN_TRY(decode_and_check(engine, state->bytes));
    const wrun::Module& module = state->decoded;
    state->stats.decode_ns = os::monotonic_ns() - begin_ns;

    state->layout = WRUN_TRY(runtime::context_layout(module));
    WRUN_TRY(state->register_types());
    WRUN_TRY(state->make_code());
    state->exports_by_name = exports_by_name(module);
    state->item_functions = item_functions(module);
    state->escaping_code = escaping_code(module, state->image->view());

    CompileStats& stats = state->stats;
    stats.wasm_bytes = state->bytes.size();
    stats.code_section_bytes = module.code_end - module.code_begin;
    stats.functions = static_cast<u32>(module.bodies.size());
    state->options.progress = nullptr;
    if (state->lazy && options.compilation == Compilation::lazy) state->lazy->start_background();
    return std::make_shared<const Module>(std::move(state));
}

Result<void> Module::State::make_code() {
    PipelineOptions how = pipeline_options(engine->options(), options);
    if (options.compilation != Compilation::eager && !decoded.bodies.empty()) {
        const u64 begin_ns = os::monotonic_ns();
        WRUN_TRY(validate_functions(decoded, how, &stats.threads));
        stats.validate_ns = os::monotonic_ns() - begin_ns;
        how.progress = nullptr;
        auto made = LazyCompiler::make(decoded, layout, how);
        if (made.ok()) {
            lazy = std::move(made).take();
            image = Image::show_lazy(lazy->code(), decoded.imported_function_count, this);
            return {};
        }
    }
    PipelineStats timing;
    ImageWriter writer = WRUN_TRY(compile_functions(decoded, layout, how, timing));
    const u64 publish_ns = os::monotonic_ns();
    const ImageLayout sizes = writer.layout();
    image = WRUN_TRY(Image::publish(std::move(writer), decoded.imported_function_count, this));
    stats.compile_ns = timing.compile_ns;
    stats.link_ns = timing.link_ns;
    stats.publish_ns = os::monotonic_ns() - publish_ns;
    stats.machine_code_bytes = sizes.code_bytes;
    stats.trap_table_bytes = u64{sizes.row_count} * sizeof(runtime::TrapRow);
    stats.threads = timing.threads;
    return {};
}

Result<void> Module::State::register_types() {
    type_ids = WRUN_TRY(engine->state().types.add_module(decoded));
    stack_arg_slots.reserve(type_ids.size());
    for (const u32 id : type_ids)
        stack_arg_slots.push_back(static_cast<u16>(engine->state().types[id].stack_arg_slots));
    return {};
}

Result<std::optional<FuncIndex>> Module::State::restored() const noexcept {
    const Export* const found = find_export(restored_export);
    if (found == nullptr) return std::optional<FuncIndex>{};
    if (found->kind != ExternKind::func) return Error{ErrorCode::restored_mismatch};
    const FuncIndex func{found->index};
    const runtime::CanonicalType& type = engine->state().types[type_id(func)];
    if (!type.params().empty() || !type.results().empty()) {
        return Error{ErrorCode::restored_mismatch};
    }
    return std::optional{func};
}

const Export* Module::State::find_export(std::string_view name) const noexcept {
    const auto found = std::lower_bound(exports_by_name.begin(), exports_by_name.end(), name,
        [&](u32 position, std::string_view wanted) {
            return decoded.text(decoded.exports[position].field) < wanted;
        });
    if (found == exports_by_name.end()) return nullptr;
    const Export& item = decoded.exports[*found];
    return decoded.text(item.field) == name ? &item : nullptr;
}

}  // namespace wrun::engine
