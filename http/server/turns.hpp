// Whose turn it is, of the requests that one thread has read and not begun: each route has a queue
// of its own, and those that wait are asked one after the other, so that a flooded route keeps only
// itself waiting. When there is no room for another one, the longest queue gives its youngest. The
// last eighth of the handlers that may run at once is for routes that have none, the server's own
// answers among them.
// One object per router: after a reload the old one's requests still get their turns.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "http/router.hpp"
#include "http/shelf.hpp"

namespace wrun::http {

class ServedExchange;

class Turns {
public:
    /// `threads` share what the router allows; on this one so many may run at once.
    Turns(std::shared_ptr<const Router> router, u32 threads, u32 in_flight_max);

    [[nodiscard]] const Router& router() const noexcept { return *router_; }
    /// Of the router's handlers.
    [[nodiscard]] Shelf& shelf() noexcept { return shelf_; }

    /// Whether one of this route may begin now, where `free` more may.
    [[nodiscard]] bool has_turn(u32 route, u32 free) const noexcept;
    void begin(u32 route) noexcept { routes_[route].in_flight++; }
    void end(u32 route) noexcept { routes_[route].in_flight--; }

    void wait(u32 route, ServedExchange& exchange);
    void forget(u32 route, ServedExchange& exchange);
    /// The next one that may begin; none when nobody waits or no route may.
    [[nodiscard]] ServedExchange* next(u32 free);
    /// The youngest of the longest queue, if that is longer than this route's.
    [[nodiscard]] ServedExchange* to_give_way(u32 route);

    u32 users = 0;  // requests that met this router and are not over

private:
    struct Route {
        u32 in_flight = 0;
        u32 in_flight_max = 0;
        std::deque<ServedExchange*> waiting;
    };
    [[nodiscard]] bool has_room(const Route& route, u32 free) const noexcept {
        if (free <= (route.in_flight == 0 ? 0 : reserve_)) return false;
        return route.in_flight_max == 0 || route.in_flight < route.in_flight_max;
    }

    std::shared_ptr<const Router> router_;
    Shelf shelf_;  // of what is the router's
    std::vector<Route> routes_;
    u32 reserve_ = 0;
    std::size_t last_ = 0;  // whose turn it was
    std::size_t waiting_ = 0;
};

}  // namespace wrun::http
