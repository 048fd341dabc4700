// The typing half of the checked walk: the validation algorithm of the spec's appendix (§7.3), with
// subtyping and the polymorphic stack, on an operand stack of packed types.
//
// What makes it fast: each control frame puts a sentinel under its operands. A sentinel equals no
// type, so "is the operand there and of this type" is one compare, and underflow, dead code and
// subtyping all live behind that compare failing (the cold functions in typing.cpp). A v128 takes
// two entries, so heights are counted in slots; `max_` follows the deepest reachable height and
// guards the capacity.
//
// Functions return the error's code; the walk adds the offset of the operation.
#pragma once

#include <initializer_list>
#include <span>

#include "base/features.hpp"
#include "base/raw_buffer.hpp"
#include "decoder/module.hpp"
#include "decoder/opcodes.hpp"
#include "validator/locals.hpp"

namespace wrun {

/// An open block. 24 bytes: a body may nest a million of them.
struct ControlFrame {
    enum class Kind : u8 { function, block, loop, if_, else_ };
    BlockType type;
    u32 floor = 0;  // its sentinel's position on the operand stack
    Kind kind = Kind::block;
    bool polymorphic = false;   // behind br, return, unreachable: operands of any type are there
    bool entered_dead = false;  // nothing of it is announced
};

/// Memory that typing keeps from function to function.
struct TypingMemory {
    RawBuffer<ValType> operands{4096};
    RawBuffer<ControlFrame> frames{256};
};

class Typing {
public:
    Typing(const Module& module, FeatureSet features, const LocalTypes& locals,
        TypingMemory& memory) noexcept;

    /// Opens the function's own frame.
    void begin(TypeIndex function_type) noexcept;

    /// Types one operation. Dead or not; only its immediates may be looked at.
    template <Op op, class... Immediates>
    WRUN_INLINE ErrorCode apply(Immediates... immediates) noexcept;

    /// Behind an operation that ends its block.
    WRUN_INLINE void end_reachable() noexcept {
        if (live_) saved_max_ = static_cast<u32>(max_ - base_);
        live_ = false;
    }
    /// Whether the operation just typed is announced.
    [[nodiscard]] WRUN_INLINE bool live() const noexcept { return live_; }
    /// The function's own frame is closed.
    [[nodiscard]] WRUN_INLINE bool done() const noexcept { return frame_count_ == 0; }
    [[nodiscard]] WRUN_INLINE bool has(Feature feature) const noexcept {
        return features_.has(feature);
    }
    /// Operands of the whole function, in slots. Only of reachable code.
    [[nodiscard]] u32 height() const noexcept {
        return static_cast<u32>(top_ - base_) - frame_count_;
    }
    /// Deepest reachable height, once done.
    [[nodiscard]] u32 height_max() const noexcept { return static_cast<u32>(max_ - base_); }

private:
    using Types = std::span<const ValType>;
    static constexpr ValType sentinel = ValType::from_bits(15);
    /// Under the v128 proper, so that it takes two slots.
    static constexpr ValType v128_half = ValType::from_bits(14);
    /// Unused entries below the first sentinel and above the last operand.
    static constexpr u32 slack = 4;

    // Operands, the fast half.
    WRUN_INLINE ErrorCode push(ValType type) noexcept {
        if (type == type_v128) [[unlikely]]
            *top_++ = v128_half;
        *top_++ = type;
        return top_ > max_ ? raise() : ErrorCode::ok;
    }
    WRUN_INLINE ErrorCode pop(ValType type) noexcept {
        if (top_[-1] == type && type != type_v128) [[likely]] {
            --top_;
            return ErrorCode::ok;
        }
        return pop_slow(type);
    }
    template <Op op>
    WRUN_INLINE ErrorCode row() noexcept;
    template <Op op>
    WRUN_INLINE ErrorCode memory_row(MemArg arg) noexcept;
    WRUN_INLINE ErrorCode raise() noexcept {
        max_ = top_;
        return top_ > limit_ ? grow() : ErrorCode::ok;
    }

