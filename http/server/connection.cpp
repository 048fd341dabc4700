// The steps of a connection. Each step either changes something, and then another follows, or
// must wait for an event.
#include "http/server/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "http/server/loop.hpp"

namespace wrun::http {

namespace {

/// How often one connection is read before the others have their turn.
constexpr u32 receives_max = 8;
/// What a client may send ahead of a handler that runs, to be looked at for its end.
constexpr std::size_t pending_bytes_max = std::size_t{64} << 10;
/// How long a client that was told to stop may go on sending into nothing.
constexpr u64 linger_ns = u64{2'000'000'000};

}  // namespace

void Connection::open(os::File socket, Ends ends) {
    socket_ = std::move(socket);
    ends_ = std::move(ends);
    sent_ = 0;
    is_readable_ = has_end_ = is_ended_ = false;
    is_writable_ = true;
    is_closing_ = is_reset_ = is_lingering_ = is_gone_ = false;
    since_ns_ = loop_.now_ns();
    if (!loop_.watch(socket_.number(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this)) {
        close();
        return;
    }
    loop_.arm(timer_, deadline_ns());
}

void Connection::on_events(u32 events) {
    if (!is_open()) return;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return abandon();
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) is_readable_ = true;
    if ((events & EPOLLRDHUP) != 0) {
        has_end_ = true;
        const bool waits = exchange_ && exchange_->phase == ServedExchange::Phase::queued;
        if (waits && loop_.options().is_half_close_gone) return abandon();
    }
    if ((events & EPOLLOUT) != 0) is_writable_ = true;
    pump();
}

void Connection::pump() {
    if (!is_open()) return;
    input_ = pending_;
    receives_ = 0;
    flush();
    bool is_going_on = true;
    while (!is_gone_ && is_going_on) {
        is_going_on = step();
        // A handler waits for the client to take its answer.
        if (exchange_ && exchange_->waits_for == ServedExchange::Wait::output &&
            unsent() <= output_bytes_max / 4) {
            loop_.resume(*exchange_, ServedExchange::Wake::ready);
            is_going_on = true;
        }
        if (is_going_on && receives_ > receives_max) {
            loop_.pump_again(*this);
            break;
        }
    }
    if (!is_gone_) flush();
    if (exchange_ && exchange_->phase == ServedExchange::Phase::over) end_exchange();
    if (is_gone_) return finish_gone();
    keep_input();
    if (!exchange_ && unsent() == 0) loop_.give_buffer(output_);
    if (!is_open()) return;
    if (is_closing_ && !exchange_ && unsent() == 0 && !step_closing()) return;
    loop_.arm(timer_, deadline_ns());
}

bool Connection::step() {
    if (is_lingering_ || (is_closing_ && !exchange_)) return false;
    if (exchange_ && exchange_->phase == ServedExchange::Phase::over) {
        end_exchange();
        return true;
    }
    if (exchange_ && exchange_->phase == ServedExchange::Phase::running) return step_running();
    if (exchange_ && exchange_->phase == ServedExchange::Phase::queued) return false;
    if (unsent() > output_bytes_max) {
        flush();
        if (unsent() > output_bytes_max) return false;
    }
    return step_receiving();
}

/// A handler has begun and waits for something, or for its next slice.
bool Connection::step_running() {
    if (exchange_->parser().state() == RequestParser::State::body) {
        if (!receive_body()) {
            if (is_ended_) abandon();
            return false;
        }
    } else {
        watch_for_end();
        return false;
    }
    if (exchange_->waits_for_body()) loop_.resume(*exchange_, ServedExchange::Wake::ready);
    return true;
}

bool Connection::step_receiving() {
    if (input_.empty() && !receive_anew()) {
        if (!is_ended_) {
            // Nothing will come before the client is told to go on.
            if (exchange_ && exchange_->parser().state() == RequestParser::State::body)
                exchange_->send_continue();
            return false;
        }
        // The end between requests is a good one, in the middle of one it is not; the answers
        // before it are sent in both cases.
        if (exchange_) loop_.give_exchange(std::move(exchange_));
        is_closing_ = true;
        return false;
    }
    if (!exchange_) exchange_ = loop_.take_exchange(*this);
    ServedExchange& exchange = *exchange_;
    if (exchange.parser().state() == RequestParser::State::empty)
        exchange.begin_ns = loop_.now_ns();
    input_ = input_.subspan(exchange.feed(input_));
    exchange.progress_ns = loop_.now_ns();
    const auto state = exchange.parser().state();
    if (state == RequestParser::State::failed) {
        exchange.refuse(exchange.parser().status(), true);
        return true;
    }
    if (state != RequestParser::State::body && state != RequestParser::State::done) return true;
    if (!exchange.is_routed() && !exchange.find_route()) return true;
    if (exchange.is_ready()) loop_.admit(exchange);
    return true;
}

/// All that was to be sent has been. False when the connection is closed.
bool Connection::step_closing() {
    // Closing with input unread would reset the connection and take the answer from the client.
    if (!is_reset_ && !is_ended_ && (is_lingering_ || is_readable_ || !input_.empty())) {
        if (!is_lingering_) {
            is_lingering_ = true;
            since_ns_ = loop_.now_ns();
            ::shutdown(socket(), SHUT_WR);
        }
        input_ = {};
        for (u32 i = 0; i < receives_max; i++) {
            if (!receive()) break;
        }
        input_ = {};
        if (!is_ended_ && !is_gone_) {
            if (is_readable_) loop_.pump_again(*this);
            return true;
        }
    }
    close();
    return false;
}

bool Connection::receive() {
    if (!is_readable_ || is_ended_) return false;
    receives_++;
    const std::span<u8> memory = loop_.scratch();
    const ssize_t count = ::recv(socket(), memory.data(), memory.size(), 0);
    if (count > 0) {
        const auto bytes = static_cast<std::size_t>(count);
        loop_.counters().bytes_in.add(bytes);
        input_ = memory.first(bytes);
        // All that was there: an edge tells of more. The end may be behind it already.
        if (bytes < memory.size() && !has_end_) is_readable_ = false;
        return true;
    }
    is_readable_ = false;
    if (count == 0) {
        is_ended_ = true;
    } else if (errno == EINTR) {
        is_readable_ = true;
    } else if (errno != EAGAIN) {
        note_gone();
    }
    return false;
}

/// What was kept has been taken.
bool Connection::receive_anew() {
    pending_.clear();
    return receive();
}

bool Connection::receive_body() {
    if (exchange_->parser().state() != RequestParser::State::body) return false;
    if (!exchange_->has_body_room()) return false;
    if (input_.empty() && !receive_anew()) return false;
    input_ = input_.subspan(exchange_->feed(input_));
    exchange_->progress_ns = loop_.now_ns();
    return true;
}

/// The request is there whole; what else comes is kept, and its end is an end of the client.
void Connection::watch_for_end() {
    if (!is_readable_ || is_ended_) return;
    keep_input();
    if (pending_.size() >= pending_bytes_max) return;
    while (receive()) {
        pending_.insert(pending_.end(), input_.begin(), input_.end());
        if (pending_.size() >= pending_bytes_max) break;
    }
    input_ = pending_;
    if (is_ended_ && loop_.options().is_half_close_gone) abandon();
}

/// Input that nobody has taken is moved out of the loop's memory.
void Connection::keep_input() {
    if (input_.empty()) {
        loop_.give_buffer(pending_);
    } else if (!pending_.empty()) {
        pending_.erase(
            pending_.begin(), pending_.end() - static_cast<std::ptrdiff_t>(input_.size()));
    } else {
        loop_.take_buffer(pending_);
        pending_.assign(input_.begin(), input_.end());
    }
    input_ = pending_;
}

void Connection::flush() {
    if (sent_ == 0 && is_writable_) write_progress_ns_ = loop_.now_ns();
    while (unsent() != 0 && is_writable_ && !is_gone_) {
        const ssize_t count = ::send(socket(), output_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            is_writable_ = false;
            if (errno != EAGAIN) note_gone();
            return;
        }
        const auto bytes = static_cast<std::size_t>(count);
        loop_.counters().bytes_out.add(bytes);
        write_progress_ns_ = loop_.now_ns();
        // An edge tells when there is room again.
        if (bytes < unsent()) is_writable_ = false;
        sent_ += bytes;
    }
    if (unsent() == 0) {
        output_.clear();
        sent_ = 0;
    } else if (sent_ >= output_bytes_max) {
        output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sent_ = 0;
    }
}

void Connection::note_gone() noexcept {
    if (is_gone_) return;
    is_gone_ = true;
    if (exchange_) exchange_->cancel();
}

void Connection::abandon() {
    if (!is_open()) return;
    note_gone();
    finish_gone();
}

/// Ends the handler if it waits. One that computes ends by its canceller, in a later slice.
void Connection::finish_gone() {
    input_ = {};
    using Phase = ServedExchange::Phase;
    if (exchange_ && exchange_->phase == Phase::running &&
        exchange_->waits_for != ServedExchange::Wait::none)
        loop_.resume(*exchange_, ServedExchange::Wake::gone);
    if (exchange_ && exchange_->phase == Phase::queued) loop_.leave_queue(*exchange_);
    if (exchange_ && exchange_->phase == Phase::over) end_exchange();
    if (!exchange_ || exchange_->phase != Phase::running) close();
}

void Connection::end_exchange() {
    // Nobody knows what of the input belongs to the request.
    if (exchange_->parser().state() != RequestParser::State::done) is_closing_ = true;
    since_ns_ = loop_.now_ns();
    if (is_closing_ || is_gone_ || input_.empty()) {
        loop_.give_exchange(std::move(exchange_));
    } else {
        exchange_->complete(os::monotonic_ns());
        exchange_->reset();
    }
    if (is_reset_) note_gone();
}

void Connection::close() {
    if (exchange_) loop_.give_exchange(std::move(exchange_));
    if (!is_open()) return;
    if (is_reset_) {
        const linger now{1, 0};
        ::setsockopt(socket(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    TimerWheel::unset(timer_);
    input_ = {};
    loop_.give_buffer(pending_);
    loop_.give_buffer(output_);
    socket_ = os::File{};
    loop_.bury(*this);
}

u64 Connection::deadline_ns() const noexcept {
    const ServerOptions& options = loop_.options();
    u64 result = TimerWheel::never;
    if (unsent() != 0) result = write_progress_ns_ + options.write_ns;
    if (is_lingering_) return since_ns_ + linger_ns;
    if (!exchange_ || (exchange_->phase == ServedExchange::Phase::receiving &&
                          exchange_->parser().state() == RequestParser::State::empty)) {
        const u64 idle = loop_.is_draining()
                             ? std::max(since_ns_, loop_.drain_begin_ns()) + options.drain_grace_ns
                             : since_ns_ + options.idle_ns;
        return std::min(result, idle);
    }
    switch (exchange_->phase) {
        case ServedExchange::Phase::receiving: {
            const bool is_head = exchange_->parser().state() == RequestParser::State::head;
            return std::min(result, is_head ? exchange_->begin_ns + options.head_ns
                                            : exchange_->progress_ns + options.body_ns);
        }
        case ServedExchange::Phase::queued:
            return std::min(result, exchange_->begin_ns + options.queue_ns);
        case ServedExchange::Phase::running:
            return exchange_->waits_for == ServedExchange::Wait::body
                       ? std::min(result, exchange_->progress_ns + options.body_ns)
                       : result;
        case ServedExchange::Phase::over: break;
    }
    return result;
}

void Connection::on_timer() {
    if (!is_open()) return;
    const u64 deadline = deadline_ns();
    if (loop_.now_ns() < deadline) {
        loop_.arm(timer_, deadline);
        return;
    }
    on_deadline();
}

void Connection::on_deadline() {
    const bool is_stuck =
        unsent() != 0 && loop_.now_ns() >= write_progress_ns_ + loop_.options().write_ns;
    if (is_stuck || is_lingering_ || !exchange_) {
        is_reset_ = is_stuck;
        return abandon();
    }
    switch (exchange_->phase) {
        case ServedExchange::Phase::receiving:
            if (exchange_->parser().state() == RequestParser::State::empty) return abandon();
            exchange_->refuse(408, true);
            break;
        case ServedExchange::Phase::queued:
            loop_.leave_queue(*exchange_);
            exchange_->refuse(503, false);
            break;
        case ServedExchange::Phase::running:
            loop_.resume(*exchange_, ServedExchange::Wake::timed_out);
            break;
        case ServedExchange::Phase::over: break;
    }
    pump();
}

}  // namespace wrun::http
