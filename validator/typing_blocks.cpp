// Typing of blocks, branches and calls (spec: §3.4.8 and the appendix's algorithm).
#include "decoder/type_reader.hpp"
#include "validator/matches.hpp"
#include "validator/typing.hpp"

namespace wrun {

Typing::Types Typing::params(const ControlFrame& frame) const noexcept {
    if (frame.type.form != BlockType::Form::type) return {};
    if (frame.kind == ControlFrame::Kind::function) return {};
    return module_.params(frame.type.type);
}

Typing::Types Typing::results(const ControlFrame& frame) const noexcept {
    switch (frame.type.form) {
        case BlockType::Form::empty: return {};
        case BlockType::Form::value: return {&frame.type.result, 1};
        case BlockType::Form::type: return module_.results(frame.type.type);
    }
    return {};
}

ErrorCode Typing::enter_slow(ControlFrame::Kind kind, BlockType type) noexcept {
    Types inputs;
    if (type.form == BlockType::Form::type) {
        if (type.type.value >= module_.types.size()) return ErrorCode::unknown_type;
        inputs = module_.params(type.type);
        if (const ErrorCode code = pop_types(inputs); code != ErrorCode::ok) return code;
    } else if (type.form == BlockType::Form::value && !is_known(type.result)) {
        return ErrorCode::unknown_type;
    }
    if (frame_count_ == memory_.frames.capacity()) {
        constexpr u32 frames_max = limits::nesting_max + 1;  // with the function's own
        if (frame_count_ == frames_max) return ErrorCode::nesting_too_deep;
        memory_.frames.grow(frame_count_ + 1, frames_max);
        frames_ = memory_.frames.data();
    }
    frames_[frame_count_++] =
        ControlFrame{type, static_cast<u32>(top_ - base_), kind, false, !live_};
    *top_++ = sentinel;
    ++max_;
    if (max_ > limit_) [[unlikely]] {
        if (const ErrorCode code = grow(); code != ErrorCode::ok) return code;
    }
    return push_types(inputs);
}

/// The frame's results are on top and nothing else: takes them and the sentinel.
ErrorCode Typing::close_operands(const ControlFrame& frame) noexcept {
    ValType* cursor = nullptr;
    if (!top_matches(results(frame), cursor)) return ErrorCode::type_mismatch;
    if (cursor != base_ + frame.floor + 1) return ErrorCode::type_mismatch;
    top_ = base_ + frame.floor;
    return ErrorCode::ok;
}

void Typing::restore_live(bool live) noexcept {
    if (!live || live_) return;
    max_ = base_ + saved_max_;
    live_ = true;
}

ErrorCode Typing::begin_else() noexcept {
    ControlFrame& frame = top_frame();
    if (frame.kind != ControlFrame::Kind::if_) return ErrorCode::unexpected_else;
    if (const ErrorCode code = close_operands(frame); code != ErrorCode::ok) return code;
    frame.kind = ControlFrame::Kind::else_;
    frame.polymorphic = false;
    *top_++ = sentinel;
    restore_live(!frame.entered_dead);
    return push_types(params(frame));
}

ErrorCode Typing::leave_slow() noexcept {
    const ControlFrame frame = top_frame();
    const Types outputs = results(frame);
    if (frame.kind == ControlFrame::Kind::if_) {
        // Without an else the parameters are the results.
        const Types inputs = params(frame);
        if (inputs.size() != outputs.size()) return ErrorCode::type_mismatch;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!matches(module_, inputs[i], outputs[i])) return ErrorCode::type_mismatch;
        }
    }
    if (const ErrorCode code = close_operands(frame); code != ErrorCode::ok) return code;
    restore_live(!frame.entered_dead);
    --frame_count_;
    --max_;
    return frame_count_ == 0 ? ErrorCode::ok : push_types(outputs);
}

void Typing::become_polymorphic() noexcept {
    ControlFrame& frame = top_frame();
    frame.polymorphic = true;
    top_ = base_ + frame.floor + 1;
}

ErrorCode Typing::branch(u32 depth) noexcept {
    if (depth >= frame_count_) return ErrorCode::unknown_label;
    ValType* cursor = nullptr;
    if (!top_matches(label_types(frame_at(depth)), cursor)) return ErrorCode::type_mismatch;
    become_polymorphic();
    return ErrorCode::ok;
}

ErrorCode Typing::branch_if_slow(u32 depth) noexcept {
    if (const ErrorCode code = pop(type_i32); code != ErrorCode::ok) return code;
    if (depth >= frame_count_) return ErrorCode::unknown_label;
    const Types types = label_types(frame_at(depth));
    if (const ErrorCode code = pop_types(types); code != ErrorCode::ok) return code;
    return push_types(types);
}

ErrorCode Typing::branch_table(LabelTable labels) noexcept {
    if (const ErrorCode code = pop(type_i32); code != ErrorCode::ok) return code;
    // The reader has checked the bytes already.
    TrustedReader reader{module_.bytes, {}};
    reader.seek(labels.bytes);
    u32 last = 0;
    std::size_t arity = 0;
    for (u32 i = 0; i <= labels.count; ++i) {
        const u32 depth = reader.leb_u32().take();
        // Runs of one label are common, and checked once.
        if (i != 0 && depth == last) continue;
        if (depth >= frame_count_) return ErrorCode::unknown_label;
        const Types types = label_types(frame_at(depth));
        if (i == 0) arity = types.size();
        ValType* cursor = nullptr;
        if (types.size() != arity || !top_matches(types, cursor)) return ErrorCode::type_mismatch;
        last = depth;
    }
    become_polymorphic();
    return ErrorCode::ok;
}

ErrorCode Typing::return_() noexcept {
    return branch(frame_count_ - 1);
}

ErrorCode Typing::call(TypeIndex type) noexcept {
    if (const ErrorCode code = pop_types(module_.params(type)); code != ErrorCode::ok) return code;
    return push_types(module_.results(type));
}

ErrorCode Typing::call_function(FuncIndex func) noexcept {
    if (func.value >= module_.functions.size()) return ErrorCode::unknown_function;
    return call(module_.functions[func.value]);
}

ErrorCode Typing::call_indirect(CallIndirect indirect) noexcept {
    if (indirect.table.value >= module_.tables.size()) return ErrorCode::unknown_table;
    const TableType& table = module_.tables[indirect.table.value].type;
    if (!matches(module_, table.element, type_funcref)) return ErrorCode::type_mismatch;
    if (indirect.type.value >= module_.types.size()) return ErrorCode::unknown_type;
    if (const ErrorCode code = pop(address_type(table.limits)); code != ErrorCode::ok) return code;
    return call(indirect.type);
}

}  // namespace wrun
