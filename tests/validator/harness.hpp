// What the validator's tests share: validation of a whole module in one call, and of one body in a
// module that has one of everything a body may name.
#pragma once

#include <vector>

#include "decoder/decode.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/module_builder.hpp"
#include "validator/validate.hpp"

namespace wrun::build {

/// Decodes, checks the declarations, then every body; the first error.
[[nodiscard]] Result<void> validate(const Bytes& bytes, FeatureSet features = default_features());

/// What a body is checked in:
///   types      0 [] → []   1 [i32 i64] → [f32]   2 [i32] → [i32 i64]
///   functions  0 of type 0, 1 of type 1, 2 of type 2 (imported; 0 may be referenced)
///   locals     0 i32 (the parameter), 1 i64, 2 f32, 3 f64, 4 funcref, 5 externref
///   globals    0 i32, 1 i64, 2 f32, 3 f64, 4 funcref, 5 externref (mutable), 6 i32 (immutable)
///   tables     0 funcref, 1 externref     memory 0     element 0 funcref     data 0
struct Environment {
    FeatureSet features = default_features();
    ValTypes results;                 // of the function
    std::vector<Locals> more_locals;  // from 6 on
    bool with_memory = true;
};

struct Body {
    Bytes bytes;
    Module module;
    FuncIndex func;
    u32 code_begin = 0;  // of the first instruction, in the module
};

/// The module around a body. Stops the test program when it does not decode.
[[nodiscard]] Body make_body(const Bytes& code, const Environment& environment = {});

/// Offsets in errors count from the body's first instruction.
[[nodiscard]] Result<void> validate_body(const Bytes& code, const Environment& environment = {});
/// The summary of a body that must be valid.
[[nodiscard]] FunctionSummary summarise(const Bytes& code, const Environment& environment = {});

/// An instruction that pushes some value of a type.
[[nodiscard]] Bytes push(ValType type);
[[nodiscard]] Bytes push(const ValTypes& types);

}  // namespace wrun::build
