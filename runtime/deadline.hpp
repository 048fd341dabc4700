// Ending runs from outside, at no cost in guest code: by a deadline or on a request of another
// thread. A thread of ours, the watchdog, signals the one whose run is due, every millisecond until
// that run is over. The signal says nothing but "look": its handler compares the deadlines of what
// runs now, so one that comes late finds nothing due. In generated code or stubs the handler makes
// the thread leave the guest; elsewhere (helpers, host functions, system calls) it sets
// EntryRecord::interrupt, which stubs test on the way back into the guest and loops of the host's
// ask for (is_interrupted()). Code compiled with `epoch` needs no signal: the watchdog also sets
// Worker::attention, which such code reads.
//
// One watchdog for the process, as signals are; it runs from the first armed run until the last
// engine is gone. Each thread that has ever armed a run has a Worker, which is never freed.
#pragma once

#include <ucontext.h>

#include <atomic>

#include "base/result.hpp"
#include "runtime/entry.hpp"

namespace wrun::runtime {

/// Deadlines are points of os::monotonic_ns(); this one never comes.
inline constexpr u64 no_deadline = ~u64{0};

/// The watchdog looks no more often; a deadline is seen so much too late at most.
inline constexpr u64 look_interval_ns = 1'000'000;

/// A request to end every run that is under it; cannot be taken back.
struct CancelRequest {
    std::atomic<bool> is_made = false;
};

/// Makes the request and has the runs under it end.
void cancel(CancelRequest& request) noexcept;

/// What the watchdog sees of a thread.
struct alignas(64) Worker {
    /// Something may be due; generated code reads it (Meter::attention).
    std::atomic<u32> attention = 0;
    std::atomic<u64> deadline_ns = no_deadline;   // the earliest of what runs
    std::atomic<u64> slice_end_ns = no_deadline;  // of the fiber that runs, if it has a slice
    std::atomic<bool> is_cancellable = false;     // something that runs is under a request
    std::atomic<bool> is_poked = false;           // a request may have been made
    std::atomic<bool> is_signalled = false;       // a signal is or may be on its way
    std::atomic<int> signal = 0;                  // which one; 0 or less: none
    // What follows belongs to the watchdog's lock.
    bool is_used = false;
    int thread = 0;
    Worker* next = nullptr;
};

/// Holds the watchdog's thread, once there is one, as long as there is an engine.
class WatchdogUse {
public:
    WatchdogUse() noexcept;
    ~WatchdogUse();
    WatchdogUse(const WatchdogUse&) = delete;
    WatchdogUse& operator=(const WatchdogUse&) = delete;
};

/// What the system calls it when nobody says: ignored by whoever does not know it.
extern const int default_interrupt_signal;

/// Installs the handler of that signal and keeps who was there. Later calls do nothing.
[[nodiscard]] Result<void> install_interrupt_handler(int signal);

/// With what status the guest that called this host code will be left, 0 when it goes on.
[[nodiscard]] u64 interrupt_status() noexcept;

/// What this thread's runs shall end with by now, 0 when they go on; marks them. The one place
/// where that is decided: signals and attention only lead here.
[[nodiscard]] u64 due_status() noexcept;

/// Whether host code should return to the guest that called it, because the run shall end. True in
/// host functions and helpers only.
[[nodiscard]] inline bool is_interrupted() noexcept {
    return interrupt_status() != 0;
}

/// What Meter::attention names while nothing is armed, and what for a run that is under something
/// armed on this thread. Both stay readable for ever.
inline constexpr u32 no_attention = 0;
[[nodiscard]] const u32* attention_of_thread() noexcept;

/// A crossing's deadline and request made known to the watchdog. The thread's own; nests.
class Armed {
public:
    Armed() = default;
    ~Armed() {
        if (worker_ != nullptr) disarm();
    }
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;

    /// `record` is about to be entered and has its deadline and request set. `signal` is one that
    /// has its handler, or less than 1. Fails when the system gives no thread.
    [[nodiscard]] Result<void> arm(const EntryRecord& record, int signal);

private:
    void disarm() noexcept;

    Worker* worker_ = nullptr;
    u64 outer_deadline_ns_ = no_deadline;
    int outer_signal_ = 0;
    bool was_cancellable_ = false;
};

// ---- fibers -------------------------------------------------------------------------------------

/// What the watchdog saw of a thread through a fiber that is suspended (runtime/fiber.hpp).
struct FiberWatch {
    u64 deadline_ns = no_deadline;
    bool is_cancellable = false;
    int signal = 0;
};

/// The fiber's runs are the thread's now, and `wrun_entry` names the innermost: what has become due
/// meanwhile is marked. From now on it has a slice, unless that is 0.
void enter_fiber_watch(const FiberWatch& watch, u64 slice_ns) noexcept;
/// And are no longer: nothing of this thread is due, and no signal comes for what was.
[[nodiscard]] FiberWatch leave_fiber_watch() noexcept;
/// For signal handlers that find nothing due: a guest whose slice is over goes on where it suspends
/// its fiber, if it can be from where `registers` say it is.
void end_slice(greg_t* registers) noexcept;

/// Signals this thread as the watchdog would, for tests of late signals: `worker` as
/// `this_worker()` answered on the thread.
[[nodiscard]] Worker* this_worker();
void signal_worker(Worker& worker, int signal) noexcept;

}  // namespace wrun::runtime
