// Fiber: a second stack of the host's on one thread, so that a host function can wait while the
// thread does something else. What runs on it calls into guests as anything does; suspend() leaves
// it in the middle, with the guests that called, and resume() goes on there.
//
// A suspended fiber keeps what the thread held for it: registers that survive calls, the control
// words of both floating-point units, the chain of entry records, and the limits of its runs. So
// no deadline of a suspended fiber hits what runs meanwhile, and no signal for it comes later. One
// that passes meanwhile, or a request that is made, ends its run right after resume().
//
// A *time slice* (start or resume with `slice_ns`) ends in the guest's own code: the watchdog's
// signal has the guest suspend the fiber wherever it is (runtime/slice.hpp). In host functions,
// helpers and stubs nothing happens but that the signal comes again a millisecond later.
//
// A fiber runs on the thread that started it, on top of the thread's own stack: not within a guest
// or another fiber. It is borrowed by whoever runs on it, so it must not end suspended: to be rid
// of one, cancel its runs and resume it until it ends.
#pragma once

#include <memory>
#include <span>

#include "base/os_memory.hpp"
#include "runtime/deadline.hpp"

namespace wrun::runtime {

class Fiber {
public:
    using Entry = void (*)(void*) noexcept;

    /// As much as the deepest of our own host functions needs several times over; touched as
    /// needed.
    static constexpr u64 stack_bytes = u64{256} * 1024;

    /// Can be started again whenever what ran on it has ended.
    [[nodiscard]] static Result<std::unique_ptr<Fiber>> make();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Runs entry(argument) on the fiber until it suspends (true) or ends (false). `slice_ns`: it
    /// is suspended when it has run for so long; 0: never.
    bool start(Entry entry, void* argument, u64 slice_ns = 0) noexcept;
    /// Likewise, from where it was suspended.
    bool resume(u64 slice_ns = 0) noexcept;
    /// Whether it was suspended because its slice was over, and not by itself.
    [[nodiscard]] bool was_sliced() const noexcept { return was_sliced_; }
    [[nodiscard]] bool is_suspended() const noexcept { return state_ == State::suspended; }

    /// The one that the caller runs on, or null.
    [[nodiscard]] static Fiber* current() noexcept;
    /// Back to where the current fiber was started or resumed, until it is resumed.
    static void suspend() noexcept;

    /// Bytes left below an address of its stack.
    [[nodiscard]] u64 room_below(u64 address) const noexcept {
        return address - reinterpret_cast<u64>(stack().data());
    }
    /// For the stub that a guest goes to whose slice is over.
    void slice_ended() noexcept;
    /// All of it but the guard.
    [[nodiscard]] std::span<const u8> stack() const noexcept;

private:
    enum class State : u8 { idle, running, suspended };
    /// What the sanitizers want to know of a stack that is left.
    struct Sanitized {
        void* thread = nullptr;      // TSan's
        void* fake_stack = nullptr;  // ASan's, likewise
        const void* begin = nullptr;
        std::size_t bytes = 0;

        void make() noexcept;
        void end() noexcept;
        void leave_for(const Sanitized& next, bool for_ever) noexcept;
        /// What was left is `from`, if the caller wants to know.
        void come_back(Sanitized* from) noexcept;
    };

    explicit Fiber(os::MappedRegion region) noexcept;
    static void main(void* fiber) noexcept;
    void enter(u64 slice_ns) noexcept;
    bool leave() noexcept;
    /// Back to the thread's own stack.
    void switch_out(State next) noexcept;

    os::MappedRegion region_;
    State state_ = State::idle;
    bool was_sliced_ = false;
    u64 rsp_ = 0;        // while suspended
    u64 outer_rsp_ = 0;  // while running: of the thread's own stack
    Entry entry_ = nullptr;
    void* argument_ = nullptr;
    const void* thread_ = nullptr;  // that started it
    // While suspended:
    EntryRecord* innermost_ = nullptr;
    FiberWatch watch_;
    Sanitized own_;
    Sanitized outer_;
};

}  // namespace wrun::runtime
