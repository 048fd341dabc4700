// CGI programs as handlers: what they are told, what becomes of what they write, and how they end.
#include <thread>

#include "tests/http/handlers.hpp"

namespace wrun::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const char* const imports = R"(
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 4)
    (global $end (mut i32) (i32.const 65536))
    (func $write (param $fd i32) (param $at i32) (param $bytes i32)
        (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $bytes))
        (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
    (func $sleep  ;; a microsecond of the monotonic clock
        (i32.store8 (i32.const 40) (i32.const 0)) (i32.store (i32.const 48) (i32.const 1))
        (i64.store (i32.const 56) (i64.const 1000))
        (if (call $poll (i32.const 32) (i32.const 96) (i32.const 1) (i32.const 16)) (then unreachable)))
    )";

/// Writes these texts to these descriptors, one call each, with code between.
struct Step {
    int fd;
    std::string text;
    std::string then;
};
std::string program(const std::vector<Step>& steps) {
    std::string data;
    std::string code;
    u32 at = 1024;
    for (const Step& step : steps) {
        data += "(data (i32.const " + std::to_string(at) + ") " + wat_bytes(step.text) + ")\n";
        code += "(call $write (i32.const " + std::to_string(step.fd) + ") (i32.const " +
                std::to_string(at) + ") (i32.const " + std::to_string(step.text.size()) + "))" +
                step.then + "\n";
        at += static_cast<u32>(step.text.size());
    }
    return "(module" + std::string{imports} + data + "(func $main (export \"_start\")" + code +
           "))";
}
std::string program(const std::string& text, const std::string& then = "") {
    return program({{1, text, then}});
}

/// Its environment, and its arguments behind it, each with its NUL.
const char* const telling = R"(
    (data (i32.const 1024) "Content-Type: text/plain\n\n")
    (func (export "_start")
        (call $write (i32.const 1) (i32.const 1024) (i32.const 26))
        (drop (call $environ_sizes (i32.const 16) (i32.const 20)))
        (drop (call $environ (i32.const 4096) (i32.const 8192)))
        (call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 20)))
        (drop (call $args_sizes (i32.const 16) (i32.const 20)))
        (drop (call $args (i32.const 4096) (i32.const 8192)))
        (call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 20)))))";

/// What it reads.
const char* const echoing = R"(
    (data (i32.const 1024) "Content-Type: text/plain\n\n")
    (func (export "_start") (local $bytes i32)
        (call $write (i32.const 1) (i32.const 1024) (i32.const 26))
        (loop $again
            (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 1000))
            (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (call $exit (i32.const 9))))
            (local.set $bytes (i32.load (i32.const 8)))
            (if (local.get $bytes) (then
                (call $write (i32.const 1) (i32.const 65536) (local.get $bytes)) (br $again))))))";

class WagiTest : public HandlerTest {
protected:
    std::vector<std::string> told(MemoryExchange& exchange) {
        EXPECT_EQ(run(exchange).status, 200u) << exchange.detail;
        std::vector<std::string> lines;
        std::string_view left = exchange.body;
        while (!left.empty()) {
            const std::size_t end = left.find('\0');
            lines.emplace_back(left.substr(0, end));
            left.remove_prefix(end + 1);
        }
        return lines;
    }
    void make_telling() { make("(module" + std::string{imports} + telling + ")"); }
};

// ---- what a program is told --------------------------------------------------------------------

