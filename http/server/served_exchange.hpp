// The server's side of Exchange: a request as it is read, its body, and its answer on the way to
// the connection's output. Pooled by the loop, lives on one connection for one request after the
// other. What waits in here suspends the fiber; the loop resumes it with what it has come to.
#pragma once

#include <memory>

#include "engine/engine.hpp"
#include "engine/fiber.hpp"
#include "http/request_parser.hpp"
#include "http/router.hpp"
#include "http/server/event_source.hpp"
#include "http/server/response_head.hpp"

namespace wrun::http {

class Connection;
class Loop;
class Turns;

class ServedExchange final : public Exchange, public EventSource {
public:
    /// Bodies up to this are there before the handler begins; an answer up to this is kept until
    /// its end, so that its length is known.
    static constexpr std::size_t kept_bytes_max = std::size_t{64} << 10;

    enum class Phase : u8 { receiving, queued, running, over };
    enum class Wait : u8 { none, body, output, descriptors };
    enum class Wake : u8 { ready, timed_out, gone };

    explicit ServedExchange(Loop& loop);
    ServedExchange(const ServedExchange&) = delete;
    ServedExchange& operator=(const ServedExchange&) = delete;

    // ---- for the connection and the loop --------------------------------------------------------

    void attach(Connection& connection);
    /// For the next request of the connection.
    void reset();

    /// Takes bytes of the request, as many as there is room for.
    [[nodiscard]] std::size_t feed(std::span<const u8> bytes);
    [[nodiscard]] bool has_body_room() const noexcept {
        return body_.size() - body_read_ < kept_bytes_max;
    }
    [[nodiscard]] const RequestParser& parser() const noexcept { return parser_; }
    [[nodiscard]] bool is_routed() const noexcept { return turns_ != nullptr; }
    /// The head is there: finds its route. False when there is none, and that has been answered.
    [[nodiscard]] bool find_route();
    /// Whether enough is there for the handler to begin.
    [[nodiscard]] bool is_ready() const noexcept;
    /// To be sent before the client sends its body; once.
    void send_continue();

    void run() noexcept;  // on the fiber
    /// An answer of the server's own; the connection ends if `is_closing`.
    void refuse(u16 status, bool is_closing);
    /// Tells the observer and lets go of the route.
    void complete(u64 now_ns);

    /// EPOLL events of the descriptors that it waits for.
    void on_events(u32 events) override;

    [[nodiscard]] Connection& connection() const noexcept { return *connection_; }
    [[nodiscard]] Turns* turns() const noexcept { return turns_; }
    [[nodiscard]] u32 route_number() const noexcept { return route_.number; }
    void cancel() noexcept { canceller_.cancel(); }
    /// Whether more of the request's body ends its wait.
    [[nodiscard]] bool waits_for_body() const noexcept {
        return waits_for == Wait::body || (waits_for == Wait::descriptors && is_body_awaited_);
    }

    Phase phase = Phase::receiving;
    Wait waits_for = Wait::none;
    Wake wake = Wake::ready;
    u64 wakes_at_ns = 0;  // where it stands in the loop's list
    u64 progress_ns = 0;  // when something of the request came last
    u64 begin_ns = 0;     // of the head, then of the queue, then of the handler
    u64 deadline_ns = 0;
    std::unique_ptr<engine::Fiber> fiber;

    // ---- Exchange -------------------------------------------------------------------------------

    [[nodiscard]] const Request& request() const noexcept override { return parser_.request(); }
    [[nodiscard]] const RouteMatch& route() const noexcept override { return route_.match; }
    [[nodiscard]] engine::Shard& shard() noexcept override;
    [[nodiscard]] Shelf& shelf() noexcept override;
    [[nodiscard]] engine::CallLimits limits() const noexcept override;
    [[nodiscard]] Read read_body(std::span<u8> to) override;
    [[nodiscard]] std::size_t readable_bytes() const noexcept override;
    [[nodiscard]] bool is_body_read() const noexcept override;
    [[nodiscard]] bool begin(u32 status, std::span<const Field> fields) override;
    [[nodiscard]] bool is_begun() const noexcept override { return head_.status() != 0; }
    [[nodiscard]] Transfer write(std::span<const u8> bytes) override;
    void finish() override;
    void fail(Failure why, std::string_view detail) override;
    [[nodiscard]] int wait(std::span<pollfd> descriptors, u64 until_ns) override;
    void log(std::string_view line) override;

private:
    [[nodiscard]] Wake suspend(Wait what, u64 until_ns);
    /// Sends the head, when it has not been, and what there is of the body.
    void push(bool is_last);
    [[nodiscard]] Transfer drain_output();
    [[nodiscard]] bool is_past_deadline() const noexcept;
    [[nodiscard]] bool is_body_ready();
    void trust_proxy(Request& request) const noexcept;
    [[nodiscard]] bool has_no_body() const noexcept;
    void answer(u32 status);

    Loop& loop_;
    Connection* connection_ = nullptr;
    RequestParser parser_;
    Buffer body_;
    std::size_t body_read_ = 0;
    bool is_continue_due_ = false;
    bool is_body_awaited_ = false;  // beside descriptors

    Turns* turns_ = nullptr;
    Route route_;
    std::array<Field, segments_max> segments_{};
    std::array<char, 16> id_{};
    engine::Canceller canceller_;

    ResponseHead head_;
    ResponseHead::Framing framing_ = ResponseHead::Framing::length;
    Buffer answer_;  // of its body, what the connection's output does not have yet
    u64 answer_bytes_ = 0;
    bool is_head_sent_ = false;
    bool is_over_ = false;  // finished or failed
    std::optional<Failure> failure_;
    std::string detail_;
};

}  // namespace wrun::http
