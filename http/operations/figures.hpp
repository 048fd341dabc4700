// What a server has done, as figures: of each route here, of each thread in its Counters. Rendered
// as Prometheus' text, with the names that OpenTelemetry gives to what it knows.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/pool.hpp"
#include "http/server/observer.hpp"
#include "http/server/server.hpp"

namespace wrun::http {

/// Of one route.
struct RouteFigures {
    static constexpr std::size_t failures = 6;
    static constexpr std::size_t buckets = 28;

    std::string pattern;
    std::string component;
    std::array<Count, 6> by_class;  // answers by status / 100; 0: none was sent
    std::array<Count, failures> by_failure;
    /// Requests by the time from their handler's start to their answer's end. The bound of
    /// latency[i] is 2^i µs, exclusive; the last has none.
    std::array<Count, buckets> latency;
    Count latency_ns;  // sum

    void add(const RouteFigures& other) noexcept;
    [[nodiscard]] u64 requests() const noexcept;
    /// In µs, at or above which no more than that share lies: a bound of the buckets.
    [[nodiscard]] u64 quantile_us(double share) const noexcept;
};

/// Of all routes that there have been; keeps the figures of a route when routers change. Each
/// thread adds to figures of its own; who reads sums them up.
class Figures final : public Observer {
public:
    /// Of a server with so many threads. `then` gets everything too; borrowed, may be absent.
    Figures(std::size_t threads, Observer* then) : then_{then}, parts_(threads) {}

    void completed(const Completed& what) noexcept override;
    void guest_line(
        const Request& request, const RouteMatch& route, std::string_view line) noexcept override;

    /// As they are now, by pattern.
    [[nodiscard]] std::vector<RouteFigures> routes() const;

private:
    /// More are counted as one, without a name.
    static constexpr std::size_t routes_max = 10'000;

    using Name = std::pair<std::string, std::string>;  // pattern and component
    struct Less {
        using is_transparent = void;
        template <class A, class B>
        [[nodiscard]] bool operator()(const A& a, const B& b) const noexcept {
            const int order = std::string_view{a.first}.compare(b.first);
            return order != 0 ? order < 0 : std::string_view{a.second} < b.second;
        }
    };
    using Routes = std::map<Name, RouteFigures, Less>;

    /// Of one thread, which alone adds to it: under the mutex. It looks up without.
    struct alignas(64) Part {
        mutable std::mutex mutex;
        Routes routes;
    };

    [[nodiscard]] static RouteFigures& of(Part& part, const RouteMatch& route) noexcept;

    Observer* then_;
    std::vector<Part> parts_;
};

/// Of all threads of a server together.
struct Totals {
    u64 connections = 0;
    u64 accepted = 0;
    u64 in_flight = 0;
    u64 queued = 0;
    u64 refused = 0;
    u64 bytes_in = 0;
    u64 bytes_out = 0;
};
[[nodiscard]] Totals totals_of(const Server& server) noexcept;

/// What the figures are about; borrowed.
struct Sources {
    const Server& server;
    const Figures& figures;
    const engine::Pool* pool = nullptr;
    u64 began_ns = 0;  // of os::monotonic_ns()
};

/// Of this process.
[[nodiscard]] u64 resident_bytes() noexcept;

/// Prometheus' text format, version 0.0.4.
[[nodiscard]] std::string prometheus_text(const Sources& sources);
/// A label's or text's value as that format wants it.
[[nodiscard]] std::string prometheus_escaped(std::string_view text);

}  // namespace wrun::http