TEST_F(WagiTest, EveryVariableOfAPlainRequest) {
    options.env = {"MODE=test"};
    make_telling();
    EXPECT_THAT(told(request()),
        ElementsAre("MODE=test", "AUTH_TYPE=", "GATEWAY_INTERFACE=CGI/1.1",
            "REMOTE_USER=", "SERVER_SOFTWARE=WAGI/1", "X_BASE_PATH=/", "CONTENT_LENGTH=0",
            "CONTENT_TYPE=", "PATH_INFO=/", "PATH_TRANSLATED=/",
            "QUERY_STRING=", "REMOTE_ADDR=127.0.0.1", "REMOTE_HOST=127.0.0.1", "REQUEST_METHOD=GET",
            "SCRIPT_NAME=", "SERVER_NAME=localhost", "SERVER_PORT=3000", "SERVER_PROTOCOL=HTTP/1.1",
            "X_CLIENT_ADDR=127.0.0.1:4711",
            "X_COMPONENT_ROUTE=", "X_FULL_URL=http://localhost:3000/", "X_MATCHED_ROUTE=/...",
            "X_RAW_COMPONENT_ROUTE=/...", "X_RAW_PATH_INFO=/", "/"));
}

TEST_F(WagiTest, EveryVariableOfAFullOne) {
    make_telling();
    MemoryExchange& exchange = request();
    exchange.set().method = "POST";
    exchange.set().target = "/users/j%20d/a%2fb%ff?x=1&y=%20&z";
    exchange.set().path = "/users/j%20d/a%2fb%ff";
    exchange.set().query = "x=1&y=%20&z";
    exchange.set().authority = "[::1]:80";
    exchange.set().minor_version = 0;
    exchange.set().client_address = "2001:db8::1";
    exchange.set_body("hello");
    const Field segments[] = {{"user-id", "j%20d"}};
    exchange.set_route() = {"/users/:user-id/...", "/users/j%20d", "/a%2fb%ff", segments, "c"};
    exchange.set_fields({{"Content-Type", "text/x"}});
    EXPECT_THAT(told(exchange),
        ElementsAre("AUTH_TYPE=", "GATEWAY_INTERFACE=CGI/1.1",
            "REMOTE_USER=", "SERVER_SOFTWARE=WAGI/1", "X_BASE_PATH=/", "CONTENT_LENGTH=5",
            "CONTENT_TYPE=text/x", "PATH_INFO=/a/b\xef\xbf\xbd", "PATH_TRANSLATED=/a/b\xef\xbf\xbd",
            "QUERY_STRING=x=1&y=%20&z", "REMOTE_ADDR=2001:db8::1", "REMOTE_HOST=2001:db8::1",
            "REQUEST_METHOD=POST", "SCRIPT_NAME=/users/j%20d", "SERVER_NAME=[::1]",
            "SERVER_PORT=80", "SERVER_PROTOCOL=HTTP/1.0", "X_CLIENT_ADDR=[2001:db8::1]:4711",
            "X_COMPONENT_ROUTE=/users/:user-id",
            "X_FULL_URL=http://[::1]:80/users/j%20d/a%2fb%ff?x=1&y=%20&z",
            "X_MATCHED_ROUTE=/users/:user-id/...", "X_RAW_COMPONENT_ROUTE=/users/:user-id/...",
            "X_RAW_PATH_INFO=/a%2fb%ff", "X_PATH_MATCH_USER_ID=j%20d", "HTTP_CONTENT_TYPE=text/x",
            "/users/j%20d/a%2fb%ff", "x=1", "y=%20", "z"));
}

TEST_F(WagiTest, FieldsAsVariables) {
    make_telling();
    struct Row {
        std::vector<Field> fields;
        std::vector<std::string> variables;
    };
    const Row rows[] = {
        {{{"accept", "a"}, {"X-One", "1"}, {"ACCEPT", "b"}}, {"HTTP_ACCEPT=a, b", "HTTP_X_ONE=1"}},
        {{{"Cookie", "a=1"}, {"cookie", "b=2"}}, {"HTTP_COOKIE=a=1; b=2"}},
        {{{"Authorization", "s"}, {"Proxy-Authorization", "s"}, {"Connection", "x"},
             {"pRoXy", "http://evil"}},
            {}},
        {{{"Foo_Bar", "forged"}, {"Foo-Bar", "true"}}, {"HTTP_FOO_BAR=true"}},
        {{{"Foo_Bar", "forged"}}, {}},
        {{{"a.b", "1"}, {"a!b", "1"}, {"a=b", "1"}}, {}},
        {{{"x", "\xff\xfe"}}, {"HTTP_X=CORRUPT VALUE"}},
        {{{"x", "\xc3\xa4"}}, {"HTTP_X=\xc3\xa4"}},
        {{{"x", ""}}, {"HTTP_X="}},
    };
    for (const Row& row : rows) {
        MemoryExchange& exchange = request();
        exchange.set_fields(row.fields);
        std::vector<std::string> got;
        for (const std::string& one : told(exchange))
            if (one.starts_with("HTTP_")) got.push_back(one);
        EXPECT_EQ(got, row.variables) << row.fields[0].name;
    }
}

