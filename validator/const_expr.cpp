// See const_expr.hpp.
#include "validator/const_expr.hpp"

#include "decoder/immediates.hpp"
#include "decoder/lone_const.hpp"
#include "validator/matches.hpp"

namespace wrun {

ErrorCode ConstExprValidator::pop(ValType type) noexcept {
    if (stack_.empty() || !matches(module_, stack_.back(), type)) return ErrorCode::type_mismatch;
    stack_.pop_back();
    return ErrorCode::ok;
}

ErrorCode ConstExprValidator::apply(const Signature& signature) {
    for (u32 i = signature.pops; i-- > 0;) {
        if (const ErrorCode code = pop(signature.types[i]); code != ErrorCode::ok) return code;
    }
    for (u32 i = 0; i < signature.pushes; ++i)
        stack_.push_back(signature.types[signature.pops + i]);
    return ErrorCode::ok;
}

ErrorCode ConstExprValidator::global_get(GlobalIndex global, u32 visible_globals) {
    if (global.value >= visible_globals) return ErrorCode::unknown_global;
    const GlobalType& type = module_.globals[global.value].type;
    if (type.is_mutable) return ErrorCode::constant_expression_required;
    stack_.push_back(type.type);
    return ErrorCode::ok;
}

ErrorCode ConstExprValidator::ref_func(FuncIndex func) {
    if (func.value >= module_.functions.size()) return ErrorCode::unknown_function;
    references_.push_back(func);
    const bool typed = features_.has(Feature::function_references);
    stack_.push_back(
        typed ? ValType::reference(module_.functions[func.value], false) : type_funcref);
    return ErrorCode::ok;
}

ErrorCode ConstExprValidator::ref_null(ValType type) {
    if (type.concrete() && type.type_index().value >= module_.types.size()) {
        return ErrorCode::unknown_type;
    }
    stack_.push_back(type);
    return ErrorCode::ok;
}

Result<ErrorCode> ConstExprValidator::step(Op op, Reader& reader, u32 visible_globals) {
    switch (op) {
        case Op::global_get:
            return global_get(
                GlobalIndex { WRUN_TRY(reader.leb_u32()) }, visible_globals);
        case Op::ref_func: return ref_func(FuncIndex { WRUN_TRY(reader.leb_u32()) });
        case Op::ref_null: return ref_null(WRUN_TRY(read_heap_type(reader)));
        default: break;
    }
    WRUN_TRY(skip_immediates(reader, info(op).immediate));
    return apply(info(op).signature);
}

Result<void> ConstExprValidator::validate(ConstExpr expr, ValType expected, u32 visible_globals) {
    if (expected == type_i32 && lone_i32_const(module_.slice(expr)).bytes == expr.size()) return {};
    Reader reader{module_.bytes, expr, features_};
    stack_.clear();
    for (;;) {
        const u32 at = reader.offset();
        const Op op = WRUN_TRY(read_op(reader))
        .op();
        const OpInfo& row = info(op);
        const bool constant =
            row.has(trait::constant) ||
            (row.has(trait::constant_extended) && features_.has(Feature::extended_const));
        if (!constant) return Error{ErrorCode::constant_expression_required, 0, at};
        if (row.feature != Feature::mvp && !features_.has(row.feature)) {
            return unsupported(row.feature, at);
        }
        if (op == Op::end) {
            const bool one = stack_.size() == 1 && matches(module_, stack_[0], expected);
            return one ? Result<void>{} : Error{ErrorCode::type_mismatch, 0, at};
        }
        const ErrorCode code = WRUN_TRY(step(op, reader, visible_globals));
        if (code != ErrorCode::ok) return Error{code, 0, at};
    }
}

}  // namespace wrun
