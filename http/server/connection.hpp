// One client: its socket, what it sent and has not been read yet, and what it has not taken yet.
// Requests are handled one after the other; the answers of those that came together leave
// together. The socket is watched from its first to its last day with edges for everything, so no
// request costs more system calls than one recv and one send.
//
//   recv ─▶ input ─▶ parser ─▶ exchange ─▶ handler ─▶ output ─▶ send
//
// An idle connection owns no buffer and no exchange.
#pragma once

#include "base/os_file.hpp"
#include "http/server/event_source.hpp"
#include "http/server/served_exchange.hpp"
#include "http/server/timers.hpp"

namespace wrun::http {

class Connection final : public EventSource {
public:
    /// Beyond this much that the client has not taken, nothing more is made for it.
    static constexpr std::size_t output_bytes_max = std::size_t{64} << 10;

    struct Ends {
        std::string client_address;
        std::string server_address;
        u16 client_port = 0;
        u16 server_port = 0;
    };

    explicit Connection(Loop& loop) noexcept : loop_{loop} { timer_.owner = this; }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void open(os::File socket, Ends ends);
    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }
    [[nodiscard]] int socket() const noexcept { return socket_.number(); }
    [[nodiscard]] const Ends& ends() const noexcept { return ends_; }

    void on_events(u32 events) override;
    void on_timer();
    /// Does all that can be done without waiting.
    void pump();
    /// The client is gone, or shall be: ends its handler, then the connection.
    void abandon();

    // ---- for its exchange, also on the fiber ----------------------------------------------------

    [[nodiscard]] bool is_gone() const noexcept { return is_gone_; }
    [[nodiscard]] Buffer& output() noexcept { return output_; }
    [[nodiscard]] std::size_t unsent() const noexcept { return output_.size() - sent_; }
    /// Whether bytes behind the current request are here already.
    [[nodiscard]] bool has_more_input() const noexcept { return !input_.empty(); }
    void flush();
    /// Something more of the request's body; false when that must be waited for.
    [[nodiscard]] bool receive_body();
    /// The answer under way is the last one.
    void close_after_this() noexcept { is_closing_ = true; }
    [[nodiscard]] bool is_closing() const noexcept { return is_closing_; }
    /// Half an answer is out: the client must not take it for a whole one.
    void reset_after_this() noexcept { is_reset_ = is_closing_ = true; }
    void note_gone() noexcept;

private:
    [[nodiscard]] bool step();
    [[nodiscard]] bool step_running();
    [[nodiscard]] bool step_receiving();
    [[nodiscard]] bool step_closing();
    [[nodiscard]] bool receive();
    [[nodiscard]] bool receive_anew();
    void watch_for_end();
    void keep_input();
    void end_exchange();
    void finish_gone();
    void close();
    [[nodiscard]] u64 deadline_ns() const noexcept;
    void on_deadline();

    Loop& loop_;
    os::File socket_;
    std::unique_ptr<ServedExchange> exchange_;
    std::span<const u8> input_;  // within pump(): of the loop's memory or of pending_
    Buffer pending_;             // input that nobody has taken yet
    Buffer output_;
    std::size_t sent_ = 0;  // of output_
    bool is_readable_ = false;
    bool is_writable_ = true;
    bool has_end_ = false;   // the socket's, perhaps behind bytes
    bool is_ended_ = false;  // read up to there
    bool is_closing_ = false;
    bool is_reset_ = false;
    bool is_lingering_ = false;
    bool is_gone_ = false;
    u32 receives_ = 0;  // of this pump
    u64 since_ns_ = 0;  // idle or lingering
    u64 write_progress_ns_ = 0;
    TimerWheel::Node timer_;
    Ends ends_;
};

}  // namespace wrun::http
