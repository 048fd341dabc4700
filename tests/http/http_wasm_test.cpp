// http-wasm guests: what each of the 19 functions answers, what it must not be asked and when, and
// how a request goes on behind the guest.
#include "tests/http/handlers.hpp"

namespace wrun::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const char* const imports = R"(
    (import "http_handler" "enable_features" (func $enable_features (param i32) (result i32)))
    (import "http_handler" "get_config" (func $get_config (param i32 i32) (result i32)))
    (import "http_handler" "log_enabled" (func $log_enabled (param i32) (result i32)))
    (import "http_handler" "log" (func $log (param i32 i32 i32)))
    (import "http_handler" "get_method" (func $get_method (param i32 i32) (result i32)))
    (import "http_handler" "set_method" (func $set_method (param i32 i32)))
    (import "http_handler" "get_uri" (func $get_uri (param i32 i32) (result i32)))
    (import "http_handler" "set_uri" (func $set_uri (param i32 i32)))
    (import "http_handler" "get_protocol_version" (func $get_protocol_version (param i32 i32) (result i32)))
    (import "http_handler" "get_source_addr" (func $get_source_addr (param i32 i32) (result i32)))
    (import "http_handler" "get_header_names" (func $get_header_names (param i32 i32 i32) (result i64)))
    (import "http_handler" "get_header_values" (func $get_header_values (param i32 i32 i32 i32 i32) (result i64)))
    (import "http_handler" "set_header_value" (func $set_header_value (param i32 i32 i32 i32 i32)))
    (import "http_handler" "add_header_value" (func $add_header_value (param i32 i32 i32 i32 i32)))
    (import "http_handler" "remove_header" (func $remove_header (param i32 i32 i32)))
    (import "http_handler" "read_body" (func $read_body (param i32 i32 i32) (result i64)))
    (import "http_handler" "write_body" (func $write_body (param i32 i32 i32)))
    (import "http_handler" "get_status_code" (func $get_status_code (result i32)))
    (import "http_handler" "set_status_code" (func $set_status_code (param i32)))
    (memory (export "memory") 1)
    (global $n (mut i64) (i64.const 0))
    (func $say (param $bytes i32) (call $write_body (i32.const 1) (i32.const 1024) (local.get $bytes)))
    (func $say_number (param $number i64)  ;; eight bytes
        (i64.store (i32.const 2040) (local.get $number))
        (call $write_body (i32.const 1) (i32.const 2040) (i32.const 8)))
    (data (i32.const 16) "x-name") (data (i32.const 32) "value") (data (i32.const 48) "PUT")
    (data (i32.const 64) "/new?q=1") (data (i32.const 96) "bad name") (data (i32.const 112) "a\0d\0ab")
    (data (i32.const 128) "/a b") (data (i32.const 136) "/a\0d\0aX:1") (data (i32.const 152) "/a#b"))";

/// `next`: what handle_request returns.
std::string guest(const std::string& on_request, const std::string& next = "0",
    const std::string& on_response = "", const std::string& more = "") {
    return "(module" + std::string{imports} + more +
           "(func (export \"handle_request\") (result i64)" + on_request + "(i64.const " + next +
           "))" + "(func (export \"handle_response\") (param $ctx i32) (param $error i32)" +
           on_response + "))";
}

/// What is next says what it got, and a text.
struct Backend : http::Handler {
    void handle(http::Exchange& exchange) const override {
        const http::Request& got = exchange.request();
        ++requests;
        line = std::string{got.method} + " " + std::string{got.target} +
               " path=" + std::string{got.path} + " query=" + std::string{got.query};
        fields.clear();
        for (const Field& one : got.fields)
            fields.emplace_back(one.name, one.value);
        length = got.content_length;
        std::array<u8, 7> piece;
        body.clear();
        while (true) {
            const auto read = exchange.read_body(piece);
            if (read.how != Transfer::ok || read.bytes == 0) break;
            body.append(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(read.bytes));
        }
        if (fails_at == 0) return exchange.fail(http::Failure::limit, "full");
        const Field answer[] = {
            {"Server", "backend"}, {"Content-Length", "4"}, {"X-Two", "1"}, {"X-Two", "2"}};
        if (!exchange.begin(status, answer)) return;
        const std::string_view text = "next";
        if (exchange.write({reinterpret_cast<const u8*>(text.data()), 4}) != Transfer::ok) return;
        if (fails_at == 1) return exchange.fail(http::Failure::internal, "broke off");
        if (fails_at == 2) return;
        exchange.finish();
    }
    u32 status = 203;
    int fails_at = -1;
    mutable u32 requests = 0;
    mutable std::string line;
    mutable MemoryExchange::Fields fields;
    mutable std::optional<u64> length;
    mutable std::string body;
};

class HttpWasmTest : public HandlerTest {
protected:
    HttpWasmTest() { options.next = backend; }
    std::shared_ptr<Backend> backend = std::make_shared<Backend>();
};

