// Threads by pthreads (Linux).
#include "base/os_thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <cerrno>

#include "base/check.hpp"

namespace wrun::os {

static_assert(sizeof(pthread_t) <= sizeof(u64));

u32 usable_cpu_count() noexcept {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    // Fails on machines with more CPUs than a cpu_set_t has bits; they have enough.
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return CPU_SETSIZE;
    const int count = CPU_COUNT(&cpus);
    return count < 1 ? 1 : static_cast<u32>(count);
}

u64 monotonic_ns() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

void run_in_background() noexcept {
    constexpr int background_nice = 10;
    // Of 0, and in Linux of this thread alone. Where it is lower already it stays.
    errno = 0;
    const int now = getpriority(PRIO_PROCESS, 0);
    if (errno == 0 && now < background_nice) (void)setpriority(PRIO_PROCESS, 0, background_nice);
}

bool Thread::start(Body body, void* argument) noexcept {
    WRUN_ASSERT(!running_);
    body_ = body;
    argument_ = argument;
    const auto run = [](void* self) -> void* {
        auto* const thread = static_cast<Thread*>(self);
        thread->body_(thread->argument_);
        return nullptr;
    };
    running_ = pthread_create(&handle_, nullptr, run, this) == 0;
    return running_;
}

void Thread::join() noexcept {
    if (!running_) return;
    WRUN_CHECK(pthread_join(handle_, nullptr) == 0);
    running_ = false;
}

}  // namespace wrun::os