    // The slow half. What is cold leaves no code between the cases of the walk, whose hot parts are
    // to stay in the instruction cache.
    [[gnu::cold]] ErrorCode grow() noexcept;
    ErrorCode ensure(std::size_t more) noexcept;
    [[gnu::cold]] ErrorCode pop_slow(ValType type) noexcept;
    [[gnu::cold]] ErrorCode pop_any(ValType& type) noexcept;
    [[gnu::cold]] ErrorCode row_slow(Op op) noexcept;
    [[gnu::cold]] ErrorCode memory_row_slow(Op op, MemArg arg) noexcept;
    [[gnu::cold]] ErrorCode select_slow() noexcept;
    ErrorCode select_typed(ValType type) noexcept;
    /// Whether the operands on top are of these types; `cursor` is set below them.
    bool top_matches(Types types, ValType*& cursor) const noexcept;
    static constexpr std::size_t compared_at_once_min = 8;
    bool equals_top(Types types) const noexcept;
    ErrorCode pop_types(Types types) noexcept;
    ErrorCode push_types(Types types) noexcept;

    // Blocks.
    [[nodiscard]] Types params(const ControlFrame& frame) const noexcept;
    [[nodiscard]] Types results(const ControlFrame& frame) const noexcept;
    [[nodiscard]] Types label_types(const ControlFrame& frame) const noexcept {
        return frame.kind == ControlFrame::Kind::loop ? params(frame) : results(frame);
    }
    [[nodiscard]] ControlFrame& top_frame() const noexcept { return frames_[frame_count_ - 1]; }
    [[nodiscard]] ControlFrame& frame_at(u32 depth) const noexcept {
        return frames_[frame_count_ - 1 - depth];
    }
    /// Most blocks have no type and fit.
    WRUN_INLINE ErrorCode enter(ControlFrame::Kind kind, BlockType type) noexcept {
        if (type.form != BlockType::Form::empty) return enter_slow(kind, type);
        if (frame_count_ >= memory_.frames.capacity() || max_ >= limit_) [[unlikely]]
            return enter_slow(kind, type);
        frames_[frame_count_++] =
            ControlFrame{type, static_cast<u32>(top_ - base_), kind, false, !live_};
        *top_++ = sentinel;
        ++max_;
        return ErrorCode::ok;
    }
    ErrorCode enter_slow(ControlFrame::Kind kind, BlockType type) noexcept;
    ErrorCode begin_else() noexcept;
    /// Most blocks have no type and are left with nothing on top.
    WRUN_INLINE ErrorCode leave() noexcept {
        const ControlFrame& frame = top_frame();
        const bool plain =
            frame.type.form == BlockType::Form::empty && live_ && top_ == base_ + frame.floor + 1;
        if (!plain) return leave_slow();
        --top_;
        --max_;
        --frame_count_;
        return ErrorCode::ok;
    }
    ErrorCode leave_slow() noexcept;
    ErrorCode close_operands(const ControlFrame& frame) noexcept;
    void restore_live(bool live) noexcept;
    void become_polymorphic() noexcept;
    ErrorCode branch(u32 depth) noexcept;
    WRUN_INLINE ErrorCode branch_if(u32 depth) noexcept {
        const bool plain = top_[-1] == type_i32 && depth < frame_count_ &&
                           frame_at(depth).type.form == BlockType::Form::empty;
        if (!plain) return branch_if_slow(depth);
        --top_;
        return ErrorCode::ok;
    }
    ErrorCode branch_if_slow(u32 depth) noexcept;
    ErrorCode branch_table(LabelTable labels) noexcept;
    ErrorCode return_() noexcept;