TEST_F(WagiTest, WhoNamedNoHostAndNoAddress) {
    make_telling();
    MemoryExchange& exchange = request();
    exchange.set().authority = "";
    exchange.set().client_address = "";
    exchange.set().client_port = 0;
    const auto lines = told(exchange);
    EXPECT_THAT(lines, testing::Contains("SERVER_NAME=127.0.0.1"));
    EXPECT_THAT(lines, testing::Contains("X_FULL_URL=http://127.0.0.1:3000/"));
    EXPECT_THAT(lines, testing::Contains("X_CLIENT_ADDR="));
    EXPECT_THAT(lines, testing::Contains("REMOTE_ADDR="));
}

TEST_F(WagiTest, ArgumentsOfATemplate) {
    options.argv = "prog --query ${ARGS}  ${SCRIPT_NAME}";
    make_telling();
    MemoryExchange& exchange = request();
    exchange.set().query = "${SCRIPT_NAME}&b";
    exchange.set().path = "/p";
    const auto lines = told(exchange);
    EXPECT_THAT(std::vector(lines.end() - 5, lines.end()),
        ElementsAre("prog", "--query", "${SCRIPT_NAME}", "b", "/p"))
        << "a client's text is no template";
}

TEST_F(WagiTest, NothingOfTheHostsEnvironment) {
    ASSERT_EQ(::setenv("WRUN_TEST_SECRET", "x", 1), 0);
    make_telling();
    for (const std::string& one : told(request()))
        EXPECT_THAT(one, testing::Not(HasSubstr("SECRET")));
    ASSERT_EQ(::unsetenv("WRUN_TEST_SECRET"), 0);
}

TEST_F(WagiTest, AZeroByteInThePathIsABadRequest) {
    make_telling();
    MemoryExchange& exchange = request();
    exchange.set_route().path_info = "/a%00b";
    EXPECT_EQ(run(exchange).text(), "400 ");
}

// ---- what becomes of what it writes ------------------------------------------------------------

struct AnswerRow {
    const char* name;
    std::string written;
    std::string text;  // MemoryExchange::text()
    MemoryExchange::Fields fields;
};