// ---- what is answered --------------------------------------------------------------------------

TEST_F(HttpWasmTest, AGuestThatSaysNothingSaysYes) {
    make(guest(""));
    EXPECT_EQ(run().text(), "200 ");
    EXPECT_EQ(backend->requests, 0u);
}

TEST_F(HttpWasmTest, AGuestAnswers) {
    make(guest(R"((call $set_status_code (i32.const 404))
        (call $set_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 5))
        (call $add_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 48) (i32.const 3))
        (call $write_body (i32.const 1) (i32.const 32) (i32.const 5))
        (call $write_body (i32.const 1) (i32.const 48) (i32.const 3)))"));
    EXPECT_EQ(run().text(), "404 valuePUT");
    EXPECT_THAT(
        exchanges_.back().fields, ElementsAre(Pair("x-name", "value"), Pair("x-name", "PUT")));
}

TEST_F(HttpWasmTest, WhatTheRequestIs) {
    const struct {
        const char* function;
        std::string text;
    } rows[] = {{"get_method", "GET"}, {"get_uri", "/a%20b?c=d"},
        {"get_protocol_version", "HTTP/1.1"}, {"get_source_addr", "[::1]:4711"},
        {"get_config", "the config"}};
    options.config = "the config";
    for (const auto& row : rows) {
        make(guest("(call $say (call $" + std::string{row.function} +
                   " (i32.const 1024) (i32.const 100)))"));
        MemoryExchange& exchange = request();
        exchange.set().target = "/a%20b?c=d";
        exchange.set().client_address = "::1";
        EXPECT_EQ(run(exchange).body, row.text) << row.function;
        // Too small a buffer: nothing is written, and the length is told all the same.
        make(guest("(call $say (call $" + std::string{row.function} +
                   " (i32.const 1024) (i32.const 2)))"));
        MemoryExchange& small = request();
        small.set().target = "/a%20b?c=d";
        small.set().client_address = "::1";
        EXPECT_EQ(run(small).body, std::string(row.text.size(), '\0')) << row.function;
    }
}

TEST_F(HttpWasmTest, NamesAndValuesOfFields) {
    const std::string print =
        "(call $say (i32.wrap_i64 (global.get $n)))"
        "(call $say_number (i64.shr_u (global.get $n) (i64.const 32)))";
    const auto fields = [&]() -> MemoryExchange& {
        MemoryExchange& exchange = request();
        exchange.set_fields({{"X-Name", "one"}, {"Accept", "a"}, {"x-nAme", "two"}});
        return exchange;
    };
    make(guest(
        "(global.set $n (call $get_header_names (i32.const 0) (i32.const 1024) (i32.const 100)))" +
        print));
    EXPECT_EQ(run(fields()).body, (std::string{"x-name\0accept\0\2\0\0\0\0\0\0\0", 22}));
    make(
        guest("(global.set $n (call $get_header_values (i32.const 0) (i32.const 16) (i32.const 6) "
              "(i32.const 1024) (i32.const 100)))" +
              print));
    EXPECT_EQ(run(fields()).body, (std::string{"one\0two\0\2\0\0\0\0\0\0\0", 16}));
    EXPECT_EQ(run().body, (std::string{"\0\0\0\0\0\0\0\0", 8})) << "there is none";
    for (const char* const kind : {"2", "3"}) {
        make(guest("(global.set $n (call $get_header_names (i32.const " + std::string{kind} +
                   ") (i32.const 1024) (i32.const 100)))" + print));
        EXPECT_EQ(run(fields()).body, (std::string{"\0\0\0\0\0\0\0\0", 8})) << "no trailers";
    }
}

TEST_F(HttpWasmTest, ALogIsLines) {
    make(guest(
        R"((call $log (i32.const -1) (i32.const 32) (i32.const 5))
        (call $log (i32.const 0) (i32.const 32) (i32.const 5))
        (call $log (i32.const 2) (i32.const 48) (i32.const 3)) (call $log (i32.const 3) (i32.const 48) (i32.const 3))
        (call $log (i32.const -1) (i32.const 65530) (i32.const 100))
        (call $say_number (i64.extend_i32_u (call $log_enabled (i32.const 0))))
        (call $say_number (i64.extend_i32_u (call $log_enabled (i32.const -1))))
        (call $say_number (i64.extend_i32_u (call $log_enabled (i32.const 3)))))"));
    EXPECT_THAT(run().log_lines, ElementsAre("value", "PUT"));
    EXPECT_EQ(exchanges_.back().body, (std::string{"\1\0\0\0\0\0\0\0"
                                                   "\0\0\0\0\0\0\0\0"
                                                   "\0\0\0\0\0\0\0\0",
                                          24}));
    make(
        guest("(loop $l (call $log (i32.const 0) (i32.const 32) (i32.const 5)) (global.set $n "
              "(i64.add (global.get $n) (i64.const 1)))"
              "(br_if $l (i64.lt_u (global.get $n) (i64.const 5000))))"));
    EXPECT_EQ(run().log_lines.size(), 1001u);
}

TEST_F(HttpWasmTest, FeaturesAreTheModulesOrTheRequests) {
    const std::string print =
        "(call $say_number (i64.extend_i32_u (call $enable_features (i32.const 4))))";
    make(guest(
        print, "0", "", "(func (export \"_start\") (drop (call $enable_features (i32.const 2))))"));
    EXPECT_EQ(run().body[0], 2) << "trailers are not there";
    make(guest("(drop (call $enable_features (i32.const 1)))" + print));
    EXPECT_EQ(run().body[0], 1);
    make(guest(print));
    EXPECT_EQ(run().body[0], 0) << "of another request";
}

// ---- bodies ------------------------------------------------------------------------------------

const std::string read_all = R"((loop $l
    (global.set $n (call $read_body (i32.const 0) (i32.const 1024) (i32.const 4)))
    (call $say (i32.wrap_i64 (global.get $n)))
    (br_if $l (i64.eqz (i64.shr_u (global.get $n) (i64.const 32))))))";