    // Everything else that the table does not type.
    ErrorCode call(TypeIndex type) noexcept;
    ErrorCode call_function(FuncIndex func) noexcept;
    ErrorCode call_indirect(CallIndirect call) noexcept;
    ErrorCode global_get(GlobalIndex global) noexcept;
    ErrorCode global_set(GlobalIndex global) noexcept;
    ErrorCode table_row(Op op, TableIndex table) noexcept;
    ErrorCode table_init(ElemIndex elem, TableIndex table) noexcept;
    ErrorCode table_copy(TableIndex to, TableIndex from) noexcept;
    ErrorCode memory_size_row(Op op, MemoryIndex memory) noexcept;
    ErrorCode memory_init(DataIndex data, MemoryIndex memory) noexcept;
    ErrorCode memory_copy(MemoryIndex to, MemoryIndex from) noexcept;
    ErrorCode pop_copy(const Limits& to, const Limits& from) noexcept;
    ErrorCode data_drop(DataIndex data) const noexcept;
    ErrorCode elem_drop(ElemIndex elem) const noexcept;
    ErrorCode ref_null(ValType type) noexcept;
    ErrorCode ref_is_null() noexcept;
    ErrorCode ref_func(FuncIndex func) noexcept;
    ErrorCode pop_each(std::initializer_list<ValType> types) noexcept;
    [[nodiscard]] static ValType address_type(const Limits& limits) noexcept {
        return limits.is_64 ? type_i64 : type_i32;
    }
    /// A type written in the body names no type that is not there.
    [[nodiscard]] bool is_known(ValType type) const noexcept {
        return !type.is_ref() || !type.concrete() || type.type_index().value < module_.types.size();
    }

    ValType* top_ = nullptr;    // behind the topmost operand
    ValType* max_ = nullptr;    // highest `top_` in this frame, were all heights reached in it
    ValType* limit_ = nullptr;  // `top_` may go here without asking
    ValType* base_ = nullptr;
    ControlFrame* frames_ = nullptr;
    u32 frame_count_ = 0;
    u32 saved_max_ = 0;  // of the reachable code, while in dead code
    bool live_ = true;
    bool plain_memory_ = false;  // one memory, of 32-bit addresses

