// The turns of a loop, and what connections share.
#include "http/server/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wrun::http {

namespace {

constexpr std::size_t events_max = 256;
constexpr u64 ns_per_ms = 1'000'000;
constexpr std::size_t kept_capacity_max = std::size_t{256} << 10;

[[nodiscard]] u32 share(u32 all, u32 threads) noexcept {
    return std::max<u32>((all + threads - 1) / threads, 1);
}

}  // namespace

Loop::Loop(const ServerOptions& options, u32 number, Control& control)
    : options_{options},
      number_{number},
      control_{control},
      in_flight_max_{share(options.in_flight_max, options.threads)},
      queue_max_{options.queue_max == 0 ? 0 : share(options.queue_max, options.threads)},
      connections_max_{share(options.connections_max, options.threads)},
      timers_{os::monotonic_ns()},
      scratch_(scratch_bytes),
      now_ns_{os::monotonic_ns()} {}

Loop::~Loop() = default;

Result<std::unique_ptr<Loop>> Loop::make(const ServerOptions& options, u32 number, Control& control,
    engine::Pool* pool, std::vector<Listener> listeners) {
    std::unique_ptr<Loop> loop{new Loop(options, number, control)};
    loop->epoll_ = os::File{::epoll_create1(EPOLL_CLOEXEC)};
    loop->wakeup_ = os::File{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!loop->epoll_ || !loop->wakeup_ || !loop->watch(loop->wakeup_.number(), EPOLLIN, *loop))
        return Error{ErrorCode::io, static_cast<u16>(errno)};
    loop->listeners_ = std::move(listeners);
    for (Listener& listener : loop->listeners_) {
        listener.loop = loop.get();
        if (!loop->watch(listener.socket(), EPOLLIN | EPOLLEXCLUSIVE, listener))
            return Error{ErrorCode::io, static_cast<u16>(errno)};
    }
    if (pool != nullptr) loop->shard_ = WRUN_TRY(engine::Shard::make(*pool));
    loop->look_at_control();
    return loop;
}

bool Loop::watch(int descriptor, u32 events, EventSource& source) const noexcept {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    return ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Loop::forget(int descriptor) const noexcept {
    (void)::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void Loop::notify() const noexcept {
    const u64 one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wakeup_.number(), &one, sizeof one);
}

void Loop::on_events(u32 /*events*/) {
    u64 count = 0;
    [[maybe_unused]] const ssize_t read = ::read(wakeup_.number(), &count, sizeof count);
    look_at_control();
}

void Loop::run() {
    while (is_listening_ || open_ != 0)
        turn(timeout_ms());
    // Instances end on the thread that they ran on.
    for (const std::unique_ptr<Turns>& turns : turns_)
        turns->shelf().clear();
}

int Loop::timeout_ms() const noexcept {
    if (!again_.empty() || !sliced_.empty()) return 0;
    u64 next = timers_.ns_until_next(now_ns_);
    next = next == TimerWheel::never ? next : now_ns_ + next;
    if (!waits_.empty()) next = std::min(next, waits_.begin()->first);
    next = std::min({next, accepts_again_ns_, is_draining_ ? drain_deadline_ns_ : next,
        is_draining_ && is_listening_ ? listen_end_ns_ : next});
    if (next == ~u64{0}) return -1;
    if (next <= now_ns_) return 0;
    return static_cast<int>(std::min<u64>((next - now_ns_ + ns_per_ms - 1) / ns_per_ms, 60'000));
}

void Loop::turn(int timeout) {
    std::array<epoll_event, events_max> events;
    const int count =
        ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), timeout);
    now_ns_ = os::monotonic_ns();
    if (const std::time_t seconds = ::time(nullptr); seconds != date_seconds_) {
        date_seconds_ = seconds;
        date_ = http_date(seconds);
    }
    for (int i = 0; i < count; i++) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
    }
    again_now_.swap(again_);
    for (Connection* connection : again_now_)
        connection->pump();
    again_now_.clear();
    resume_due();
    while (TimerWheel::Node* node = timers_.take_due(now_ns_))
        static_cast<Connection*>(node->owner)->on_timer();
    resume_sliced();
    begin_queued();
    if (now_ns_ >= accepts_again_ns_) resume_accepting();
    if (is_listening_ && now_ns_ >= std::min(listen_end_ns_, drain_deadline_ns_)) stop_listening();
    if (is_draining_ && now_ns_ >= drain_deadline_ns_) stop();
    // Not before: this turn's events may have named them.
    if (exchanges_.size() > pooled_max) exchanges_.resize(pooled_max);
    for (Connection* connection : buried_)
        free_.push_back(connection);
    buried_.clear();
    if (turns_.size() > 1) forget_old_routers();
}

