// Any bytes, taken as requests, as an upstream's answer and as what a CGI program writes, come to
// the same however they are cut. What is accepted leaves nobody behind us a choice: written out
// anew from what the handler gets, it is read as the same once more.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "engine/engine.hpp"
#include "fuzz/target.hpp"
#include "http/cgi_answer.hpp"
#include "http/connection_fields.hpp"
#include "http/request_parser.hpp"
#include "http/response_parser.hpp"
#include "http/server/response_head.hpp"
#include "http/text.hpp"

namespace {

using namespace wrun;
using namespace wrun::http;
using Bytes = std::span<const u8>;

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "http: %s\n", what);
    std::abort();
}

/// The same bytes in pieces: all at once, one by one, or of lengths that follow from a seed.
class Cuts {
public:
    enum class Way : u8 { whole, bytewise, ragged };

    Cuts(Bytes bytes, Way way) : left_{bytes}, way_{way} {
        for (const u8 byte : bytes)
            state_ = state_ * 0x0100'0193 + byte;
    }
    /// Empty at the end.
    [[nodiscard]] Bytes next() {
        state_ = state_ * 1'664'525 + 1'013'904'223;
        const std::size_t wanted = way_ == Way::whole      ? left_.size()
                                   : way_ == Way::bytewise ? 1
                                                           : 1 + (state_ >> 24) % 23;
        const Bytes piece = left_.first(std::min(wanted, left_.size()));
        left_ = left_.subspan(piece.size());
        return piece;
    }

private:
    Bytes left_;
    Way way_;
    u32 state_ = 1;
};

/// Fields, body and the like as values that compare and outlive the parser.
struct Message {
    std::string line;  // of a request the method and the target, of an answer the status
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    std::string authority;
    u16 refused_with = 0;  // 0: not refused
    bool is_whole = false;
    bool is_kept_alive = false;
    u8 minor_version = 1;
    friend bool operator==(const Message&, const Message&) = default;

    void set_fields(std::span<const Field> all) {
        for (const Field& one : all) {
            expect(is_token(one.name), "a field's name is no token");
            expect(is_field_value(one.value), "a field's value is none");
            fields.emplace_back(one.name, one.value);
        }
    }
    void set_body(Bytes bytes) { body.assign(bytes.begin(), bytes.end()); }
};

/// What two readings that differ by their cuts, or by who wrote, must share.
void expect_same(const std::vector<Message>& a, const std::vector<Message>& b, const char* what) {
    expect(a == b, what);
}

// ---- requests -----------------------------------------------------------------------------------

[[nodiscard]] Message message_of(const RequestParser& parser, Bytes body) {
    Message made;
    made.is_whole = parser.state() == RequestParser::State::done;
    if (parser.state() == RequestParser::State::failed) made.refused_with = parser.status();
    if (!made.is_whole) return made;
    const Request& request = parser.request();
    expect(is_token(request.method), "a method that is no token");
    expect(request.path.starts_with('/') || request.target == "*", "a path from nowhere");
    expect(request.target.size() == request.path.size() + request.query.size() +
                                        (request.target.size() > request.path.size() ? 1 : 0),
        "path and query are not the target");
    expect(!request.content_length || *request.content_length == body.size(),
        "a body of another length than was said");
    made.line = std::string{request.method} + " " + std::string{request.target};
    made.authority = request.authority;
    made.minor_version = request.minor_version;
    made.is_kept_alive = parser.is_kept_alive();
    made.set_fields(request.fields);
    made.set_body(body);
    return made;
}

[[nodiscard]] std::vector<Message> requests_of(Cuts cuts, const RequestLimits& limits) {
    RequestParser parser{limits};
    std::vector<u8> body;
    std::vector<Message> all;
    while (parser.state() != RequestParser::State::failed) {
        Bytes piece = cuts.next();
        if (piece.empty()) break;
        while (!piece.empty() && parser.state() != RequestParser::State::failed) {
            piece = piece.subspan(parser.feed(piece, body));
            expect(body.size() <= limits.body_bytes_max, "a body beyond its limit");
            if (parser.state() != RequestParser::State::done) continue;
            all.push_back(message_of(parser, body));
            parser.reset();
            body.clear();
        }
    }
    if (parser.state() != RequestParser::State::empty) all.push_back(message_of(parser, body));
    return all;
}

