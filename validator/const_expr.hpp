// Constant expressions (spec: §3.4.13 of 3.0): the rows of ops.def with the trait `constant`, or
// `constant_extended` with that feature; global.get of globals that are immutable and already
// there.
#pragma once

#include <vector>

#include "base/features.hpp"
#include "base/result.hpp"
#include "decoder/module.hpp"
#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"

namespace wrun {

class ConstExprValidator {
public:
    ConstExprValidator(const Module& module, FeatureSet features) noexcept
        : module_{module}, features_{features} {}

    /// `expr` gives one value of `expected`; it may read the first `visible_globals` globals.
    [[nodiscard]] Result<void> validate(ConstExpr expr, ValType expected, u32 visible_globals);

    /// The functions that ref.func named so far, in order of appearance.
    [[nodiscard]] const std::vector<FuncIndex>& references() const noexcept { return references_; }

private:
    /// The rule's code for one operation, or the reader's error.
    [[nodiscard]] Result<ErrorCode> step(Op op, Reader& reader, u32 visible_globals);
    [[nodiscard]] ErrorCode apply(const Signature& signature);
    [[nodiscard]] ErrorCode global_get(GlobalIndex global, u32 visible_globals);
    [[nodiscard]] ErrorCode ref_func(FuncIndex func);
    [[nodiscard]] ErrorCode ref_null(ValType type);
    [[nodiscard]] ErrorCode pop(ValType type) noexcept;

    const Module& module_;
    FeatureSet features_;
    std::vector<ValType> stack_;  // empty between expressions
    std::vector<FuncIndex> references_;
};

}  // namespace wrun
