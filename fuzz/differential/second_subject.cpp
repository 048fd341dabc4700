// The second engine behind the Subject interface.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/second_api.hpp"
#include "fuzz/differential/subject.hpp"

namespace wrun::differ {
namespace {

using namespace second;

Type type_of(const ValTypeBox* type) {
    switch (api().wasm_valtype_kind(type)) {
        case val_kind::i32: return Type::i32;
        case val_kind::i64: return Type::i64;
        case val_kind::f32: return Type::f32;
        case val_kind::f64: return Type::f64;
        case val_kind::funcref: return Type::funcref;
        case val_kind::externref: return Type::externref;
        default: return Type::other;
    }
}

std::vector<Type> types_of(const Vec<ValTypeBox*>& types) {
    std::vector<Type> all;
    for (std::size_t i = 0; i < types.size; ++i)
        all.push_back(type_of(types.data[i]));
    return all;
}

std::string text_of(const Bytes& bytes) {
    return bytes.size == 0 ? std::string{} : std::string(bytes.data, bytes.size);
}

/// Takes the error.
std::string text_of(ErrorBox* error) {
    Bytes bytes;
    api().wasmtime_error_message(error, &bytes);
    std::string text = text_of(bytes);
    api().wasm_byte_vec_delete(&bytes);
    api().wasmtime_error_delete(error);
    return text;
}

TrapKind kind_of(std::uint8_t code) noexcept {
    switch (code) {
        case 0: return TrapKind::stack_overflow;
        case 1: return TrapKind::memory_bounds;
        case 3: return TrapKind::table_bounds;
        case 4: return TrapKind::null_call;
        case 5: return TrapKind::call_type;
        case 6: return TrapKind::integer_overflow;
        case 7: return TrapKind::divide_by_zero;
        case 8: return TrapKind::invalid_conversion;
        case 9: return TrapKind::unreachable;
        case 11: return TrapKind::out_of_fuel;
        default: return TrapKind::other;
    }
}
constexpr std::uint8_t code_of_unreachable = 9;

/// Takes both.
Ending ending_of(ErrorBox* error, TrapBox* trap) {
    if (trap != nullptr) {
        Ending ending{Ending::Kind::trapped, TrapKind::other, {}};
        std::uint8_t code = 0;
        if (api().wasmtime_trap_code(trap, &code)) ending.trap = kind_of(code);
        Bytes bytes;
        api().wasm_trap_message(trap, &bytes);
        ending.text = text_of(bytes);
        api().wasm_byte_vec_delete(&bytes);
        api().wasm_trap_delete(trap);
        return ending;
    }
    if (error != nullptr) return {Ending::Kind::refused, TrapKind::other, text_of(error)};
    return {};
}

/// Takes what the value refers to.
Value value_of(Context* context, Type type, Val& value) {
    Value mine{type, 0};
    switch (type) {
        case Type::i32:
        case Type::f32: mine.bits = value.of.u32; break;
        case Type::i64:
        case Type::f64: mine.bits = value.of.u64; break;
        case Type::funcref: mine.bits = value.of.func.store_id != 0; break;
        case Type::externref:
            if (value.of.extern_ref.store_id != 0)
                mine.bits = reinterpret_cast<u64>(
                    api().wasmtime_externref_data(context, &value.of.extern_ref));
            break;
        case Type::other: break;
    }
    api().wasmtime_val_unroot(&value);
    return mine;
}

Val to_second(Context* context, const Value& value) {
    Val theirs{};
    switch (value.type) {
        case Type::i32:
        case Type::f32: theirs.of.u32 = static_cast<u32>(value.bits); break;
        case Type::i64:
        case Type::f64: theirs.of.u64 = value.bits; break;
        case Type::funcref: theirs.kind = Val::funcref; return theirs;
        case Type::externref:
            theirs.kind = Val::externref;
            if (value.bits != 0 &&
                !api().wasmtime_externref_new(
                    context, reinterpret_cast<void*>(value.bits), nullptr, &theirs.of.extern_ref)) {
                std::fputs("the second engine makes no externref\n", stderr);
                std::exit(2);
            }
            return theirs;
        case Type::other: break;
    }
    theirs.kind = to_underlying(value.type);
    return theirs;
}

struct EngineOptions {
    bool canonical_nans = false;
    bool consumes_fuel = false;
    bool compiles_fast = false;
    bool with_gc = false;
};

Engine* make_engine(const EngineOptions& options) {
    const Api& a = api();
    Config* const config = a.wasm_config_new();
    a.wasmtime_config_parallel_compilation_set(config, false);
    // Compiling is what costs; the plain code is also the one with less to go wrong.
    a.wasmtime_config_cranelift_opt_level_set(config, 0);
    a.wasmtime_config_cranelift_regalloc_algorithm_set(
        config, options.compiles_fast ? regalloc::single_pass : regalloc::backtracking);
    a.wasmtime_config_cranelift_nan_canonicalization_set(config, options.canonical_nans);
    a.wasmtime_config_consume_fuel_set(config, options.consumes_fuel);
    a.wasmtime_config_max_wasm_stack_set(config, stack_bytes_max);
    a.wasmtime_config_native_unwind_info_set(config, false);
    // What wrun's default features leave out.
    a.wasmtime_config_wasm_relaxed_simd_set(config, false);
    a.wasmtime_config_wasm_simd_set(config, false);
    a.wasmtime_config_wasm_threads_set(config, false);
    a.wasmtime_config_wasm_tail_call_set(config, false);
    a.wasmtime_config_wasm_multi_memory_set(config, false);
    a.wasmtime_config_wasm_memory64_set(config, false);
    a.wasmtime_config_wasm_exceptions_set(config, false);
    a.wasmtime_config_wasm_gc_set(config, options.with_gc);
    a.wasmtime_config_wasm_function_references_set(config, options.with_gc);
    a.wasmtime_config_wasm_custom_page_sizes_set(config, false);
    a.wasmtime_config_wasm_wide_arithmetic_set(config, false);
    return a.wasm_engine_new_with_config(config);
}

class SecondSubject final : public Subject {
public:
    SecondSubject(bool canonical_nans, u64 fuel)
        : engine_{make_engine({.canonical_nans = canonical_nans,
              .consumes_fuel = fuel != 0,
              .compiles_fast = fuel != 0 && !canonical_nans})},
          fuel_{fuel} {}
    ~SecondSubject() override { unload(); }  // the engine lives as long as the process
    SecondSubject(const SecondSubject&) = delete;
    SecondSubject& operator=(const SecondSubject&) = delete;

