// An engine, a linker and a store for tests that speak WAT: instances by text, calls by name,
// outcomes as short strings that a failure can print ("42", "1 2.5", "trap: unreachable", "exit 3",
// "error: …").
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

namespace wrun::test {

using engine::Caller;
using engine::HostResult;
using engine::Value;

[[nodiscard]] inline Value f32_value(float value) {
    return Value::f32_bits(std::bit_cast<u32>(value));
}
[[nodiscard]] inline Value f64_value(double value) {
    return Value::f64_bits(std::bit_cast<u64>(value));
}

[[nodiscard]] std::string text(const Value& value);
[[nodiscard]] std::string text(const engine::Outcome& outcome);
[[nodiscard]] std::string text(const Result<engine::Outcome>& outcome);

/// What an engine of a test is made with.
[[nodiscard]] engine::EngineOptions test_options();

/// Tests of this fixture are skipped where no assembler of WAT is at hand.
class EngineTest : public ::testing::Test {
protected:
    EngineTest();
    void SetUp() override;

    [[nodiscard]] Result<std::shared_ptr<const engine::Module>> compile(std::string_view wat);
    /// "" when it went well (then `instance` is the new one), else the outcome or error.
    [[nodiscard]] std::string instantiate(std::string_view wat);
    /// Instantiates what must go well.
    engine::Instance& make(std::string_view wat);
    /// Of `instance`.
    [[nodiscard]] std::string call(std::string_view name, std::vector<Value> arguments = {});
    [[nodiscard]] engine::Outcome outcome(std::string_view name, std::vector<Value> arguments = {});
    [[nodiscard]] engine::Extern export_of(std::string_view name);
    void define(std::string_view field, std::vector<ValType> params, std::vector<ValType> results,
        engine::HostCallback callback, void* env = nullptr);

    std::unique_ptr<engine::Engine> engine;
    engine::Linker linker;  // host functions are defined as module "host"
    std::unique_ptr<engine::Store> store;
    engine::Instance* instance = nullptr;
};

}  // namespace wrun::test
