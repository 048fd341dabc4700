// One request is one Attempt, or two when a kept connection turns out to be closed.
#include "http/upstream.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "base/os_thread.hpp"
#include "engine/engine.hpp"
#include "http/connection_fields.hpp"
#include "http/response_parser.hpp"
#include "http/text.hpp"

namespace wrun::http {

namespace {

constexpr std::size_t piece_bytes = std::size_t{16} << 10;

/// What can stand in a request's line: a guest may have set it.
[[nodiscard]] bool is_target(std::string_view text) noexcept {
    const bool is_path = text.starts_with('/') || text == "*";
    return is_path &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// Fields that are said anew, or that nobody but us may say.
[[nodiscard]] bool is_own(std::string_view name) noexcept {
    static constexpr std::string_view names[] = {"host", "content-length", "expect",
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"};
    return std::any_of(std::begin(names), std::end(names),
        [name](std::string_view one) { return is_same_name(one, name); });
}

/// Whether it may be sent a second time without anybody noticing (RFC 9110, 9.2.1).
[[nodiscard]] bool is_repeatable(const Request& request) noexcept {
    const std::string_view method = request.method;
    const bool is_safe =
        method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
    return is_safe && request.content_length == u64{0};
}

}  // namespace

/// A request on one connection, until its answer is over or the connection is.
class Upstream::Attempt {
public:
    enum class Outcome : u8 { over, unreachable, stale };

    Attempt(const Upstream& of, Exchange& exchange)
        : of_{of}, exchange_{exchange}, parser_{exchange.request().method == "HEAD"} {}

    [[nodiscard]] Outcome run(os::File kept);

private:
    enum class Step : u8 { going_on, waiting, ended };

    [[nodiscard]] bool connect(const Address& address);
    [[nodiscard]] bool make_head();
    /// False when the exchange has its end: no time is left, or nobody is there.
    [[nodiscard]] bool wait(std::span<pollfd> descriptors);
    [[nodiscard]] bool wait_for_news();
    [[nodiscard]] bool take_body();
    void send();
    [[nodiscard]] Step receive();
    [[nodiscard]] bool pass_on();
    void fail(Failure why, std::string_view detail) {
        is_failed_ = true;
        exchange_.fail(why, detail);
    }

    const Upstream& of_;
    Exchange& exchange_;
    ResponseParser parser_;
    os::File socket_;
    std::string output_;
    std::size_t sent_ = 0;
    std::vector<u8> piece_ = std::vector<u8>(piece_bytes);
    std::vector<u8> body_;  // of the answer
    bool is_chunked_ = false;
    bool is_body_over_ = false;   // the request's, and all of it is in output_
    bool is_body_there_ = false;  // wait() says so
    bool is_deaf_ = false;        // the server takes no more of the request
    bool has_heard_ = false;      // a byte of the answer
    bool is_failed_ = false;
};

bool Upstream::Attempt::wait(std::span<pollfd> descriptors) {
    while (true) {
        const u64 deadline_ns = exchange_.limits().deadline_ns;
        const int found = exchange_.wait(descriptors, deadline_ns);
        if (found > 0) return true;
        const int error = found < 0 ? errno : 0;
        if (os::monotonic_ns() >= deadline_ns) {
            fail(Failure::deadline, "the upstream has not answered in time");
            return false;
        }
        if (found == 0) continue;
        fail(Failure::internal, error == EINTR ? "the client is gone" : std::strerror(error));
        return false;
    }
}

/// False when this address is none, or the exchange has its end.
bool Upstream::Attempt::connect(const Address& address) {
    const int family = address.any.sa_family;
    socket_ = os::File{::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket_) return false;
    const int on = 1;
    ::setsockopt(socket_.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const socklen_t size = family == AF_INET ? sizeof address.v4 : sizeof address.v6;
    if (::connect(socket_.number(), &address.any, size) == 0) return true;
    if (errno != EINPROGRESS) return false;
    pollfd one{socket_.number(), POLLOUT, 0};
    if (!wait({&one, 1})) return false;
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(socket_.number(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

/// False when the request cannot be said.
bool Upstream::Attempt::make_head() {
    const Request& request = exchange_.request();
    if (!is_token(request.method) || request.method == "CONNECT" || !is_target(request.target))
        return false;
    output_.append(request.method).append(" ");
    if (request.target != "*") output_.append(of_.prefix_);
    output_.append(request.target).append(" HTTP/1.1\r\nhost: ").append(of_.authority_);
    output_.append("\r\n");
    for (const Field& one : request.fields) {
        if (is_own(one.name) || is_hop_by_hop(one.name, request.fields)) continue;
        if (!is_token(one.name) || !is_field_value(one.value)) return false;
        output_.append(one.name).append(": ").append(one.value).append("\r\n");
    }
    const auto add = [this](std::string_view name, std::string_view value) {
        if (!value.empty() && is_field_value(value))
            output_.append(name).append(": ").append(value).append("\r\n");
    };
    add("x-forwarded-for", request.client_address);
    add("x-forwarded-proto", request.scheme);
    add("x-forwarded-host", request.authority);
    add("via", request.minor_version == 0 ? "1.0 wrun" : "1.1 wrun");
    is_chunked_ = !request.content_length;
    const bool says_length = request.content_length.value_or(0) != 0 || request.method == "POST" ||
                             request.method == "PUT" || request.method == "PATCH";
    if (is_chunked_) {
        add("transfer-encoding", "chunked");
    } else if (says_length) {
        add("content-length", std::to_string(*request.content_length));
    }
    output_.append("\r\n");
    is_body_over_ = request.content_length == u64{0};
    return true;
}

/// One piece of the request's body, if it is there. False when the exchange has its end.
bool Upstream::Attempt::take_body() {
    const bool is_there =
        is_body_there_ || exchange_.readable_bytes() != 0 || exchange_.is_body_read();
    if (is_body_over_ || is_deaf_ || !output_.empty() || !is_there) return true;
    is_body_there_ = false;
    const Exchange::Read read = exchange_.read_body(piece_);
    if (read.how == Transfer::too_large && !exchange_.is_begun()) {
        is_failed_ = true;
        if (exchange_.begin(413, {})) exchange_.finish();
        return false;
    }
    if (read.how != Transfer::ok) {
        fail(read.how == Transfer::timed_out ? Failure::deadline : Failure::internal,
            "the request's body did not come");
        return false;
    }
    const std::string_view bytes{reinterpret_cast<const char*>(piece_.data()), read.bytes};
    // A length is over with its last byte: an answer may follow it at once.
    is_body_over_ = bytes.empty() || (!is_chunked_ && exchange_.is_body_read());
    if (!is_chunked_) {
        output_.append(bytes);
        return true;
    }
    std::array<char, 24> size{};
    const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    output_.append(size.data(), static_cast<std::size_t>(digits)).append(bytes).append("\r\n");
    return true;
}

void Upstream::Attempt::send() {
    while (sent_ < output_.size() && !is_deaf_) {
        const ssize_t count =
            ::send(socket_.number(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return;
        // Its answer may be there all the same: why it takes no more.
        if (count < 0) is_deaf_ = true;
        if (count > 0) sent_ += static_cast<std::size_t>(count);
    }
    output_.clear();
    sent_ = 0;
}

/// Takes a piece of the answer.
Upstream::Attempt::Step Upstream::Attempt::receive() {
    const ssize_t count = ::recv(socket_.number(), piece_.data(), piece_.size(), 0);
    if (count < 0 && errno == EINTR) return Step::going_on;
    if (count < 0 && errno == EAGAIN) return Step::waiting;
    body_.clear();
    if (count <= 0) {
        if (count == 0) {
            parser_.finish(body_);
        }
        return Step::ended;
    }
    has_heard_ = true;
    const std::span<const u8> bytes{piece_.data(), static_cast<std::size_t>(count)};
    const std::size_t taken = parser_.feed(bytes, body_);
    // What follows an answer that nobody has asked for: no request may meet it.
    if (taken != bytes.size()) is_deaf_ = true;
    return parser_.state() == ResponseParser::State::failed ||
                   parser_.state() == ResponseParser::State::done
               ? Step::ended
               : Step::going_on;
}

/// What has come of the answer, to the client. False when the exchange has its end.
bool Upstream::Attempt::pass_on() {
    if (parser_.state() == ResponseParser::State::head ||
        parser_.state() == ResponseParser::State::failed)
        return true;
    if (!exchange_.is_begun() && !exchange_.begin(parser_.status(), parser_.fields())) {
        is_failed_ = true;
        return false;
    }
    if (body_.empty()) return true;
    const Transfer how = exchange_.write(body_);
    body_.clear();
    if (how == Transfer::ok) return true;
    fail(how == Transfer::timed_out ? Failure::deadline : Failure::internal,
        "the client does not take the answer");
    return false;
}

bool Upstream::Attempt::wait_for_news() {
    std::array<pollfd, 2> both{{{socket_.number(), POLLIN, 0}, {-1, POLLIN, 0}}};
    if (!output_.empty()) {
        both[0].events |= POLLOUT;
    } else if (!is_body_over_ && !is_deaf_) {
        both[1].fd = Exchange::body_descriptor;
    }
    if (!wait(both)) return false;
    is_body_there_ = both[1].revents != 0;
    return true;
}

Upstream::Attempt::Outcome Upstream::Attempt::run(os::File kept) {
    const bool is_kept = static_cast<bool>(kept);
    socket_ = std::move(kept);
    if (!make_head()) {
        fail(Failure::bad_response, "a request that cannot be passed on");
        return Outcome::over;
    }
    if (!is_kept) {
        const auto end = of_.addresses_.end();
        auto at = of_.addresses_.begin();
        while (at != end && !is_failed_ && !connect(*at))
            ++at;
        if (is_failed_) return Outcome::over;
        if (at == end) return Outcome::unreachable;
    }
    Step step = Step::going_on;
    while (step != Step::ended) {
        if (!take_body()) return Outcome::over;
        send();
        step = receive();
        if (!pass_on()) return Outcome::over;
        const bool can_send = output_.empty() && !is_body_over_ && !is_deaf_ &&
                              (exchange_.readable_bytes() != 0 || exchange_.is_body_read());
        if (step == Step::waiting && !can_send && !wait_for_news()) return Outcome::over;
    }
    if (parser_.state() != ResponseParser::State::done) {
        if (is_kept && !has_heard_) return Outcome::stale;
        std::string why = "the upstream: ";
        why += parser_.why().empty() ? "the connection broke" : parser_.why();
        fail(Failure::bad_response, why);
        return Outcome::over;
    }
    // Before the end: who sees the answer may ask again at once.
    if (parser_.is_kept_alive() && is_body_over_ && output_.empty() && !is_deaf_)
        of_.keep(std::move(socket_));
    exchange_.finish();
    return Outcome::over;
}

void Upstream::handle(Exchange& exchange) const {
    using Outcome = Attempt::Outcome;
    if (is_repeatable(exchange.request())) {
        os::File kept = take();
        if (kept) {
            const auto attempt = std::make_unique<Attempt>(*this, exchange);
            if (attempt->run(std::move(kept)) != Outcome::stale) return;
        }
    }
    const auto attempt = std::make_unique<Attempt>(*this, exchange);
    if (attempt->run({}) == Outcome::unreachable)
        exchange.fail(Failure::bad_response, "the upstream cannot be reached");
}

// ---- kept connections
// --------------------------------------------------------------------------

Upstream::Shelf& Upstream::shelf() const noexcept {
    return shelves_[std::hash<std::thread::id>{}(std::this_thread::get_id()) % shelves_.size()];
}

os::File Upstream::take() const {
    Shelf& its = shelf();
    const std::lock_guard lock{its.mutex};
    const u64 now_ns = os::monotonic_ns();
    while (!its.kept.empty()) {
        Kept one = std::move(its.kept.back());
        its.kept.pop_back();
        u8 byte = 0;
        const bool is_silent =
            ::recv(one.socket.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
        if (is_silent && now_ns - one.since_ns < kept_ns_max) return std::move(one.socket);
    }
    return {};
}

void Upstream::keep(os::File socket) const {
    Shelf& its = shelf();
    const std::lock_guard lock{its.mutex};
    const u64 now_ns = os::monotonic_ns();
    std::erase_if(
        its.kept, [now_ns](const Kept& one) { return now_ns - one.since_ns >= kept_ns_max; });
    if (its.kept.size() >= kept_max) its.kept.erase(its.kept.begin());
    its.kept.push_back({std::move(socket), now_ns});
}

// ---- the URL
// -----------------------------------------------------------------------------------

/// What is wrong; empty when nothing is.
std::string Upstream::resolve(const std::string& host, u16 port) {
    Address address{};
    if (::inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        addresses_.push_back(address);
        return {};
    }
    if (::inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        addresses_.push_back(address);
        return {};
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0)
        return "'" + host + "' cannot be resolved: " + ::gai_strerror(error);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        if (one->ai_addrlen > sizeof address) continue;
        address = {};
        std::memcpy(&address, one->ai_addr, one->ai_addrlen);
        if (one->ai_family == AF_INET) address.v4.sin_port = htons(port);
        if (one->ai_family == AF_INET6) address.v6.sin6_port = htons(port);
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6) addresses_.push_back(address);
    }
    ::freeaddrinfo(found);
    return addresses_.empty() ? "'" + host + "' has no address" : "";
}

namespace {

/// A url in its parts, or what is wrong with it.
struct Where {
    std::string error = {};
    std::string_view authority = {};
    std::string_view prefix = {};
    std::string_view host = {};
    u16 port = 80;
};

[[nodiscard]] Where parse(std::string_view url) {
    const auto refuse = [](std::string_view why) { return Where{.error = std::string{why}}; };
    constexpr std::string_view shape =
        "an upstream is such as http://127.0.0.1:8080 or http://[::1]:8080/prefix";
    const auto colons = url.find("://");
    if (colons == url.npos) return refuse(shape);
    const std::string_view scheme = url.substr(0, colons);
    if (is_same_name(scheme, "https"))
        return refuse(
            "an upstream over https is not there yet: put a proxy that speaks TLS before it");
    if (!is_same_name(scheme, "http")) return refuse(shape);
    std::string_view rest = url.substr(colons + 3);
    const auto slash = std::min(rest.find('/'), rest.size());
    std::string_view prefix = rest.substr(slash);
    const std::string_view authority = rest.substr(0, slash);
    while (prefix.ends_with('/'))
        prefix.remove_suffix(1);
    const bool is_plain = is_target("/" + std::string{prefix}) &&
                          prefix.find_first_of("?#") == prefix.npos &&
                          authority.find_first_of("@?#, \t\\") == authority.npos &&
                          is_target("/" + std::string{authority});
    if (!is_plain) return refuse(shape);
    std::string_view host = authority;
    u64 port = 80;
    const auto colon = authority.rfind(':');
    if (colon != authority.npos && !authority.ends_with(']')) {
        const auto number = parse_decimal(authority.substr(colon + 1));
        if (!number || *number == 0 || *number > 65535) return refuse(shape);
        port = *number;
        host = authority.substr(0, colon);
    }
    const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
    if (is_bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || is_bracketed != (host.find(':') != host.npos)) return refuse(shape);
    return {{}, authority, prefix, host, static_cast<u16>(port)};
}

}  // namespace

std::string Upstream::check(std::string_view url) {
    return parse(url).error;
}

Upstream::Made Upstream::make(std::string_view url) {
    const Where where = parse(url);
    if (!where.error.empty()) return {nullptr, where.error};
    const std::shared_ptr<Upstream> made{new Upstream};
    made->authority_ = where.authority;
    made->prefix_ = where.prefix;
    if (std::string why = made->resolve(std::string{where.host}, where.port); !why.empty())
        return {nullptr, std::move(why)};
    return {made, {}};
}

}  // namespace wrun::http
