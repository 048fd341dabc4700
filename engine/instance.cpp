// Instantiation (spec: §4.5.4): imports, allocation, globals, segments, start, in this order. What
// a trap leaves behind in other instances' tables and memories stays.
#include <algorithm>
#include <cstring>

#include "base/limits.hpp"
#include "engine/const_expr.hpp"
#include "engine/frozen.hpp"
#include "engine/slots.hpp"
#include "engine/state.hpp"
#include "runtime/helpers.hpp"

namespace wrun::engine {

using runtime::Context;
using runtime::DroppedSet;
using runtime::FuncRecord;
using runtime::Memory;
using runtime::Table;

Result<ContextBlock> ContextBlock::make(u32 bytes) {
    constexpr std::size_t alignment = 64;
    const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
    ContextBlock block;
    block.bytes_.reset(static_cast<u8*>(std::aligned_alloc(alignment, size)));
    if (!block.bytes_) return Error{ErrorCode::out_of_memory};
    std::memset(block.bytes_.get(), 0, size);
    return block;
}

// ---- lookups of an instance
// ----------------------------------------------------------------------

FuncRecord* Instance::State::function_reference(FuncIndex func) const noexcept {
    if (decoded().is_import(func)) return imported_functions()[func.value];
    const auto position = decoded().escape_index(func);
    // The validator has collected every function that can be named here.
    WRUN_CHECK(position.has_value());
    return const_cast<FuncRecord*>(&records[*position]);
}

FuncRecord Instance::State::make_record(FuncIndex func) const noexcept {
    if (decoded().is_import(func)) return *imported_functions()[func.value];
    const u32 type = decoded().functions[func.value].value;
    return {
        .code = module_state().image->entry(func.value - decoded().imported_function_count),
        .context = &block.context(),
        .type_id = module_state().type_ids[type],
        .func_index = func.value,
        .stack_arg_slots = module_state().stack_arg_slots[type],
        .flags = 0,
        .reserved = 0,
    };
}

FuncRecord* Instance::State::callable(FuncIndex func, FuncRecord& room) const noexcept {
    if (decoded().is_import(func)) return imported_functions()[func.value];
    if (decoded().escape_index(func)) return function_reference(func);
    room = make_record(func);
    return &room;
}

Extern Instance::State::item(ExternKind kind, u32 index) const noexcept {
    Extern result;
    result.kind = kind;
    switch (kind) {
        case ExternKind::func: result.func = function_reference(FuncIndex{index}); break;
        case ExternKind::table: result.table = tables[index]; break;
        case ExternKind::memory: result.memory = memories[index]; break;
        case ExternKind::global: result.global = globals[index]; break;
        case ExternKind::tag: break;
    }
    return result;
}

Instance::Instance(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Instance::~Instance() = default;

const Module& Instance::module() const noexcept {
    return *state_->module;
}

std::optional<Extern> Instance::find_export(std::string_view name) const {
    const Export* const found = state_->module_state().find_export(name);
    if (found == nullptr) return std::nullopt;
    return state_->item(found->kind, found->index);
}

GuestMemory Instance::memory() const noexcept {
    if (state_->memories.empty()) return {};
    return Store::view(state_->memories.front());
}

void Instance::State::use_memories() noexcept {
    runtime.memories = memories;
    if (!memories.empty()) block.context().memory_base = memories.front()->base();
}

void Instance::State::use_elem_values() {
    elem_segments.resize(decoded().elems.size());
    const runtime::Reference* values = elem_values.data();
    for (u32 i = 0; i < elem_segments.size(); ++i) {
        const ElemSegment& segment = decoded().elems[i];
        if (segment.mode != SegmentMode::passive) continue;
        elem_segments[i] = std::span{values, segment.item_count};
        values += segment.item_count;
    }
    runtime.elems = elem_segments;
}

void Instance::State::use_data() noexcept {
    runtime.bytes = decoded().bytes;
    runtime.data = decoded().data;
}

void Instance::State::use_dropped_words() noexcept {
    const std::span words{dropped_words};
    const u64 data_words = DroppedSet::word_count(decoded().data.size());
    runtime.dropped_data = DroppedSet{words.first(data_words)};
    runtime.dropped_elems = DroppedSet{words.subspan(data_words)};
}

void fill_context(Instance::State& state, Instance* instance) noexcept {
    const Module::State& module = state.module_state();
    runtime::Context& context = state.block.context();
    context.type_ids = module.type_ids.data();
    context.switch_call = wrun_switch_call;
    context.helper_call = wrun_helper_call;
    context.lazy_call = wrun_lazy_call;
    context.image = &module.image->view();
    context.instance = &state.runtime;
    context.meter = &state.store->state().meter;
    state.runtime.context = &context;
    state.runtime.owner = instance;
}

// ---- making one
// ----------------------------------------------------------------------------------

namespace {

/// The steps of instantiation over one instance's state, in the order they are called.
class Instantiation {
public:
    Instantiation(Store& store, Instance::State& state)
        : store_{store}, state_{state}, module_{state.module_state()}, decoded_{module_.decoded} {}

    [[nodiscard]] Result<void> make_block() {
        state_.block = WRUN_TRY(ContextBlock::make(module_.layout.total_bytes));
        return {};
    }
    [[nodiscard]] Result<void> resolve_imports(const Linker& linker) {
        for (const Import& import : decoded_.imports) {
            place(import, WRUN_TRY(resolve_import(store_, linker, *state_.module, import)));
        }
        return {};
    }
    void use_stack() {
        runtime::Context& context = state_.block.context();
        context.results = store_.state().stack.results();
        context.stack_limit = store_.state().stack.limit();
    }
    /// A module of Go has thousands of both these and of table entries, so what is the same for all
    /// is looked up before.
    void make_records() {
        const runtime::CodeImage& image = module_.image->view();
        const u32 imported = decoded_.imported_function_count;
        Context* const context = &state_.block.context();
        std::vector<FuncRecord>& records = state_.records;
        records.reserve(decoded_.escaping_functions.size());
        const u32* place = module_.escaping_code.data();
        for (const FuncIndex func : decoded_.escaping_functions) {
            const u32 code_begin = *place++;
            if (func.value < imported) {
                records.push_back(*state_.imported_functions()[func.value]);
                continue;
            }
            const u32 type = decoded_.functions[func.value].value;
            records.push_back({
                .code = image.code + code_begin,
                .context = context,
                .type_id = module_.type_ids[type],
                .func_index = func.value,
                .stack_arg_slots = module_.stack_arg_slots[type],
                .flags = 0,
                .reserved = 0,
            });
        }
        context->records = records.data();
    }
    void make_globals() {
        auto* const cells = state_.block.at<u8>(module_.layout.globals);
        const auto own = std::span{decoded_.globals}.subspan(decoded_.imported_global_count);
        state_.own_globals.reserve(own.size());
        for (const Global& global : own) {
            const std::size_t index = state_.own_globals.size();
            auto* const cell = reinterpret_cast<u64*>(cells + index * runtime::global_cell_bytes);
            if (is_snapshot()) {
                fill_cell(cell, global.type.type, module_.snapshot.globals[index]);
            } else {
                cell[0] = evaluate(state_, global.init);
            }
            state_.own_globals.push_back(
                {{module_.canonical(global.type.type), global.type.is_mutable}, cell});
            state_.globals.push_back(&state_.own_globals.back());
        }
    }
    [[nodiscard]] Result<void> make_tables() {
        auto* header = state_.block.at<runtime::TableHeader>(module_.layout.tables);
        const u64* size = module_.snapshot.table_sizes.data();
        const u64 elements_max = store_.state().options.table_elements_max;
        state_.table_budget = {elements_max, 0};
        for (const wrun::Table& table :
            std::span{decoded_.tables}.subspan(decoded_.imported_table_count)) {
            const bool has_init = table.init.size() != 0 && !is_snapshot();
            const u64 init = has_init ? evaluate(state_, table.init) : 0;
            TableType type = table.type;
            type.element = module_.canonical(type.element);
            if (is_snapshot()) type.limits.min = *size++;
            state_.own_tables.push_back(
                WRUN_TRY(Table::make(type, elements_max, init, header++, &state_.table_budget)));
            state_.tables.push_back(state_.own_tables.back().get());
        }
        state_.use_tables();
        return {};
    }
    [[nodiscard]] Result<void> make_memories() {
        auto* header = state_.block.at<runtime::MemoryHeader>(module_.layout.memories);
        const u64* bytes = module_.snapshot.memory_bytes.data();
        for (const wrun::Memory& memory :
            std::span{decoded_.memories}.subspan(decoded_.imported_memory_count)) {
            MemoryType type = memory.type;
            if (is_snapshot()) type.limits.min = *bytes++ / limits::wasm_page_bytes;
            state_.own_memories.push_back(WRUN_TRY(Memory::make(
                type, store_.state().options.memory_bytes_max, header++, module_.memory_layout())));
            state_.memories.push_back(state_.own_memories.back().get());
        }
        state_.use_memories();
        return {};
    }
    void make_segments() {
        const u64 data_words = DroppedSet::word_count(decoded_.data.size());
        state_.dropped_words.resize(data_words + DroppedSet::word_count(decoded_.elems.size()));
        state_.use_dropped_words();
        state_.use_data();
        make_elem_values();
    }
    [[nodiscard]] Result<std::optional<runtime::TrapCode>> run_segments() {
        if (const auto trap = run_elem_segments()) return trap;
        if (!module_.start_image) return run_data_segments();
        WRUN_TRY(map_start_image(*module_.start_image));
        const auto segments = module_.start_image->segments;
        std::copy(segments.begin(), segments.end(), state_.dropped_words.begin());
        return std::optional<runtime::TrapCode>{};
    }
    /// Instead of segments and start function: what they left, and whatever ran after them.
    [[nodiscard]] Result<void> restore() {
        const u32* element = module_.snapshot.elements.data();
        for (const auto& table : state_.own_tables) {
            table->expect_writes(0, table->size());
            for (runtime::Reference& place : table->to_write(0, table->size()))
                place = state_.reference(*element++);
        }
        WRUN_TRY(map_start_image(*module_.start_image));
        const auto dropped = module_.snapshot.dropped;
        std::copy(dropped.begin(), dropped.end(), state_.dropped_words.begin());
        return {};
    }
    [[nodiscard]] Result<Outcome> run_start(const CallLimits& limits) {
        if (!decoded_.start) return Outcome{Returned{}};
        FuncRecord room{};
        return run_function(store_, *state_.callable(*decoded_.start, room), {}, limits);
    }

private:
    [[nodiscard]] std::optional<runtime::TrapCode> run_elem_segments() {
        for (u32 i = 0; i < decoded_.elems.size(); ++i) {
            const ElemSegment& segment = decoded_.elems[i];
            if (segment.mode == SegmentMode::passive) continue;
            if (segment.mode == SegmentMode::active && !fill_table(segment)) {
                return runtime::TrapCode::table_out_of_bounds;
            }
            state_.runtime.dropped_elems.add(i);
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<runtime::TrapCode> run_data_segments() {
        for (u32 i = 0; i < decoded_.data.size(); ++i) {
            const DataSegment& segment = decoded_.data[i];
            if (segment.mode != SegmentMode::active) continue;
            const u64 to = evaluate(state_, segment.offset);
            if (!runtime::memory_init(
                    state_.runtime, i, segment.memory.value, to, 0, segment.bytes.size())) {
                return runtime::TrapCode::memory_out_of_bounds;
            }
            state_.runtime.dropped_data.add(i);
        }
        return std::nullopt;
    }
    /// What all active data segments would leave, with as many copies as the guest writes pages.
    [[nodiscard]] Result<void> map_start_image(const MappedStartImage& image) {
        const int file = module_.artifact_file.number();
        for (const ImageRun& run : image.runs) {
            WRUN_TRY(state_.own_memories[run.memory]->map_pages(
                run.begin, run.bytes, file, image.file_offset + run.offset));
        }
        return {};
    }
    [[nodiscard]] bool is_snapshot() const noexcept { return !module_.snapshot.facts.empty(); }
    void fill_cell(u64* cell, ValType type, const StoredCell& stored) const noexcept {
        cell[0] =
            type.is_ref() ? state_.reference(static_cast<FrozenReference>(stored.low)) : stored.low;
        cell[1] = stored.high;
    }
    void place(const Import& import, const Extern& item) {
        const runtime::ContextLayout& layout = module_.layout;
        switch (import.kind) {
            case ExternKind::func: state_.imported_functions()[import.index] = item.func; break;
            case ExternKind::table:
                state_.block.at<runtime::TableHeader*>(layout.imported_tables)[import.index] =
                    &item.table->header();
                state_.tables.push_back(item.table);
                break;
            case ExternKind::memory:
                state_.block.at<runtime::MemoryHeader*>(layout.imported_memories)[import.index] =
                    &item.memory->header();
                state_.memories.push_back(item.memory);
                break;
            case ExternKind::global:
                state_.block.at<u64*>(layout.imported_globals)[import.index] = item.global->cell;
                state_.globals.push_back(item.global);
                break;
            case ExternKind::tag: break;
        }
    }
    [[nodiscard]] u64 elem_value(u32 item) const {
        const u32 number = module_.item_functions[item];
        if (number != Module::State::no_function) return state_.numbered_reference(number);
        const ElemItem& expression = decoded_.elem_items[item];
        return evaluate(state_, {expression.func_or_begin, expression.end});
    }
    /// Active and declarative segments are gone before anybody could read their values.
    void make_elem_values() {
        for (const ElemSegment& segment : decoded_.elems) {
            if (segment.mode != SegmentMode::passive) continue;
            for (u32 i = 0; i < segment.item_count; ++i)
                state_.elem_values.push_back(elem_value(segment.items_begin + i));
        }
        state_.use_elem_values();
    }
    [[nodiscard]] bool fill_table(const ElemSegment& segment) {
        Table& table = *state_.tables[segment.table.value];
        const u64 to = evaluate(state_, segment.offset);
        if (!table.contains(to, segment.item_count)) return false;
        table.expect_writes(to, segment.item_count);
        runtime::Reference* element = table.to_write(to, segment.item_count).data();
        const u32 imported = decoded_.imported_function_count;
        const FuncRecord* const records = state_.records.data();
        const u32* const numbers = module_.item_functions.data();
        const u32 end = segment.items_begin + segment.item_count;
        for (u32 item = segment.items_begin; item < end; ++item) {
            const u32 number = numbers[item];
            const bool is_own = number >= imported && number != Module::State::no_function;
            *element++ = is_own
                             ? reinterpret_cast<runtime::Reference>(records + (number - imported))
                             : elem_value(item);
        }
        return true;
    }

    Store& store_;
    Instance::State& state_;
    const Module::State& module_;
    const wrun::Module& decoded_;
};

}  // namespace

Result<Store::Instantiated> make_instance(Store& store, std::shared_ptr<const Module> module,
    const Linker& linker, const CallLimits& limits) {
    if (store.state().killed) return Error{ErrorCode::store_killed};
    auto owned = std::make_unique<Instance::State>();
    Instance::State& state = *owned;
    state.store = &store;
    state.module = std::move(module);
    auto instance = std::make_unique<Instance>(std::move(owned));

    Instantiation steps{store, state};
    WRUN_TRY(steps.make_block());
    WRUN_TRY(steps.resolve_imports(linker));
    fill_context(state, instance.get());
    steps.use_stack();
    steps.make_records();
    steps.make_globals();
    WRUN_TRY(steps.make_tables());
    WRUN_TRY(steps.make_memories());
    steps.make_segments();

    // From here on others may refer to it, whatever becomes of it.
    ++store.state().made;
    Instance* const made = store.state().instances.emplace_back(std::move(instance)).get();
    if (state.module->snapshot() != nullptr) {
        WRUN_TRY(steps.restore());
        return Store::Instantiated{made, Returned{}};
    }
    auto code = WRUN_TRY(steps.run_segments());
    // Segments were left half copied then.
    if (!code) code = interruption();
    if (code) {
        Trap trap;
        trap.code = *code;
        return Store::Instantiated{nullptr, std::move(trap)};
    }
    Outcome outcome = WRUN_TRY(steps.run_start(limits));
    const bool is_ready = std::holds_alternative<Returned>(outcome);
    return Store::Instantiated{is_ready ? made : nullptr, std::move(outcome)};
}

Result<Store::Instantiated> Store::instantiate(
    std::shared_ptr<const Module> module, const Linker& linker, const CallLimits& limits) {
    std::optional<FuncIndex> restored;
    if (module->snapshot() != nullptr) restored = WRUN_TRY(module->state().restored());
    Instantiated made = WRUN_TRY(make_instance(*this, std::move(module), linker, limits));
    if (!restored || made.instance == nullptr) return made;
    FuncRecord room{};
    FuncRecord* const func = made.instance->state().callable(*restored, room);
    made.outcome = WRUN_TRY(run_function(*this, *func, {}, limits));
    if (!std::holds_alternative<Returned>(made.outcome)) made.instance = nullptr;
    return made;
}

}  // namespace wrun::engine
