// The guest as a process.
#include <sched.h>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi::areas {

engine::HostResult proc_exit(Call&, u32 status) {
    return engine::HostResult::exited(status);
}

Errno sched_yield(Call&) {
    return errno_of_call(::sched_yield());
}

}  // namespace wrun::wasi::areas
