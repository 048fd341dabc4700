// A second stack of a thread, for what calls into guests and must be able to wait in the middle,
// and time slices for guests that do not end. The runtime's own; runtime/fiber.hpp says what holds.
//
//     auto fiber = WRUN_TRY(Fiber::make());
//     bool is_waiting = fiber->start(answer_request, &request, slice_ns);
//     // in a host function: Fiber::suspend();
//     while (is_waiting) is_waiting = fiber->resume(slice_ns);
#pragma once

#include "runtime/fiber.hpp"

namespace wrun::engine {

using runtime::Fiber;

}  // namespace wrun::engine
