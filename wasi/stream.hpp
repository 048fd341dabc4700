// What a guest can have as a descriptor that is no file of the host's, and how its calls wait.
//
//   Stream   bytes in or out, made by the host: a request's body, an answer, a log
//   Waiter   where a host's thread has more to do than to sleep for one guest
//
// Both are borrowed by the State that has them and used by the thread that the guest runs on.
#pragma once

#include <poll.h>
#include <sys/uio.h>

#include <limits>
#include <span>

#include "wasi/errno.hpp"
#include "wasi/layout.hpp"

namespace wrun::wasi {

/// One end of a stream of bytes, as preview 1 shows a pipe. What a guest has in two descriptors is
/// one stream for both.
class Stream {
public:
    virtual ~Stream() = default;

    /// Into these buffers, in their order; at least one byte, 0 at the end. What is not there yet
    /// is waited for if `waits`, else `again`. Buffers are views of the guest's memory.
    [[nodiscard]] virtual Answer<u32> read(
        [[maybe_unused]] std::span<const iovec> to, [[maybe_unused]] bool waits) {
        return Errno::badf;
    }
    /// The same, out of the buffers; less than all is allowed, but not nothing.
    [[nodiscard]] virtual Answer<u32> write(
        [[maybe_unused]] std::span<const iovec> from, [[maybe_unused]] bool waits) {
        return Errno::badf;
    }

    /// What a transfer would find now.
    struct Readiness {
        bool is_ready = true;  // it would not wait
        u64 bytes = 0;         // to be read, as far as is known
        bool is_over = false;  // nobody is at the other end
    };
    [[nodiscard]] virtual Readiness readiness([[maybe_unused]] EventType event) const noexcept {
        return {};
    }
    /// The number that Waiter::wait() knows it by, so that it ends when this is ready: a host
    /// file's, or a negative one that the waiter has its own idea of; -1 where it is always ready.
    [[nodiscard]] virtual int waiting_number() const noexcept { return -1; }
};

class Waiter {
public:
    static constexpr u64 never = std::numeric_limits<u64>::max();

    virtual ~Waiter() = default;
    /// As poll(2) but for a point of os::monotonic_ns(), `never` to wait for descriptors alone; may
    /// end early. -1 and EINTR when the guest shall end: what waited is not repeated.
    [[nodiscard]] virtual int wait(std::span<pollfd> descriptors, u64 until_ns) = 0;
};

}  // namespace wrun::wasi
