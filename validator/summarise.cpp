// See summarise.hpp.
#include "validator/summarise.hpp"

#include <algorithm>
#include <bit>

#include "base/limits.hpp"

namespace wrun {
namespace {

constexpr u32 weight_per_loop_log2 = 3;
constexpr u32 weighted_depth_max = 4;
constexpr u32 direct_locals = SummaryMemory::direct_locals;

/// Inserts into a list ordered by weight (heaviest first), then by index, of bounded length.
template <std::size_t size>
void insert(std::array<HotLocal, size>& list, u32& count, HotLocal entry) noexcept {
    const auto before = [](const HotLocal& a, const HotLocal& b) {
        return a.weight != b.weight ? a.weight > b.weight : a.local < b.local;
    };
    if (count == size) {
        if (!before(entry, list[size - 1])) return;
        --count;
    }
    u32 position = count++;
    for (; position > 0 && before(entry, list[position - 1]); --position) {
        list[position] = list[position - 1];
    }
    list[position] = entry;
}

}  // namespace

SummarySink::SummarySink(FunctionSummary& summary, SummaryMemory& memory) noexcept
    : summary_{summary}, memory_{memory} {
    summary.blocks.clear();
    const std::size_t needed = std::max(summary.local_count, direct_locals);
    if (memory.weights.size() < needed) memory.weights.resize(needed);
    weights_ = memory.weights.data();
}

void SummarySink::enter(bool is_loop) noexcept {
    if (frame_count_ == memory_.frames.capacity()) memory_.frames.grow(frame_count_ + 1);
    SummaryMemory::Frame& frame = memory_.frames.data()[frame_count_++];
    if (!is_loop && height_ == 0) {
        frame.kind = plain;
        return;
    }
    frame = {set_, used_, static_cast<u32>(summary_.blocks.size()), is_loop ? loop : summarised,
        flags_, 0};
    summary_.blocks.emplace_back();
    set_ = {};
    used_ = {};
    flags_ = 0;
    if (!is_loop) return;
    if (++loop_depth_ <= weighted_depth_max) weight_unit_ <<= weight_per_loop_log2;
}

void SummarySink::leave() noexcept {
    if (frame_count_ == 0) return;  // the function's own end
    const SummaryMemory::Frame& frame = memory_.frames.data()[--frame_count_];
    if (frame.kind == plain) return;
    BlockSummary& block = summary_.blocks[frame.block];
    block.set = set_;
    block.used = used_;
    block.has_call = (flags_ & heard_call) != 0;
    block.has_helper = (flags_ & heard_helper) != 0;
    block.has_inner_loop = (flags_ & heard_loop) != 0;
    set_ |= frame.set;
    used_ |= frame.used;
    flags_ |= frame.flags;
    if (frame.kind != loop) return;
    flags_ |= heard_loop;
    if (loop_depth_-- <= weighted_depth_max) weight_unit_ >>= weight_per_loop_log2;
}

void SummarySink::finish(const LocalTypes& locals) noexcept {
    summary_.has_call = (flags_ & heard_call) != 0;
    summary_.has_helper = (flags_ & heard_helper) != 0;
    summary_.has_loop = (flags_ & heard_loop) != 0;
    summary_.uses_memory = (flags_ & heard_memory) != 0;
    summary_.has_call_in_loop = call_in_loop_;
    summary_.hot_integer_count = 0;
    summary_.hot_float_count = 0;
    const auto offer = [&](u32 local) {
        const ValType type = locals[local];
        const HotLocal entry{local, memory_.weights[local], type};
        if (type == type_i32 || type == type_i64) {
            insert(summary_.hot_integers, summary_.hot_integer_count, entry);
        } else if (type.is_float()) {
            insert(summary_.hot_floats, summary_.hot_float_count, entry);
        }
    };
    constexpr u64 direct = LocalSet::bit(direct_locals) - 1;
    for (u64 bits = used_.bits & direct; bits != 0; bits &= bits - 1) {
        offer(static_cast<u32>(std::countr_zero(bits)));
    }
    for (const u32 local : memory_.touched)
        offer(local);
    clear();
}

void SummarySink::clear() noexcept {
    // After a failed walk, uses inside open frames are not in `used_`; the direct ones are few.
    std::fill_n(memory_.weights.begin(), direct_locals, 0);
    for (const u32 local : memory_.touched)
        memory_.weights[local] = 0;
    memory_.touched.clear();
}

}  // namespace wrun