TEST_F(HttpWasmTest, ABodyIsReadInPieces) {
    make(guest(read_all));
    for (const std::string& text :
        {std::string{}, std::string{"abc"}, std::string{"abcd"}, std::string(100, 'x')}) {
        MemoryExchange& exchange = request();
        if (!text.empty()) exchange.set_body(text);
        EXPECT_EQ(run(exchange).text(), "200 " + text);
    }
    MemoryExchange& exchange = request();
    exchange.set().content_length.reset();
    exchange.add_body("ab");
    exchange.add_body("cdef");
    EXPECT_EQ(run(exchange).text(), "200 abcdef") << "filled up to the limit";
    MemoryExchange& broken = request();
    broken.set().content_length = 10;
    broken.end_body_by(Transfer::timed_out);
    EXPECT_EQ(run(broken).text(), "trap");
}

TEST_F(HttpWasmTest, WhatNextGetsOfABody) {
    const std::string take_3 =
        "(drop (call $read_body (i32.const 0) (i32.const 1024) (i32.const 3)))";
    const std::string buffer = "(drop (call $enable_features (i32.const 1)))";
    const std::string write = "(call $write_body (i32.const 0) (i32.const 32) (i32.const 5))";
    const struct {
        const char* name;
        std::string code;
        std::string body;
        std::optional<u64> length;
    } rows[] = {
        {"untouched", "", "abcdefghij", 10},
        {"read", take_3, "defghij", std::nullopt},
        {"read and kept", buffer + take_3, "abcdefghij", 10},
        {"kept", buffer, "abcdefghij", 10},
        {"replaced", write, "value", 5},
        {"read and replaced", take_3 + write + write, "valuevalue", 10},
        {"kept and replaced", buffer + take_3 + write, "value", 5},
        {"emptied", "(call $write_body (i32.const 0) (i32.const 32) (i32.const 0))", "", 0},
    };
    for (const auto& row : rows) {
        make(guest(row.code, "1"));
        MemoryExchange& exchange = request();
        exchange.set_body("abcdefghij");
        exchange.set_fields({{"Content-Length", "10"}});
        EXPECT_EQ(run(exchange).text(), "203 next") << row.name;
        EXPECT_EQ(backend->body, row.body) << row.name;
        EXPECT_EQ(backend->length, row.length) << row.name;
        EXPECT_EQ(backend->fields.empty(), row.length != 10u || row.body != "abcdefghij")
            << row.name;
    }
}

TEST_F(HttpWasmTest, ABodyCanBeReadAgainAfterNext) {
    make(guest("(drop (call $enable_features (i32.const 3)))", "1", read_all));
    MemoryExchange& exchange = request();
    exchange.set_body("abcdefghij");
    EXPECT_EQ(run(exchange).text(), "203 abcdefghij");
    EXPECT_EQ(backend->body, "abcdefghij");
}

