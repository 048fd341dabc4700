// Listeners for every thread, then the threads.
#include "http/server/server.hpp"

#include "http/server/loop.hpp"

namespace wrun::http {

struct Server::State {
    ServerOptions options;
    Control control;
    std::vector<u16> ports;
    std::vector<std::unique_ptr<Loop>> loops;
    std::vector<std::unique_ptr<os::Thread>> threads;
};

Server::Server(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}

Result<std::unique_ptr<Server>> Server::make(
    ServerOptions options, std::shared_ptr<const Router> router, engine::Pool* pool) {
    std::unique_ptr<Server> server{new Server(std::make_unique<State>())};
    State& state = *server->state_;
    options.threads = std::max<u32>(options.threads, 1);
    state.options = std::move(options);
    state.control.router = std::move(router);
    state.ports.resize(state.options.endpoints.size());
    std::vector<int> shared(state.options.endpoints.size(), -1);
    for (u32 i = 0; i < state.options.threads; i++) {
        std::vector<Listener> listeners;
        for (std::size_t at = 0; at < state.options.endpoints.size(); at++) {
            const Endpoint& endpoint = state.options.endpoints[at];
            listeners.push_back(WRUN_TRY(
                Listener::make(endpoint, state.ports[at], shared[at], state.options.backlog)));
            state.ports[at] = listeners.back().port();
            // Lives as long as the first loop, which is being made.
            if (!endpoint.unix_path.empty() && i == 0) shared[at] = listeners.back().socket();
        }
        state.loops.push_back(
            WRUN_TRY(Loop::make(state.options, i, state.control, pool, std::move(listeners))));
    }
    for (const auto& loop : state.loops) {
        state.threads.push_back(std::make_unique<os::Thread>());
        const auto body = [](void* self) { static_cast<Loop*>(self)->run(); };
        if (!state.threads.back()->start(body, loop.get())) return Error{ErrorCode::out_of_memory};
    }
    return server;
}

Server::~Server() {
    drain(1);
    join();
}

u16 Server::port(std::size_t endpoint) const noexcept {
    return state_->ports[endpoint];
}

void Server::set_router(std::shared_ptr<const Router> router) {
    {
        const std::lock_guard lock{state_->control.mutex};
        state_->control.router = std::move(router);
    }
    state_->control.router_number.fetch_add(1, std::memory_order_release);
    for (const auto& loop : state_->loops)
        loop->notify();
}

void Server::drain(u64 deadline_ns) noexcept {
    state_->control.drain_deadline_ns.store(deadline_ns, std::memory_order_release);
    for (const auto& loop : state_->loops)
        loop->notify();
}

void Server::join() noexcept {
    for (const auto& thread : state_->threads)
        thread->join();
}

std::size_t Server::threads() const noexcept {
    return state_->loops.size();
}

const Counters& Server::counters(std::size_t thread) const noexcept {
    return state_->loops[thread]->counters();
}

}  // namespace wrun::http
