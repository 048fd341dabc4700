// The server of `wrun serve`: threads that share an address and nothing else. Handlers come from a
// Router, instances from a pool; both are the caller's. Started by make(), ended by drain().
#pragma once

#include <memory>

#include "base/result.hpp"
#include "http/router.hpp"
#include "http/server/observer.hpp"
#include "http/server/options.hpp"

namespace wrun::engine {
class Pool;
}

namespace wrun::http {

class Server {
public:
    /// Listens, and serves on threads of its own from now on. `pool` may be absent where no handler
    /// asks for a shard; it and the observer outlive the server. `io` errors carry the errno.
    [[nodiscard]] static Result<std::unique_ptr<Server>> make(
        ServerOptions options, std::shared_ptr<const Router> router, engine::Pool* pool = nullptr);
    /// Stops at once if it has not been drained.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Of the endpoint: the port that it listens at.
    [[nodiscard]] u16 port(std::size_t endpoint = 0) const noexcept;
    /// For requests whose heads come from now on. The old one is let go of by each thread when its
    /// last request is over.
    void set_router(std::shared_ptr<const Router> router);

    /// From any thread: no new connections; those that are there get their answers until this point
    /// of os::monotonic_ns() and are closed. A second call moves the point: 1 is at once.
    void drain(u64 deadline_ns) noexcept;
    /// Until all threads have ended.
    void join() noexcept;

    [[nodiscard]] std::size_t threads() const noexcept;
    [[nodiscard]] const Counters& counters(std::size_t thread) const noexcept;

    struct State;

private:
    explicit Server(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

}  // namespace wrun::http
