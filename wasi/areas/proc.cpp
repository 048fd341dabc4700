// The guest as a process.
#include <sched.h>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi::areas {

engine::HostResult proc_exit(Call&, u32 status) {
    return engine::HostResult::exited(status);
}

Errno sched_yield(Call& call) {
    if (Waiter* const waiter = call.state.waiter())
        return errno_of_call(waiter->wait({}, 0) < 0 ? -1 : 0);
    return errno_of_call(::sched_yield());
}

}  // namespace wrun::wasi::areas
