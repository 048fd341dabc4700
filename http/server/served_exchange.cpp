// From a request's head to the last byte of its answer.
#include "http/server/served_exchange.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "http/server/loop.hpp"

namespace wrun::http {

namespace {

[[nodiscard]] u32 status_of(Failure failure) noexcept {
    switch (failure) {
        case Failure::deadline: return 504;
        case Failure::bad_response: return 502;
        case Failure::limit: return 503;
        case Failure::trap:
        case Failure::no_response:
        case Failure::internal: break;
    }
    return 500;
}

/// The last element of a list: what the nearest proxy has added.
[[nodiscard]] std::string_view last_of(std::string_view list) noexcept {
    const auto comma = list.rfind(',');
    if (comma != list.npos) list.remove_prefix(comma + 1);
    const auto begin = std::min(list.find_first_not_of(" \t"), list.size());
    return list.substr(begin);
}

}  // namespace

ServedExchange::ServedExchange(Loop& loop) : loop_{loop}, parser_{loop.options().request} {}

void ServedExchange::attach(Connection& connection) {
    connection_ = &connection;
    reset();
}

void ServedExchange::reset() {
    parser_.reset();
    body_.clear();
    body_read_ = 0;
    is_continue_due_ = false;
    phase = Phase::receiving;
    waits_for = Wait::none;
    route_ = {};
    if (canceller_.is_cancelled()) canceller_ = {};
    head_.clear();
    answer_.clear();
    answer_bytes_ = 0;
    is_head_sent_ = is_over_ = false;
    failure_.reset();
    detail_.clear();
}

// ---- the request
// -----------------------------------------------------------------------------------

std::size_t ServedExchange::feed(std::span<const u8> bytes) {
    if (body_read_ == body_.size()) {
        body_.clear();
        body_read_ = 0;
    }
    // Its end is one byte behind; a piece may bring a little more than there is room for.
    return parser_.feed(bytes, body_);
}

bool ServedExchange::is_ready() const noexcept {
    if (parser_.state() == RequestParser::State::done) return true;
    const auto length = parser_.request().content_length;
    return length.value_or(body_.size()) > kept_bytes_max || body_.size() >= kept_bytes_max;
}

bool ServedExchange::find_route() {
    Request& request = parser_.request();
    const Connection::Ends& ends = connection_->ends();
    request.client_address = ends.client_address;
    request.client_port = ends.client_port;
    request.server_address = ends.server_address;
    request.server_port = ends.server_port;
    if (loop_.options().is_proxy_trusted) trust_proxy(request);
    u64 id = loop_.next_id();
    for (auto digit = id_.rbegin(); digit != id_.rend(); digit++, id >>= 4)
        *digit = "0123456789abcdef"[id & 15];
    request.id = {id_.data(), id_.size()};
    is_continue_due_ = parser_.expects_continue();
    turns_ = &loop_.turns();
    turns_->users++;
    route_ = turns_->router().find(request, segments_);
    if (route_.handler != nullptr) return true;
    refuse(404, false);
    return false;
}

void ServedExchange::trust_proxy(Request& request) const noexcept {
    if (const Field* field = request.find("x-forwarded-for"); field != nullptr) {
        request.client_address = last_of(field->value);
        request.client_port = 0;
    }
    if (const Field* field = request.find("x-forwarded-proto"); field != nullptr) {
        const std::string_view scheme = last_of(field->value);
        if (is_same_name(scheme, "https")) request.scheme = "https";
    }
    if (const Field* field = request.find("x-forwarded-host"); field != nullptr)
        request.authority = last_of(field->value);
}

void ServedExchange::send_continue() {
    if (!is_continue_due_ || is_begun()) return;
    is_continue_due_ = false;
    append(connection_->output(), "HTTP/1.1 100 Continue\r\n\r\n");
}

Exchange::Read ServedExchange::read_body(std::span<u8> to) {
    for (;;) {
        const std::size_t there = readable_bytes();
        if (there != 0) {
            const std::size_t taken = std::min(there, to.size());
            std::memcpy(to.data(), body_.data() + body_read_, taken);
            body_read_ += taken;
            return {Transfer::ok, taken};
        }
        if (connection_->is_gone()) return {Transfer::gone, 0};
        if (parser_.state() == RequestParser::State::done) return {};
        if (parser_.state() == RequestParser::State::failed) {
            const bool is_large = parser_.status() == body_too_large;
            return {is_large ? Transfer::too_large : Transfer::gone, 0};
        }
        if (is_past_deadline()) return {Transfer::timed_out, 0};
        if (connection_->receive_body()) continue;
        send_continue();
        if (suspend(Wait::body, deadline_ns) == Wake::timed_out) return {Transfer::timed_out, 0};
    }
}

std::size_t ServedExchange::readable_bytes() const noexcept {
    return body_.size() - body_read_;
}

bool ServedExchange::is_body_read() const noexcept {
    return readable_bytes() == 0 && parser_.state() == RequestParser::State::done;
}

// ---- running
// ---------------------------------------------------------------------------------------

engine::Shard& ServedExchange::shard() noexcept {
    WRUN_CHECK(loop_.shard() != nullptr);
    return *loop_.shard();
}

Shelf& ServedExchange::shelf() noexcept {
    return turns_->shelf();
}

engine::CallLimits ServedExchange::limits() const noexcept {
    return {deadline_ns, &canceller_};
}

void ServedExchange::run() noexcept {
    route_.handler->handle(*this);
    if (!is_over_) fail(Failure::no_response, "the handler returned without an answer");
}

bool ServedExchange::is_past_deadline() const noexcept {
    return os::monotonic_ns() >= deadline_ns;
}

ServedExchange::Wake ServedExchange::suspend(Wait what, u64 until_ns) {
    push(false);
    connection_->flush();
    if (connection_->is_gone()) return Wake::gone;
    waits_for = what;
    loop_.add_wait(*this, until_ns);
    engine::Fiber::suspend();
    return wake;
}

int ServedExchange::wait(std::span<pollfd> descriptors, u64 until_ns) {
    const auto is_body = [](const pollfd& one) {
        return one.fd == body_descriptor && (one.events & POLLIN) != 0;
    };
    const bool wants_body = std::any_of(descriptors.begin(), descriptors.end(), is_body);
    const bool has_others = std::any_of(
        descriptors.begin(), descriptors.end(), [](const pollfd& one) { return one.fd >= 0; });
    const auto look = [&] {
        if (descriptors.empty()) return 0;
        int found = ::poll(descriptors.data(), static_cast<nfds_t>(descriptors.size()), 0);
        if (found < 0 || !wants_body || !is_body_ready()) return found;
        for (pollfd& one : descriptors) {
            if (!is_body(one)) continue;
            one.revents = POLLIN;
            found++;
        }
        return found;
    };
    for (;;) {
        if (connection_->is_gone() || is_past_deadline()) {
            errno = EINTR;
            return -1;
        }
        if (const int found = look(); found != 0) return found;
        if (until_ns != engine::CallLimits::never && os::monotonic_ns() >= until_ns) return 0;
        // An epoll of its own, watched by the loop's: two exchanges may wait for one descriptor.
        os::File set;
        if (has_others) {
            set = os::File{::epoll_create1(EPOLL_CLOEXEC)};
            if (!set) return -1;
            for (const pollfd& one : descriptors) {
                epoll_event event{};
                event.events = static_cast<u32>(one.events);
                if (one.fd < 0 || ::epoll_ctl(set.number(), EPOLL_CTL_ADD, one.fd, &event) == 0)
                    continue;
                if (errno != EEXIST) return -1;
                // Named twice: whatever happens to it wakes, and poll() says for whom.
                event.events = EPOLLIN | EPOLLOUT | EPOLLPRI;
                if (::epoll_ctl(set.number(), EPOLL_CTL_MOD, one.fd, &event) != 0) return -1;
            }
            if (!loop_.watch(set.number(), EPOLLIN, *this)) return -1;
        }
        if (wants_body) send_continue();
        is_body_awaited_ = wants_body;
        (void)suspend(Wait::descriptors, std::min(until_ns, deadline_ns));
        is_body_awaited_ = false;
    }
}

/// Whether read_body() would not wait, after what has come already.
bool ServedExchange::is_body_ready() {
    const auto is_coming = [this] {
        return readable_bytes() == 0 && parser_.state() == RequestParser::State::body;
    };
    while (is_coming() && connection_->receive_body()) {
    }
    return !is_coming();
}

void ServedExchange::on_events(u32 /*events*/) {
    if (waits_for != Wait::descriptors) return;
    loop_.resume(*this, Wake::ready);
    connection_->pump();
}

void ServedExchange::log(std::string_view line) {
    if (loop_.options().observer != nullptr)
        loop_.options().observer->guest_line(request(), route_.match, line);
}

// ---- the answer
// ------------------------------------------------------------------------------------

bool ServedExchange::has_no_body() const noexcept {
    return request().method == "HEAD" || is_bodiless(head_.status());
}

bool ServedExchange::begin(u32 status, std::span<const Field> fields) {
    if (is_over_) return false;
    if (is_begun() || !head_.set(status, fields, loop_.options().response_head_bytes_max)) {
        fail(Failure::bad_response, "fields that cannot be sent, or a second answer");
        return false;
    }
    return true;
}

Transfer ServedExchange::write(std::span<const u8> bytes) {
    while (!bytes.empty()) {
        if (is_over_ || connection_->is_gone()) return Transfer::gone;
        if (!is_begun() && !begin(200, {})) return Transfer::gone;
        const auto piece = bytes.first(std::min(bytes.size(), kept_bytes_max));
        bytes = bytes.subspan(piece.size());
        answer_bytes_ += piece.size();
        const u64 promised = head_.content_length().value_or(answer_bytes_);
        if (answer_bytes_ > promised && !has_no_body()) {
            fail(Failure::bad_response, "more than the Content-Length of the answer");
            return Transfer::gone;
        }
        if (answer_bytes_ > loop_.options().response_bytes_max) {
            fail(Failure::bad_response, "the answer is larger than the limit for it");
            return Transfer::gone;
        }
        if (has_no_body()) continue;
        answer_.insert(answer_.end(), piece.begin(), piece.end());
        if (answer_.size() <= kept_bytes_max) continue;
        push(false);
        if (const Transfer how = drain_output(); how != Transfer::ok) return how;
    }
    return Transfer::ok;
}

/// Waits until the client has taken most of what was made for it.
Transfer ServedExchange::drain_output() {
    connection_->flush();
    while (connection_->unsent() > Connection::output_bytes_max) {
        if (connection_->is_gone()) return Transfer::gone;
        if (is_past_deadline()) return Transfer::timed_out;
        if (suspend(Wait::output, deadline_ns) == Wake::timed_out) return Transfer::timed_out;
    }
    return connection_->is_gone() ? Transfer::gone : Transfer::ok;
}

void ServedExchange::push(bool is_last) {
    using Framing = ResponseHead::Framing;
    if (!is_begun()) return;
    Buffer& output = connection_->output();
    if (!is_head_sent_) {
        loop_.take_buffer(output);
        const bool is_read = parser_.state() == RequestParser::State::done;
        // What the client has sent before it can know is still answered.
        const bool is_last_one = loop_.is_draining() && !connection_->has_more_input();
        if (!parser_.is_kept_alive() || !is_read || is_last_one) connection_->close_after_this();
        ResponseHead::Rest rest;
        rest.minor_version = request().minor_version;
        rest.date = loop_.date();
        rest.length = head_.content_length().value_or(answer_bytes_);
        if (is_bodiless(head_.status()) ||
            (request().method == "HEAD" && !head_.content_length() && !is_last)) {
            rest.framing = Framing::none;
        } else if (!is_last && !head_.content_length()) {
            rest.framing = rest.minor_version == 0 ? Framing::close : Framing::chunks;
            if (rest.framing == Framing::close) connection_->close_after_this();
        }
        rest.is_closing = connection_->is_closing();
        framing_ = rest.framing;
        head_.write(output, rest);
        is_head_sent_ = true;
    }
    if (!answer_.empty()) {
        if (framing_ == Framing::chunks) {
            append_number(output, answer_.size(), 16);
            append(output, "\r\n");
        }
        output.insert(output.end(), answer_.begin(), answer_.end());
        if (framing_ == Framing::chunks) append(output, "\r\n");
        answer_.clear();
    }
    if (is_last && framing_ == Framing::chunks) append(output, "0\r\n\r\n");
}

void ServedExchange::finish() {
    if (is_over_) return;
    if (!is_begun()) return fail(Failure::no_response, "an answer without a status");
    if (!has_no_body() && head_.content_length().value_or(answer_bytes_) != answer_bytes_)
        return fail(Failure::bad_response, "less than the Content-Length of the answer");
    push(true);
    is_over_ = true;
    if (!connection_->has_more_input() || connection_->is_closing() ||
        connection_->unsent() > Connection::output_bytes_max)
        connection_->flush();
}

void ServedExchange::fail(Failure why, std::string_view detail) {
    if (is_over_) return;
    failure_ = why;
    detail_ = detail;
    if (is_head_sent_) {
        is_over_ = true;
        connection_->reset_after_this();
        return;
    }
    answer(status_of(why));
}

void ServedExchange::refuse(u16 status, bool is_closing) {
    phase = Phase::over;
    if (is_closing) connection_->close_after_this();
    answer(status);
}

void ServedExchange::answer(u32 status) {
    static constexpr Field fields[] = {{"content-type", "text/plain"}, {"retry-after", "1"}};
    answer_.clear();
    if (!head_.set(status, std::span{fields}.first(status == 503 ? 2 : 1), ~u32{0})) return;
    append_number(answer_, status);
    append(answer_, " ");
    append(answer_, reason_of(status));
    append(answer_, "\n");
    answer_bytes_ = answer_.size();
    if (request().method == "HEAD") answer_.clear();
    push(true);
    is_over_ = true;
}

void ServedExchange::complete(u64 now_ns) {
    const u32 status = is_head_sent_ ? head_.status() : 0;
    if (turns_ == nullptr) return;
    if (loop_.options().observer != nullptr) {
        loop_.options().observer->completed({request(), route_.match, loop_.number(), status,
            parser_.body_bytes(), answer_bytes_, begin_ns, now_ns, failure_, detail_});
    }
    turns_->users--;
    turns_ = nullptr;
}

}  // namespace wrun::http
