// One thread of a server: its epoll, its listeners, its connections and their handlers' fibers.
// Nothing of it is touched by other threads but the few words of Control.
//
// A turn: events, connections that had more to read, handlers whose time has come, timers, handlers
// that used up their slice, requests whose turn it is, and last what was closed.
#pragma once

#include <atomic>
#include <ctime>
#include <mutex>
#include <set>

#include "base/os_thread.hpp"
#include "engine/pool.hpp"
#include "http/server/connection.hpp"
#include "http/server/listener.hpp"
#include "http/server/observer.hpp"
#include "http/server/options.hpp"
#include "http/server/turns.hpp"

namespace wrun::http {

/// What others may ask of a loop; they write to its eventfd afterwards.
struct Control {
    std::atomic<u64> drain_deadline_ns{0};  // 0: serve; 1: stop
    std::mutex mutex;
    std::shared_ptr<const Router> router;  // under the mutex
    std::atomic<u32> router_number{0};     // changes with it
};

class Loop final : public EventSource {
public:
    [[nodiscard]] static Result<std::unique_ptr<Loop>> make(const ServerOptions& options,
        u32 number, Control& control, engine::Pool* pool, std::vector<Listener> listeners);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Until it is drained or stopped.
    void run();
    /// From any thread: there is news in Control.
    void notify() const noexcept;

    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

    // ---- for connections and exchanges ----------------------------------------------------------

    [[nodiscard]] const ServerOptions& options() const noexcept { return options_; }
    [[nodiscard]] Counters& counters() noexcept { return counters_; }
    [[nodiscard]] u64 now_ns() const noexcept { return now_ns_; }  // of this turn
    [[nodiscard]] std::string_view date() const noexcept { return date_; }
    [[nodiscard]] bool is_draining() const noexcept { return is_draining_; }
    [[nodiscard]] u64 drain_begin_ns() const noexcept { return drain_begin_ns_; }
    [[nodiscard]] std::span<u8> scratch() noexcept { return scratch_; }
    [[nodiscard]] engine::Shard* shard() const noexcept { return shard_.get(); }
    [[nodiscard]] Turns& turns() noexcept { return *turns_.back(); }
    [[nodiscard]] u32 number() const noexcept { return number_; }
    [[nodiscard]] u64 next_id() noexcept { return (u64{number_} << 48) | ++ids_; }

    [[nodiscard]] std::unique_ptr<ServedExchange> take_exchange(Connection& connection);
    void give_exchange(std::unique_ptr<ServedExchange> exchange);
    void take_buffer(Buffer& buffer);
    void give_buffer(Buffer& buffer);

    /// Begins its handler, or has it wait for that, or refuses it.
    void admit(ServedExchange& exchange);
    void leave_queue(ServedExchange& exchange);
    /// Runs the fiber on with this reason.
    void resume(ServedExchange& exchange, ServedExchange::Wake wake);
    void add_wait(ServedExchange& exchange, u64 until_ns);
    void remove_wait(ServedExchange& exchange);

    [[nodiscard]] bool watch(int descriptor, u32 events, EventSource& source) const noexcept;
    void forget(int descriptor) const noexcept;
    void arm(TimerWheel::Node& node, u64 at_ns) noexcept { timers_.set_no_later(node, at_ns); }
    /// Not all has been read: it goes on in the next turn.
    void pump_again(Connection& connection) { again_.push_back(&connection); }
    void bury(Connection& connection);

    void on_events(u32 events) override;  // somebody has called notify()
    /// Clients of a listener's.
    void accept_from(Listener& listener, std::size_t at_most = accepts_max);

private:
    static constexpr std::size_t accepts_max = 64;
    static constexpr std::size_t scratch_bytes = std::size_t{64} << 10;
    static constexpr std::size_t pooled_max = 256;
    static constexpr u64 accept_pause_ns = u64{100'000'000};

    Loop(const ServerOptions& options, u32 number, Control& control);
    [[nodiscard]] int timeout_ms() const noexcept;
    void turn(int timeout);
    void look_at_control();
    void begin_drain();
    void stop_listening();
    void stop();
    void resume_due();
    void resume_sliced();
    void begin_queued();
    void begin(ServedExchange& exchange);
    void after_run(ServedExchange& exchange, bool is_suspended);
    void forget_old_routers();
    void pause_accepting();
    void resume_accepting();

    const ServerOptions& options_;
    const u32 number_;
    Control& control_;
    const u32 in_flight_max_;
    const u32 queue_max_;
    const u32 connections_max_;
    Counters counters_;
    os::File epoll_;
    os::File wakeup_;
    std::vector<Listener> listeners_;
    std::unique_ptr<engine::Shard> shard_;
    TimerWheel timers_;
    std::vector<u8> scratch_;
    u64 now_ns_;
    u64 ids_ = 0;
    std::time_t date_seconds_ = 0;
    std::string date_;

    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> free_;
    std::vector<Connection*> buried_;  // closed in this turn
    std::vector<Connection*> again_, again_now_;
    std::vector<std::unique_ptr<ServedExchange>> exchanges_;  // idle
    std::vector<std::unique_ptr<engine::Fiber>> fibers_;      // idle
    std::vector<Buffer> buffers_;                             // idle

    std::vector<std::unique_ptr<Turns>> turns_;  // the last is the current router's
    u32 router_number_ = 0;
    u32 in_flight_ = 0;
    u32 queued_ = 0;
    std::set<std::pair<u64, ServedExchange*>> waits_;
    std::vector<ServedExchange*> sliced_, sliced_now_;

    u32 open_ = 0;
    bool is_accepting_ = true;
    u64 accepts_again_ns_ = ~u64{0};
    bool is_draining_ = false;
    u64 drain_begin_ns_ = 0;
    u64 drain_deadline_ns_ = ~u64{0};
    bool is_listening_ = true;
    u64 listen_end_ns_ = ~u64{0};  // once it drains
};

}  // namespace wrun::http
