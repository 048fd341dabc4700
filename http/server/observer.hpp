// What a server tells whoever keeps logs and figures: finished requests, lines of guests, and
// counters of each thread that anybody may read at any time.
#pragma once

#include <atomic>

#include "http/exchange.hpp"

namespace wrun::http {

/// Written by one thread, read by all: a plain store and a plain load, no locked instruction.
class Count {
public:
    Count() noexcept = default;
    Count(const Count& other) noexcept : value_{other.get()} {}
    Count& operator=(const Count& other) noexcept {
        set(other.get());
        return *this;
    }
    ~Count() = default;
    void add(u64 n = 1) noexcept { set(get() + n); }
    void subtract(u64 n = 1) noexcept { set(get() - n); }
    void set(u64 value) noexcept { value_.store(value, std::memory_order_relaxed); }
    [[nodiscard]] u64 get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<u64> value_{0};
};

/// Of one thread. Gauges are what there is now, everything else counts from the start.
struct alignas(64) Counters {
    Count connections;  // gauge
    Count accepted;     // connections
    Count in_flight;    // gauge: requests with a handler
    Count queued;       // gauge: requests that wait for one
    Count refused;      // requests that waited in vain
    Count bytes_in;
    Count bytes_out;
};

struct Completed {
    const Request& request;
    const RouteMatch& route;
    u32 thread;          // the server's, from 0
    u32 status;          // 0: the client went before one was sent
    u64 request_bytes;   // of the body
    u64 response_bytes;  // of the body
    u64 begin_ns;        // of os::monotonic_ns(): when the handler began
    u64 end_ns;
    std::optional<Failure> failure;
    std::string_view detail;
};

/// Called on the server's threads, by several at once; must not wait.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void completed(const Completed& what) noexcept = 0;
    /// A line of a guest's, as it came.
    virtual void guest_line(
        const Request& request, const RouteMatch& route, std::string_view line) noexcept = 0;
};

}  // namespace wrun::http
