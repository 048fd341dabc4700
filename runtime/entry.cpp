// The C++ side of the stubs.
#include "runtime/entry.hpp"

#include <pthread.h>

#include <atomic>

#include "base/check.hpp"
#include "runtime/fiber.hpp"

using wrun::u64;
using wrun::runtime::Context;
using wrun::runtime::EntryRecord;
using wrun::runtime::FuncRecord;
using wrun::runtime::HostCallArea;
using wrun::runtime::HostFunction;

extern "C" {

constinit thread_local EntryRecord* wrun_entry = nullptr;

u64 wrun_host_dispatch(
    const FuncRecord* record, HostCallArea* area, Context* caller, const u64* stack_args);

u64 wrun_host_dispatch(
    const FuncRecord* record, HostCallArea* area, Context* caller, const u64* stack_args) {
    auto* const function = reinterpret_cast<HostFunction*>(record->context);
    return function->dispatch(*function, *record, *area, caller, stack_args);
}

}  // extern "C"

namespace wrun::runtime {

namespace {

struct StackBounds {
    bool asked = false;
    u64 low = 0;
    u64 high = 0;
};

constinit thread_local StackBounds stack_bounds;

/// The thread's own stack. Stays empty when the system does not tell.
void ask_stack_bounds() noexcept {
    stack_bounds.asked = true;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* low = nullptr;
    std::size_t bytes = 0;
    if (pthread_attr_getstack(&attributes, &low, &bytes) == 0) {
        stack_bounds.low = reinterpret_cast<u64>(low);
        stack_bounds.high = stack_bounds.low + bytes;
    }
    pthread_attr_destroy(&attributes);
}

}  // namespace

u64 enter_guest(
    EntryRecord& record, const void* code, Context* context, EntryArguments& arguments) noexcept {
    record.previous = wrun_entry;
    // A signal that comes now finds all of the record.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    wrun_entry = &record;
    const u64 status = wrun_enter(&record, code, context, &arguments);
    wrun_entry = record.previous;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return status;
}

u64 host_stack_room() noexcept {
    const u64 here = reinterpret_cast<u64>(__builtin_frame_address(0));
    if (const Fiber* const fiber = Fiber::current()) return fiber->room_below(here);
    if (!stack_bounds.asked) ask_stack_bounds();
    if (here < stack_bounds.low || here >= stack_bounds.high) return ~u64{0};
    return here - stack_bounds.low;
}

}  // namespace wrun::runtime
