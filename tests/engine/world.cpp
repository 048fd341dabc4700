// The engine's tests' fixture.
#include "tests/engine/world.hpp"

#include <csignal>
#include <cstdio>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {

std::string text(const Value& value) {
    char buffer[64];
    switch (value.type.kind()) {
        case Kind::i32: return std::to_string(static_cast<i32>(value.bits));
        case Kind::i64: return std::to_string(static_cast<i64>(value.bits));
        case Kind::f32:
            std::snprintf(buffer, sizeof buffer, "%.9g",
                static_cast<double>(std::bit_cast<float>(static_cast<u32>(value.bits))));
            return buffer;
        case Kind::f64:
            std::snprintf(buffer, sizeof buffer, "%.17g", std::bit_cast<double>(value.bits));
            return buffer;
        default: break;
    }
    return value.bits == 0 ? "null" : "ref " + std::to_string(value.bits);
}

std::string text(const engine::Outcome& outcome) {
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome)) {
        std::string result = "trap: ";
        result += trap->message();
        if (!trap->detail.empty()) result += " (" + trap->detail + ')';
        return result;
    }
    if (const auto* const exit = std::get_if<engine::Exit>(&outcome)) {
        return "exit " + std::to_string(exit->status);
    }
    return "";
}

std::string text(const Result<engine::Outcome>& outcome) {
    return outcome.ok() ? text(outcome.value()) : "error: " + describe(outcome.error());
}

engine::EngineOptions test_options() {
    engine::EngineOptions options;
    // The thread sanitizer keeps other signals back until the thread calls the system, which a
    // guest's loop never does.
    if (has_thread_sanitizer) options.interrupt_signal = SIGSYS;
    return options;
}

EngineTest::EngineTest()
    : engine{engine::Engine::make(test_options()).take()},
      store{engine::Store::make(*engine).take()} {}

void EngineTest::SetUp() {
    if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
}

Result<std::shared_ptr<const engine::Module>> EngineTest::compile(std::string_view wat) {
    return engine::Module::compile(*engine, wat::assemble(wat));
}

std::string EngineTest::instantiate(std::string_view wat) {
    auto module = compile(wat);
    if (!module.ok()) return "error: " + describe(module.error());
    auto made = store->instantiate(module.value(), linker);
    if (!made.ok()) return "error: " + linker.explain(module.value()->decoded(), made.error());
    instance = made.value().instance;
    return text(made.value().outcome);
}

engine::Instance& EngineTest::make(std::string_view wat) {
    const std::string problem = instantiate(wat);
    if (!problem.empty() || instance == nullptr) {
        std::fprintf(stderr, "the test's module does not work: %s\n", problem.c_str());
        std::abort();
    }
    return *instance;
}

engine::Extern EngineTest::export_of(std::string_view name) {
    const auto found = instance->find_export(name);
    if (!found) {
        std::fprintf(
            stderr, "the test's module has no %.*s\n", static_cast<int>(name.size()), name.data());
        std::abort();
    }
    return *found;
}

std::string EngineTest::call(std::string_view name, std::vector<Value> arguments) {
    std::vector<Value> results;
    const auto done = store->call(export_of(name).func, arguments, results);
    std::string all = text(done);
    for (const Value& result : results) {
        if (!all.empty()) all += ' ';
        all += text(result);
    }
    return all;
}

engine::Outcome EngineTest::outcome(std::string_view name, std::vector<Value> arguments) {
    std::vector<Value> results;
    return store->call(export_of(name).func, arguments, results).take();
}

void EngineTest::define(std::string_view field, std::vector<ValType> params,
    std::vector<ValType> results, engine::HostCallback callback, void* env) {
    const auto defined = linker.define_function(
        "host", field, {std::move(params), std::move(results)}, callback, env);
    if (!defined.ok()) std::abort();
}

}  // namespace wrun::test
