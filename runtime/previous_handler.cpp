// What the kernel does with a signal, done by us for handlers that it does not know any more.
#include "runtime/previous_handler.hpp"

#include <cerrno>

namespace wrun::runtime {

namespace {

[[nodiscard]] bool is_ignored_by_default(int signal) noexcept {
    return signal == SIGURG || signal == SIGCHLD || signal == SIGWINCH || signal == SIGCONT;
}

/// The default action: a fault happens again when we return, anything else is sent again.
void act_by_default(int signal, const siginfo_t& info) noexcept {
    if (is_ignored_by_default(signal)) return;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    (void)sigaction(signal, &action, nullptr);
    // Memory found broken that nobody was using is no fault of an instruction.
    const bool is_news = signal == SIGBUS && info.si_code == BUS_MCEERR_AO;
    const bool happens_again = info.si_code > 0 && !is_news;
    if (!happens_again) (void)raise(signal);
}

/// Calls the former handler under the signal mask that the kernel would have set for it.
void call_previous(
    const struct sigaction& action, int signal, siginfo_t& info, ucontext_t& context) noexcept {
    sigset_t mask = action.sa_mask;
    sigset_t before;
    (void)pthread_sigmask(SIG_BLOCK, &mask, &before);
    if ((action.sa_flags & SA_NODEFER) != 0 && sigismember(&mask, signal) == 0 &&
        sigismember(&context.uc_sigmask, signal) == 0) {
        sigset_t own;
        sigemptyset(&own);
        sigaddset(&own, signal);
        (void)pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
    }
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        action.sa_sigaction(signal, &info, &context);
    } else {
        action.sa_handler(signal);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

Result<void> PreviousHandler::replace(int signal, void (*handler)(int, siginfo_t*, void*)) {
    // What was there must be known before the first signal can reach us.
    if (sigaction(signal, nullptr, &action_) != 0) {
        return Error{ErrorCode::io, static_cast<u16>(errno)};
    }
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, nullptr) != 0) {
        return Error{ErrorCode::io, static_cast<u16>(errno)};
    }
    return {};
}

void PreviousHandler::chain(int signal, siginfo_t& info, ucontext_t& context) noexcept {
    const bool is_plain = (action_.sa_flags & SA_SIGINFO) == 0;
    if (is_plain && action_.sa_handler == SIG_IGN && info.si_code <= 0) return;
    // A real fault cannot be ignored: the kernel then takes the default action.
    bool is_default = is_plain && (action_.sa_handler == SIG_DFL || action_.sa_handler == SIG_IGN);
    if ((action_.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) {
        is_default = is_spent_.exchange(true) || is_default;
    }
    if (is_default) {
        act_by_default(signal, info);
    } else {
        call_previous(action_, signal, info, context);
    }
}

}  // namespace wrun::runtime
