// The watchdog: who is armed, when to look next, whom to signal.
//
// Nobody takes a lock or calls the system to arm a run in steady state. A worker stores its
// deadline and then reads when the watchdog looks next; the watchdog says "never" and then reads
// the deadlines. All four are sequentially consistent, so one of the two sees the other: either the
// look finds the deadline or the worker finds that it must wake the watchdog. Woken, the watchdog
// does not look at once but at that deadline, when the run that woke it is mostly over: so runs
// that follow each other wake it once per deadline's length, not once each, and never more often
// than once a millisecond.
#include "runtime/deadline.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.hpp"
#include "base/os_thread.hpp"
#include "runtime/address.hpp"
#include "runtime/code_range.hpp"
#include "runtime/leave_guest.hpp"
#include "runtime/previous_handler.hpp"
#include "runtime/slice.hpp"

namespace wrun::runtime {

const int default_interrupt_signal = SIGURG;

namespace {

constexpr u64 never_ns = no_deadline;

// ---- the watchdog's state ----------------------------------------------------------------------

/// A lock that a child of fork() can have anew.
class Lock {
public:
    void lock() noexcept { (void)pthread_mutex_lock(&mutex_); }
    void unlock() noexcept { (void)pthread_mutex_unlock(&mutex_); }
    /// Until notify() or that time.
    void wait_until(u64 time_ns) noexcept {
        if (time_ns == never_ns) {
            (void)pthread_cond_wait(&changed_, &mutex_);
            return;
        }
        constexpr u64 second_ns = 1'000'000'000;
        const timespec time{
            static_cast<time_t>(time_ns / second_ns), static_cast<long>(time_ns % second_ns)};
        (void)pthread_cond_clockwait(&changed_, &mutex_, CLOCK_MONOTONIC, &time);
    }
    void notify() noexcept { (void)pthread_cond_broadcast(&changed_); }
    void renew() noexcept { changed_ = PTHREAD_COND_INITIALIZER; }

private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
};

class Guard {
public:
    explicit Guard(Lock& lock) noexcept : lock_{lock} { lock_.lock(); }
    ~Guard() { lock_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    Lock& lock_;
};

struct Watchdog {
    /// When it looks at the workers next; "never" while there is no thread.
    std::atomic<u64> next_look_ns = never_ns;
    std::atomic<bool> is_running = false;
    Lock lock;  // of what follows, and of the two above for writing
    u64 last_look_ns = 0;
    Worker* workers = nullptr;
    u32 uses = 0;
    u64 generation = 0;  // of threads: one that finds another's ends
    bool watches_forks = false;
    pthread_t thread{};
};
constinit Watchdog watchdog;

// ---- signals -----------------------------------------------------------------------------------

/// How our own signals are told from those of others.
[[nodiscard]] bool is_ours(const siginfo_t& info) noexcept {
    return info.si_code == SI_QUEUE && info.si_value.sival_ptr == &watchdog;
}

struct Handled {
    std::atomic<bool> is_installed = false;
    PreviousHandler previous;
};
constinit std::array<Handled, NSIG> handled{};
constinit pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

constinit thread_local Worker* own_worker __attribute__((tls_model("initial-exec"))) = nullptr;

[[nodiscard]] u64 status_of(TrapCode code) noexcept {
    return entry_status::trap_base + to_underlying(code);
}

/// Why this crossing shall end, apart from those further out; 0 when it may go on.
[[nodiscard]] u64 reason_of(const EntryRecord& entry, u64 now_ns) noexcept {
    if (entry.cancel != nullptr && entry.cancel->is_made.load(std::memory_order_acquire)) {
        return status_of(TrapCode::cancelled);
    }
    return entry.deadline_ns <= now_ns ? status_of(TrapCode::deadline) : 0;
}

/// Marks all crossings that shall end: the outermost that is due and those within. Answers the
/// reason, or 0 when none is.
[[nodiscard]] u64 mark_due(EntryRecord* innermost) noexcept {
    const u64 now_ns = os::monotonic_ns();
    const EntryRecord* outermost_due = nullptr;
    u64 reason = 0;
    for (const EntryRecord* entry = innermost; entry != nullptr; entry = entry->previous) {
        const u64 own = reason_of(*entry, now_ns);
        if (own == 0) continue;
        outermost_due = entry;
        reason = own;
    }
    if (outermost_due == nullptr) return 0;
    for (EntryRecord* entry = innermost;; entry = entry->previous) {
        std::atomic_ref{entry->interrupt}.store(reason, std::memory_order_relaxed);
        if (entry == outermost_due) return reason;
    }
}

/// Whether the thread may leave from where it is: no C++ frame is above wrun_enter's.
[[nodiscard]] bool is_in_guest(const EntryRecord& entry, u64 pc, u64 rsp) noexcept {
    if (code_range.holds(pc)) return true;
    // Stubs run on both stacks. On the guest's, whatever they called is over or has not begun.
    return is_in_stubs(pc) && rsp > entry.stack_low && rsp <= entry.stack_high;
}

void look_at_own_run(greg_t* registers) noexcept {
    EntryRecord* const entry = wrun_entry;
    const u64 reason = due_status();
    if (reason == 0) return end_slice(registers);
    const auto pc = static_cast<u64>(registers[REG_RIP]);
    const auto rsp = static_cast<u64>(registers[REG_RSP]);
    if (is_in_guest(*entry, pc, rsp)) leave_guest(registers, *entry, reason);
}

void handle(int signal, siginfo_t* info, void* context) noexcept {
    const int saved_errno = errno;
    auto& interrupted = *static_cast<ucontext_t*>(context);
    if (is_ours(*info)) {
        look_at_own_run(interrupted.uc_mcontext.gregs);
    } else {
        handled[static_cast<std::size_t>(signal)].previous.chain(signal, *info, interrupted);
    }
    errno = saved_errno;
}

/// Under the lock, so that the thread has not ended.
void send(const Worker& worker, int signal) noexcept {
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_value.sival_ptr = &watchdog;
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), worker.thread, signal, &info);
}

// ---- the watchdog's thread ---------------------------------------------------------------------

/// The earliest of what the worker wants to be looked at for by the clock.
[[nodiscard]] u64 wanted_look_ns(const Worker& worker) noexcept {
    return std::min(worker.deadline_ns.load(), worker.slice_end_ns.load());
}

[[nodiscard]] bool is_due(const Worker& worker, u64 now_ns) noexcept {
    return wanted_look_ns(worker) <= now_ns ||
           (worker.is_poked.load() && worker.is_cancellable.load());
}

/// Signals a worker whose run is due, unless that has just ended: then no signal comes after it
/// (Armed::disarm waits for those that are on their way).
void signal_if_due(Worker& worker, u64 now_ns) noexcept {
    if (!is_due(worker, now_ns)) return;
    worker.attention.store(1);
    const int signal = worker.signal.load(std::memory_order_relaxed);
    if (signal <= 0) return;
    worker.is_signalled.store(true);
    if (is_due(worker, now_ns)) send(worker, signal);
}

/// Looks at all workers once and says when to look next.
void look() noexcept {
    watchdog.next_look_ns.store(never_ns);
    const u64 now_ns = os::monotonic_ns();
    watchdog.last_look_ns = now_ns;
    u64 next_ns = never_ns;
    for (Worker* worker = watchdog.workers; worker != nullptr; worker = worker->next) {
        if (!worker->is_used) continue;
        signal_if_due(*worker, now_ns);
        // What is due is signalled again.
        const bool is_poked = worker->is_poked.load() && worker->is_cancellable.load();
        const u64 wanted_ns = is_poked ? now_ns : wanted_look_ns(*worker);
        if (wanted_ns == never_ns) continue;
        next_ns = std::min(next_ns, std::max(wanted_ns, now_ns + look_interval_ns));
    }
    watchdog.next_look_ns.store(next_ns);
}

void* watch(void* generation) noexcept {
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, nullptr);
    // A timer may be late by 50 µs unless its thread objects.
    (void)prctl(PR_SET_TIMERSLACK, 1);
    const Guard guard{watchdog.lock};
    while (watchdog.generation == reinterpret_cast<u64>(generation)) {
        const u64 next_ns = watchdog.next_look_ns.load();
        if (next_ns != never_ns && os::monotonic_ns() >= next_ns) {
            look();
        } else {
            watchdog.lock.wait_until(next_ns);
        }
    }
    return nullptr;
}

