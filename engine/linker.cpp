// Linker: names to definitions, and imports to externs of one store.
#include "base/errors.hpp"
#include "engine/state.hpp"
#include "engine/type_match.hpp"

namespace wrun::engine {

namespace {

/// The type that an import declares, with canonical types, as text.
[[nodiscard]] std::string describe_wanted(const wrun::Module& module, const Import& import) {
    switch (import.kind) {
        case ExternKind::func: {
            const TypeIndex type = module.functions[import.index];
            const auto params = module.params(type);
            const auto results = module.results(type);
            return describe(
                FuncType{{params.begin(), params.end()}, {results.begin(), results.end()}});
        }
        case ExternKind::table: return describe(module.tables[import.index].type);
        case ExternKind::memory: return describe(module.memories[import.index].type);
        case ExternKind::global: return describe(module.globals[import.index].type);
        case ExternKind::tag: break;
    }
    return "(tag)";
}

[[nodiscard]] FuncType type_of_record(const runtime::FuncRecord& record) {
    if ((record.flags & runtime::FuncRecord::flag_host) != 0) {
        const auto* const base = reinterpret_cast<const runtime::HostFunction*>(record.context);
        return func_type(*static_cast<const HostFunction*>(base)->type);
    }
    const Module& module = instance_of(record.context)->module();
    return func_type(module.engine().state().types[record.type_id]);
}

[[nodiscard]] std::string describe_actual(const Linker::State::Definition& definition) {
    if (definition.host) return describe(definition.host->type);
    const Extern& item = definition.item;
    switch (item.kind) {
        case ExternKind::func: return describe(type_of_record(*item.func));
        case ExternKind::table: return describe(item.table->type());
        case ExternKind::memory: return describe(item.memory->type());
        case ExternKind::global: return describe(item.global->type);
        case ExternKind::tag: break;
    }
    return "(tag)";
}

[[nodiscard]] bool fits(const Module::State& module, const Import& import, const Extern& item) {
    const wrun::Module& decoded = module.decoded;
    if (item.kind != import.kind) return false;
    switch (import.kind) {
        case ExternKind::func: return item.func->type_id == module.type_id(FuncIndex{import.index});
        case ExternKind::table: {
            TableType wanted = decoded.tables[import.index].type;
            wanted.element = module.canonical(wanted.element);
            return matches(item.table->type(), wanted);
        }
        case ExternKind::memory:
            return matches(item.memory->type(), decoded.memories[import.index].type);
        case ExternKind::global: {
            GlobalType wanted = decoded.globals[import.index].type;
            wanted.type = module.canonical(wanted.type);
            return matches(item.global->type, wanted);
        }
        case ExternKind::tag: break;
    }
    return false;
}

}  // namespace

Linker::Linker() : state_{std::make_unique<State>()} {}
Linker::~Linker() = default;

auto Linker::State::find(std::string_view module, std::string_view field) const noexcept
    -> const Definition* {
    const auto fields = modules.find(module);
    if (fields == modules.end()) return nullptr;
    const auto found = fields->second.find(field);
    return found == fields->second.end() ? nullptr : &found->second;
}

Result<void> Linker::define_function(std::string_view module, std::string_view field, FuncType type,
    HostCallback callback, void* env) {
    State::Definition definition;
    definition.host = std::make_shared<HostDefinition>(std::move(type), callback, env);
    auto& fields = state_->modules[std::string{module}];
    const bool is_new = fields.emplace(std::string{field}, std::move(definition)).second;
    return is_new ? Result<void>{} : Error{ErrorCode::duplicate_definition};
}

Result<void> Linker::define(std::string_view module, std::string_view field, Extern item) {
    auto& fields = state_->modules[std::string{module}];
    const bool is_new = fields.emplace(std::string{field}, State::Definition{nullptr, item}).second;
    return is_new ? Result<void>{} : Error{ErrorCode::duplicate_definition};
}

void Linker::define_instance(std::string_view module, const Instance& instance) {
    State::Fields fields;
    const wrun::Module& decoded = instance.module().decoded();
    for (const Export& item : decoded.exports) {
        fields.emplace(std::string{decoded.text(item.field)},
            State::Definition{nullptr, instance.state().item(item.kind, item.index)});
    }
    state_->modules.insert_or_assign(std::string{module}, std::move(fields));
}

std::vector<const Import*> Linker::missing(const wrun::Module& module) const {
    std::vector<const Import*> result;
    for (const Import& import : module.imports) {
        if (state_->find(module.text(import.module), module.text(import.field)) == nullptr) {
            result.push_back(&import);
        }
    }
    return result;
}

std::string Linker::explain(const wrun::Module& module, Error error) const {
    for (const Import& import : module.imports) {
        if (import.module.begin != error.offset) continue;
        std::string text = "import \"";
        text += module.text(import.module);
        text += "\" \"";
        text += module.text(import.field);
        text += "\": ";
        text += message(error.code);
        text += ": wanted " + describe_wanted(module, import);
        const auto* const found =
            state_->find(module.text(import.module), module.text(import.field));
        if (found != nullptr) text += ", found " + describe_actual(*found);
        return text;
    }
    return wrun::describe(error);
}

runtime::FuncRecord* linked_function(
    Store& store, const std::shared_ptr<const HostDefinition>& definition) {
    auto& known = store.state().linked_functions;
    const auto found = known.find(definition);
    if (found != known.end()) return found->second;
    auto* const record = make_host_function(
        store, definition->type_id(*store.state().engine), definition->callback, definition->env);
    known.emplace(definition, record);
    return record;
}

Result<Extern> resolve_import(
    Store& store, const Linker& linker, const Module& module, const Import& import) {
    const wrun::Module& decoded = module.decoded();
    const auto* const found =
        linker.state().find(decoded.text(import.module), decoded.text(import.field));
    if (found == nullptr) return Error{ErrorCode::unknown_import, 0, import.module.begin};
    Extern item = found->item;
    if (found->host) {
        item.kind = ExternKind::func;
        item.func = linked_function(store, found->host);
    }
    if (!fits(module.state(), import, item)) {
        return Error{ErrorCode::incompatible_import_type, 0, import.module.begin};
    }
    if (item.kind == ExternKind::memory && item.memory->is_dense() &&
        module.options().bounds == runtime::Bounds::guard) {
        return Error{ErrorCode::memory_without_guard, 0, import.module.begin};
    }
    return item;
}

}  // namespace wrun::engine
