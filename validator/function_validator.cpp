// P0 for one function: declarations of locals, then the checked walk with the summary as its sink.
#include "base/errors.hpp"
#include "base/limits.hpp"
#include "validator/summarise.hpp"
#include "validator/validate.hpp"
#include "validator/walk.hpp"

namespace wrun {

Error detail::unknown_op(u32 key, u32 offset) noexcept {
    const OpLookup found = key < 0x100 ? lookup_plain[key] : OpLookup{};
    const OpLookup prefixed = key >= 0x100 && key < 0x200 ? lookup_fc[key - 0x100] : OpLookup{};
    for (const OpLookup lookup : {found, prefixed}) {
        if (lookup.is_later()) return unsupported(lookup.feature(), offset);
    }
    return {ErrorCode::illegal_opcode, 0, offset};
}

namespace {

/// What is wrong with the form of a body's operations, types aside.
Result<void> check_form(Reader reader) {
    u32 depth = 0;
    for (;;) {
        const u32 at = reader.offset();
        if (reader.at_end()) return Error{ErrorCode::end_opcode_expected, 0, at};
        const OpLookup found = WRUN_TRY(read_op(reader));
        if (!found.known()) {
            return found.is_later() ? unsupported(found.feature(), at)
                                    : Error{ErrorCode::illegal_opcode, 0, at};
        }
        const Op op = found.op();
        if (op == Op::block || op == Op::loop || op == Op::if_) ++depth;
        if (op == Op::end && depth-- == 0) break;
        WRUN_TRY(skip_immediates(reader, info(op).immediate));
    }
    return reader.at_end() ? Result<void>{} : reader.error_here(ErrorCode::junk_after_expression);
}

/// A body that is malformed is so before it is invalid, wherever the faults are.
Error worse_of(Error found, const Reader& body) {
    if (error_class(found.code) != ErrorClass::invalid) return found;
    const Result<void> form = check_form(body);
    const bool malformed = !form.ok() && error_class(form.error().code) == ErrorClass::malformed;
    return malformed ? form.error() : found;
}

}  // namespace

struct FunctionValidator::State {
    State(const Module& the_module, FeatureSet the_features) noexcept
        : module{the_module}, features{the_features} {}

    const Module& module;
    FeatureSet features;
    LocalTypes locals;
    TypingMemory typing;
    SummaryMemory summary;
};

FunctionValidator::FunctionValidator(const Module& module, FeatureSet features)
    : state_{std::make_unique<State>(module, features)} {}

FunctionValidator::~FunctionValidator() = default;

Result<void> FunctionValidator::validate(FuncIndex func, FunctionSummary& summary) {
    State& state = *state_;
    const Module& module = state.module;
    const TypeIndex type = module.functions[func.value];
    Reader reader{module.bytes, module.body(func), state.features};
    WRUN_TRY(state.locals.read(module, type, reader, summary));

    const Reader body = reader;

    Typing typing{module, state.features, state.locals, state.typing};
    typing.begin(type);
    SummarySink sink{summary, state.summary};
    const Result<void> result = walk(reader, typing, sink);
    if (!result.ok()) {
        sink.clear();
        return worse_of(result.error(), body);
    }
    sink.finish(state.locals);
    if (!reader.at_end()) return reader.error_here(ErrorCode::junk_after_expression);
    summary.stack_slots_max = typing.height_max();
    if (u64{summary.local_slots} + summary.stack_slots_max > limits::frame_slots_max) {
        return Error{ErrorCode::frame_too_large, 0, module.body(func).begin};
    }
    return {};
}

}  // namespace wrun