/// The lock is held around fork(), so the child finds everything whole; its one thread is not the
/// watchdog's.
void watch_forks() noexcept {
    if (watchdog.watches_forks) return;
    watchdog.watches_forks =
        pthread_atfork([] { watchdog.lock.lock(); }, [] { watchdog.lock.unlock(); },
            [] {
                for (Worker* worker = watchdog.workers; worker != nullptr; worker = worker->next) {
                    worker->is_used = worker == own_worker;
                    worker->thread = gettid();
                }
                watchdog.is_running.store(false);
                watchdog.next_look_ns.store(never_ns);
                watchdog.lock.renew();
                watchdog.lock.unlock();
            }) == 0;
}

/// Under the lock.
[[nodiscard]] bool start_watchdog() noexcept {
    if (watchdog.is_running.load()) return true;
    watch_forks();
    watchdog.next_look_ns.store(never_ns);
    void* const generation = pointer_at<void>(++watchdog.generation);
    const bool started = pthread_create(&watchdog.thread, nullptr, watch, generation) == 0;
    if (started) (void)pthread_setname_np(watchdog.thread, "wrun-watchdog");
    watchdog.is_running.store(started);
    return started;
}

/// Has the watchdog look at that time, or when it may next.
[[nodiscard]] bool look_at(u64 time_ns) noexcept {
    const Guard guard{watchdog.lock};
    if (!start_watchdog()) return false;
    const u64 soonest_ns = watchdog.last_look_ns + look_interval_ns;
    const u64 next_ns = std::max(time_ns, soonest_ns);
    if (next_ns >= watchdog.next_look_ns.load()) return true;
    watchdog.next_look_ns.store(next_ns);
    watchdog.lock.notify();
    return true;
}

