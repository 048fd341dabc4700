// Template: instantiate once, then write down what is there.
#include <algorithm>
#include <cstdio>
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

// ---- comparing ---------------------------------------------------------------------------------

[[nodiscard]] std::string place(std::string_view what, std::size_t index, u64 offset) {
    std::array<char, 20> hexadecimal{};
    (void)std::snprintf(
        hexadecimal.data(), hexadecimal.size(), "0x%llx", static_cast<unsigned long long>(offset));
    return std::string{what} + ' ' + std::to_string(index) + " at " + hexadecimal.data();
}

/// The first byte that differs; nothing when none does. Behind an image all is zero.
[[nodiscard]] std::optional<u64> difference(
    const runtime::MemoryImage& one, const runtime::MemoryImage& other) {
    const std::span a{one.data(), one.bytes()};
    const std::span b{other.data(), other.bytes()};
    const u64 common = std::min(a.size(), b.size());
    const auto differs = std::mismatch(a.begin(), a.begin() + static_cast<i64>(common), b.begin());
    const u64 at = static_cast<u64>(differs.first - a.begin());
    if (at < common) return at;
    const auto rest = (a.size() > common ? a : b).subspan(common);
    const auto found = std::find_if(rest.begin(), rest.end(), [](u8 byte) { return byte != 0; });
    if (found == rest.end()) return std::nullopt;
    return common + static_cast<u64>(found - rest.begin());
}

}  // namespace

std::string Template::difference(const Template& other) const {
    const FrozenInstance& a = *state_;
    const FrozenInstance& b = *other.state_;
    for (std::size_t i = 0; i < a.memories.size(); ++i) {
        if (a.memories[i].bytes != b.memories[i].bytes) {
            return "the size of memory " + std::to_string(i);
        }
        const auto at = engine::difference(*a.memories[i].image, *b.memories[i].image);
        if (at) return place("memory", i, *at);
    }
    for (std::size_t i = 0; i < a.globals.size(); ++i) {
        if (a.globals[i].cell != b.globals[i].cell ||
            a.globals[i].reference != b.globals[i].reference) {
            return "global " + std::to_string(i);
        }
    }
    for (std::size_t i = 0; i < a.tables.size(); ++i) {
        const auto& one = a.tables[i].elements;
        const auto& another = b.tables[i].elements;
        if (one.size() != another.size()) return "the size of table " + std::to_string(i);
        const auto differs = std::mismatch(one.begin(), one.end(), another.begin()).first;
        if (differs != one.end()) {
            return place("table", i, static_cast<u64>(differs - one.begin()));
        }
    }
    return a.dropped_words == b.dropped_words ? "" : "which segments are dropped";
}

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
    ModuleOptions how = module->options();
    how.bounds = Bounds::checked;
    state->module = WRUN_TRY(Module::compile(module->engine(), {bytes.begin(), bytes.end()}, how));
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
    state->restored = WRUN_TRY(state->module->state().restored());
    auto made = WRUN_TRY(make_instance(*store, state->module, linker, options.start));
    state->options.start = {};  // what it borrows is gone when this returns
    if (made.instance == nullptr) return Made{nullptr, std::move(made.outcome)};
    for (const std::string& name : options.init) {
        const std::optional<Extern> init = made.instance->find_export(name);
        if (!init || init->kind != ExternKind::func) return Error{ErrorCode::no_such_export};
        std::vector<Value> results;
        made.outcome = WRUN_TRY(store->call(init->func, {}, results, options.start));
        if (!std::holds_alternative<Returned>(made.outcome)) {
            return Made{nullptr, std::move(made.outcome)};
        }
    }
    WRUN_TRY(Freezer(made.instance->state(), *state).run());
    return Made{
        std::shared_ptr<const Template>{new Template{std::move(state)}}, std::move(made.outcome)};
}

}  // namespace wrun::engine
