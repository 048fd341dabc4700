// The sink of P0: what it hears from the checked walk becomes a FunctionSummary
// (validator/summary.hpp says what each field means). It keeps one weight per local as scratch;
// only the weights that a function touched are looked at and cleared, so a function costs what its
// body costs, however many locals it has.
#pragma once

#include <vector>

#include "base/raw_buffer.hpp"
#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"
#include "validator/locals.hpp"
#include "validator/summary.hpp"

namespace wrun {

/// Memory that the summary sink keeps from function to function.
struct SummaryMemory {
    /// Locals below have bits of their own in LocalSet, which say whether they were touched.
    static constexpr u32 direct_locals = 63;

    /// An open, announced block; holds what was gathered before it, until it ends.
    struct Frame {
        LocalSet set;
        LocalSet used;
        u32 block = 0;  // in FunctionSummary::blocks
        u8 kind = 0;    // see SummarySink
        u8 flags = 0;
        u16 unused = 0;
    };

    std::vector<u32> weights;  // all zero between functions; as many as the most locals so far
    std::vector<u32> touched;  // locals that are not direct and whose weight is not zero
    RawBuffer<Frame> frames{256};
};

class SummarySink {
public:
    /// `summary` knows its locals already.
    SummarySink(FunctionSummary& summary, SummaryMemory& memory) noexcept;

    /// After the walk: fills the lists of hot locals and leaves the memory clean.
    void finish(const LocalTypes& locals) noexcept;
    /// After a walk that failed: only leaves the memory clean.
    void clear() noexcept;

    WRUN_INLINE void at(u32 /*offset*/, const u8* /*next*/) noexcept {}
    WRUN_INLINE void operand_height(u32 slots) noexcept { height_ = slots; }

#define WRUN_OP(name, ...)                                            \
    template <class... Immediates>                                    \
    WRUN_INLINE void emit_##name(Immediates... immediates) noexcept { \
        hear<Op::name>(immediates...);                                \
    }
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX

private:
    // Kinds of frames: without an entry in the summary, with one, with one and a loop's weight.
    static constexpr u8 plain = 0;
    static constexpr u8 summarised = 1;
    static constexpr u8 loop = 2;
    // Flags of what has been heard since the innermost summarised frame began.
    static constexpr u8 heard_call = 1;
    static constexpr u8 heard_helper = 2;
    static constexpr u8 heard_loop = 4;
    static constexpr u8 heard_memory = 8;

    template <Op op, class... Immediates>
    WRUN_INLINE void hear(Immediates... immediates) noexcept;
    WRUN_INLINE void touch(u32 local) noexcept {
        u32& weight = weights_[local];
        if (local >= SummaryMemory::direct_locals && weight == 0) [[unlikely]]
            remember(local);
        const u32 sum = weight + weight_unit_;
        weight = sum < weight ? 0xffff'ffff : sum;
    }
    [[gnu::noinline]] void remember(u32 local) noexcept { memory_.touched.push_back(local); }
    void enter(bool is_loop) noexcept;
    void leave() noexcept;

    LocalSet set_;
    LocalSet used_;
    u32 weight_unit_ = 1;
    u32 loop_depth_ = 0;
    u32 frame_count_ = 0;
    u32 height_ = 0;
    u8 flags_ = 0;
    bool call_in_loop_ = false;
    FunctionSummary& summary_;
    SummaryMemory& memory_;
    u32* weights_;
};

template <Op op, class... Immediates>
void SummarySink::hear(Immediates... immediates) noexcept {
    constexpr const OpInfo& row = info(op);
    if constexpr (row.immediate == Immediate::local) {
        const LocalIndex local{immediates...};
        touch(local.value);
        used_.add(local.value);
        if constexpr (op != Op::local_get) set_.add(local.value);
    } else if constexpr (row.immediate == Immediate::block) {
        enter(op == Op::loop);
    } else if constexpr (op == Op::end) {
        leave();
    }
    constexpr u8 heard =
        (row.has(trait::calls) ? heard_call : 0) | (row.has(trait::helper) ? heard_helper : 0);
    constexpr bool memory = row.immediate == Immediate::mem || row.immediate == Immediate::memory ||
                            row.immediate == Immediate::memory_memory ||
                            row.immediate == Immediate::data_memory;
    if constexpr (heard != 0 || memory) flags_ |= heard | (memory ? heard_memory : 0);
    if constexpr (row.has(trait::calls)) call_in_loop_ |= loop_depth_ != 0;
}

}  // namespace wrun