/// Whether the watchdog looks about then anyway: late by no more than it may be.
[[nodiscard]] bool looks_by(u64 time_ns) noexcept {
    const u64 next_ns = watchdog.next_look_ns.load();
    return next_ns != never_ns && next_ns - std::min(next_ns, look_interval_ns) <= time_ns;
}

// ---- workers -----------------------------------------------------------------------------------

/// Takes a thread's worker off the list when the thread ends.
struct WorkerUse {
    ~WorkerUse() {
        Worker* const worker = std::exchange(own_worker, nullptr);
        if (worker == nullptr) return;
        const Guard guard{watchdog.lock};
        worker->is_used = false;
    }
};

[[nodiscard]] Worker* make_worker() {
    const Guard guard{watchdog.lock};
    Worker* worker = watchdog.workers;
    while (worker != nullptr && worker->is_used)
        worker = worker->next;
    if (worker == nullptr) {
        worker = new Worker;
        worker->next = watchdog.workers;
        watchdog.workers = worker;
    }
    worker->is_poked.store(false);
    worker->attention.store(0);
    worker->is_signalled.store(false);
    worker->signal.store(0);  // this thread has unblocked none
    worker->slice_end_ns.store(no_deadline);
    worker->thread = gettid();
    worker->is_used = true;
    return worker;
}

/// After something has ceased to be due: a signal sent for it is delivered before we go on. Once
/// the sender has let go of the lock it is pending, and no system call returns with one pending.
void await_signal(Worker& worker) noexcept {
    if (!worker.is_signalled.load()) [[likely]] {
        return;
    }
    {
        const Guard guard{watchdog.lock};
        worker.is_signalled.store(false);
        if (!worker.is_cancellable.load()) worker.is_poked.store(false);
    }
    (void)syscall(SYS_getppid);
}

