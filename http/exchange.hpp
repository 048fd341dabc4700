// One request and its answer, between the server (which has sockets and framing) and handlers
// (which have guests, or none). The contract of the two: a handler never sees a socket, the server
// never a guest.
//
//   Request    what the client sent, as views that live as long as the exchange
//   Exchange   that, the body as it comes, and the way of the answer; one per request
//   Handler    answers requests of one route; shared by all threads
//
// A handler runs on a thread of the server's, on a fiber of its own (engine/fiber.hpp): wherever it
// would have to wait, the exchange suspends it and the thread serves others. It holds no lock and
// nothing thread-wide across a call that may wait.
#pragma once

#include <poll.h>

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/types.hpp"

namespace wrun::engine {
class Shard;
struct CallLimits;
}  // namespace wrun::engine

namespace wrun::http {

/// A header or trailer field. Names as they were sent: they compare without case.
struct Field {
    std::string_view name;
    std::string_view value;  // without white space around it
};

/// Whether two field names, or tokens of a list, are the same: ASCII without case.
[[nodiscard]] bool is_same_name(std::string_view a, std::string_view b) noexcept;

/// Which route a request has met, and how.
struct RouteMatch {
    std::string_view pattern;         // as configured: "/users/:id/..."
    std::string_view base;            // of the request's path what is before the trailing wildcard
    std::string_view path_info;       // and what is behind; empty without one
    std::span<const Field> segments;  // name and value of each ":name", not decoded
    std::string_view component;       // the handler's name
};

struct Request {
    std::string_view method;     // "GET"
    std::string_view target;     // as sent, in origin form: path and query
    std::string_view path;       // of it, not decoded
    std::string_view query;      // behind the first '?', without it
    std::string_view authority;  // host and port the client named; empty when it named none
    std::string_view scheme = "http";
    u8 minor_version = 1;  // of HTTP/1
    /// In the order they came, without those that concern the connection alone.
    std::span<const Field> fields;
    /// Of the body; absent when its end is known only once it is there.
    std::optional<u64> content_length;
    /// The client's end: "127.0.0.1" or "::1", and its port; empty and 0 over a unix socket. With
    /// `--trust-proxy` what the proxy said.
    std::string_view client_address;
    u16 client_port = 0;
    std::string_view server_address;  // our end
    u16 server_port = 0;
    std::string_view id;  // for logs: unique in this process

    /// The first field of that name.
    [[nodiscard]] const Field* find(std::string_view name) const noexcept;
};

/// What a transfer came to.
enum class Transfer : u8 {
    ok,
    too_large,  // the body's limit; answer 413
    timed_out,  // nothing came for too long, or the request's deadline has passed
    gone,       // the client is gone: end soon, nobody will read the answer
};

/// Why a request was not answered by its handler, for the log, the metrics and the status.
enum class Failure : u8 {
    trap,          // 500
    deadline,      // 504
    bad_response,  // 502: fields that no response can have, or too many
    no_response,   // 500: the guest ended without an answer
    limit,         // 503: no slot or memory within the time to wait
    internal,      // 500
};

class Shelf;

class Exchange {
public:
    virtual ~Exchange() = default;

    [[nodiscard]] virtual const Request& request() const noexcept = 0;
    [[nodiscard]] virtual const RouteMatch& route() const noexcept = 0;
    /// Where the calling thread's instances live.
    [[nodiscard]] virtual engine::Shard& shard() noexcept = 0;
    /// Where its handlers may leave something for the next request (http/shelf.hpp).
    [[nodiscard]] virtual Shelf& shelf() noexcept = 0;
    /// The request's deadline and its canceller (the client may go): for every call into a guest.
    [[nodiscard]] virtual engine::CallLimits limits() const noexcept = 0;

    // ---- the body, as it comes --------------------------------------------------------------

    struct Read {
        Transfer how = Transfer::ok;
        std::size_t bytes = 0;  // 0 and ok: the end
    };
    /// Some bytes of the body, as many as are there; waits for the first one.
    [[nodiscard]] virtual Read read_body(std::span<u8> to) = 0;
    /// What read_body() would answer without waiting: 0 when that would wait or the body is over.
    [[nodiscard]] virtual std::size_t readable_bytes() const noexcept = 0;
    /// Whether the body is over.
    [[nodiscard]] virtual bool is_body_read() const noexcept = 0;

    // ---- the answer -------------------------------------------------------------------------

    /// Begins it. Fields are copied. Those that frame the message or concern the connection are the
    /// server's and left out, but a Content-Length that must then be true. False when a field
    /// cannot be sent (names, control characters, size) or one has been begun: then the exchange
    /// has failed as `bad_response`.
    [[nodiscard]] virtual bool begin(u32 status, std::span<const Field> fields) = 0;
    [[nodiscard]] virtual bool is_begun() const noexcept = 0;
    /// More of its body, copied; may wait when the client reads slowly. What is not sent yet goes
    /// out when the handler waits, when there is much of it, or at the end.
    [[nodiscard]] virtual Transfer write(std::span<const u8> bytes) = 0;
    /// The answer is whole. It is sent, as far as the client takes it, before this returns, unless
    /// answers of the same connection follow at once.
    virtual void finish() = 0;
    /// There is no answer, or no more of it: one with that failure's status if none was sent yet,
    /// else the connection ends, so that nobody takes half of an answer for a whole one. `detail`
    /// goes to the log.
    virtual void fail(Failure why, std::string_view detail) = 0;

    // ---- for host functions -----------------------------------------------------------------

    /// In place of a descriptor in wait(): POLLIN when read_body() would not wait.
    static constexpr int body_descriptor = -2;
    /// As poll(2) but for a point of os::monotonic_ns() (engine::CallLimits::never: for ever)
    /// instead of a duration; suspends the fiber. -1 and EINTR when the run shall end.
    [[nodiscard]] virtual int wait(std::span<pollfd> descriptors, u64 until_ns) = 0;
    /// One line of the guest's own, without its end; for the log, escaped and cut there.
    virtual void log(std::string_view line) = 0;
};

/// Answers the requests of a route. Called by several threads at once.
class Handler {
public:
    virtual ~Handler() = default;
    /// Ends by finish() or fail(), or begins a failure by returning without.
    virtual void handle(Exchange& exchange) const = 0;
};

}  // namespace wrun::http
