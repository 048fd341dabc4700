// The rules of §3 (validation): a module's declarations in one call, each function body in another,
// so that bodies can be checked in parallel and right before their code is generated.
#pragma once

#include <memory>

#include "base/features.hpp"
#include "base/result.hpp"
#include "decoder/module.hpp"
#include "validator/summary.hpp"

namespace wrun {

/// Checks everything but bodies: types, imports, tables, memories, globals, exports, start,
/// segments, constant expressions. Fills Module::escaping_functions. Fails with an invalid or
/// unsupported error.
[[nodiscard]] Result<void> validate_module(Module& module, FeatureSet features);

/// Memory of the checked walk, kept from function to function by one thread.
class FunctionValidator {
public:
    FunctionValidator(const Module& module, FeatureSet features);
    ~FunctionValidator();
    FunctionValidator(const FunctionValidator&) = delete;
    FunctionValidator& operator=(const FunctionValidator&) = delete;

    /// P0: checks the body of `func` (not an import) and overwrites `summary`. Linear in the body.
    [[nodiscard]] Result<void> validate(FuncIndex func, FunctionSummary& summary);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace wrun