    const LocalTypes& locals_;
    const Module& module_;
    FeatureSet features_;
    TypingMemory& memory_;
};

template <Op op>
ErrorCode Typing::row() noexcept {
    static constexpr Signature signature = info(op).signature;
    constexpr u32 pops = signature.pops;
    constexpr u32 pushes = signature.pushes;
    constexpr const auto& types = signature.types;
    static_assert(!signature.special && pops <= 3 && pushes <= 1);
    static_assert(types[0] != type_v128 && types[1] != type_v128, "v128 rows need two entries");
    if constexpr (pops >= 1) {
        // From the top down: an operand that is there has at least a sentinel below it.
        if (top_[-1] != types[pops - 1]) [[unlikely]]
            return row_slow(op);
        if constexpr (pops >= 2) {
            if (top_[-2] != types[pops - 2]) [[unlikely]]
                return row_slow(op);
        }
        if constexpr (pops >= 3) {
            if (top_[-3] != types[0]) [[unlikely]]
                return row_slow(op);
        }
    }
    if constexpr (pushes > pops) {
        return push(types[pops]);
    } else {
        top_ -= pops - pushes;
        if constexpr (pushes == 1 && types[pops] != types[0]) top_[-1] = types[pops];
        return ErrorCode::ok;
    }
}

template <Op op>
ErrorCode Typing::memory_row(MemArg arg) noexcept {
    constexpr u8 align_log2_max = static_cast<u8>(__builtin_ctz(info(op).access_bytes));
    const bool plain = plain_memory_ && arg.memory.value == 0 && arg.align_log2 <= align_log2_max;
    if (!plain || arg.offset > 0xffff'ffff) [[unlikely]]
        return memory_row_slow(op, arg);
    return row<op>();
}

template <Op op, class... Immediates>
ErrorCode Typing::apply(Immediates... immediates) noexcept {
    constexpr Immediate kind = info(op).immediate;
    using Kind = ControlFrame::Kind;
    if constexpr (!info(op).signature.special) {
        if constexpr (kind == Immediate::mem) {
            return memory_row<op>(immediates...);
        } else {
            return row<op>();
        }
    } else if constexpr (op == Op::local_get) {
        const LocalIndex local{immediates...};
        if (local.value >= locals_.count()) [[unlikely]]
            return ErrorCode::unknown_local;
        return push(locals_[local.value]);
    } else if constexpr (op == Op::local_set) {
        const LocalIndex local{immediates...};
        if (local.value >= locals_.count()) [[unlikely]]
            return ErrorCode::unknown_local;
        return pop(locals_[local.value]);
    } else if constexpr (op == Op::local_tee) {
        const LocalIndex local{immediates...};
        if (local.value >= locals_.count()) [[unlikely]]
            return ErrorCode::unknown_local;
        const ValType type = locals_[local.value];
        if (top_[-1] == type) [[likely]]
            return ErrorCode::ok;
        const ErrorCode code = pop_slow(type);
        return code != ErrorCode::ok ? code : push(type);
    } else if constexpr (op == Op::unreachable) {
        become_polymorphic();
        return ErrorCode::ok;
    } else if constexpr (op == Op::block) {
        return enter(Kind::block, immediates...);
    } else if constexpr (op == Op::loop) {
        return enter(Kind::loop, immediates...);
    } else if constexpr (op == Op::if_) {
        const ErrorCode code = pop(type_i32);
        return code != ErrorCode::ok ? code : enter(Kind::if_, immediates...);
    } else if constexpr (op == Op::else_) {
        return begin_else();
    } else if constexpr (op == Op::end) {
        return leave();
    } else if constexpr (op == Op::br) {
        return branch(immediates...);
    } else if constexpr (op == Op::br_if) {
        return branch_if(immediates...);
    } else if constexpr (op == Op::br_table) {
        return branch_table(immediates...);
    } else if constexpr (op == Op::return_) {
        return return_();
    } else if constexpr (op == Op::call) {
        return call_function(immediates...);
    } else if constexpr (op == Op::call_indirect) {
        return call_indirect(immediates...);
    } else if constexpr (op == Op::drop) {
        if (top_[-1].is_number()) [[likely]] {
            --top_;
            return ErrorCode::ok;
        }
        ValType type;
        return pop_any(type);
    } else if constexpr (op == Op::select) {
        const bool plain = top_[-1] == type_i32 && top_[-2].is_number() && top_[-2] == top_[-3];
        if (!plain) [[unlikely]]
            return select_slow();
        top_ -= 2;
        return ErrorCode::ok;
    } else if constexpr (op == Op::select_t) {
        return select_typed(immediates...);
    } else if constexpr (op == Op::global_get) {
        return global_get(immediates...);
    } else if constexpr (op == Op::global_set) {
        return global_set(immediates...);
    } else if constexpr (kind == Immediate::table) {
        return table_row(op, immediates...);
    } else if constexpr (kind == Immediate::memory) {
        return memory_size_row(op, immediates...);
    } else if constexpr (op == Op::ref_null) {
        return ref_null(immediates...);
    } else if constexpr (op == Op::ref_is_null) {
        return ref_is_null();
    } else if constexpr (op == Op::ref_func) {
        return ref_func(immediates...);
    } else if constexpr (op == Op::memory_init) {
        return memory_init(immediates...);
    } else if constexpr (op == Op::data_drop) {
        return data_drop(immediates...);
    } else if constexpr (op == Op::memory_copy) {
        return memory_copy(immediates...);
    } else if constexpr (op == Op::table_init) {
        return table_init(immediates...);
    } else if constexpr (op == Op::elem_drop) {
        return elem_drop(immediates...);
    } else {
        static_assert(op == Op::table_copy);
        return table_copy(immediates...);
    }
}

}  // namespace wrun
