// The walk over frame pointers and what it finds in the images' tables.
#include "runtime/trace.hpp"

#include <algorithm>
#include <array>

#include "runtime/address.hpp"
#include "runtime/code_lookup.hpp"
#include "runtime/code_range.hpp"
#include "runtime/entry.hpp"

namespace wrun::runtime {

namespace {

/// Where control was in one frame. A return address lies behind its call, maybe in the next
/// function.
struct Place {
    u64 pc = 0;
    bool is_return = false;
};

[[nodiscard]] u64 read_word(u64 address) noexcept {
    return *pointer_at<const u64>(address);
}

/// What the trap table knows of a place. Of a call that may trap it is one byte before the return
/// address (docs/abi.md, "Helpers"), which is where a return is looked up anyway.
[[nodiscard]] u32 body_offset_of(const CodeImage& image, u64 offset) noexcept {
    const TrapRow* const row = row_at(image, offset);
    return row != nullptr ? row->body_offset() : RawFrame::unknown;
}

[[nodiscard]] bool is_code(u64 pc) noexcept {
    return code_range.holds(pc);
}

/// Keeps both ends of a stack of any depth.
class Ends {
public:
    void add(Place place) noexcept {
        if (count_ < first_.size()) {
            first_[count_] = place;
        } else {
            last_[(count_ - first_.size()) % last_.size()] = place;
        }
        ++count_;
    }
    [[nodiscard]] u64 omitted() const noexcept {
        const u64 kept = first_.size() + last_.size();
        return count_ > kept ? count_ - kept : 0;
    }
    template <class Use>
    void for_each(Use use) const {
        for (u64 i = 0; i < std::min<u64>(count_, first_.size()); ++i)
            use(first_[i]);
        for (u64 i = first_.size() + omitted(); i < count_; ++i) {
            use(last_[(i - first_.size()) % last_.size()]);
        }
    }

private:
    std::array<Place, RawTrace::innermost_frames_kept> first_;
    std::array<Place, RawTrace::outermost_frames_kept> last_;
    u64 count_ = 0;
};

/// A fault in a function's first instruction: its caller's frame is still the innermost, and the
/// return address to it is on top of the stack.
[[nodiscard]] bool is_at_entry(u64 pc) noexcept {
    if (pc == reinterpret_cast<u64>(wrun_switch_call) ||
        pc == reinterpret_cast<u64>(wrun_helper_call)) {
        return true;
    }
    const auto found = find_image(pc);
    if (found.image == nullptr) return false;
    const u64 offset = pc - reinterpret_cast<u64>(found.image->code);
    const auto function = function_at(*found.image, offset);
    return function && function->code_begin == offset;
}

[[nodiscard]] Ends walk(const EntryRecord& record) noexcept {
    const u64 lowest = record.stack_low + stack_guard_bytes;
    const auto holds = [&](u64 address, u64 bytes) {
        return address >= lowest && address % slot_bytes == 0 &&
               address <= record.stack_high - bytes;
    };
    Ends ends;
    const auto add = [&](Place place) {
        // Frames of the stubs are on the way, but nobody wrote them.
        if (is_code(place.pc)) ends.add(place);
    };
    // After a fault the PC is exact; in a call to the host it is a return address.
    const bool is_fault = record.faulted != 0;
    add({record.guest_pc, !is_fault});
    if (is_fault && is_at_entry(record.guest_pc) && holds(record.guest_rsp, slot_bytes)) {
        add({read_word(record.guest_rsp), true});
    }
    u64 frame = record.guest_rbp;
    while (holds(frame, 2 * slot_bytes)) {
        add({read_word(frame + slot_bytes), true});
        const u64 next = read_word(frame);
        // The outermost frame's is the host's; anything else that does not ascend is not a frame.
        if (next <= frame) break;
        frame = next;
    }
    return ends;
}

}  // namespace

RawTrace capture_trace(const EntryRecord& record) {
    const Ends ends = walk(record);
    RawTrace trace;
    trace.omitted = static_cast<u32>(ends.omitted());
    ends.for_each([&](Place place) {
        const u64 wanted = place.is_return ? place.pc - 1 : place.pc;
        const auto found = find_image(wanted);
        if (found.image == nullptr) return;
        const u64 offset = wanted - reinterpret_cast<u64>(found.image->code);
        const auto function = function_at(*found.image, offset);
        if (!function) return;
        trace.frames.push_back({found.image, found.owner, function->function, function->wasm_offset,
            body_offset_of(*found.image, offset)});
    });
    return trace;
}

}  // namespace wrun::runtime