    [[nodiscard]] std::string_view name() const override { return "second engine"; }
    [[nodiscard]] const Shape& shape() const override { return shape_; }
    [[nodiscard]] u32 instance_count() const override {
        return static_cast<u32>(instances_.size());
    }

    Verdict load(std::span<const u8> wasm, std::string& why) override {
        unload();
        if (ErrorBox* const error =
                api().wasmtime_module_new(engine_, wasm.data(), wasm.size(), &module_)) {
            why = text_of(error);
            module_ = nullptr;
            return Verdict::refused;
        }
        api().wasmtime_module_imports(module_, &imports_);
        api().wasmtime_module_exports(module_, &exports_);
        read_shape();
        return Verdict::accepted;
    }

    void begin_round(Host& host) override {
        forget();
        host_ = &host;
        store_ = api().wasmtime_store_new(engine_, nullptr, nullptr);
        api().wasmtime_store_limiter(store_, memory_bytes_max, table_elements_max, 10, 100, 100);
        context_ = api().wasmtime_store_context(store_);
        if (fuel_ == 0) return;
        if (ErrorBox* const error = api().wasmtime_context_set_fuel(context_, fuel_)) {
            std::fprintf(stderr, "the second engine takes no fuel: %s\n", text_of(error).c_str());
            std::exit(2);
        }
    }

    Ending instantiate() override {
        Made made;
        for (u32 i = 0; i < shape_.imports.size(); ++i) {
            std::string problem;
            made.items.push_back(find_import(made, i, problem));
            if (!problem.empty()) return {Ending::Kind::refused, TrapKind::other, problem};
        }
        Instance instance{};
        TrapBox* trap = nullptr;
        ErrorBox* const error = api().wasmtime_instance_new(
            context_, module_, made.items.data(), made.items.size(), &instance, &trap);
        if (error != nullptr || trap != nullptr) return ending_of(error, trap);
        for (std::size_t i = 0; i < shape_.exports.size(); ++i) {
            char* field = nullptr;
            std::size_t size = 0;
            Extern item{};
            if (!api().wasmtime_instance_export_nth(context_, &instance, i, &field, &size, &item))
                return {Ending::Kind::refused, TrapKind::other, "an export is not there"};
            made.items.push_back(item);
        }
        instances_.push_back(std::move(made));
        return {};
    }

    Ending call(u32 instance, u32 item, std::span<const Value> arguments,
        std::vector<Value>& results) override {
        const Item& func = item_of(item);
        std::vector<Val> given;
        for (const Value& argument : arguments)
            given.push_back(to_second(context_, argument));
        std::vector<Val> answered(func.results.size());
        TrapBox* trap = nullptr;
        ErrorBox* const error =
            api().wasmtime_func_call(context_, &instances_[instance].items[item].of.func,
                given.data(), given.size(), answered.data(), answered.size(), &trap);
        for (Val& value : given)
            api().wasmtime_val_unroot(&value);
        if (error != nullptr || trap != nullptr) return ending_of(error, trap);
        for (std::size_t i = 0; i < answered.size(); ++i)
            results.push_back(value_of(context_, func.results[i], answered[i]));
        return {};
    }

