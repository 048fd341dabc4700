// Template: instantiate once, then write down what is there.
#include <algorithm>
#include <unordered_map>

#include "engine/frozen.hpp"

namespace wrun::engine {

namespace {

/// Functions of the host, by import; everything else belongs to a store.
[[nodiscard]] Result<std::vector<FrozenImport>> freeze_imports(
    const Module& module, const Linker& linker) {
    const wrun::Module& decoded = module.decoded();
    std::vector<FrozenImport> imports;
    for (const Import& import : decoded.imports) {
        const auto* const found =
            linker.state().find(decoded.text(import.module), decoded.text(import.field));
        if (found == nullptr) return Error{ErrorCode::unknown_import, 0, import.module.begin};
        if (import.kind != ExternKind::func || !found->host) {
            return Error{ErrorCode::import_not_shareable, 0, import.module.begin};
        }
        imports.push_back({module.state().type_id(FuncIndex{import.index}), found->host->callback,
            found->host->env});
    }
    return imports;
}

class Freezer {
public:
    Freezer(const Instance::State& from, Template::State& to) : from_{from}, to_{to} {
        const u32 imported = from.decoded().imported_function_count;
        for (u32 i = 0; i < imported; ++i)
            imported_.emplace(from.imported_functions()[i], i + 1);
    }

    [[nodiscard]] Result<void> run() {
        for (const auto& memory : from_.own_memories)
            WRUN_TRY(freeze(*memory));
        for (const auto& table : from_.own_tables)
            WRUN_TRY(freeze(*table));
        for (const runtime::GlobalObject& global : from_.own_globals)
            WRUN_TRY(freeze(global));
        for (const runtime::Reference reference : from_.elem_values)
            to_.elem_values.push_back(WRUN_TRY(freeze(reference)));
        to_.dropped_words = from_.dropped_words;
        to_.records = from_.records;
        for (runtime::FuncRecord& record : to_.records)
            record.context = nullptr;
        return {};
    }

private:
    [[nodiscard]] Result<FrozenReference> freeze(runtime::Reference reference) const {
        if (reference == 0) return FrozenReference{0};
        const auto* const record = reinterpret_cast<const runtime::FuncRecord*>(reference);
        const auto imported = imported_.find(record);
        if (imported != imported_.end()) return imported->second;
        const auto* const own = from_.records.data();
        // By address, as the number may be no address at all.
        const u64 distance = reference - reinterpret_cast<u64>(own);
        if (distance >= from_.records.size() * sizeof(runtime::FuncRecord)) {
            return Error{ErrorCode::start_not_freezable};
        }
        return static_cast<FrozenReference>(
            1 + from_.decoded().imported_function_count + distance / sizeof(runtime::FuncRecord));
    }
    [[nodiscard]] Result<FrozenReference> freeze(runtime::Reference reference, ValType type) const {
        // The host's numbers could look like anything.
        if (!type.concrete() && type.heap() == Heap::extern_ && reference != 0) {
            return Error{ErrorCode::start_not_freezable};
        }
        return freeze(reference);
    }
    [[nodiscard]] Result<void> freeze(const runtime::Memory& memory) {
        FrozenMemory frozen;
        frozen.type = memory.type();
        frozen.bytes = memory.bytes();
        frozen.image =
            WRUN_TRY(runtime::MemoryImage::make(std::span{memory.base(), memory.bytes()}));
        to_.memories.push_back(std::move(frozen));
        return {};
    }
    [[nodiscard]] Result<void> freeze(const runtime::Table& table) {
        FrozenTable frozen;
        frozen.type = table.type();
        frozen.elements.reserve(table.size());
        for (u64 i = 0; i < table.size(); ++i)
            frozen.elements.push_back(WRUN_TRY(freeze(table.base()[i], frozen.type.element)));
        to_.tables.push_back(std::move(frozen));
        return {};
    }
    [[nodiscard]] Result<void> freeze(const runtime::GlobalObject& global) {
        FrozenGlobal frozen;
        frozen.type = global.type;
        if (global.type.type.is_ref()) {
            frozen.reference = WRUN_TRY(freeze(global.cell[0], global.type.type));
        } else {
            frozen.cell = {global.cell[0], global.cell[1]};
        }
        to_.globals.push_back(frozen);
        return {};
    }

    const Instance::State& from_;
    Template::State& to_;
    std::unordered_map<const runtime::FuncRecord*, FrozenReference> imported_;
};

}  // namespace

Template::Template(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Template::~Template() = default;

const Module& Template::module() const noexcept {
    return *state_->module;
}

std::optional<FuncIndex> Template::find_function(std::string_view name) const noexcept {
    const Export* const found = state_->module->state().find_export(name);
    if (found == nullptr || found->kind != ExternKind::func) return std::nullopt;
    return FuncIndex{found->index};
}

Result<std::shared_ptr<const Template>> Template::State::make_dense() const {
    auto state = std::make_unique<State>();
    static_cast<FrozenInstance&>(*state) = *this;
    state->options = options;
    const auto bytes = module->decoded().bytes;
    state->module = WRUN_TRY(Module::compile(
        module->engine(), {bytes.begin(), bytes.end()}, ModuleOptions{.bounds = Bounds::checked}));
    const wrun::Module& decoded = state->module->decoded();
    for (runtime::FuncRecord& record : state->records) {
        if (decoded.is_import(FuncIndex{record.func_index})) continue;
        record.code = state->module->state().image->entry(
            record.func_index - decoded.imported_function_count);
    }
    return std::shared_ptr<const Template>{new Template{std::move(state)}};
}

Result<Template::Made> Template::make(
    std::shared_ptr<const Module> module, const Linker& linker, const TemplateOptions& options) {
    auto state = std::make_unique<State>();
    state->module = std::move(module);
    state->options = options;
    state->imports = WRUN_TRY(freeze_imports(*state->module, linker));
    const auto store = WRUN_TRY(Store::make(state->module->engine(), options.store));
    auto made = WRUN_TRY(store->instantiate(state->module, linker));
    if (made.instance == nullptr) return Made{nullptr, std::move(made.outcome)};
    WRUN_TRY(Freezer(made.instance->state(), *state).run());
    return Made{
        std::shared_ptr<const Template>{new Template{std::move(state)}}, std::move(made.outcome)};
}

}  // namespace wrun::engine
