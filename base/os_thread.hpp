// Threads and clocks of the operating system, for callers that must not throw when a thread cannot
// be had (std::thread does): starting one is a question with an answer. A Thread is joined when it
// ends.
#pragma once

#include "base/types.hpp"

namespace wrun::os {

/// CPUs that this process may run on; at least 1.
[[nodiscard]] u32 usable_cpu_count() noexcept;

/// Of a clock that never goes back.
[[nodiscard]] u64 monotonic_ns() noexcept;

/// From now on the calling thread takes what time other threads leave, where they want all of it.
void run_in_background() noexcept;

class Thread {
public:
    using Body = void (*)(void* argument);

    Thread() = default;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { join(); }

    /// Runs body(argument) beside the caller; false when the system gives no thread. `argument` is
    /// borrowed until join().
    [[nodiscard]] bool start(Body body, void* argument) noexcept;
    void join() noexcept;
    /// In a process that was forked since: the thread is not there, and nobody waits for it.
    void forget() noexcept { running_ = false; }

private:
    Body body_ = nullptr;
    void* argument_ = nullptr;
    u64 handle_ = 0;
    bool running_ = false;
};

}  // namespace wrun::os