    Value global(u32 instance, u32 item) override {
        Val value{};
        api().wasmtime_global_get(context_, &instances_[instance].items[item].of.global, &value);
        return value_of(context_, item_of(item).content, value);
    }

    std::span<const u8> memory(u32 instance, u32 item) override {
        const Object& memory = instances_[instance].items[item].of.object;
        return {api().wasmtime_memory_data(context_, &memory),
            api().wasmtime_memory_data_size(context_, &memory)};
    }

    u64 table_size(u32 instance, u32 item) override {
        return api().wasmtime_table_size(context_, &instances_[instance].items[item].of.object);
    }

    Value table_element(u32 instance, u32 item, u64 index) override {
        Val value{};
        const Object& table = instances_[instance].items[item].of.object;
        if (!api().wasmtime_table_get(context_, &table, index, &value)) return {Type::other, 1};
        return value_of(context_, item_of(item).content, value);
    }

private:
    /// An instance: what it imports, then what it exports.
    struct Made {
        std::vector<Extern> items;
    };

    struct HostFunction {
        SecondSubject* subject;
        u32 import;
    };

    void forget() {
        instances_.clear();
        if (store_ != nullptr) api().wasmtime_store_delete(store_);
        store_ = nullptr;
        functions_.clear();
    }

    void unload() {
        forget();
        if (module_ == nullptr) return;
        api().wasm_importtype_vec_delete(&imports_);
        api().wasm_exporttype_vec_delete(&exports_);
        api().wasmtime_module_delete(module_);
        module_ = nullptr;
    }

    [[nodiscard]] const Item& item_of(u32 item) const {
        const u32 imports = static_cast<u32>(shape_.imports.size());
        return item < imports ? shape_.imports[item] : shape_.exports[item - imports];
    }

    void read_shape() {
        shape_ = {};
        for (std::size_t i = 0; i < imports_.size; ++i) {
            const ImportTypeBox* const import = imports_.data[i];
            Item& item = shape_.imports.emplace_back(describe(api().wasm_importtype_type(import)));
            item.module = text_of(*api().wasm_importtype_module(import));
            item.field = text_of(*api().wasm_importtype_name(import));
        }
        for (std::size_t i = 0; i < exports_.size; ++i) {
            const ExportTypeBox* const exported = exports_.data[i];
            Item& item =
                shape_.exports.emplace_back(describe(api().wasm_exporttype_type(exported)));
            item.field = text_of(*api().wasm_exporttype_name(exported));
        }
    }