TEST_F(HttpWasmTest, WhatTheGuestSaysBeforeNextStandsBeforeNextsBody) {
    const std::string before =
        "(call $set_status_code (i32.const 404))"
        "(call $set_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 32) "
        "(i32.const 5))"
        "(call $write_body (i32.const 1) (i32.const 32) (i32.const 5))"
        "(call $write_body (i32.const 1) (i32.const 48) (i32.const 3))";
    const std::string buffer = "(drop (call $enable_features (i32.const 2)))";
    const std::string read =
        "(global.set $n (call $read_body (i32.const 1) (i32.const 1024) (i32.const 100)))";
    const struct {
        const char* name;
        int fails_at;
        std::string on_request, on_response, text;
    } rows[] = {
        {"passed on", -1, "", "", "203 valuePUTnext"},
        {"buffered", -1, buffer, "", "203 valuePUTnext"},
        {"read and said again", -1, buffer, read + "(call $say (i32.wrap_i64 (global.get $n)))",
            "203 valuePUTnext"},
        {"replaced behind next", -1, buffer, "(call $say (i32.const 0))", "203 "},
        {"next fails at once", 0, "", "", "limit"},
        {"next fails at once, buffered", 0, buffer, "", "limit"},
        {"next fails midway", 1, "", "", "203 valuePUTnext… internal"},
        {"next fails midway, buffered", 1, buffer, "", "internal"},
    };
    for (const auto& row : rows) {
        backend->fails_at = row.fails_at;
        make(guest(row.on_request + before, "1", row.on_response));
        MemoryExchange& exchange = request();
        exchange.set_body("abcdefghij");
        EXPECT_EQ(run(exchange).text(), row.text) << row.name;
        EXPECT_EQ(backend->body, "abcdefghij") << row.name << ": the request's is another";
        EXPECT_EQ(exchange.field("content-length"), "") << row.name << ": it was next's alone";
        if (exchange.status == 0) continue;
        EXPECT_EQ(exchange.field("x-name"), "value") << row.name;
        EXPECT_EQ(exchange.field("x-two"), "1 | 2") << row.name;
    }
}

TEST_F(HttpWasmTest, BuffersHaveAnEnd) {
    options.buffered_bytes_max = 8;
    make(guest("(call $say (i32.const 5)) (call $say (i32.const 5))"));
    EXPECT_EQ(run().text(), "trap");
    make(guest("(call $say (i32.const 5)) (call $say (i32.const 3))"));
    EXPECT_EQ(run().text().size(), 12u);
    options.buffered_bytes_max = 3;
    make(guest("(drop (call $enable_features (i32.const 2)))", "1"));
    EXPECT_EQ(run().text(), "bad_response");
    // The guest's own and next's have it together, unless they are passed on.
    for (const auto& [bytes_max, text] : {std::pair{9, "203 valuenext"}, {8, "bad_response"}}) {
        options.buffered_bytes_max = static_cast<u32>(bytes_max);
        const std::string own = "(call $write_body (i32.const 1) (i32.const 32) (i32.const 5))";
        make(guest("(drop (call $enable_features (i32.const 2)))" + own, "1"));
        EXPECT_EQ(run().text(), text) << bytes_max;
        make(guest(own, "1"));
        EXPECT_EQ(run().text(), "203 valuenext") << bytes_max;
    }
}

// ---- instances that serve several requests -----------------------------------------------------

/// Counts its requests, says the count, and logs.
const char* const count = R"(
    (global.set $n (i64.add (global.get $n) (i64.const 1)))
    (call $log (i32.const 0) (i32.const 32) (i32.const 5))
    (call $say_number (global.get $n)))";

class HttpWasmReuse : public HttpWasmTest {
protected:
    /// One more request to `handler`; the number it said, or how it failed.
    std::string ask(const http::Handler& handler) {
        MemoryExchange& exchange = request();
        exchange.set_shelf(shelf_);
        handler.handle(exchange);
        if (exchange.body.size() != 8) return exchange.text();
        EXPECT_THAT(exchange.log_lines, ElementsAre("value"));
        return std::to_string(static_cast<int>(exchange.body[0]));
    }
    std::string ask_times(const http::Handler& handler, int times) {
        std::string all;
        for (int i = 0; i < times; i++)
            all += ask(handler) + " ";
        return all;
    }
    http::Shelf shelf_;
};

TEST_F(HttpWasmReuse, OnlyWhereItIsAskedForAndNoLonger) {
    make(guest(count));
    EXPECT_EQ(ask_times(*handler_, 3), "1 1 1 ");
    EXPECT_TRUE(shelf_.is_empty());
    options.reuse = 3;
    make(guest(count));
    EXPECT_EQ(ask_times(*handler_, 7), "1 2 3 1 2 3 1 ");
    // Behind next as well.
    shelf_.clear();
    make(guest("(drop (call $enable_features (i32.const 2)))", "1", count));
    EXPECT_EQ(ask_times(*handler_, 4), "1 2 3 1 ");
    shelf_.clear();
}

TEST_F(HttpWasmReuse, EachHandlerHasItsOwn) {
    options.reuse = 10;
    const http::MadeHandler a = try_make(guest(count));
    const http::MadeHandler b = try_make(guest(count));
    EXPECT_EQ(ask(*a.handler), "1");
    EXPECT_EQ(ask_times(*b.handler, 2), "1 2 ");
    EXPECT_EQ(ask(*a.handler), "2");
    shelf_.clear();
    EXPECT_EQ(ask(*a.handler), "1");
    shelf_.clear();
}

TEST_F(HttpWasmReuse, WhatHasFailedServesNoMore) {
    options.reuse = 10;
    make(guest(
        std::string{count} + "(if (i64.eq (global.get $n) (i64.const 3)) (then unreachable))"));
    EXPECT_EQ(ask_times(*handler_, 5), "1 2 trap 1 2 ");
    shelf_.clear();
}

