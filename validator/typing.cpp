// The cold half of typing: operands that are not exactly what the table says, and growth.
#include "validator/typing.hpp"

#include <algorithm>
#include <cstring>

#include "validator/matches.hpp"

namespace wrun {

Typing::Typing(const Module& module, FeatureSet features, const LocalTypes& locals,
    TypingMemory& memory) noexcept
    : locals_{locals}, module_{module}, features_{features}, memory_{memory} {
    plain_memory_ = module.memories.size() == 1 && !module.memories[0].type.limits.is_64;
}

void Typing::begin(TypeIndex function_type) noexcept {
    base_ = memory_.operands.data() + slack;
    limit_ = memory_.operands.data() + memory_.operands.capacity() - slack;
    frames_ = memory_.frames.data();
    top_ = base_;
    *top_++ = sentinel;
    max_ = top_;
    frames_[0] = ControlFrame{
        {BlockType::Form::type, {}, function_type}, 0, ControlFrame::Kind::function, false, false};
    frame_count_ = 1;
    live_ = true;
}

ErrorCode Typing::grow() noexcept {
    return ensure(1);
}

/// Room for `more` entries above `max_`.
ErrorCode Typing::ensure(std::size_t more) noexcept {
    const std::size_t needed = static_cast<std::size_t>(max_ - base_) + more;
    if (needed <= static_cast<std::size_t>(limit_ - base_)) return ErrorCode::ok;
    // Control frames have an entry each beside the slots.
    constexpr std::size_t entries_max = std::size_t{limits::frame_slots_max} + limits::nesting_max;
    if (needed > entries_max) return ErrorCode::frame_too_large;
    const auto top = top_ - base_;
    const auto max = max_ - base_;
    memory_.operands.grow(needed + 2 * std::size_t{slack});
    base_ = memory_.operands.data() + slack;
    limit_ = memory_.operands.data() + memory_.operands.capacity() - slack;
    top_ = base_ + top;
    max_ = base_ + max;
    return ErrorCode::ok;
}

ErrorCode Typing::pop_slow(ValType type) noexcept {
    const ValType actual = top_[-1];
    if (actual == sentinel) {
        return top_frame().polymorphic ? ErrorCode::ok : ErrorCode::type_mismatch;
    }
    if (!matches(module_, actual, type)) return ErrorCode::type_mismatch;
    top_ -= actual.slots();
    return ErrorCode::ok;
}

ErrorCode Typing::pop_any(ValType& type) noexcept {
    type = top_[-1];
    if (type == sentinel) {
        type = type_bottom;
        return top_frame().polymorphic ? ErrorCode::ok : ErrorCode::type_mismatch;
    }
    top_ -= type.slots();
    return ErrorCode::ok;
}

ErrorCode Typing::pop_each(std::initializer_list<ValType> types) noexcept {
    for (const ValType* type = types.end(); type != types.begin();) {
        if (const ErrorCode code = pop(*--type); code != ErrorCode::ok) return code;
    }
    return ErrorCode::ok;
}

ErrorCode Typing::row_slow(Op op) noexcept {
    const Signature& signature = info(op).signature;
    for (u32 i = signature.pops; i-- > 0;) {
        if (const ErrorCode code = pop(signature.types[i]); code != ErrorCode::ok) return code;
    }
    return signature.pushes == 0 ? ErrorCode::ok : push(signature.types[signature.pops]);
}

/// A thousand results can stand behind each byte of a br_table, so long lists are compared as
/// memory. A vector's two entries differ from its one type, save for the lower half of the first.
bool Typing::equals_top(Types types) const noexcept {
    const auto present = static_cast<std::size_t>(top_ - (base_ + top_frame().floor + 1));
    if (present < types.size() || types[0] == type_v128) return false;
    return std::memcmp(top_ - types.size(), types.data(), types.size_bytes()) == 0;
}

bool Typing::top_matches(Types types, ValType*& cursor) const noexcept {
    cursor = top_;
    if (types.size() >= compared_at_once_min && equals_top(types)) {
        cursor -= types.size();
        return true;
    }
    for (std::size_t i = types.size(); i-- > 0;) {
        const ValType actual = cursor[-1];
        if (actual == sentinel) return top_frame().polymorphic;
        if (actual != types[i] && actual != type_bottom && !matches(module_, actual, types[i])) {
            return false;
        }
        cursor -= actual.slots();
    }
    return true;
}

ErrorCode Typing::pop_types(Types types) noexcept {
    ValType* cursor = nullptr;
    if (!top_matches(types, cursor)) return ErrorCode::type_mismatch;
    top_ = cursor;
    return ErrorCode::ok;
}

ErrorCode Typing::push_types(Types types) noexcept {
    if (types.empty()) return ErrorCode::ok;
    if (const ErrorCode code = ensure(2 * types.size()); code != ErrorCode::ok) return code;
    ValType* top = top_;
    for (const ValType type : types) {
        *top = v128_half;
        top += type == type_v128;
        *top++ = type;
    }
    top_ = top;
    max_ = std::max(max_, top_);
    return ErrorCode::ok;
}

ErrorCode Typing::select_slow() noexcept {
    ValType first;
    ValType second;
    if (const ErrorCode code = pop(type_i32); code != ErrorCode::ok) return code;
    if (const ErrorCode code = pop_any(second); code != ErrorCode::ok) return code;
    if (const ErrorCode code = pop_any(first); code != ErrorCode::ok) return code;
    // Without a type, only numbers and vectors can be selected.
    if (first.is_ref() || second.is_ref()) return ErrorCode::type_mismatch;
    if (first != second && first != type_bottom && second != type_bottom) {
        return ErrorCode::type_mismatch;
    }
    return push(first == type_bottom ? second : first);
}

ErrorCode Typing::select_typed(ValType type) noexcept {
    if (!is_known(type)) return ErrorCode::unknown_type;
    const ErrorCode code = pop_each({type, type, type_i32});
    return code != ErrorCode::ok ? code : push(type);
}

}  // namespace wrun
