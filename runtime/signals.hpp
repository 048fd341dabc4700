// Hardware faults of guest code become traps. The handlers are the process's, installed once and
// for ever; they claim only what docs/abi.md ("Code range and traps") lists and hand everything
// else to the handlers that were there before, as the kernel would have. They take no lock and
// allocate nothing.
#pragma once

#include "base/result.hpp"

namespace wrun::runtime {

/// Installs the handlers of SIGSEGV, SIGBUS, SIGFPE and SIGILL. Later calls do nothing.
[[nodiscard]] Result<void> install_signal_handlers();

/// What a thread needs before it enters a guest: a signal stack (an existing one is kept if it is
/// large enough; ours is taken away again when the thread ends) and the four signals unblocked,
/// because the kernel ends a process whose fault is blocked. Cheap when done before.
[[nodiscard]] Result<void> prepare_thread_for_signals();

}  // namespace wrun::runtime