TEST_F(HttpWasmReuse, IdleInstancesMakeRoom) {
    shard_.reset();
    pool_ = engine::Pool::make(*engine_, {.slots_max = 1}).take();
    shard_ = engine::Shard::make(*pool_).take();
    options.reuse = 10;
    const http::MadeHandler a = try_make(guest(count));
    const http::MadeHandler b = try_make(guest(count));
    EXPECT_EQ(ask(*a.handler), "1");
    EXPECT_EQ(ask(*b.handler), "1");
    EXPECT_EQ(ask_times(*a.handler, 2), "1 2 ");
    shelf_.clear();
}

TEST_F(HttpWasmReuse, TheOldestGoesWhereTooManyWait) {
    struct Counted : http::Shelf::Kept {
        explicit Counted(int& of) : count{of} { ++count; }
        ~Counted() override { --count; }
        int& count;
    };
    int there = 0;
    make(guest(""));
    for (std::size_t i = 0; i < http::Shelf::kept_max + 5; i++)
        shelf_.put(*handler_, std::make_unique<Counted>(there));
    EXPECT_EQ(there, static_cast<int>(http::Shelf::kept_max));
    const auto last = shelf_.take(*handler_);
    EXPECT_TRUE(last);
    shelf_.clear();
    EXPECT_EQ(there, 1);
    EXPECT_FALSE(shelf_.take(*handler_));
}

// ---- next --------------------------------------------------------------------------------------

TEST_F(HttpWasmTest, WhatNextGets) {
    make(guest(
        R"((call $set_method (i32.const 48) (i32.const 3)) (call $set_uri (i32.const 64) (i32.const 8))
        (call $remove_header (i32.const 0) (i32.const 16) (i32.const 6))
        (call $add_header_value (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 5)))",
        "1"));
    MemoryExchange& exchange = request();
    exchange.set_fields({{"X-NAME", "1"}, {"Accept", "a"}, {"x-name", "2"}});
    EXPECT_EQ(run(exchange).text(), "203 next");
    EXPECT_EQ(backend->line, "PUT /new?q=1 path=/new query=q=1");
    EXPECT_THAT(backend->fields, ElementsAre(Pair("Accept", "a"), Pair("x-name", "value")));
    make(guest("(call $set_uri (i32.const 64) (i32.const 0))", "1"));
    EXPECT_EQ(run().text(), "203 next");
    EXPECT_EQ(backend->line, "GET / path=/ query=");
}

TEST_F(HttpWasmTest, FieldsOfTheAnswerThatTheGuestSetBefore) {
    const std::string set =
        "(call $set_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 32) "
        "(i32.const 5))";
    for (const char* const features : {"0", "2"}) {
        make(guest(
            "(drop (call $enable_features (i32.const " + std::string{features} + ")))" + set, "1"));
        EXPECT_EQ(run().text(), "203 next");
        EXPECT_EQ(exchanges_.back().field("x-name"), "value");
        EXPECT_EQ(exchanges_.back().field("x-two"), "1 | 2");
    }
}

TEST_F(HttpWasmTest, NoNextIs404) {
    options.next = nullptr;
    make(guest("", "1"));
    EXPECT_EQ(run().status, 404u);
}

