// Mapping of guest stacks.
#include "runtime/stack.hpp"

#include <algorithm>

namespace wrun::runtime {

u64 GuestStack::rounded(u64 bytes) noexcept {
    return os::round_up_to_page(std::clamp(bytes, bytes_min, bytes_max));
}

void GuestStack::trim() noexcept {
    constexpr u64 kept_bytes = 64 * 1024;
    static_assert(kept_bytes <= bytes_min);
    if (bytes_ == 0) return;
    // Advice: failure costs memory, nothing else.
    (void)region_.drop(stack_guard_bytes, bytes_ - kept_bytes);
}

Result<GuestStack> GuestStack::make(u64 bytes) {
    constexpr u64 result_bytes = os::round_up_to_page(u64{result_buffer_slots} * slot_bytes);
    GuestStack stack;
    stack.bytes_ = rounded(bytes);
    const u64 writable = stack.bytes_ + result_bytes;
    stack.region_ = WRUN_TRY(os::MappedRegion::reserve(stack_guard_bytes + writable));
    // One touch of a huge page would clear 2 MiB where most guests use a few KiB.
    (void)stack.region_.refuse_huge_pages();  // advice: failure costs memory, nothing else
    WRUN_TRY(stack.region_.make_writable(stack_guard_bytes, writable));
    return stack;
}

}  // namespace wrun::runtime
