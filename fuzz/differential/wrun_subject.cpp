// wrun behind the Subject interface.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include "base/errors.hpp"
#include "engine/engine.hpp"
#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/subject.hpp"

namespace wrun::differ {
namespace {

template <class T>
T must(Result<T> result, const char* what) {
    if (!result.ok()) {
        std::fprintf(stderr, "wrun: %s: %s\n", what, describe(result.error()).c_str());
        std::exit(2);
    }
    return std::move(result).take();
}

Type type_of(ValType type) noexcept {
    switch (type.kind()) {
        case Kind::i32: return Type::i32;
        case Kind::i64: return Type::i64;
        case Kind::f32: return Type::f32;
        case Kind::f64: return Type::f64;
        default: break;
    }
    if (type == type_funcref) return Type::funcref;
    if (type == type_externref) return Type::externref;
    return Type::other;
}

Value value_of(ValType type, u64 bits) noexcept {
    const Type mine = type_of(type);
    return {mine, mine == Type::funcref ? u64{bits != 0} : bits};
}

/// What a 32-bit value may have above it when it comes from a host: nothing may depend on it.
u64 poisoned(const Value& value) noexcept {
    constexpr u64 poison = 0xa5a5'a5a5'0000'0000;
    return value.type == Type::i32 || value.type == Type::f32 ? value.bits | poison : value.bits;
}

TrapKind kind_of(runtime::TrapCode code) noexcept {
    using runtime::TrapCode;
    switch (code) {
        case TrapCode::unreachable: return TrapKind::unreachable;
        case TrapCode::integer_divide_by_zero: return TrapKind::divide_by_zero;
        case TrapCode::integer_overflow: return TrapKind::integer_overflow;
        case TrapCode::invalid_conversion: return TrapKind::invalid_conversion;
        case TrapCode::memory_out_of_bounds: return TrapKind::memory_bounds;
        case TrapCode::table_out_of_bounds:
        case TrapCode::undefined_element: return TrapKind::table_bounds;
        case TrapCode::uninitialized_element: return TrapKind::null_call;
        case TrapCode::indirect_call_type_mismatch: return TrapKind::call_type;
        case TrapCode::stack_overflow: return TrapKind::stack_overflow;
        default: return TrapKind::other;
    }
}

Ending ending_of(const engine::Outcome& outcome) {
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome))
        return {Ending::Kind::trapped, kind_of(trap->code), std::string{trap->message()}};
    return {};
}

Ending refusal(Error error) {
    return {Ending::Kind::refused, TrapKind::other, describe(error)};
}