TEST_F(WagiTest, FormsOfAnswers) {
    const MemoryExchange::Fields type = {{"Content-Type", "a/b"}};
    const AnswerRow rows[] = {
        {"plain", "Content-Type: a/b\n\nbody", "200 body", type},
        {"cr lf", "Content-Type: a/b\r\n\r\nbody\r\n", "200 body\r\n", type},
        {"cr alone is no end of a line", "Content-Type: a/b\r\rbody", "no_response", {}},
        {"cr in a value", "Content-Type: a/\rb\n\n", "200 ", type},
        {"no body", "Content-Type: a/b\n\n", "200 ", type},
        {"space", "Content-Type  :\t a/b \n\n", "200 ", type},
        {"body looks like a head", "content-type: a\n\nStatus: 500\n\n", "200 Status: 500\n\n",
            {{"content-type", "a"}}},
        {"binary body", std::string{"content-type: a\n\n\0\r\n\xff", 21},
            "200 " + std::string{"\0\r\n\xff", 4}, {{"content-type", "a"}}},
        {"status", "Status: 404 Not Found\n\nx", "404 x", {}},
        {"status alone", "Status: 204\n\n", "204 ", {}},
        {"status with other words", "sTaTuS: 418\tteapot pot\n\n", "418 ", {}},
        {"location", "Location: /there\n\n", "302 ", {{"Location", "/there"}}},
        {"location and status", "Location: /there\nStatus: 301\n\n", "301 ",
            {{"Location", "/there"}}},
        {"order and repetition", "Set-Cookie: b\nContent-Type: a/b\nSet-Cookie: a\nX: 1\n\n",
            "200 ",
            {{"Set-Cookie", "b"}, {"Content-Type", "a/b"}, {"Set-Cookie", "a"}, {"X", "1"}}},
        {"line without a colon", "HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "200 ", type},
        {"nothing of the three", "X: 1\n\nbody", "no_response", {}},
        {"nothing at all", "", "no_response", {}},
        {"blank line first", "\nbody", "no_response", {}},
        {"no blank line", "Content-Type: a/b\n", "no_response", {}},
        {"no number", "Status: fine\n\n", "bad_response", {}},
        {"empty status", "Status:\n\n", "bad_response", {}},
        {"a status that is no answer", "Status: 101\n\n", "bad_response", {}},
        {"low status", "Status: 99\n\n", "bad_response", {}},
        {"high status", "Status: 600\n\n", "bad_response", {}},
        {"huge status", "Status: 99999999999999999999\n\n", "bad_response", {}},
        {"negative status", "Status: -200\n\n", "bad_response", {}},
        {"two statuses", "Status: 200\nStatus: 500\n\n", "bad_response", {}},
        {"the same status", "Status: 201\nStatus: 201\n\n", "201 ", {}},
        {"bad name", "Content-Type: a/b\nbad name: 1\n\n", "bad_response", {}},
        {"bad value",
            "Content-Type: a\x01"
            "b\n\n",
            "bad_response", {}},
        {"length", "Content-Type: a/b\nContent-Length: 4\n\nbody", "200 body",
            {{"Content-Type", "a/b"}, {"Content-Length", "4"}}},
        {"longer than its length", "Content-Type: a/b\nContent-Length: 3\n\nbody", "bad_response",
            {}},
        {"shorter than its length", "Content-Type: a/b\nContent-Length: 5\n\nbody", "bad_response",
            {}},
        {"length that is none", "Content-Type: a/b\nContent-Length: 4x\n\nbody", "bad_response",
            {}},
        {"two lengths", "Content-Type: a/b\nContent-Length: 4\nContent-Length: 5\n\nbody",
            "bad_response", {}},
        {"one length twice", "Status: 200\nContent-Length: 4\nContent-Length: 4\n\nbody",
            "200 body", {{"Content-Length", "4"}}},
    };
    for (const AnswerRow& row : rows) {
        // In one write, and cut everywhere.
        std::vector<Step> bytes;
        for (const char c : row.written)
            bytes.push_back({1, std::string(1, c), ""});
        const bool is_good = row.text.find("_response") == std::string::npos;
        for (const std::string& wat : {program(row.written), program(bytes)}) {
            make(wat);
            if (!is_good && wat != program(row.written)) continue;  // its writes fail, and it traps
            const MemoryExchange& exchange = run();
            EXPECT_EQ(exchange.text(), row.text) << row.name << ": " << exchange.detail;
            EXPECT_EQ(exchange.fields, row.fields) << row.name;
        }
    }
}

TEST_F(WagiTest, ALengthIsTrueOfHeadToo) {
    make(program("Content-Type: a/b\nContent-Length: 5\n\n"));
    MemoryExchange& exchange = request();
    exchange.set().method = "HEAD";
    EXPECT_EQ(run(exchange).text(), "200 ");
}

TEST_F(WagiTest, NothingGoesOutBehindTheEndOfAnAnswer) {
    const std::string text(9000, 'x');
    make(program({{1, "Status: 200\nContent-Length: 9001\n\n" + text, ""}, {1, "yz", ""}}));
    EXPECT_EQ(run().text(), "200 " + text + "… bad_response") << "what is over is not sent";
    make(program({{1, "Status: 200\nContent-Length: 9001\n\n" + text, ""}, {1, "y", ""}}));
    EXPECT_EQ(run().text(), "200 " + text + "y");
}

TEST_F(WagiTest, LimitsOfTheHead) {
    options.response_head_bytes_max = 40;
    options.response_fields_max = 2;
    make(program("Status: 200\nX: " + std::string(24, 'x') + "\n\n"));
    EXPECT_EQ(run().text(), "200 ");
    make(program("Status: 200\nX: " + std::string(26, 'x') + "\n\n"));
    EXPECT_EQ(run().text(), "bad_response") << "and not the trap of a program whose write failed";
    const std::string ignoring = "(module" + std::string{imports} +
                                 R"((func (export "_start")
            (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 100))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))";
    make(ignoring + ")");
    EXPECT_EQ(run().text(), "bad_response");
    make(program("Status: 200\nA: 1\nB: 2\n\n"));
    EXPECT_EQ(run().text(), "200 ");
    make(program("Status: 200\nA: 1\nB: 2\nC: 3\n\n"));
    EXPECT_EQ(run().text(), "bad_response");
}

