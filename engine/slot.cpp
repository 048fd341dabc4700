// Slot: binding, which is instantiation from what is frozen, and reset.
#include "engine/slot.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/signals.hpp"

namespace wrun::engine {

Slot::~Slot() {
    unbind();
}

// ---- binding -----------------------------------------------------------------------------------

Result<void> Slot::bind(std::shared_ptr<const Template> to, bool can_look) {
    unbind();
    template_ = std::move(to);
    const Module::State& module = from().module->state();
    auto store = std::make_unique<Store::State>();
    store->engine = &engine_;
    store->options = from().options.store;
    store_ = std::make_unique<Store>(std::move(store));

    auto owned = std::make_unique<Instance::State>();
    owned->store = store_.get();
    owned->module = from().module;
    owned->block = WRUN_TRY(ContextBlock::make(module.layout.total_bytes));
    instance_ =
        store_->state().instances.emplace_back(std::make_unique<Instance>(std::move(owned))).get();
    fill_context(state(), instance_);
    make_imports();
    make_records();
    make_globals();
    WRUN_TRY(make_tables());
    WRUN_TRY(make_memories(can_look));
    make_segments();
    made_at_bind_ = store_->state().made;
    pristine_ = WRUN_TRY(ContextBlock::make(module.layout.total_bytes));
    std::memcpy(&pristine_.context(), &state().block.context(), module.layout.total_bytes);
    return {};
}

/// Address space is kept: reserving and giving it back costs more than all the rest.
void Slot::unbind() noexcept {
    if (instance_ != nullptr) {
        for (auto& memory : state().own_memories) {
            if (!runtime::Memory::is_uniform(memory->type(), memory->layout())) continue;
            memory->become(memory->type(), 0, nullptr);
            memories_.push_back(std::move(memory));
        }
    }
    stop_watching();
    resets_.clear();
    pristine_tables_.clear();
    growing_runs_ = 0;
    quiet_runs_ = 0;
    quiet_runs_wanted_ = quiet_runs_first;
    instance_ = nullptr;
    store_.reset();
    template_.reset();
}

void Slot::make_imports() {
    runtime::FuncRecord** function = state().imported_functions();
    for (const FrozenImport& import : from().imports)
        *function++ = make_host_function(*store_, import.type_id, import.callback, import.env);
}

void Slot::make_records() {
    state().records = from().records;
    for (runtime::FuncRecord& record : state().records)
        record.context = &state().block.context();
    state().block.context().records = state().records.data();
}

void Slot::make_globals() {
    u8* cell = state().block.at<u8>(from().module->state().layout.globals);
    state().own_globals.reserve(from().globals.size());
    for (const FrozenGlobal& global : from().globals) {
        auto* const words = reinterpret_cast<u64*>(cell);
        std::copy(global.cell.begin(), global.cell.end(), words);
        if (global.type.type.is_ref()) words[0] = state().reference(global.reference);
        state().own_globals.push_back({global.type, words});
        state().globals.push_back(&state().own_globals.back());
        cell += runtime::global_cell_bytes;
    }
}

Result<void> Slot::make_tables() {
    auto* header = state().block.at<runtime::TableHeader>(from().module->state().layout.tables);
    const u64 elements_max = from().options.store.table_elements_max;
    state().table_budget = {elements_max, 0};
    for (const FrozenTable& frozen : from().tables) {
        state().own_tables.push_back(WRUN_TRY(
            runtime::Table::make(frozen.type, elements_max, 0, header++, &state().table_budget)));
        runtime::Table& table = *state().own_tables.back();
        resolve(frozen, table.to_write(0, frozen.elements.size()));
        table.clear_is_written();
        state().tables.push_back(&table);
    }
    pristine_tables_.resize(from().tables.size());
    state().use_tables();
    return {};
}

void Slot::resolve(const FrozenTable& frozen, std::span<runtime::Reference> to) const noexcept {
    std::transform(frozen.elements.begin(), frozen.elements.end(), to.begin(),
        [this](FrozenReference element) { return state().reference(element); });
}

Result<void> Slot::make_memories(bool can_look) {
    auto* header = state().block.at<runtime::MemoryHeader>(from().module->state().layout.memories);
    const u64 bytes_max = from().options.store.memory_bytes_max;
    const runtime::MemoryLayout layout = from().module->state().memory_layout();
    for (const FrozenMemory& frozen : from().memories) {
        std::unique_ptr<runtime::Memory> memory;
        if (!memories_.empty() && runtime::Memory::is_uniform(frozen.type, layout)) {
            memory = std::move(memories_.back());
            memories_.pop_back();
        } else {
            memory = WRUN_TRY(runtime::Memory::reserve(frozen.type, bytes_max, layout, &budget_));
        }
        memory->become(frozen.type, bytes_max, header++);
        resets_.push_back(WRUN_TRY(runtime::MemoryReset::bind(
            *memory, *frozen.image, frozen.bytes, can_look, from().options.reset)));
        state().memories.push_back(memory.get());
        state().own_memories.push_back(std::move(memory));
    }
    state().use_memories();
    return {};
}

void Slot::make_segments() {
    state().dropped_words = from().dropped_words;
    state().use_dropped_words();
    state().use_data();
    state().elem_values.reserve(from().elem_values.size());
    for (const FrozenReference value : from().elem_values)
        state().elem_values.push_back(state().reference(value));
    state().use_elem_values();
}

// ---- running and resetting ---------------------------------------------------------------------

void Slot::begin(runtime::GuestStack stack, void* host_data) noexcept {
    Store::State& store = store_->state();
    store.stack = std::move(stack);
    store.options.host_data = host_data;
    store_->set_fuel(store.options.fuel);
    runtime::Context& context = state().block.context();
    context.results = store.stack.results();
    context.stack_limit = store.stack.limit();
    is_restored_ = !from().restored.has_value();
    // The host may write before it calls, and then the signal comes.
    if (is_watched() && !runtime::prepare_thread_for_signals().ok()) stop_watching();
    gate_.begin(watched_);
}

Result<Outcome> Slot::call(FuncIndex func, std::span<const Value> arguments,
    std::vector<Value>& results, const CallLimits& limits) {
    if (!is_restored_) {
        Outcome outcome = WRUN_TRY(call_plain(*from().restored, {}, results, limits));
        if (!std::holds_alternative<Returned>(outcome)) return outcome;
        is_restored_ = true;
    }
    return call_plain(func, arguments, results, limits);
}

Result<Outcome> Slot::call_plain(FuncIndex func, std::span<const Value> arguments,
    std::vector<Value>& results, const CallLimits& limits) {
    runtime::FuncRecord record = state().make_record(func);
    return store_->call(&record, arguments, results, limits);
}

bool Slot::reset(runtime::PageFinder& finder) {
    // A frame of the guest would still stand on the stack.
    WRUN_CHECK(store_->state().innermost == nullptr);
    was_quiet_ = gate_.end();
    store_->state().killed.reset();
    forget_what_the_host_made();
    for (std::size_t i = 0; i < from().tables.size(); ++i) {
        runtime::Table& table = *state().own_tables[i];
        const FrozenTable& frozen = from().tables[i];
        if (table.size() != frozen.elements.size() && !table.shrink(frozen.elements.size()).ok()) {
            return false;
        }
        if (table.is_written()) restore_table(i);
    }
    const bool has_grown = std::any_of(resets_.begin(), resets_.end(),
        [](const runtime::MemoryReset& memory) { return memory.has_grown(); });
    growing_runs_ = has_grown ? growing_runs_ + 1 : 0;
    for (runtime::MemoryReset& memory : resets_) {
        if (!memory.reset(finder, was_quiet_)) return false;
    }
    if (watch_ == runtime::Watch::writes) learn_to_watch();
    const auto& dropped = from().dropped_words;
    std::copy(dropped.begin(), dropped.end(), state().dropped_words.begin());
    std::memcpy(
        &state().block.context(), &pristine_.context(), from().module->state().layout.total_bytes);
    return true;
}

/// Watches after enough quiet runs; a slot that was wrong to has to wait for twice as many.
void Slot::learn_to_watch() {
    if (resets_.empty()) return;
    quiet_runs_ = was_quiet_ ? quiet_runs_ + 1 : 0;
    const auto is_watched_one = [](const runtime::MemoryReset& memory) {
        return memory.watched().has_value();
    };
    if (is_watched()) {
        if (std::all_of(resets_.begin(), resets_.end(), is_watched_one)) return;
        stop_watching();
    } else {
        if (quiet_runs_ < quiet_runs_wanted_) return;
        for (runtime::MemoryReset& memory : resets_) {
            if (!memory.watch()) break;
            watched_.push_back(*memory.watched());
        }
        if (watched_.size() == resets_.size()) return;
        stop_watching();
    }
    quiet_runs_ = 0;
    if (quiet_runs_wanted_ < quiet_runs_last) quiet_runs_wanted_ *= 2;
}

void Slot::stop_watching() noexcept {
    for (runtime::MemoryReset& memory : resets_)
        memory.stop_watching();
    watched_.clear();
}

/// Resolving takes several times as long as copying.
void Slot::restore_table(std::size_t index) {
    const FrozenTable& frozen = from().tables[index];
    auto& pristine = pristine_tables_[index];
    if (pristine.empty()) {
        pristine.resize(frozen.elements.size());
        resolve(frozen, pristine);
    }
    runtime::Table& table = *state().own_tables[index];
    std::copy(pristine.begin(), pristine.end(), table.to_write(0, pristine.size()).begin());
    table.clear_is_written();
}

runtime::GuestStack Slot::take_stack() noexcept {
    return std::exchange(store_->state().stack, {});
}

/// A host function may make what it likes in the store that calls it; it lives as long as the run.
void Slot::forget_what_the_host_made() {
    Store::State& store = store_->state();
    store.exit_status = 0;
    store.trap_detail.clear();
    store.options.host_data = nullptr;
    if (store.made == made_at_bind_) return;
    store.made = made_at_bind_;
    while (store.instances.size() > 1)
        store.instances.pop_back();
    while (store.host_functions.size() > from().imports.size())
        store.host_functions.pop_back();
    store.linked_functions.clear();
    store.host_globals.clear();
    store.host_memories.clear();
    store.host_tables.clear();
}

}  // namespace wrun::engine
