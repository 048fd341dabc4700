// Which handler a request goes to. The server asks its router once for each request, on the thread
// that has read it; routers are immutable and shared by all threads. Another one takes a running
// server over with Server::set_router(): requests that have begun end with the one that they met.
#pragma once

#include "http/exchange.hpp"

namespace wrun::http {

/// Of one route, no more ":name" segments than these.
inline constexpr std::size_t segments_max = 32;

struct Route {
    /// Borrowed from the router; none: the server answers 404 itself.
    const Handler* handler = nullptr;
    /// Its views are the router's, the request's, or lie in the segments that find() was given.
    RouteMatch match;
    /// Requests of one number share their turns and limits; below Router::count().
    u32 number = 0;
};

class Router {
public:
    virtual ~Router() = default;
    /// The route of this request. `segments` lives as long as the request does.
    [[nodiscard]] virtual Route find(
        const Request& request, std::span<Field, segments_max> segments) const = 0;
    /// How many numbers there are; 0 is always one.
    [[nodiscard]] virtual u32 count() const noexcept = 0;
    /// Of this number, so many requests are handled at once by all threads together; 0: no limit
    /// but the server's.
    [[nodiscard]] virtual u32 in_flight_max(u32 /*number*/) const noexcept { return 0; }
};

}  // namespace wrun::http
