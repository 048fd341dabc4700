// See waiting.hpp.
#include "wasi/waiting.hpp"
#include "wasi/uninterrupted.hpp"

#include <poll.h>

#include "wasi/uninterrupted.hpp"

namespace wrun::wasi {

Answer<void> wait_for(const State& state, int number, short events, int timeout_ms) noexcept {
    pollfd waiting{number, events, 0};
    Waiter* const waiter = timeout_ms < 0 ? state.waiter() : nullptr;
    while (waiter != nullptr && waiting.revents == 0) {
        if (waiter->wait({&waiting, 1}, Waiter::never) < 0) return last_errno();
    }
    if (waiter == nullptr) {
        const int ready = uninterrupted([&] { return ::poll(&waiting, 1, timeout_ms); });
        if (ready < 0) return last_errno();
        if (ready == 0) return Errno::again;
    }
    return (waiting.revents & POLLNVAL) != 0 ? Errno::badf : Errno::success;
}

}  // namespace wrun::wasi