/// The kernel keeps a blocked signal for later.
void unblock(int signal) noexcept {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace

Worker* this_worker() {
    if (own_worker == nullptr) [[unlikely]] {
        static thread_local WorkerUse use;
        (void)use;
        own_worker = make_worker();
    }
    return own_worker;
}

void signal_worker(Worker& worker, int signal) noexcept {
    const Guard guard{watchdog.lock};
    if (worker.is_used) send(worker, signal);
}

u64 due_status() noexcept {
    Worker* const worker = own_worker;
    // Taken back below if there is reason to; whoever sets them later is not overlooked.
    if (worker != nullptr) {
        worker->is_poked.store(false);
        worker->attention.store(0);
    }
    const u64 reason = wrun_entry == nullptr ? 0 : mark_due(wrun_entry);
    if (reason == 0 || worker == nullptr) return reason;
    worker->attention.store(1);
    if (worker->is_cancellable.load()) worker->is_poked.store(true);
    return reason;
}

u64 interrupt_status() noexcept {
    EntryRecord* const entry = wrun_entry;
    if (entry == nullptr) return 0;
    const u64 marked = std::atomic_ref{entry->interrupt}.load(std::memory_order_relaxed);
    if (marked != 0 || own_worker == nullptr) return marked;
    // Where there are no signals.
    return own_worker->attention.load(std::memory_order_relaxed) != 0 ? due_status() : 0;
}

Result<void> install_interrupt_handler(int signal) {
    if (signal < 1 || signal >= NSIG) return Error{ErrorCode::bad_interrupt_signal};
    Handled& place = handled[static_cast<std::size_t>(signal)];
    (void)pthread_mutex_lock(&install_lock);
    Result<void> result;
    if (!place.is_installed.load()) {
        result = place.previous.replace(signal, handle);
        place.is_installed.store(result.ok());
    }
    (void)pthread_mutex_unlock(&install_lock);
    return result.ok() ? result : Error{ErrorCode::bad_interrupt_signal};
}

WatchdogUse::WatchdogUse() noexcept {
    const Guard guard{watchdog.lock};
    ++watchdog.uses;
}

WatchdogUse::~WatchdogUse() {
    pthread_t thread{};
    {
        const Guard guard{watchdog.lock};
        if (--watchdog.uses != 0 || !watchdog.is_running.load()) return;
        watchdog.is_running.store(false);
        ++watchdog.generation;
        watchdog.next_look_ns.store(never_ns);
        watchdog.lock.notify();
        thread = watchdog.thread;
    }
    WRUN_CHECK(pthread_join(thread, nullptr) == 0);
}

void cancel(CancelRequest& request) noexcept {
    request.is_made.store(true);
    {
        const Guard guard{watchdog.lock};
        for (Worker* worker = watchdog.workers; worker != nullptr; worker = worker->next) {
            if (worker->is_used && worker->is_cancellable.load()) worker->is_poked.store(true);
        }
        // A run can only be under a request when the thread is there (Armed::arm).
        if (!watchdog.is_running.load()) return;
        watchdog.next_look_ns.store(0);
        watchdog.lock.notify();
    }
}

// ---- arming ------------------------------------------------------------------------------------

const u32* attention_of_thread() noexcept {
    static_assert(sizeof(Worker::attention) == sizeof(u32));
    if (own_worker == nullptr) return &no_attention;
    return reinterpret_cast<const u32*>(&own_worker->attention);
}

Result<void> Armed::arm(const EntryRecord& record, int signal) {
    Worker& worker = *this_worker();
    if (signal != worker.signal.load(std::memory_order_relaxed) && signal > 0) [[unlikely]] {
        unblock(signal);
    }
    outer_signal_ = worker.signal.load(std::memory_order_relaxed);
    worker.signal.store(signal, std::memory_order_relaxed);
    worker_ = &worker;
    was_cancellable_ = worker.is_cancellable.load(std::memory_order_relaxed);
    outer_deadline_ns_ = worker.deadline_ns.load(std::memory_order_relaxed);
    if (record.cancel != nullptr) {
        worker.is_cancellable.store(true);
        // It has nothing to look at, but must be there when somebody cancels.
        if (!watchdog.is_running.load() && !look_at(never_ns))
            return Error{ErrorCode::out_of_memory};
    }
    if (record.deadline_ns < outer_deadline_ns_) {
        worker.deadline_ns.store(record.deadline_ns);
        if (!looks_by(record.deadline_ns) && !look_at(record.deadline_ns)) {
            return Error{ErrorCode::out_of_memory};
        }
    }
    // A fiber may have begun its slice when there was no watchdog.
    const u64 slice_end_ns = worker.slice_end_ns.load(std::memory_order_relaxed);
    if (slice_end_ns != no_deadline && !looks_by(slice_end_ns) && !look_at(slice_end_ns)) {
        return Error{ErrorCode::out_of_memory};
    }
    return {};
}

void Armed::disarm() noexcept {
    Worker& worker = *worker_;
    const bool is_nested = was_cancellable_ || outer_deadline_ns_ != no_deadline;
    if (worker.is_cancellable.load(std::memory_order_relaxed) != was_cancellable_) {
        worker.is_cancellable.store(was_cancellable_);
    }
    worker.deadline_ns.store(outer_deadline_ns_);
    // Else it stays, unblocked, for the next run.
    if (is_nested) worker.signal.store(outer_signal_, std::memory_order_relaxed);
    await_signal(worker);
}

// ---- fibers ------------------------------------------------------------------------------------

void enter_fiber_watch(const FiberWatch& watch, u64 slice_ns) noexcept {
    const bool is_limited = watch.is_cancellable || watch.deadline_ns != no_deadline;
    if (!is_limited && slice_ns == 0 && wrun_entry == nullptr) return;
    Worker& worker = *this_worker();
    // It is the signal of what is armed, and unblocked since.
    if (wrun_entry != nullptr) worker.signal.store(watch.signal, std::memory_order_relaxed);
    if (watch.is_cancellable) worker.is_cancellable.store(true);
    if (watch.deadline_ns != no_deadline) worker.deadline_ns.store(watch.deadline_ns);
    u64 look_ns = watch.deadline_ns;
    if (slice_ns != 0) {
        const u64 now_ns = os::monotonic_ns();
        const u64 end_ns = now_ns + std::min(slice_ns, no_deadline - 1 - now_ns);
        worker.slice_end_ns.store(end_ns);
        look_ns = std::min(look_ns, end_ns);
    }
    // Nobody looked at it meanwhile. The watchdog goes on from here.
    if (is_limited && due_status() != 0) look_ns = 0;
    // Without one, whatever is armed first starts it.
    if (look_ns == no_deadline || looks_by(look_ns) || !watchdog.is_running.load()) return;
    (void)look_at(look_ns);
}

FiberWatch leave_fiber_watch() noexcept {
    if (own_worker == nullptr) return {};
    Worker& worker = *own_worker;
    const FiberWatch watch{worker.deadline_ns.load(std::memory_order_relaxed),
        worker.is_cancellable.load(std::memory_order_relaxed),
        worker.signal.load(std::memory_order_relaxed)};
    if (worker.slice_end_ns.load(std::memory_order_relaxed) != no_deadline) {
        worker.slice_end_ns.store(no_deadline);
    }
    if (watch.deadline_ns != no_deadline) worker.deadline_ns.store(no_deadline);
    if (watch.is_cancellable) worker.is_cancellable.store(false);
    await_signal(worker);
    return watch;
}

void end_slice(greg_t* registers) noexcept {
    if (own_worker == nullptr || wrun_entry == nullptr) return;
    const u64 end_ns = own_worker->slice_end_ns.load(std::memory_order_relaxed);
    if (end_ns != no_deadline && end_ns <= os::monotonic_ns()) pause_guest(registers, *wrun_entry);
}

}  // namespace wrun::runtime
