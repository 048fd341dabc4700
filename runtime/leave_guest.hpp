// How a signal handler ends a guest: by rewriting what it interrupted, so that the thread goes on
// at the stubs' way out. Shared by the handlers of faults and of deadlines.
#pragma once

#include <ucontext.h>

#include "runtime/entry.hpp"

namespace wrun::runtime {

[[nodiscard]] inline bool is_in_stubs(u64 pc) noexcept {
    return pc >= reinterpret_cast<u64>(wrun_stubs_begin) &&
           pc < reinterpret_cast<u64>(wrun_stubs_end);
}

/// `entry` is the innermost, `status` how wrun_enter shall come back. What is in registers is lost.
inline void leave_guest(greg_t* registers, EntryRecord& entry, u64 status) noexcept {
    entry.guest_rsp = static_cast<u64>(registers[REG_RSP]);
    entry.guest_rbp = static_cast<u64>(registers[REG_RBP]);
    entry.guest_pc = static_cast<u64>(registers[REG_RIP]);
    entry.faulted = 1;
    entry.status = status;
    registers[REG_RSP] = static_cast<greg_t>(entry.host_rsp);
    registers[REG_RIP] = reinterpret_cast<greg_t>(wrun_leave);
}

}  // namespace wrun::runtime
