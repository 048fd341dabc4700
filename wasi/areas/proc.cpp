// The guest as a process.
#include <sched.h>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi::areas {

engine::HostResult proc_exit(Call&, u32 status) {
    return engine::HostResult::exited(status);
}

MayExit proc_raise(Call&, u32 signal) {
    // Numbered as by Linux up to 15; those behind, from 16, begin with chld.
    constexpr u32 term = 15, chld = 16, cont = 17, stop = 18, ttou = 21, urg = 22, winch = 27,
                  sys = 30;
    if (signal > sys) return Errno::inval;
    if (signal == 0 || signal == chld || signal == cont || signal == urg || signal == winch)
        return Errno::success;
    // Nobody is there who would let it go on.
    if (signal >= stop && signal <= ttou) return Errno::notsup;
    return engine::HostResult::exited(128 + signal + (signal > term ? 1 : 0));
}

Errno sched_yield(Call& call) {
    if (Waiter* const waiter = call.state.waiter())
        return errno_of_call(waiter->wait({}, 0) < 0 ? -1 : 0);
    return errno_of_call(::sched_yield());
}

}  // namespace wrun::wasi::areas