TEST_F(HttpWasmTest, TheContextOfARequestComesBack) {
    make(guest("(drop (call $enable_features (i32.const 2))) (global.set $n (i64.const 77))",
        "0x1234567800000001",
        R"((call $say_number (global.get $n)) (call $say_number (i64.extend_i32_u (local.get $ctx)))
           (call $say_number (i64.extend_i32_u (local.get $error)))
           (call $say_number (i64.extend_i32_u (call $get_status_code)))
           (call $set_status_code (i32.const 299)))"));
    EXPECT_EQ(run().body,
        (std::string{
            "\x4d\0\0\0\0\0\0\0\x78\x56\x34\x12\0\0\0\0\0\0\0\0\0\0\0\0\xcb\0\0\0\0\0\0\0", 32}))
        << "the same instance";
    EXPECT_EQ(exchanges_.back().status, 299u);
    EXPECT_EQ(exchanges_.back().field("content-length"), "") << "it was next's";
}

TEST_F(HttpWasmTest, TheAnswerOfNextCanBeReadAndLeft) {
    make(guest("(drop (call $enable_features (i32.const 2)))", "1",
        R"((if (i64.ne (call $read_body (i32.const 1) (i32.const 1024) (i32.const 3)) (i64.const 3)) (then unreachable))
           (if (i64.ne (call $read_body (i32.const 1) (i32.const 1027) (i32.const 3)) (i64.const 0x100000001))
               (then unreachable))
           (if (i32.ne (i32.load (i32.const 1024)) (i32.const 0x7478656e)) (then unreachable)))"));
    EXPECT_EQ(run().text(), "203 next");
    EXPECT_EQ(exchanges_.back().field("content-length"), "4") << "as next said";
}

TEST_F(HttpWasmTest, NextThatFails) {
    const std::string buffer = "(drop (call $enable_features (i32.const 2)))";
    const std::string note = "(if (i32.eqz (local.get $error)) (then unreachable))";
    const std::string instead =
        note + "(call $set_status_code (i32.const 503)) (call $say (i32.const 0))";
    const struct {
        const char* name;
        int fails_at;
        std::string on_request, on_response, text;
    } rows[] = {
        {"at once", 0, "", note, "limit"},
        {"at once, buffered", 0, buffer, note, "limit"},
        {"at once, said something instead", 0, buffer, instead, "503 "},
        {"midway", 1, "", note, "203 next… internal"},
        {"midway, buffered", 1, buffer, note, "internal"},
        {"midway, said something instead", 1, buffer, instead, "503 "},
        {"without an end", 2, "", note, "203 next… internal"},
    };
    for (const auto& row : rows) {
        backend->fails_at = row.fails_at;
        make(guest(row.on_request, "1", row.on_response));
        EXPECT_EQ(run().text(), row.text) << row.name;
    }
}

// ---- what traps --------------------------------------------------------------------------------

struct Forbidden {
    const char* name;
    const char* code;
    const char* why;
};

TEST_F(HttpWasmTest, AlwaysTraps) {
    const Forbidden rows[] = {
        {"method empty", "(call $set_method (i32.const 48) (i32.const 0))", "method"},
        {"method no token", "(call $set_method (i32.const 96) (i32.const 8))", "method"},
        {"uri with a space", "(call $set_uri (i32.const 96) (i32.const 8))", "path"},
        {"uri with a space inside", "(call $set_uri (i32.const 128) (i32.const 4))", "path"},
        {"uri of two lines", "(call $set_uri (i32.const 136) (i32.const 7))", "path"},
        {"uri with a fragment", "(call $set_uri (i32.const 152) (i32.const 4))", "path"},
        {"uri elsewhere", "(call $set_uri (i32.const 32) (i32.const 5))", "path"},
        {"names of kind 4",
            "(drop (call $get_header_names (i32.const 4) (i32.const 0) (i32.const 0)))", "kind"},
        {"values of kind 4",
            "(drop (call $get_header_values (i32.const 4) (i32.const 16) (i32.const 6) (i32.const "
            "0) (i32.const 0)))",
            "kind"},
        {"set of kind 4",
            "(call $set_header_value (i32.const 4) (i32.const 16) (i32.const 6) (i32.const 0) "
            "(i32.const 0))",
            "kind"},
        {"add of kind 4",
            "(call $add_header_value (i32.const -1) (i32.const 16) (i32.const 6) (i32.const 0) "
            "(i32.const 0))",
            "kind"},
        {"remove of kind 4", "(call $remove_header (i32.const 4) (i32.const 16) (i32.const 6))",
            "kind"},
        {"set trailer",
            "(call $set_header_value (i32.const 2) (i32.const 16) (i32.const 6) (i32.const 0) "
            "(i32.const 0))",
            "trailers"},
        {"remove trailer", "(call $remove_header (i32.const 3) (i32.const 16) (i32.const 6))",
            "trailers"},
        {"values of no name",
            "(drop (call $get_header_values (i32.const 0) (i32.const 16) (i32.const 0) (i32.const "
            "0) (i32.const 0)))",
            "empty"},
        {"set no name",
            "(call $set_header_value (i32.const 0) (i32.const 16) (i32.const 0) (i32.const 0) "
            "(i32.const 0))",
            "empty"},
        {"remove no name", "(call $remove_header (i32.const 0) (i32.const 16) (i32.const 0))",
            "empty"},
        {"name no token",
            "(call $set_header_value (i32.const 0) (i32.const 96) (i32.const 8) (i32.const 32) "
            "(i32.const 5))",
            "no message"},
        {"value of two lines",
            "(call $add_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 112) "
            "(i32.const 5))",
            "no message"},
        {"read of kind 2", "(drop (call $read_body (i32.const 2) (i32.const 0) (i32.const 1)))",
            "kind"},
        {"read nothing", "(drop (call $read_body (i32.const 0) (i32.const 0) (i32.const 0)))",
            "no room"},
        {"write of kind 2", "(call $write_body (i32.const 2) (i32.const 0) (i32.const 1))", "kind"},
        {"status 0", "(call $set_status_code (i32.const 0))", "status"},
        {"status 101", "(call $set_status_code (i32.const 101))", "status"},
        {"status 600", "(call $set_status_code (i32.const 600))", "status"},
    };
    for (const Forbidden& row : rows) {
        make(guest(row.code));
        EXPECT_EQ(run().text(), "trap") << row.name;
        EXPECT_THAT(exchanges_.back().detail, HasSubstr(row.why)) << row.name;
    }
}

TEST_F(HttpWasmTest, PointersThatLeaveTheMemoryTrap) {
    const char* const rows[] = {
        "(drop (call $get_config (i32.const 65534) (i32.const 10)))",
        "(call $log (i32.const 0) (i32.const 65535) (i32.const 2))",
        "(drop (call $get_method (i32.const 65534) (i32.const 10)))",
        "(call $set_method (i32.const -1) (i32.const 2))",
        "(drop (call $get_uri (i32.const 65536) (i32.const 10)))",
        "(call $set_uri (i32.const 65536) (i32.const 2))",
        "(drop (call $get_protocol_version (i32.const 65530) (i32.const 100)))",
        "(drop (call $get_source_addr (i32.const -4) (i32.const 100)))",
        "(drop (call $get_header_names (i32.const 0) (i32.const 65535) (i32.const 100)))",
        "(drop (call $get_header_values (i32.const 0) (i32.const 65535) (i32.const 6) (i32.const "
        "0) (i32.const 0)))",
        "(drop (call $get_header_values (i32.const 0) (i32.const 16) (i32.const 6) (i32.const "
        "65535) (i32.const 9)))",
        "(call $set_header_value (i32.const 0) (i32.const 65535) (i32.const 2) (i32.const 0) "
        "(i32.const 0))",
        "(call $set_header_value (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 65535) "
        "(i32.const 2))",
        "(call $add_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 0) "
        "(i32.const -1))",
        "(call $remove_header (i32.const 0) (i32.const 65535) (i32.const 2))",
        "(drop (call $read_body (i32.const 0) (i32.const 65535) (i32.const 2)))",
        "(call $write_body (i32.const 1) (i32.const 65535) (i32.const 2))",
        "(call $write_body (i32.const 0) (i32.const 0) (i32.const -1))",
    };
    options.config = "the config";
    for (const char* const row : rows) {
        make(guest(row));
        MemoryExchange& exchange = request();
        exchange.set_fields({{"x-name", "value"}});
        EXPECT_EQ(run(exchange).text(), "trap") << row;
        EXPECT_THAT(exchange.detail, HasSubstr("leaves the memory")) << row;
    }
}

TEST_F(HttpWasmTest, PhasesAfterNext) {
    const struct {
        const char* code;
        int feature;  // that allows it; 0: none does, -1: it always is
    } rows[] = {
        {"(call $set_method (i32.const 48) (i32.const 3))", 0},
        {"(call $set_uri (i32.const 64) (i32.const 8))", 0},
        {"(call $set_header_value (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) "
         "(i32.const 5))",
            0},
        {"(call $add_header_value (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) "
         "(i32.const 5))",
            0},
        {"(call $remove_header (i32.const 0) (i32.const 16) (i32.const 6))", 0},
        {"(call $write_body (i32.const 0) (i32.const 32) (i32.const 5))", 0},
        {"(drop (call $read_body (i32.const 0) (i32.const 1024) (i32.const 5)))", 1},
        {"(drop (call $read_body (i32.const 1) (i32.const 1024) (i32.const 5)))", 2},
        {"(call $write_body (i32.const 1) (i32.const 32) (i32.const 5))", 2},
        {"(call $set_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 32) "
         "(i32.const 5))",
            2},
        {"(call $add_header_value (i32.const 1) (i32.const 16) (i32.const 6) (i32.const 32) "
         "(i32.const 5))",
            2},
        {"(call $remove_header (i32.const 1) (i32.const 16) (i32.const 6))", 2},
        {"(call $set_status_code (i32.const 201))", 2},
        {"(drop (call $get_status_code))", -1},
        {"(drop (call $get_method (i32.const 1024) (i32.const 100)))", -1},
        {"(drop (call $get_header_names (i32.const 1) (i32.const 1024) (i32.const 100)))", -1},
        {"(drop (call $get_header_names (i32.const 0) (i32.const 1024) (i32.const 100)))", -1},
    };
    for (const auto& row : rows) {
        for (const int feature : {0, 1, 2}) {
            make(guest("(drop (call $enable_features (i32.const " + std::to_string(feature) + ")))",
                "1", row.code));
            const bool is_allowed = row.feature < 0 || (row.feature != 0 && row.feature == feature);
            const std::string text = run().text();
            EXPECT_EQ(text.find("trap") == std::string::npos, is_allowed)
                << row.code << feature << text;
        }
    }
}

TEST_F(HttpWasmTest, WhileTheModuleIsPreparedThereIsNoRequest) {
    options.config = "c";
    const auto starting = [](const std::string& code) {
        return guest("", "0", "", "(func (export \"_start\")" + code + ")");
    };
    EXPECT_TRUE(try_make(starting("(drop (call $get_config (i32.const 0) (i32.const 8))) (call "
                                  "$log (i32.const 0) (i32.const 0) (i32.const 3))"))
                    .handler);
    for (const char* const code : {"(drop (call $get_method (i32.const 0) (i32.const 8)))",
             "(call $set_status_code (i32.const 200))",
             "(drop (call $read_body (i32.const 0) (i32.const 0) (i32.const 1)))"})
        EXPECT_THAT(try_make(starting(code)).error, HasSubstr("no request")) << code;
}

// ---- one request and the next, and ends --------------------------------------------------------

TEST_F(HttpWasmTest, NothingIsLeftForTheNext) {
    make(guest(
        R"((global.set $n (i64.add (global.get $n) (i64.const 1))) (call $say_number (global.get $n))
        (i64.store (i32.const 512) (i64.add (i64.load (i32.const 512)) (i64.const 1)))
        (call $say_number (i64.load (i32.const 512))))"));
    for (int round = 0; round < 3; ++round)
        EXPECT_EQ(run().body, (std::string{"\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16})) << round;
}

TEST_F(HttpWasmTest, PreparedOnce) {
    make(guest("(call $say_number (global.get $n))", "0", "",
        "(func (export \"_start\") (global.set $n (i64.add (global.get $n) (i64.const 7))))"));
    EXPECT_EQ(run().body[0], 7);
    EXPECT_EQ(run().body[0], 7);
}

/// A guest whose `_initialize` is this, and that says the flags of 0, 1 and 2.
std::string initialized(const std::string& code) {
    std::string says;
    for (const char* const fd : {"0", "1", "2"})
        says += std::string{"(drop (call $fdstat (i32.const "} + fd +
                ") (i32.const 512))) (call $say_number (i64.load16_u (i32.const 514)))";
    std::string wat = guest(says, "0", "", "(func (export \"_initialize\")" + code + ")");
    wat.insert(7, R"(
        (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fdstat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
            (func $set_flags (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32))))");
    return wat;
}

TEST_F(HttpWasmTest, StreamsAreNonblockWhereThePreparedModuleHasMadeThemSo) {
    make(
        initialized("(drop (call $set_flags (i32.const 0) (i32.const 4)))"
                    "(drop (call $set_flags (i32.const 2) (i32.const 4)))"));
    using namespace std::string_literals;
    for (int round = 0; round < 2; ++round)
        EXPECT_EQ(run().body, "\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"s) << round;
    EXPECT_THAT(try_make(initialized("(drop (call $set_flags (i32.const 2) (i32.const 4)))"
                                     "(drop (call $close (i32.const 1)))"))
                    .error,
        HasSubstr("descriptor 1"));
}

TEST_F(HttpWasmTest, Deadlines) {
    make(guest("(loop $l (br $l))"));
    MemoryExchange& exchange = request();
    exchange.set_limits(engine::CallLimits::within(20'000'000));
    EXPECT_EQ(run(exchange).text(), "deadline");
    make(guest("", "1", "(loop $l (br $l))"));
    MemoryExchange& later = request();
    later.set_limits(engine::CallLimits::within(20'000'000));
    EXPECT_EQ(run(later).text(), "203 next… deadline");
}

TEST_F(HttpWasmTest, LimitsOfFields) {
    const auto adds = [](const std::string& kind, int times) {
        std::string code;
        for (int count = 0; count < times; ++count)
            code += "(call $add_header_value (i32.const " + kind +
                    ") (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 5))";
        return guest(code);
    };
    for (const char* const kind : {"0", "1"}) {
        options.response_fields_max = 3;
        options.response_head_bytes_max = 1000;
        make(adds(kind, 3));
        EXPECT_EQ(run().text(), "200 ");
        make(adds(kind, 4));
        EXPECT_EQ(run().text(), "trap") << "too many";
        options.response_fields_max = 1000;
        options.response_head_bytes_max = 44;  // four times 11
        make(adds(kind, 4));
        EXPECT_EQ(run().text(), "200 ");
        make(adds(kind, 5));
        EXPECT_EQ(run().text(), "trap") << "too large";
    }
}

TEST_F(HttpWasmTest, WhatCannotBeMade) {
    EXPECT_THAT(
        try_make("(module (func (export \"handle_request\") (result i32) (i32.const 0)))").error,
        HasSubstr("handle_request as a function () -> i64"));
    EXPECT_THAT(
        try_make("(module (func (export \"handle_request\") (result i64) (i64.const 0)))").error,
        HasSubstr("handle_response"));
    EXPECT_THAT(try_make("(module (func (export \"handle_request\") (result i64) (i64.const 0)) "
                         "(func (export \"handle_response\") (param i32 i32)))")
                    .error,
        HasSubstr("'memory'"));
    std::string unknown = guest("");
    unknown.insert(7, "(import \"http_handler\" \"get_time\" (func))");
    EXPECT_THAT(try_make(unknown).error, HasSubstr("http_handler.get_time"));
}

}  // namespace
}  // namespace wrun::test