class WrunSubject final : public Subject {
public:
    WrunSubject(u32 homes_max, codegen::StressModes stress, runtime::Bounds bounds)
        : name_{"wrun --homes " + std::to_string(homes_max)} {
        if (stress.spill) name_ += " spill";
        if (stress.flush) name_ += " flush";
        if (stress.check) name_ += " check";
        if (stress.epoch) name_ += " epoch";
        if (stress.fuel) name_ += " fuel";
        if (bounds == runtime::Bounds::checked) name_ += " checked";
        engine::EngineOptions options;
        options.compile_threads = 1;
        options.integer_homes_max = homes_max;
        options.float_homes_max = homes_max;
        options.stress = stress;
        options.bounds = bounds;
        engine_ = must(engine::Engine::make(options), "no engine on this machine");
    }

    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] const Shape& shape() const override { return shape_; }
    [[nodiscard]] u32 instance_count() const override {
        return static_cast<u32>(instances_.size());
    }

    Verdict load(std::span<const u8> wasm, std::string& why) override {
        forget();
        module_.reset();
        auto compiled =
            engine::Module::compile(*engine_, std::vector<u8>{wasm.begin(), wasm.end()});
        if (!compiled.ok()) {
            why = describe(compiled.error());
            const bool limit = error_class(compiled.error().code) == ErrorClass::limit;
            return limit ? Verdict::over_a_limit : Verdict::refused;
        }
        module_ = std::move(compiled).take();
        read_shape();
        return Verdict::accepted;
    }

    void begin_round(Host& host) override {
        forget();
        host_ = &host;
        engine::StoreOptions options;
        options.memory_bytes_max = memory_bytes_max;
        options.table_elements_max = table_elements_max;
        options.stack_bytes = stack_bytes_max;
        store_ = must(engine::Store::make(*engine_, options), "cannot make a store");
    }

    Ending instantiate() override {
        Made made;
        engine::Linker linker;
        for (u32 i = 0; i < shape_.imports.size(); ++i) {
            const Result<void> defined = define_import(linker, made, i);
            if (!defined.ok()) return refusal(defined.error());
        }
        const auto done = store_->instantiate(module_, linker);
        if (!done.ok()) return refusal(done.error());
        const engine::Store::Instantiated& instantiated = done.value();
        if (instantiated.instance != nullptr) {
            for (const Item& item : shape_.exports)
                made.items.push_back(*instantiated.instance->find_export(item.field));
            instances_.push_back(std::move(made));
        }
        return ending_of(instantiated.outcome);
    }

    Ending call(u32 instance, u32 item, std::span<const Value> arguments,
        std::vector<Value>& results) override {
        runtime::FuncRecord* const func = instances_[instance].items[item].func;
        const engine::FuncType type = store_->type_of(func);
        std::vector<engine::Value> given;
        for (std::size_t i = 0; i < arguments.size(); ++i)
            given.push_back({type.params[i], poisoned(arguments[i])});
        std::vector<engine::Value> answered;
        const auto done = store_->call(func, given, answered);
        if (!done.ok()) return refusal(done.error());
        for (const engine::Value& value : answered)
            results.push_back(value_of(value.type, value.bits));
        return ending_of(done.value());
    }

    Value global(u32 instance, u32 item) override {
        const auto* const global = instances_[instance].items[item].global;
        return value_of(engine::Store::type_of(global).type, engine::Store::get(global));
    }

    std::span<const u8> memory(u32 instance, u32 item) override {
        const auto view = engine::Store::view(instances_[instance].items[item].memory);
        return view.view(0, view.size()).value_or(std::span<u8>{});
    }

    u64 table_size(u32 instance, u32 item) override {
        return engine::Store::size(instances_[instance].items[item].table);
    }

    Value table_element(u32 instance, u32 item, u64 index) override {
        const auto* const table = instances_[instance].items[item].table;
        return value_of(
            engine::Store::type_of(table).element, engine::Store::get(table, index).value_or(0));
    }

private:
    /// An instance: its imports' externs (empty ones for functions of the host), then its exports'.
    struct Made {
        std::vector<engine::Extern> items;
    };

    /// What a host function of ours needs to know of itself.
    struct HostFunction {
        WrunSubject* subject;
        u32 import;
    };

    void forget() {
        instances_.clear();
        store_.reset();
        functions_.clear();
    }

    void read_shape() {
        const wrun::Module& decoded = module_->decoded();
        shape_ = {};
        for (const Import& import : decoded.imports) {
            Item& item = shape_.imports.emplace_back(describe_item(import.kind, import.index));
            item.module = decoded.text(import.module);
            item.field = decoded.text(import.field);
        }
        for (const Export& exported : decoded.exports) {
            Item& item = shape_.exports.emplace_back(describe_item(exported.kind, exported.index));
            item.field = decoded.text(exported.field);
        }
    }

    [[nodiscard]] Item describe_item(ExternKind kind, u32 index) const {
        const wrun::Module& decoded = module_->decoded();
        Item item;
        item.kind = kind;
        const auto set_limits = [&](const Limits& limits) {
            item.min = limits.min;
            item.max = limits.max;
        };
        switch (kind) {
            case ExternKind::func: {
                const TypeIndex type = decoded.functions[index];
                for (const ValType param : decoded.params(type))
                    item.params.push_back(type_of(param));
                for (const ValType result : decoded.results(type))
                    item.results.push_back(type_of(result));
                break;
            }
            case ExternKind::global:
                item.content = type_of(decoded.globals[index].type.type);
                item.is_mutable = decoded.globals[index].type.is_mutable;
                break;
            case ExternKind::table:
                item.content = type_of(decoded.tables[index].type.element);
                set_limits(decoded.tables[index].type.limits);
                break;
            case ExternKind::memory: set_limits(decoded.memories[index].type.limits); break;
            case ExternKind::tag: break;
        }
        return item;
    }

    /// The twin's export where there is one; else something of the host's.
    Result<void> define_import(engine::Linker& linker, Made& made, u32 index) {
        const Item& item = shape_.imports[index];
        if (item.module == twin_module && !instances_.empty()) {
            for (std::size_t i = 0; i < shape_.exports.size(); ++i) {
                if (shape_.exports[i].field != item.field || shape_.exports[i].kind != item.kind)
                    continue;
                const auto& twin = instances_.back().items[shape_.imports.size() + i];
                made.items.push_back(twin);
                ignore_second(linker.define(item.module, item.field, twin));
                return {};
            }
        }
        // A name that is imported twice means one thing.
        for (u32 i = 0; i < index; ++i) {
            const Item& before = shape_.imports[i];
            if (before.module == item.module && before.field == item.field) {
                made.items.push_back(made.items[i]);
                return {};
            }
        }
        engine::Extern made_item = WRUN_TRY(make_import(linker, index));
        made.items.push_back(made_item);
        if (item.kind != ExternKind::func)
            ignore_second(linker.define(item.module, item.field, made_item));
        return {};
    }

    static void ignore_second(const Result<void>& defined) { static_cast<void>(defined); }

    Result<engine::Extern> make_import(engine::Linker& linker, u32 index);

    static engine::HostResult call_host(engine::Caller&, void* env, std::span<u64> slots);

    std::string name_;
    std::unique_ptr<engine::Engine> engine_;
    std::shared_ptr<const engine::Module> module_;
    Shape shape_;
    Host* host_ = nullptr;
    std::deque<HostFunction> functions_;  // a stable address each
    std::unique_ptr<engine::Store> store_;
    std::vector<Made> instances_;
};