    static Item describe(const ExternTypeBox* type) {
        const Api& a = api();
        Item item;
        switch (a.wasm_externtype_kind(type)) {
            case extern_kind::func: {
                const FuncTypeBox* const func = a.wasm_externtype_as_functype_const(type);
                item.kind = ExternKind::func;
                item.params = types_of(*a.wasm_functype_params(func));
                item.results = types_of(*a.wasm_functype_results(func));
                break;
            }
            case extern_kind::global: {
                const GlobalTypeBox* const global = a.wasm_externtype_as_globaltype_const(type);
                item.kind = ExternKind::global;
                item.content = type_of(a.wasm_globaltype_content(global));
                item.is_mutable = a.wasm_globaltype_mutability(global) != 0;
                break;
            }
            case extern_kind::table: {
                const TableTypeBox* const table = a.wasm_externtype_as_tabletype_const(type);
                item.kind = ExternKind::table;
                item.content = type_of(a.wasm_tabletype_element(table));
                const Limits limits = *a.wasm_tabletype_limits(table);
                item.min = limits.min;
                if (limits.max != 0xffff'ffff) item.max = limits.max;
                break;
            }
            case extern_kind::memory: {
                const MemoryTypeBox* const memory = a.wasm_externtype_as_memorytype_const(type);
                item.kind = ExternKind::memory;
                item.min = a.wasmtime_memorytype_minimum(memory);
                u64 max = 0;
                if (a.wasmtime_memorytype_maximum(memory, &max)) item.max = max;
                break;
            }
            default: item.kind = ExternKind::tag; break;
        }
        return item;
    }

    /// The twin's export where there is one; else something of the host's.
    [[nodiscard]] Extern find_import(const Made& made, u32 index, std::string& problem) {
        const Item& item = shape_.imports[index];
        if (item.module == twin_module && !instances_.empty()) {
            for (std::size_t i = 0; i < shape_.exports.size(); ++i) {
                if (shape_.exports[i].field == item.field && shape_.exports[i].kind == item.kind)
                    return instances_.back().items[shape_.imports.size() + i];
            }
        }
        // A name that is imported twice means one thing.
        for (u32 i = 0; i < index; ++i) {
            const Item& before = shape_.imports[i];
            if (before.module == item.module && before.field == item.field) return made.items[i];
        }
        return make_import(index, problem);
    }

    [[nodiscard]] Extern make_import(u32 index, std::string& problem);

    static TrapBox* call_host(void* env, Caller*, const Val* arguments, std::size_t count,
        Val* results, std::size_t result_count);

    Engine* engine_;
    u64 fuel_;
    ModuleBox* module_ = nullptr;
    Vec<ImportTypeBox*> imports_;
    Vec<ExportTypeBox*> exports_;
    Shape shape_;
    Host* host_ = nullptr;
    std::deque<HostFunction> functions_;  // a stable address each
    StoreBox* store_ = nullptr;
    Context* context_ = nullptr;
    std::vector<Made> instances_;
};

Extern SecondSubject::make_import(u32 index, std::string& problem) {
    const Api& a = api();
    const Item& item = shape_.imports[index];
    const ExternTypeBox* const type = a.wasm_importtype_type(imports_.data[index]);
    Extern made{};
    made.kind = a.wasm_externtype_kind(type);
    ErrorBox* error = nullptr;
    switch (item.kind) {
        case ExternKind::func:
            functions_.push_back({this, index});
            a.wasmtime_func_new(context_, a.wasm_externtype_as_functype_const(type), call_host,
                &functions_.back(), nullptr, &made.of.func);
            break;
        case ExternKind::global: {
            Val init = to_second(context_, global_value(item.content, index));
            error = a.wasmtime_global_new(
                context_, a.wasm_externtype_as_globaltype_const(type), &init, &made.of.global);
            a.wasmtime_val_unroot(&init);
            break;
        }
        case ExternKind::table: {
            const Val init = to_second(context_, {item.content, 0});
            error = a.wasmtime_table_new(
                context_, a.wasm_externtype_as_tabletype_const(type), &init, &made.of.object);
            break;
        }
        case ExternKind::memory:
            error = a.wasmtime_memory_new(
                context_, a.wasm_externtype_as_memorytype_const(type), &made.of.object);
            break;
        case ExternKind::tag: problem = "a tag is imported"; break;
    }
    if (error != nullptr) problem = text_of(error);
    return made;
}

TrapBox* SecondSubject::call_host(void* env, Caller*, const Val* arguments, std::size_t count,
    Val* results, std::size_t result_count) {
    const auto& function = *static_cast<const HostFunction*>(env);
    SecondSubject& subject = *function.subject;
    const Item& item = subject.shape_.imports[function.import];
    std::vector<Value> given;
    for (std::size_t i = 0; i < count; ++i) {
        // The caller owns the arguments; only a copy may be taken.
        Value value{item.params[i], 0};
        const Val& theirs = arguments[i];
        switch (value.type) {
            case Type::i32:
            case Type::f32: value.bits = theirs.of.u32; break;
            case Type::funcref: value.bits = theirs.of.func.store_id != 0; break;
            case Type::externref:
                if (theirs.of.extern_ref.store_id != 0)
                    value.bits = reinterpret_cast<u64>(
                        api().wasmtime_externref_data(subject.context_, &theirs.of.extern_ref));
                break;
            default: value.bits = theirs.of.u64; break;
        }
        given.push_back(value);
    }
    std::vector<Value> answered;
    for (const Type result : item.results)
        answered.push_back({result, 0});
    const bool returns = subject.host_->call(function.import, given, answered);
    for (std::size_t i = 0; i < result_count; ++i)
        results[i] = to_second(subject.context_, answered[i]);
    return returns ? nullptr : api().wasmtime_trap_new_code(code_of_unreachable);
}

}  // namespace

const std::string& second_engine_missing() {
    return api().missing;
}

std::unique_ptr<Subject> make_second_subject(bool canonical_nans, u64 fuel) {
    return std::make_unique<SecondSubject>(canonical_nans, fuel);
}

Verdict second_validates(std::span<const u8> wasm, std::string& why, bool with_gc) {
    static const std::array<Engine*, 2> engines = {make_engine({}), make_engine({.with_gc = true})};
    Engine* const engine = engines[with_gc ? 1 : 0];
    ErrorBox* const error = api().wasmtime_module_validate(engine, wasm.data(), wasm.size());
    if (error == nullptr) return Verdict::accepted;
    why = text_of(error);
    return Verdict::refused;
}

}  // namespace wrun::differ