/// As a proxy would say it that has only what a handler gets.
[[nodiscard]] std::string text_of(const Message& request) {
    std::string text = request.line + " HTTP/1." + std::to_string(request.minor_version) + "\r\n";
    bool has_host = false;
    bool has_length = false;
    for (const auto& [name, value] : request.fields) {
        has_host |= is_same_name(name, "host");
        has_length |= is_same_name(name, "content-length");
        text += name + ": " + value + "\r\n";
    }
    if (!has_host && !request.authority.empty()) text += "host: " + request.authority + "\r\n";
    if (!has_length && !request.body.empty())
        text += "content-length: " + std::to_string(request.body.size()) + "\r\n";
    return text + "\r\n" + request.body;
}

[[nodiscard]] Bytes bytes_of(const std::string& text) noexcept {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

void expect_same_again(const Message& request, const RequestLimits& limits) {
    const auto again = requests_of({bytes_of(text_of(request)), Cuts::Way::whole}, limits);
    expect(again.size() == 1 && again[0].is_whole, "said anew it is not one request");
    expect(again[0].line == request.line, "said anew it asks for something else");
    expect(again[0].body == request.body, "said anew it has another body");
    expect(is_same_name(again[0].authority, request.authority), "said anew it is another's");
}

void try_requests(Bytes bytes, const RequestLimits& limits) {
    const auto whole = requests_of({bytes, Cuts::Way::whole}, limits);
    expect_same(whole, requests_of({bytes, Cuts::Way::bytewise}, limits), "requests, bytewise");
    expect_same(whole, requests_of({bytes, Cuts::Way::ragged}, limits), "requests, cut");
    for (const Message& request : whole) {
        if (request.is_whole) expect_same_again(request, RequestLimits{.fields_max = 200});
    }
}

// ---- an upstream's answer -----------------------------------------------------------------------

[[nodiscard]] std::vector<Message> answer_of(Cuts cuts, bool is_of_head) {
    ResponseParser parser{is_of_head};
    std::vector<u8> body;
    while (parser.state() == ResponseParser::State::head ||
           parser.state() == ResponseParser::State::body) {
        const Bytes piece = cuts.next();
        if (piece.empty()) {
            parser.finish(body);
            break;
        }
        const std::size_t taken = parser.feed(piece, body);
        expect(taken == piece.size() || parser.state() == ResponseParser::State::done ||
                   parser.state() == ResponseParser::State::failed,
            "an answer's bytes are left without an end");
    }
    Message made;
    if (parser.state() == ResponseParser::State::failed) {
        expect(!parser.why().empty(), "an answer is refused without a word");
        made.refused_with = 502;
        return {made};
    }
    made.is_whole = parser.state() == ResponseParser::State::done;
    expect(made.is_whole, "an answer without an end");
    made.line = std::to_string(parser.status());
    made.is_kept_alive = parser.is_kept_alive();
    made.set_fields(parser.fields());
    made.set_body(body);
    expect(!is_of_head || body.empty(), "a body in answer to HEAD");
    return {made};
}

/// What an upstream says passes through our own server, and is read there as the same.
void expect_passes(const Message& answer, bool is_of_head) {
    std::vector<Field> fields;
    for (const auto& [name, value] : answer.fields)
        fields.push_back({name, value});
    const auto status = static_cast<u32>(std::stoul(answer.line));
    ResponseHead head;
    expect(head.set(status, fields, u32{1} << 20), "an answer was taken that cannot be sent");
    ResponseHead::Rest rest;
    const bool is_without_body = is_of_head || is_bodiless(status);
    expect(
        is_without_body || !head.content_length() || *head.content_length() == answer.body.size(),
        "an answer's body is not of its length");
    rest.framing = is_without_body ? ResponseHead::Framing::none : ResponseHead::Framing::length;
    rest.length = answer.body.size();
    rest.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    Buffer sent;
    head.write(sent, rest);
    append(sent, answer.body);
    const auto again = answer_of({sent, Cuts::Way::whole}, is_of_head);
    expect(again[0].line == answer.line, "passed on it has another status");
    expect(again[0].body == answer.body, "passed on it has another body");
}

void try_answer(Bytes bytes, bool is_of_head) {
    const auto whole = answer_of({bytes, Cuts::Way::whole}, is_of_head);
    expect_same(whole, answer_of({bytes, Cuts::Way::bytewise}, is_of_head), "an answer, bytewise");
    expect_same(whole, answer_of({bytes, Cuts::Way::ragged}, is_of_head), "an answer, cut");
    if (whole[0].is_whole) expect_passes(whole[0], is_of_head);
}

// ---- what a CGI program writes ------------------------------------------------------------------

/// Takes an answer, and holds every handler's part of the contract against it.
class Taker : public Exchange {
public:
    Message answer;
    std::optional<Failure> failure;

    Taker() {
        request_.method = "GET";
        request_.target = request_.path = "/";
    }

    const Request& request() const noexcept override { return request_; }
    const RouteMatch& route() const noexcept override { return route_; }
    engine::Shard& shard() noexcept override { std::abort(); }
    Shelf& shelf() noexcept override { std::abort(); }
    engine::CallLimits limits() const noexcept override { return {}; }
    Read read_body(std::span<u8>) override { return {}; }
    std::size_t readable_bytes() const noexcept override { return 0; }
    bool is_body_read() const noexcept override { return true; }
    int wait(std::span<pollfd>, u64) override { std::abort(); }
    void log(std::string_view) override {}

    bool begin(u32 status, std::span<const Field> fields) override {
        expect(!is_begun() && !is_over(), "begun twice, or behind the end");
        if (!head_.set(status, fields, u32{1} << 20)) {
            failure = Failure::bad_response;
            return false;
        }
        answer.line = std::to_string(status);
        answer.set_fields(fields);
        return true;
    }
    bool is_begun() const noexcept override { return !answer.line.empty(); }
    Transfer write(Bytes bytes) override {
        expect(is_begun() && !is_over(), "written before the beginning or behind the end");
        answer.body.append(bytes.begin(), bytes.end());
        return Transfer::ok;
    }
    void finish() override {
        expect(is_begun() && !is_over(), "ended without a beginning, or twice");
        answer.is_whole = true;
        expect(!head_.content_length() || *head_.content_length() == answer.body.size() ||
                   (is_bodiless(head_.status()) && answer.body.empty()),
            "a Content-Length that is not true");
    }
    void fail(Failure why, std::string_view detail) override {
        expect(!is_over(), "failed behind the end");
        expect(!detail.empty(), "failed without a word");
        failure = why;
    }

private:
    [[nodiscard]] bool is_over() const noexcept { return answer.is_whole || failure; }

    Request request_;
    RouteMatch route_;
    ResponseHead head_;
};

/// What broke off is compared by that alone: how much of it was sent before depends on the pieces.
[[nodiscard]] std::pair<Message, std::optional<Failure>> written(Cuts cuts) {
    Taker taker;
    CgiAnswer answer{taker, CgiLimits{.head_bytes_max = 1024, .fields_max = 8}};
    while (true) {
        const Bytes piece = cuts.next();
        if (piece.empty()) break;
        const iovec one{const_cast<u8*>(piece.data()), piece.size()};
        auto taken = answer.write({&one, 1}, true);
        if (!taken.ok()) break;
        expect(std::move(taken).take() == piece.size(), "a piece was taken in part");
    }
    answer.finish(0);
    expect(taker.answer.is_whole != taker.failure.has_value(), "neither an answer nor a failure");
    if (taker.failure) return {{}, taker.failure};
    return {taker.answer, {}};
}

void try_program(Bytes bytes) {
    const auto whole = written({bytes, Cuts::Way::whole});
    expect(whole == written({bytes, Cuts::Way::bytewise}), "a program's answer, bytewise");
    expect(whole == written({bytes, Cuts::Way::ragged}), "a program's answer, cut");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes{data, size};
    try_requests(bytes, {});
    try_requests(bytes,
        {.head_bytes_max = 160, .fields_max = 4, .target_bytes_max = 24, .body_bytes_max = 32});
    try_answer(bytes, false);
    try_answer(bytes, true);
    try_program(bytes);
    return 0;
}
