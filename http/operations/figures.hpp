// What a server has done, as figures: of each route here, of each thread in its Counters. Rendered
// as Prometheus' text, with the names that OpenTelemetry gives to what it knows.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/pool.hpp"
#include "http/server/observer.hpp"
#include "http/server/server.hpp"

namespace wrun::http {

/// Of one route. Added to by all threads.
struct RouteFigures {
    static constexpr std::size_t failures = 6;

    std::string pattern;
    std::string component;
    std::array<std::atomic<u64>, 6> by_class{};  // answers by status / 100; 0: none was sent
    std::array<std::atomic<u64>, failures> by_failure{};
    std::array<std::atomic<u64>, Counters::buckets> latency{};  // as Counters::latency
    std::atomic<u64> latency_ns = 0;                            // sum

    [[nodiscard]] u64 requests() const noexcept;
    /// In µs, at or above which no more than that share lies: a bound of the buckets.
    [[nodiscard]] u64 quantile_us(double share) const noexcept;
};

/// Of all routes that there have been; keeps the figures of a route when routers change.
class Figures final : public Observer {
public:
    /// `then` gets everything too; borrowed, may be absent.
    explicit Figures(Observer* then) noexcept : then_{then} {}

    void completed(const Completed& what) noexcept override;
    void guest_line(
        const Request& request, const RouteMatch& route, std::string_view line) noexcept override;

    /// Views that stay valid.
    [[nodiscard]] std::vector<const RouteFigures*> routes() const;

private:
    /// More are counted as one, without a name.
    static constexpr std::size_t routes_max = 10'000;

    struct Less {
        using is_transparent = void;
        template <class A, class B>
        [[nodiscard]] bool operator()(const A& a, const B& b) const noexcept {
            const int order = std::string_view{a.first}.compare(b.first);
            return order != 0 ? order < 0 : std::string_view{a.second} < b.second;
        }
    };

    [[nodiscard]] RouteFigures& of(const RouteMatch& route) noexcept;

    Observer* then_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<RouteFigures>> routes_;  // under the mutex
    std::map<std::pair<std::string, std::string>, RouteFigures*, Less> by_name_;
};

/// What the figures are about; borrowed.
struct Sources {
    const Server& server;
    const Figures& figures;
    const engine::Pool* pool = nullptr;
    u64 began_ns = 0;  // of os::monotonic_ns()
};

/// Prometheus' text format, version 0.0.4.
[[nodiscard]] std::string prometheus_text(const Sources& sources);
/// A label's or text's value as that format wants it.
[[nodiscard]] std::string prometheus_escaped(std::string_view text);

}  // namespace wrun::http