// ---- how it ends -------------------------------------------------------------------------------

const std::string head = "Content-Type: a/b\n\n";

TEST_F(WagiTest, EndsOfPrograms) {
    const std::string large = head + std::string(9000, 'x');
    const std::string sent = "200 " + std::string(9000, 'x');
    const std::string exit_0 = "(call $exit (i32.const 0))";
    const std::string exit_1 = "(call $exit (i32.const 1))";
    const struct {
        const char* name;
        std::string wat;
        std::string text;
    } rows[] = {
        {"exit 0", program(head + "b", exit_0), "200 b"},
        {"exit 1 with nothing written", program("", exit_1), "no_response"},
        {"exit 1 in the head", program("Content-Type: a", exit_1), "no_response"},
        {"exit 1 behind a little", program(head + "b", exit_1), "no_response"},
        {"exit 1 behind much", program(large, exit_1), sent + "… no_response"},
        {"trap with nothing written", program("", "unreachable"), "trap"},
        {"trap behind a little", program(head + "b", "unreachable"), "trap"},
        {"trap behind much", program(large, "unreachable"), sent + "… trap"},
        {"trap behind what was waited over", program(head + "b", "(call $sleep) unreachable"),
            "200 b… trap"},
    };
    for (const auto& row : rows) {
        make(row.wat);
        EXPECT_EQ(run().text(), row.text) << row.name;
    }
}

TEST_F(WagiTest, ATrapIsToldByNamesOfFunctions) {
    make(program("", "unreachable"));
    EXPECT_THAT(run().detail, testing::AllOf(HasSubstr("unreachable"), HasSubstr("main (func ")));
}

TEST_F(WagiTest, BytesGoOutWhenTheProgramSleeps) {
    make(program({{1, head + "one ", "(call $sleep)"}, {1, "two", ""}}));
    MemoryExchange& exchange = request();
    std::vector<std::string> seen;
    exchange.on_wait = [&] { seen.push_back(exchange.body); };
    EXPECT_EQ(run(exchange).text(), "200 one two");
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.front(), "one ");
}

TEST_F(WagiTest, ADeadlineEndsIt) {
    make(program(head + "b", "(loop $l (br $l))"));
    MemoryExchange& exchange = request();
    exchange.set_limits(engine::CallLimits::within(20'000'000));
    EXPECT_EQ(run(exchange).text(), "deadline");
}

