// The one walk over a function body. Checked: every byte is checked and every operation typed (P0).
// Trusted: the body was checked before, and is only decoded (P1). Both announce the same
// operations, in the same order, to a FunctionSink (validator/sink.hpp has the contract): reachable
// ones only. The switch is expanded from decoder/ops.def: a case per row, specialised by the row's
// facts.
#pragma once

#include <concepts>
#include <tuple>
#include <utility>

#include "decoder/immediates.hpp"
#include "decoder/opcodes.hpp"
#include "validator/sink.hpp"
#include "validator/typing.hpp"

namespace wrun {

namespace detail {

/// What Trusted has in the place of Typing.
struct NoTyping {
    [[nodiscard]] static constexpr bool live() noexcept { return true; }
};

/// std::apply, but inlined whatever the compiler thinks: the walk's state must stay in registers.
template <class F, class... T>
WRUN_INLINE decltype(auto) spread(F&& function, const std::tuple<T...>& values) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) WRUN_INLINE_LAMBDA -> decltype(auto) {
        return function(std::get<i>(values)...);
    }(std::index_sequence_for<T...>{});
}

/// A case label: the opcode byte, or 0x100 + the code behind the prefix.
constexpr u32 case_of(u8 prefix, u8 code) noexcept {
    return prefix == 0 ? code : 0x100u + code;
}

/// Moves to the else or end that ends the dead code begun here, and does not take it.
[[gnu::noinline]] inline const u8* skip_dead(TrustedReader reader) noexcept {
    // By value, and the position as the result: so the walk's own reader can live in registers.
    u32 depth = 0;
    for (;;) {
        const u8* const start = reader.position();
        const Op op = read_op(reader).take().op();
        switch (op) {
            case Op::block:
            case Op::loop:
            case Op::if_: ++depth; break;
            case Op::else_:
                if (depth == 0) return start;
                break;
            case Op::end:
                if (depth-- == 0) return start;
                break;
            default: break;
        }
        (void)skip_immediates(reader, info(op).immediate);
    }
}

/// The opcode's error: of a feature that is not there, or none at all.
[[nodiscard, gnu::cold]] Error unknown_op(u32 key, u32 offset) noexcept;

/// Calls `emit` with the offset of the operation announced and its immediates.
template <Op op, class R, class T, class Sink, class Emit>
WRUN_INLINE auto step(R& reader, const u8* start, T& typing, Sink& sink, Emit emit) ->
    typename R::template Out<void> {
    constexpr const OpInfo& row = info(op);
    if constexpr (!R::trusted && row.feature != Feature::mvp) {
        if (!typing.has(row.feature)) [[unlikely]] {
            return unsupported(row.feature, reader.offset_of(start));
        }
    }
    const auto immediates = WRUN_TRY((read_immediates<row.immediate>(reader)));
    if constexpr (!R::trusted) {
        const ErrorCode code = spread(
            [&](auto... values) WRUN_INLINE_LAMBDA { return typing.template apply<op>(values...); },
            immediates);
        if (code != ErrorCode::ok) [[unlikely]]
            return Error{code, 0, reader.offset_of(start)};
    }
    if (typing.live()) {
        if constexpr (!R::trusted && row.immediate == Immediate::block &&
                      requires { sink.operand_height(u32{}); }) {
            sink.operand_height(typing.height());
        }
        sink.at(reader.offset_of(start), reader.position());
        spread(emit, immediates);
    }
    if constexpr (row.has(trait::ends)) {
        if constexpr (R::trusted) {
            reader.seek(skip_dead(reader));
        } else {
            typing.end_reachable();
        }
    }
    return {};
}

}  // namespace detail

namespace detail {

/// Whether the sink wants nothing more; asked only behind operations that can make much of few
/// bytes.
template <Op op, class R, class Sink>
WRUN_INLINE bool gave_up(const Sink& sink) noexcept {
    if constexpr (R::trusted && info(op).has(trait::calls | trait::control) &&
                  requires { sink.gave_up(); }) {
        return sink.gave_up();
    } else {
        return false;
    }
}

WRUN_INLINE bool is_done(const Reader& /*reader*/, const Typing& typing) noexcept {
    return typing.done();
}
WRUN_INLINE bool is_done(const TrustedReader& reader, NoTyping /*typing*/) noexcept {
    return reader.at_end();
}

}  // namespace detail

/// From the first operation of a body to its last `end`. Typing is detail::NoTyping with a
/// TrustedReader. A checked walk's sink may have `operand_height(u32 slots)`: it is then called
/// before a block, loop or if is announced, with the height of the function's operand stack behind
/// it. A trusted walk's may have `gave_up()`: true behind a call or a control operation ends the
/// walk there.
template <class R, class T, FunctionSink Sink>
auto walk(R& source, T& typing, Sink& sink) -> typename R::template Out<void> {
    R reader = source;  // nobody else sees this one, so it may live in registers
    for (;;) {
        const u8* const start = reader.position();
        if constexpr (!R::trusted) {
            if (reader.at_end()) [[unlikely]] {
                return reader.error_here(ErrorCode::end_opcode_expected);
            }
        }
        u32 key = reader.byte_at_hand();
        if (key == prefix_fc) [[unlikely]] {
            key = WRUN_TRY(reader.leb_u32());
            key = key < 0x100 ? key + 0x100 : 0xffff'ffff;
        }
        switch (key) {
#define WRUN_OP(name, prefix, code, ...)                                                        \
    case detail::case_of(prefix, code):                                                         \
        WRUN_TRY((detail::step<Op::name>(reader, start, typing, sink,                           \
            [&](auto... immediates) WRUN_INLINE_LAMBDA { sink.emit_##name(immediates...); }))); \
        if (detail::gave_up<Op::name, R>(sink)) return {};                                      \
        if constexpr (Op::name == Op::end) {                                                    \
            if (detail::is_done(reader, typing)) {                                              \
                source = reader;                                                                \
                return {};                                                                      \
            }                                                                                   \
        }                                                                                       \
        break;
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
            default:
                if constexpr (R::trusted) {
                    unreachable();
                } else {
                    return detail::unknown_op(key, reader.offset_of(start));
                }
        }
    }
}

/// Behind the declarations of locals, which the walk of a trusted body does not need.
inline void skip_locals(TrustedReader& reader) {
    const u32 run_count = reader.leb_u32().take();
    for (u32 i = 0; i < run_count; ++i) {
        reader.skip_leb();
        (void)read_val_type(reader);
    }
}

/// P1: announces the body of `func`, which FunctionValidator::validate accepted, to `sink`.
template <FunctionSink Sink>
void walk_trusted(const Module& module, FuncIndex func, Sink& sink) {
    TrustedReader reader{module.bytes, module.body(func)};
    skip_locals(reader);
    detail::NoTyping typing;
    (void)walk(reader, typing, sink);
}

}  // namespace wrun