// ---- control
// ---------------------------------------------------------------------------------------

void Loop::look_at_control() {
    const u32 number = control_.router_number.load(std::memory_order_acquire);
    if (turns_.empty() || number != router_number_) {
        router_number_ = number;
        const std::lock_guard lock{control_.mutex};
        turns_.push_back(
            std::make_unique<Turns>(control_.router, options_.threads, in_flight_max_));
        forget_old_routers();
    }
    const u64 deadline = control_.drain_deadline_ns.load(std::memory_order_acquire);
    if (deadline == 0) return;
    drain_deadline_ns_ = deadline;
    if (!is_draining_) begin_drain();
}

void Loop::forget_old_routers() {
    std::erase_if(turns_, [this](const std::unique_ptr<Turns>& turns) {
        return turns != turns_.back() && turns->users == 0;
    });
}

void Loop::begin_drain() {
    for (Listener& listener : listeners_) {
        listener.refuse_new();
        if (!listener.is_given()) continue;
        // Others have the socket: it would be heard of after our descriptor is closed.
        forget(listener.socket());
        listener.close();
    }
    is_draining_ = true;
    drain_begin_ns_ = now_ns_;
    listen_end_ns_ = now_ns_ + options_.handshake_grace_ns;
    for (const auto& connection : connections_) {
        if (connection->is_open()) connection->pump();
    }
}

void Loop::stop_listening() {
    // Clients that the system has accepted already are clients.
    for (Listener& listener : listeners_) {
        accept_from(listener, ~std::size_t{0});
        listener.close();
    }
    accepts_again_ns_ = ~u64{0};
    is_listening_ = false;
}

void Loop::stop() {
    for (const auto& connection : connections_) {
        if (connection->is_open()) connection->abandon();
    }
    drain_deadline_ns_ = now_ns_ + u64{10} * ns_per_ms;
}

// ---- connections
// -----------------------------------------------------------------------------------

void Loop::accept_from(Listener& listener, std::size_t at_most) {
    for (std::size_t i = 0; i < at_most; i++) {
        if (open_ >= connections_max_) return pause_accepting();
        Connection::Ends ends;
        int error = 0;
        os::File socket = listener.accept(ends, error);
        if (!socket) {
            // No descriptors or memory: asking again at once would only keep the thread busy.
            if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
                accepts_again_ns_ = now_ns_ + accept_pause_ns;
                pause_accepting();
            }
            if (error == ECONNABORTED || error == EINTR) continue;
            return;
        }
        if (free_.empty()) {
            connections_.push_back(std::make_unique<Connection>(*this));
            free_.push_back(connections_.back().get());
        }
        Connection& connection = *free_.back();
        free_.pop_back();
        open_++;
        counters_.connections.set(open_);
        counters_.accepted.add();
        connection.open(std::move(socket), std::move(ends));
    }
}

void Loop::pause_accepting() {
    if (!is_accepting_) return;
    is_accepting_ = false;
    for (const Listener& listener : listeners_)
        forget(listener.socket());
}

void Loop::resume_accepting() {
    accepts_again_ns_ = ~u64{0};
    if (is_accepting_) return;
    is_accepting_ = true;
    for (Listener& listener : listeners_)
        (void)watch(listener.socket(), EPOLLIN | EPOLLEXCLUSIVE, listener);
}

void Loop::bury(Connection& connection) {
    open_--;
    counters_.connections.set(open_);
    buried_.push_back(&connection);
    if (!is_accepting_ && accepts_again_ns_ == ~u64{0}) resume_accepting();
}

std::unique_ptr<ServedExchange> Loop::take_exchange(Connection& connection) {
    std::unique_ptr<ServedExchange> exchange;
    if (exchanges_.empty()) {
        exchange = std::make_unique<ServedExchange>(*this);
    } else {
        exchange = std::move(exchanges_.back());
        exchanges_.pop_back();
    }
    exchange->attach(connection);
    return exchange;
}

void Loop::give_exchange(std::unique_ptr<ServedExchange> exchange) {
    exchange->complete(os::monotonic_ns());
    exchanges_.push_back(std::move(exchange));
}

void Loop::take_buffer(Buffer& buffer) {
    if (buffer.capacity() != 0 || buffers_.empty()) return;
    buffer = std::move(buffers_.back());
    buffers_.pop_back();
}

