// The stack that the instances of one store run on. Owns its address space:
//
//   low()    guard, 64 KiB, no access: where overflow faults
//   limit()  the stack, lowest address that may be written
//     …
//   high()   its end; the first frame goes below. The result buffer begins here
//            (Context::results, result_buffer_slots slots)
#pragma once

#include "base/os_memory.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

class GuestStack {
public:
    static constexpr u64 bytes_min = 64 * 1024;
    static constexpr u64 bytes_max = u64{1} << 30;

    GuestStack() = default;
    /// `bytes` is brought between the two bounds and up to pages.
    [[nodiscard]] static Result<GuestStack> make(u64 bytes);
    [[nodiscard]] static u64 rounded(u64 bytes) noexcept;

    [[nodiscard]] u64 bytes() const noexcept { return bytes_; }
    /// Gives back the pages that only a deep run needs. Nobody runs on it.
    void trim() noexcept;

    [[nodiscard]] u64 low() const noexcept { return reinterpret_cast<u64>(region_.data()); }
    [[nodiscard]] u64 limit() const noexcept { return low() + stack_guard_bytes; }
    [[nodiscard]] u64 high() const noexcept { return limit() + bytes_; }
    [[nodiscard]] u64* results() const noexcept {
        return reinterpret_cast<u64*>(region_.data() + stack_guard_bytes + bytes_);
    }

private:
    os::MappedRegion region_;
    u64 bytes_ = 0;
};

}  // namespace wrun::runtime
