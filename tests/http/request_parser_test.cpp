// What the parser makes of good requests and of those beyond its limits, however they are cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/http/parse.hpp"

namespace wrun::http {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// The one request of `text`, the same whole, byte by byte and at every cut.
Parsed only(const std::string& text, const RequestLimits& limits = {}) {
    const auto whole = parse({text}, limits);
    EXPECT_EQ(whole.size(), 1u) << text;
    EXPECT_EQ(parse(bytewise(text), limits), whole);
    const std::string_view view = text;
    for (std::size_t cut = 1; cut < view.size() && view.size() < 2000; cut++)
        EXPECT_EQ(parse({view.substr(0, cut), view.substr(cut)}, limits), whole) << cut;
    return whole.empty() ? Parsed{} : whole.front();
}

std::string get(const std::string& fields, const std::string& version = "1.1") {
    return "GET /a HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n";
}

std::string chunked(const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n" + body;
}

TEST(RequestParser, TakesARequestApart) {
    const Parsed result = only("GET /a/b?c=d?e HTTP/1.1\r\nHost: h:80\r\nX:  y z \t\r\nx:\r\n\r\n");
    EXPECT_TRUE(result.is_whole);
    EXPECT_EQ(result.method, "GET");
    EXPECT_EQ(result.target, "/a/b?c=d?e");
    EXPECT_EQ(result.path, "/a/b");
    EXPECT_EQ(result.query, "c=d?e");
    EXPECT_EQ(result.authority, "h:80");
    EXPECT_THAT(result.fields, ElementsAre(Pair("Host", "h:80"), Pair("X", "y z"), Pair("x", "")));
    EXPECT_TRUE(result.is_kept_alive);
}

TEST(RequestParser, LeavesOutWhatConcernsTheConnection) {
    const Parsed result = only(get(
        "Connection: X-One, keep-alive,, x-two ,Host, Content-Length\r\nX-One: 1\r\nx-two: 2\r\n"
        "Keep-Alive: 3\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nProxy: http://evil\r\n"
        "Proxy-Authorization: a\r\nProxy-Connection: b\r\nProxy-Features: d\r\n"
        "Proxying: c\r\nX-Three: 3\r\n"));
    EXPECT_THAT(
        result.fields, ElementsAre(Pair("Host", "h"), Pair("Proxying", "c"), Pair("X-Three", "3")));
}

TEST(RequestParser, AsksForNoOtherProtocol) {
    const auto results = parse({get("Connection: Upgrade\r\nUpgrade: websocket\r\n") + get("")});
    ASSERT_EQ(results.size(), 2u);
    EXPECT_TRUE(results[0].is_whole);
    EXPECT_TRUE(results[1].is_whole);
}

TEST(RequestParser, KnowsWhoseConnectionGoesOn) {
    struct Row {
        const char *version, *field;
        bool is_kept;
    };
    for (const Row& row : {Row{"1.1", "", true}, Row{"1.1", "Connection: close\r\n", false},
             Row{"1.1", "Connection: a, CLOSE\r\n", false},
             Row{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
             Row{"1.0", "", false}, Row{"1.0", "Connection: Keep-Alive\r\n", true},
             Row{"1.0", "Connection: keep-alive, close\r\n", false}}) {
        EXPECT_EQ(only(get(row.field, row.version)).is_kept_alive, row.is_kept)
            << row.version << row.field;
    }
}

TEST(RequestParser, BringsTargetsIntoOriginForm) {
    struct Row {
        const char *sent, *target, *authority;
    };
    for (const Row& row : {Row{"http://h/a?b", "/a?b", "h"}, Row{"HTTP://H", "/", "h"},
             Row{"http://h?a=b", "/?a=b", "h"}, Row{"https://h/", "/", "h"}, Row{"/", "/", "h"},
             Row{"//h/a", "//h/a", "h"}}) {
        const Parsed result = only("GET "s + row.sent + " HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT_EQ(result.target, row.target) << row.sent;
        EXPECT_EQ(result.authority, row.authority) << row.sent;
    }
    EXPECT_EQ(only("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path, "*");
    EXPECT_EQ(only("GET http://h:8080/ HTTP/1.0\r\n\r\n").authority, "h:8080");
}

TEST(RequestParser, TakesHostsOfAllForms) {
    for (const char* host : {"", "a", "a.b:1", "127.0.0.1:65535", "[::1]", "[::1]:80", "a_b"}) {
        EXPECT_EQ(only("GET / HTTP/1.1\r\nHost: "s + host + "\r\n\r\n").authority, host);
    }
    for (const char* host : {":80", "[::1", "[::1]80", "a:b", "a:123456", "[a/b]"}) {
        EXPECT_EQ(only("GET / HTTP/1.1\r\nHost: "s + host + "\r\n\r\n").status, 400) << host;
    }
}

TEST(RequestParser, TakesBodies) {
    EXPECT_EQ(only("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").body, "abc");
    EXPECT_EQ(only("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").body, "");
    EXPECT_EQ(
        only(chunked("1\r\na\r\n0a;x=y;z=\"q\"\r\nbcdefghijk\r\n0\r\n\r\n")).body, "abcdefghijk");
}

TEST(RequestParser, TellsNoLengthOfChunks) {
    const RequestLimits limits;
    RequestParser parser{limits};
    std::vector<u8> body;
    const std::string text = chunked("");
    EXPECT_EQ(
        parser.feed({reinterpret_cast<const u8*>(text.data()), text.size()}, body), text.size());
    EXPECT_EQ(parser.state(), RequestParser::State::body);
    EXPECT_FALSE(parser.request().content_length);
}

TEST(RequestParser, DropsTrailers) {
    const Parsed result = only(chunked("0\r\nHost: evil\r\nX: y\r\n\r\n"));
    EXPECT_TRUE(result.is_whole);
    EXPECT_THAT(result.fields, ElementsAre(Pair("Host", "h")));
}

TEST(RequestParser, StopsBehindEachRequest) {
    const auto results =
        parse({"\r\n" + get("") + "\r\n" + chunked("1\r\na\r\n0\r\n\r\n") + get("")});
    ASSERT_EQ(results.size(), 3u);
    EXPECT_EQ(results[1].body, "a");
    EXPECT_EQ(results[2].method, "GET");
}

TEST(RequestParser, RefusesWhatItDoesNotExpect) {
    EXPECT_EQ(only(get("Expect: 100-Continue\r\n")).status, 0);
    EXPECT_EQ(only(get("Expect: miracles\r\n")).status, 417);
}

TEST(RequestParser, KeepsItsLimitOfTheHead) {
    RequestLimits limits;
    const std::string text = get("X: " + std::string(100, 'x') + "\r\n");
    limits.head_bytes_max = static_cast<u32>(text.size()) + 1;
    EXPECT_TRUE(only(text, limits).is_whole);
    limits.head_bytes_max = static_cast<u32>(text.size()) - 1;
    EXPECT_EQ(only(text, limits).status, 431);
}

TEST(RequestParser, KeepsItsLimitOfFields) {
    RequestLimits limits;
    limits.fields_max = 3;
    EXPECT_TRUE(only(get("A: a\r\nB: b\r\n"), limits).is_whole);
    EXPECT_EQ(only(get("A: a\r\nB: b\r\nC: c\r\n"), limits).status, 431);
}

TEST(RequestParser, KeepsItsLimitOfTheTarget) {
    RequestLimits limits;
    limits.target_bytes_max = 10;
    EXPECT_TRUE(only("GET /123456789 HTTP/1.1\r\nHost: h\r\n\r\n", limits).is_whole);
    EXPECT_EQ(only("GET /1234567890 HTTP/1.1\r\nHost: h\r\n\r\n", limits).status, 414);
    // What is no target at all is not a long one, and what has no end within the head is.
    EXPECT_EQ(only("GET /1234567890\x01 HTTP/1.1\r\nHost: h\r\n\r\n", limits).status, 400);
    limits.head_bytes_max = 64;
    EXPECT_EQ(only("GET /" + std::string(100, 'x'), limits).status, 414);
}

TEST(RequestParser, KeepsItsLimitOfTheBody) {
    RequestLimits limits;
    limits.body_bytes_max = 4;
    EXPECT_EQ(
        only("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd", limits).body, "abcd");
    EXPECT_EQ(only("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", limits).status, 413);
    EXPECT_EQ(only(chunked("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"), limits).body, "abcd");
    EXPECT_EQ(only(chunked("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), limits).status, 413);
}

TEST(RequestParser, TakesSingleBytesAsChunksButNoEndlessFrames) {
    std::string bytes;
    for (int i = 0; i < 5000; i++)
        bytes += "1\r\na\r\n";
    EXPECT_EQ(only(chunked(bytes + "0\r\n\r\n")).body.size(), 5000u);
    EXPECT_EQ(only(chunked(std::string(20'000, '0'))).status, 400);
    EXPECT_EQ(only(chunked("1;" + std::string(20'000, 'x'))).status, 400);
    EXPECT_EQ(only(chunked("0\r\nX: " + std::string(20'000, 'x'))).status, 400);
    std::string extensions;
    for (int i = 0; i < 1000; i++)
        extensions += "1;" + std::string(100, 'x') + "\r\na\r\n";
    EXPECT_EQ(only(chunked(extensions)).status, 400);
}

TEST(RequestParser, WaitsForTheRest) {
    for (const char* text : {"G", "GET / HTTP/1.1\r\nHost: h\r\n", "\r\n", "\r"}) {
        const auto results = parse({text});
        EXPECT_TRUE(results.empty() || (!results[0].is_whole && results[0].status == 0)) << text;
    }
}

}  // namespace
}  // namespace wrun::http