Result<engine::Extern> WrunSubject::make_import(engine::Linker& linker, u32 index) {
    const Item& item = shape_.imports[index];
    const wrun::Module& decoded = module_->decoded();
    const u32 of_kind = decoded.imports[index].index;
    engine::Extern made;
    made.kind = item.kind;
    switch (item.kind) {
        case ExternKind::func: {
            const TypeIndex type = decoded.functions[of_kind];
            const auto params = decoded.params(type);
            const auto results = decoded.results(type);
            functions_.push_back({this, index});
            WRUN_TRY(linker.define_function(item.module, item.field,
                {{params.begin(), params.end()}, {results.begin(), results.end()}}, call_host,
                &functions_.back()));
            break;
        }
        case ExternKind::global:
            made.global = store_->make_global(
                decoded.globals[of_kind].type, poisoned(global_value(item.content, index)));
            break;
        case ExternKind::table:
            made.table = WRUN_TRY(store_->make_table(decoded.tables[of_kind].type, 0));
            break;
        case ExternKind::memory:
            made.memory = WRUN_TRY(store_->make_memory(decoded.memories[of_kind].type));
            break;
        case ExternKind::tag: return Error{ErrorCode::unknown_import};
    }
    return made;
}

engine::HostResult WrunSubject::call_host(engine::Caller&, void* env, std::span<u64> slots) {
    const auto& function = *static_cast<const HostFunction*>(env);
    const Item& item = function.subject->shape_.imports[function.import];
    std::vector<Value> arguments;
    for (std::size_t i = 0; i < item.params.size(); ++i) {
        const bool is_func = item.params[i] == Type::funcref;
        arguments.push_back({item.params[i], is_func ? u64{slots[i] != 0} : slots[i]});
    }
    std::vector<Value> results;
    for (const Type result : item.results)
        results.push_back({result, 0});
    const bool returns = function.subject->host_->call(function.import, arguments, results);
    for (std::size_t i = 0; i < results.size(); ++i)
        slots[i] = poisoned(results[i]);
    return returns ? engine::HostResult::ok()
                   : engine::HostResult::trapped(runtime::TrapCode::unreachable);
}

}  // namespace

std::unique_ptr<Subject> make_wrun_subject(
    u32 homes_max, codegen::StressModes stress, runtime::Bounds bounds) {
    return std::make_unique<WrunSubject>(homes_max, stress, bounds);
}

}  // namespace wrun::differ
