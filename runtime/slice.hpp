// How a signal handler ends a guest's time slice: by rewriting what it interrupted, so that the
// guest goes on in a stub that keeps all of its registers and suspends the fiber. Unlike the way
// out (leave_guest.hpp) it comes back.
#pragma once

#include <ucontext.h>

#include "runtime/entry.hpp"

namespace wrun::runtime {

/// What the stub needs on the guest's stack, with as much again to spare.
inline constexpr u64 slice_stack_bytes = 2048;

/// `registers` are those of a thread in the run of `entry`. False, and nothing is changed, where it
/// cannot be: elsewhere than in a function's body, without that much room below, or where there is
/// no fiber.
bool pause_guest(greg_t* registers, const EntryRecord& entry) noexcept;

}  // namespace wrun::runtime