TEST_F(WagiTest, NobodyIsToldOfACancelledOne) {
    make(program(head + "b", "(loop $l (br $l))"));
    MemoryExchange& exchange = request();
    const engine::Canceller canceller;
    exchange.set_limits(engine::CallLimits::within(5'000'000'000, &canceller));
    std::thread other{[&] { canceller.cancel(); }};
    EXPECT_EQ(run(exchange).text(), "(no end)");
    other.join();
}

TEST_F(WagiTest, AClientThatIsGone) {
    make(program({{1, head + std::string(9000, 'x'), ""}, {1, "more", ""}}));
    for (const auto& [how, text] :
        {std::pair{Transfer::gone, "200 … internal"}, {Transfer::timed_out, "200 … deadline"}}) {
        MemoryExchange& exchange = request();
        exchange.fail_writes(100, how);
        EXPECT_EQ(run(exchange).text(), text);
    }
}

TEST_F(WagiTest, WhatIsWrittenToStderrIsLines) {
    make(program({{2, "one\ntwo\n\nthr", ""}, {2, "ee\nlast", ""}, {1, head, ""}}));
    EXPECT_THAT(run().log_lines, ElementsAre("one", "two", "", "three", "last"));
    make(program({{2, std::string(20'000, 'x'), ""}, {1, head, ""}}));
    EXPECT_THAT(run().log_lines,
        ElementsAre(std::string(8192, 'x'), std::string(8192, 'x'), std::string(3616, 'x')));
}

TEST_F(WagiTest, OnlyStdinIsReadAndTheOthersAreWritten) {
    make("(module" + std::string{imports} + R"((func (export "_start")
        (i32.store (i32.const 4) (i32.const 8))
        (if (i32.eqz (call $fd_write (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))) (then unreachable))
        (if (i32.eqz (call $fd_read (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (then unreachable))
        (if (i32.eqz (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8))) (then unreachable)))))");
    EXPECT_EQ(run().text(), "no_response");
}

// ---- bodies ------------------------------------------------------------------------------------

class WagiBodyTest : public WagiTest {
protected:
    void SetUp() override {
        WagiTest::SetUp();
        if (!IsSkipped()) make("(module" + std::string{imports} + echoing + ")");
    }
};

TEST_F(WagiBodyTest, IsStandardInput) {
    MemoryExchange& exchange = request();
    exchange.set_body(std::string(2500, 'b'));
    EXPECT_EQ(run(exchange).text(), "200 " + std::string(2500, 'b'));
    EXPECT_EQ(run().text(), "200 ");
}

TEST_F(WagiBodyTest, ComesInPieces) {
    MemoryExchange& exchange = request();
    exchange.set().content_length = 9;
    for (const char* const piece : {"one", "two", "six"})
        exchange.add_body(piece);
    EXPECT_EQ(run(exchange).text(), "200 onetwosix");
    EXPECT_EQ(exchange.waits, 3u);
}

TEST_F(WagiBodyTest, OfUnknownLengthIsReadBeforeTheProgramRuns) {
    make_telling();
    MemoryExchange& exchange = request();
    exchange.set().content_length.reset();
    exchange.add_body("one");
    exchange.add_body("two");
    EXPECT_THAT(told(exchange), testing::Contains("CONTENT_LENGTH=6"));
    make("(module" + std::string{imports} + echoing + ")");
    MemoryExchange& again = request();
    again.set().content_length.reset();
    again.add_body("one");
    again.add_body("two");
    EXPECT_EQ(run(again).text(), "200 onetwo");
}

TEST_F(WagiBodyTest, ThatCannotBeHad) {
    for (const auto& [how, text] : {std::pair{Transfer::too_large, "413 "},
             {Transfer::timed_out, "deadline"}, {Transfer::gone, "(no end)"}}) {
        for (const bool is_known : {false, true}) {
            MemoryExchange& exchange = request();
            if (!is_known) exchange.set().content_length.reset();
            exchange.add_body("some");
            exchange.end_body_by(how);
            if (is_known) exchange.set().content_length = 100;
            const bool is_gone = how == Transfer::gone;
            // It has begun its answer by then, and says by its exit code that it could not go on.
            const std::string begun = is_gone ? "200 some(no end)" : "200 some… no_response";
            EXPECT_EQ(run(exchange).text(), is_known ? begun : text) << is_known;
        }
    }
    options.buffered_bytes_max = 5;
    make("(module" + std::string{imports} + echoing + ")");
    MemoryExchange& exchange = request();
    exchange.set().content_length.reset();
    exchange.add_body("abcdef");
    EXPECT_EQ(run(exchange).text(), "413 ");
}

// ---- one request and the next ------------------------------------------------------------------

TEST_F(WagiTest, NothingIsLeftForTheNext) {
    // Counts in memory, in a global and by descriptors.
    make("(module" + std::string{imports} + R"((global $g (mut i32) (i32.const 48))
        (data (i32.const 1024) "Status: 200\n\n0 ")
        (func (export "_start")
            (i32.store8 (i32.const 1037) (i32.add (i32.load8_u (i32.const 1037)) (i32.const 1)))
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (i32.store8 (i32.const 1038) (global.get $g))
            (call $write (i32.const 1) (i32.const 1024) (i32.const 15)))))");
    for (int round = 0; round < 3; ++round)
        EXPECT_EQ(run().text(), "200 11") << round;
}

TEST_F(WagiTest, TheAnswerIsOutBeforeTheInstanceIsReset) {
    make(program(head + "b"));
    EXPECT_EQ(run().text(), "200 b");
    // Only while the first has its slot does a request in between need another one.
    struct Nested : MemoryExchange {
        using MemoryExchange::MemoryExchange;
        void finish() override {
            MemoryExchange::finish();
            at_finish();
        }
        std::function<void()> at_finish;
    };
    const u64 binds = pool_->stats().binds - pool_->stats().background_binds;
    const u64 slots = pool_->stats().slots;
    Nested exchange{*shard_};
    exchange.at_finish = [&] { EXPECT_EQ(run().text(), "200 b"); };
    handler_->handle(exchange);
    EXPECT_GT(pool_->stats().slots + pool_->stats().binds, slots + binds);
}

// ---- modules that are no handlers --------------------------------------------------------------

TEST_F(WagiTest, WhatCannotBeMade) {
    options.reuse = 2;
    EXPECT_THAT(try_make(program("")).error, HasSubstr("--reuse"));
    options.reuse = 1;
    for (const char* const name : {"HTTP_X=1", "PATH_INFO=/", "X_PATH_MATCH_A=1"}) {
        options.env = {name};
        EXPECT_THAT(try_make(program("")).error, HasSubstr("is set by each request"));
    }
    options.env = {};
    options.preopens = {{"/nowhere-at-all", "/", true, -1}};
    EXPECT_THAT(try_make(program("")).error, HasSubstr("/nowhere-at-all"));
    options.preopens = {};
    EXPECT_THAT(
        try_make("(module (func (export \"_start\") (param i32)))").error, HasSubstr("_start"));
    EXPECT_THAT(try_make("(module (func (export \"run\")))").error,
        testing::AllOf(HasSubstr("_start"), HasSubstr("handle_request")));
    EXPECT_THAT(
        try_make(
            "(module (import \"wasi:http/types@0.2.0\" \"f\" (func)) (func (export \"_start\")))")
            .error,
        testing::AllOf(HasSubstr("wasi:http/types@0.2.0.f"), HasSubstr("component")));
    EXPECT_THAT(
        try_make("(module (func $s unreachable) (start $s) (func (export \"_start\")))").error,
        HasSubstr("it trapped: unreachable"));
    options.memory_bytes_max = 65536;
    EXPECT_NE(try_make("(module (memory 2) (func (export \"_start\")))").error, "");
}

TEST(Components, AreKnownByTheirLayer) {
    const u8 component[] = {0, 'a', 's', 'm', 13, 0, 1, 0};
    const u8 module[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    EXPECT_TRUE(http::is_component(component));
    EXPECT_FALSE(http::is_component(module));
    EXPECT_FALSE(http::is_component(std::span{component}.first(7)));
}

}  // namespace
}  // namespace wrun::test
