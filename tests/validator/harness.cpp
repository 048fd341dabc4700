// See harness.hpp.
#include "tests/validator/harness.hpp"

#include <cstdio>
#include <cstdlib>

namespace wrun::build {

Result<void> validate(const Bytes& bytes, FeatureSet features) {
    Result<Module> decoded = decode(bytes, features);
    if (!decoded.ok()) return decoded.error();
    Module& module = decoded.value();
    WRUN_TRY(validate_module(module, features));
    FunctionValidator validator{module, features};
    FunctionSummary summary;
    for (u32 i = module.imported_function_count; i < module.functions.size(); ++i) {
        WRUN_TRY(validator.validate(FuncIndex{i}, summary));
    }
    return {};
}

namespace {

const ValTypes basic_types = {type_i32, type_i64, type_f32, type_f64, type_funcref, type_externref};

Bytes module_of(const Bytes& code, const Environment& environment) {
    ModuleBuilder builder;
    builder.type({}, {});
    builder.type({type_i32, type_i64}, {type_f32});
    builder.type({type_i32}, {type_i32, type_i64});
    for (u32 i = 0; i < 3; ++i)
        builder.import_function("m", "f", i);
    builder.table(type_funcref, 10);
    builder.table(type_externref, 10);
    if (environment.with_memory) builder.memory(1);
    for (const ValType type : basic_types)
        builder.global(type, true, body(push(type)));
    builder.global(type_i32, false, body(i32_const(7)));
    builder.declared_elements({0});
    builder.passive_data("data");
    builder.data_count(1);
    std::vector<Locals> locals;
    for (std::size_t i = 1; i < basic_types.size(); ++i)
        locals.push_back({1, basic_types[i]});
    for (const Locals& run : environment.more_locals)
        locals.push_back(run);
    builder.function({type_i32}, environment.results, code, locals);
    return builder.bytes();
}

[[noreturn]] void stop(const char* what, Error error) {
    std::fprintf(stderr, "%s: %s\n", what, describe(error).c_str());
    std::abort();
}

}  // namespace

Body make_body(const Bytes& code, const Environment& environment) {
    Body made;
    made.bytes = module_of(code, environment);
    Result<Module> module = decode(made.bytes, environment.features);
    if (!module.ok()) stop("the module around the body does not decode", module.error());
    made.module = std::move(module).take();
    const Result<void> valid = validate_module(made.module, environment.features);
    if (!valid.ok()) stop("the module around the body is not valid", valid.error());
    made.func = FuncIndex{static_cast<u32>(made.module.functions.size()) - 1};
    made.code_begin = made.module.body(made.func).end - static_cast<u32>(code.size());
    return made;
}

Result<void> validate_body(const Bytes& code, const Environment& environment) {
    const Body made = make_body(code, environment);
    FunctionValidator validator{made.module, environment.features};
    FunctionSummary summary;
    const Result<void> result = validator.validate(made.func, summary);
    if (result.ok()) return result;
    Error error = result.error();
    error.offset -= made.code_begin;
    return error;
}

FunctionSummary summarise(const Bytes& code, const Environment& environment) {
    const Body made = make_body(code, environment);
    FunctionValidator validator{made.module, environment.features};
    FunctionSummary summary;
    const Result<void> result = validator.validate(made.func, summary);
    if (!result.ok()) stop("the body is not valid", result.error());
    return summary;
}

Bytes push(ValType type) {
    if (type == type_i32) return i32_const(0);
    if (type == type_i64) return i64_const(0);
    if (type == type_f32) return f32_const(0);
    if (type == type_f64) return f64_const(0);
    return ref_null(type);
}

Bytes push(const ValTypes& types) {
    Bytes all;
    for (const ValType type : types)
        append(all, push(type));
    return all;
}

}  // namespace wrun::build
