// Who handled a signal before us, and handing over what is not ours as the kernel would have done
// it. Handlers are installed once and for ever, so what was there is never lost. Owns nothing; one
// for each signal, in static storage.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include <atomic>

#include "base/result.hpp"

namespace wrun::runtime {

class PreviousHandler {
public:
    constexpr PreviousHandler() = default;
    PreviousHandler(const PreviousHandler&) = delete;
    PreviousHandler& operator=(const PreviousHandler&) = delete;

    /// Puts `handler` in the place of whoever is there. It runs on the signal stack and interrupts
    /// system calls.
    [[nodiscard]] Result<void> replace(int signal, void (*handler)(int, siginfo_t*, void*));
    /// From that handler: what would have become of this signal without us.
    void chain(int signal, siginfo_t& info, ucontext_t& context) noexcept;

private:
    struct sigaction action_ {};
    std::atomic<bool> is_spent_ = false;  // an SA_RESETHAND handler has run
};

}  // namespace wrun::runtime
