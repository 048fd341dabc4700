// Crossing between host and guest: the chain of entry records of this thread, the assembly stubs,
// and what a thread needs before it may run guest code. Owns nothing but the thread's signal stack.
#pragma once

#include "base/result.hpp"
#include "runtime/abi.hpp"

extern "C" {

/// The innermost crossing of this thread. The signal handler and the stubs read it.
extern constinit thread_local wrun::runtime::EntryRecord* wrun_entry
    __attribute__((tls_model("initial-exec")));

// runtime/x64/stubs.S
wrun::u64 wrun_enter(wrun::runtime::EntryRecord* record, const void* code,
    wrun::runtime::Context* context, wrun::runtime::EntryArguments* arguments);
extern const wrun::u8 wrun_leave[];
extern const wrun::u8 wrun_switch_call[];
extern const wrun::u8 wrun_helper_call[];
extern const wrun::u8 wrun_lazy_call[];
extern const wrun::u8 wrun_stubs_begin[];
extern const wrun::u8 wrun_stubs_end[];

}  // extern "C"

namespace wrun::runtime {

/// What a record with flag_host keeps in `context`. Who makes one puts it first in a bigger object.
/// `dispatch` answers 0 or an entry status; it reads arguments from `area` and `stack_args` and
/// leaves results in area[0] of each class and in Context::results. `caller` is the calling guest's
/// context.
struct HostFunction {
    u64 (*dispatch)(HostFunction& self, const FuncRecord& record, HostCallArea& area,
        Context* caller, const u64* stack_args);
};

/// Runs guest code on the stack that `record` describes (guest_rsp, stack_low, stack_high set by
/// the caller) and answers an entry status. After a trap the guest's frames are still there to be
/// walked.
[[nodiscard]] u64 enter_guest(
    EntryRecord& record, const void* code, Context* context, EntryArguments& arguments) noexcept;

/// Bytes left below here on the host's stack, the thread's own or a fiber's; a large number when
/// its bounds are unknown.
[[nodiscard]] u64 host_stack_room() noexcept;

}  // namespace wrun::runtime