void Loop::give_buffer(Buffer& buffer) {
    if (buffer.capacity() == 0) return;
    buffer.clear();
    if (buffers_.size() < pooled_max && buffer.capacity() <= kept_capacity_max)
        buffers_.push_back(std::move(buffer));
    buffer = {};
}

// ---- handlers
// --------------------------------------------------------------------------------------

void Loop::admit(ServedExchange& exchange) {
    Turns& turns = *exchange.turns();
    const u32 route = exchange.route_number();
    exchange.begin_ns = now_ns_;
    if (turns.has_turn(route, in_flight_max_ - in_flight_)) return begin(exchange);
    if (queued_ >= queue_max_) {
        ServedExchange* const other = turns.to_give_way(route);
        ServedExchange& refused = other != nullptr ? *other : exchange;
        counters_.refused.add();
        refused.refuse(503, false);
        if (other == nullptr) return;
        queued_--;
        pump_again(other->connection());
    }
    exchange.phase = ServedExchange::Phase::queued;
    turns.wait(route, exchange);
    counters_.queued.set(++queued_);
}

void Loop::leave_queue(ServedExchange& exchange) {
    exchange.turns()->forget(exchange.route_number(), exchange);
    exchange.phase = ServedExchange::Phase::over;
    counters_.refused.add();
    counters_.queued.set(--queued_);
}

void Loop::begin_queued() {
    if (queued_ == 0) return;
    for (std::size_t i = 0; i < turns_.size(); i++) {
        while (ServedExchange* const exchange = turns_[i]->next(in_flight_max_ - in_flight_)) {
            counters_.queued.set(--queued_);
            Connection& connection = exchange->connection();
            begin(*exchange);
            connection.pump();
        }
    }
}

void Loop::begin(ServedExchange& exchange) {
    if (fibers_.empty()) {
        auto made = engine::Fiber::make();
        if (!made.ok()) return exchange.refuse(503, false);
        exchange.fiber = std::move(made).take();
    } else {
        exchange.fiber = std::move(fibers_.back());
        fibers_.pop_back();
    }
    exchange.turns()->begin(exchange.route_number());
    counters_.in_flight.set(++in_flight_);
    exchange.phase = ServedExchange::Phase::running;
    exchange.begin_ns = os::monotonic_ns();
    exchange.deadline_ns = exchange.begin_ns + options_.timeout_ns;
    const auto run = [](void* self) noexcept { static_cast<ServedExchange*>(self)->run(); };
    after_run(exchange, exchange.fiber->start(run, &exchange, options_.slice_ns));
}

void Loop::resume(ServedExchange& exchange, ServedExchange::Wake wake) {
    remove_wait(exchange);
    exchange.wake = wake;
    after_run(exchange, exchange.fiber->resume(options_.slice_ns));
}

void Loop::after_run(ServedExchange& exchange, bool is_suspended) {
    if (is_suspended) {
        if (exchange.fiber->was_sliced()) sliced_.push_back(&exchange);
        return;
    }
    exchange.phase = ServedExchange::Phase::over;
    if (fibers_.size() < pooled_max) fibers_.push_back(std::move(exchange.fiber));
    exchange.fiber.reset();
    exchange.turns()->end(exchange.route_number());
    counters_.in_flight.set(--in_flight_);
}

void Loop::resume_sliced() {
    sliced_now_.swap(sliced_);
    for (ServedExchange* exchange : sliced_now_) {
        Connection& connection = exchange->connection();
        after_run(*exchange, exchange->fiber->resume(options_.slice_ns));
        connection.pump();
    }
    sliced_now_.clear();
}

void Loop::add_wait(ServedExchange& exchange, u64 until_ns) {
    exchange.wakes_at_ns = until_ns;
    waits_.emplace(until_ns, &exchange);
}

void Loop::remove_wait(ServedExchange& exchange) {
    if (exchange.waits_for == ServedExchange::Wait::none) return;
    exchange.waits_for = ServedExchange::Wait::none;
    waits_.erase({exchange.wakes_at_ns, &exchange});
}

void Loop::resume_due() {
    while (!waits_.empty() && waits_.begin()->first <= now_ns_) {
        ServedExchange& exchange = *waits_.begin()->second;
        Connection& connection = exchange.connection();
        resume(exchange, ServedExchange::Wake::timed_out);
        connection.pump();
    }
}

}  // namespace wrun::http
