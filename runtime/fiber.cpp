// See fiber.hpp. Both sides of a switch tell the sanitizers of it: whoever leaves a stack says so
// before, whoever comes back to one after.
#include "runtime/fiber.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/sanitizers.hpp"
#include "runtime/entry.hpp"

#ifdef WRUN_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WRUN_TSAN
#include <sanitizer/tsan_interface.h>
#endif

using wrun::u64;

extern "C" {

// runtime/x64/fiber.S
void wrun_fiber_start(u64* outer_rsp, u64 stack_end, void (*main)(void*), void* argument);
void wrun_fiber_switch(u64* from_rsp, u64 to_rsp);

/// Called by wrun_slice.
void wrun_slice_ended() noexcept;

}  // extern "C"

namespace wrun::runtime {

namespace {

/// The stack frames of C++ are not probed, so the guard is as deep as a guest's.
constexpr u64 guard_bytes = stack_guard_bytes;

constinit thread_local Fiber* current_fiber __attribute__((tls_model("initial-exec"))) = nullptr;

}  // namespace

// ---- what sanitizers are told ------------------------------------------------------------------

void Fiber::Sanitized::make() noexcept {
    fake_stack = nullptr;
#ifdef WRUN_TSAN
    thread = __tsan_create_fiber(0);
#endif
}

void Fiber::Sanitized::end() noexcept {
#ifdef WRUN_ASAN
    // The last frames never return, and what is mapped there next is no stack of ours.
    __asan_unpoison_memory_region(begin, bytes);
#endif
#ifdef WRUN_TSAN
    __tsan_destroy_fiber(std::exchange(thread, nullptr));
#endif
}

inline void Fiber::Sanitized::leave_for(const Sanitized& next, bool for_ever) noexcept {
#ifdef WRUN_ASAN
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &fake_stack, next.begin, next.bytes);
#endif
#ifdef WRUN_TSAN
    thread = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(next.thread, 0);
#endif
    (void)next;
    (void)for_ever;
}

inline void Fiber::Sanitized::come_back(Sanitized* from) noexcept {
#ifdef WRUN_ASAN
    const void* begin_before = nullptr;
    std::size_t bytes_before = 0;
    __sanitizer_finish_switch_fiber(fake_stack, &begin_before, &bytes_before);
    if (from != nullptr) {
        from->begin = begin_before;
        from->bytes = bytes_before;
    }
#endif
    (void)from;
}

// ---- fibers ------------------------------------------------------------------------------------

Fiber::Fiber(os::MappedRegion region) noexcept : region_{std::move(region)} {
    own_.begin = stack().data();
    own_.bytes = stack().size();
}

Fiber::~Fiber() {
    // What stands on it would never end, and others have its addresses.
    WRUN_CHECK(state_ == State::idle);
}

Result<std::unique_ptr<Fiber>> Fiber::make() {
    auto region = WRUN_TRY(os::MappedRegion::reserve(guard_bytes + stack_bytes));
    // One touch of a huge page would clear 2 MiB.
    (void)region.refuse_huge_pages();  // advice: failure costs memory, nothing else
    WRUN_TRY(region.make_writable(guard_bytes, stack_bytes));
    return std::unique_ptr<Fiber>{new Fiber{std::move(region)}};
}

std::span<const u8> Fiber::stack() const noexcept {
    return {region_.data() + guard_bytes, stack_bytes};
}

Fiber* Fiber::current() noexcept {
    return current_fiber;
}

bool Fiber::start(Entry entry, void* argument, u64 slice_ns) noexcept {
    WRUN_CHECK(state_ == State::idle);
    entry_ = entry;
    argument_ = argument;
    thread_ = &current_fiber;
    own_.make();
    enter(slice_ns);
    outer_.leave_for(own_, false);
    wrun_fiber_start(&outer_rsp_, reinterpret_cast<u64>(stack().data() + stack_bytes), main, this);
    return leave();
}

bool Fiber::resume(u64 slice_ns) noexcept {
    WRUN_CHECK(state_ == State::suspended && thread_ == &current_fiber);
    enter(slice_ns);
    outer_.leave_for(own_, false);
    wrun_fiber_switch(&outer_rsp_, rsp_);
    return leave();
}

void Fiber::enter(u64 slice_ns) noexcept {
    // The limits of what called would be nobody's meanwhile.
    WRUN_CHECK(current_fiber == nullptr && wrun_entry == nullptr);
    current_fiber = this;
    state_ = State::running;
    was_sliced_ = false;
    wrun_entry = innermost_;
    enter_fiber_watch(watch_, slice_ns);
}

/// On the thread's own stack again.
bool Fiber::leave() noexcept {
    outer_.come_back(nullptr);
    // Before the chain goes: until here signals may find something due.
    watch_ = leave_fiber_watch();
    innermost_ = std::exchange(wrun_entry, nullptr);
    current_fiber = nullptr;
    if (state_ == State::suspended) return true;
    WRUN_CHECK(innermost_ == nullptr);
    own_.end();
    return false;
}

void Fiber::main(void* fiber) noexcept {
    auto& self = *static_cast<Fiber*>(fiber);
    self.own_.come_back(&self.outer_);
    self.entry_(self.argument_);
    self.switch_out(State::idle);
}

void Fiber::suspend() noexcept {
    WRUN_CHECK(current_fiber != nullptr);
    current_fiber->switch_out(State::suspended);
}

void Fiber::switch_out(State next) noexcept {
    state_ = next;
    own_.leave_for(outer_, next == State::idle);
    wrun_fiber_switch(&rsp_, outer_rsp_);
    // Resumed, maybe from another depth of the thread's stack but not from another stack.
    own_.come_back(nullptr);
}

void Fiber::slice_ended() noexcept {
    was_sliced_ = true;
    switch_out(State::suspended);
}

}  // namespace wrun::runtime

void wrun_slice_ended() noexcept {
    wrun::runtime::Fiber::current()->slice_ended();
}
