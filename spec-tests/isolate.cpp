// See isolate.hpp.
#include "spec-tests/isolate.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace wrun::spec {
namespace {

/// The statuses behind the number of the command that runs, in memory that both processes see.
class SharedStatuses {
public:
    explicit SharedStatuses(std::size_t count) : bytes_{sizeof(Shared) + count} {
        void* mapped =
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        shared_ = mapped == MAP_FAILED ? nullptr : static_cast<Shared*>(mapped);
    }
    ~SharedStatuses() {
        if (shared_ != nullptr) munmap(shared_, bytes_);
    }
    SharedStatuses(const SharedStatuses&) = delete;
    SharedStatuses& operator=(const SharedStatuses&) = delete;

    [[nodiscard]] bool mapped() const noexcept { return shared_ != nullptr; }
    [[nodiscard]] std::atomic<std::size_t>& current() noexcept { return shared_->current; }
    [[nodiscard]] Status* statuses() noexcept { return reinterpret_cast<Status*>(shared_ + 1); }

private:
    struct Shared {
        std::atomic<std::size_t> current;
    };
    std::size_t bytes_;
    Shared* shared_;
};

[[noreturn]] void run_child(
    std::size_t count, u32 timeout_seconds, const IsolatedWork& work, SharedStatuses& shared) {
    // Nobody handles this signal: it ends the process whatever it hangs in.
    std::signal(SIGALRM, SIG_DFL);
    alarm(timeout_seconds);
    const bool begun = work.begin();
    for (std::size_t i = 0; begun && i < count; ++i) {
        shared.current() = i;
        shared.statuses()[i] = work.step(i);
    }
    shared.current() = count;
    if (begun) work.end();
    std::fflush(nullptr);
    // Not _exit: a leak checker looks at the end of a process.
    std::exit(begun ? 0 : 1);
}

std::string describe_end(int status, u32 timeout_seconds) {
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == SIGALRM)
            return "the script took longer than " + std::to_string(timeout_seconds) + " s";
        return std::string{"the process died: "} + strsignal(WTERMSIG(status));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return "the process ended with exit code " + std::to_string(WEXITSTATUS(status));
    return {};
}

}  // namespace

IsolatedRun run_isolated(std::size_t count, u32 timeout_seconds, const IsolatedWork& work) {
    IsolatedRun run;
    run.statuses.resize(count, Status::not_run);
    SharedStatuses shared{count};
    std::fflush(nullptr);
    const pid_t child = shared.mapped() ? fork() : -1;
    if (child < 0) {
        run.problem = std::string{"cannot make a process: "} + std::strerror(errno);
        return run;
    }
    if (child == 0) run_child(count, timeout_seconds, work, shared);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    std::copy_n(shared.statuses(), count, run.statuses.begin());
    run.last = shared.current();
    run.problem = describe_end(status, timeout_seconds);
    if (run.problem.empty() && run.last != count) run.problem = "the process ended early";
    return run;
}

}  // namespace wrun::spec
