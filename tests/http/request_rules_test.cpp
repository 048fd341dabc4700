// The rules on their own: the parser before them refuses some of these heads as well, and neither
// may lean on the other.
#include "http/request_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wrun::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Ruled {
    u16 status = 0;
    Head head;
    std::string own_target;
};

/// A head of HTTP/1.1 with a Host, if nothing else is said.
Ruled ruled(std::vector<Field> fields, std::string_view target = "/", u8 minor_version = 1,
    std::string_view method = "POST") {
    Ruled result;
    if (minor_version == 1) fields.insert(fields.begin(), {"Host", "h"});
    result.head.method = method;
    result.head.target = target;
    result.head.minor_version = minor_version;
    result.head.fields = std::move(fields);
    result.status = apply_rules(result.head, result.own_target);
    return result;
}

std::vector<std::string> names_left(const Ruled& of) {
    std::vector<std::string> names;
    for (const Field& field : of.head.fields)
        names.emplace_back(field.name);
    return names;
}

TEST(RequestRules, KnowOneWayToTheLength) {
    EXPECT_EQ(ruled({{"Content-Length", "5"}}).head.content_length, u64{5});
    EXPECT_EQ(ruled({{"Content-Length", "5"}, {"content-length", "5"}}).status, 0);
    EXPECT_EQ(ruled({{"Content-Length", "5"}, {"content-length", "6"}}).status, bad_request);
    EXPECT_EQ(ruled({{"Content-Length", "+5"}}).status, bad_request);
    EXPECT_EQ(ruled({{"Content-Length", "5, 5"}}).status, bad_request);
    EXPECT_EQ(ruled({{"Content-Length", ""}}).status, bad_request);
    EXPECT_EQ(ruled({{"Content-Length", "18446744073709551616"}}).status, bad_request);
    EXPECT_TRUE(ruled({{"Transfer-Encoding", "Chunked"}}).head.is_chunked);
    EXPECT_EQ(ruled({{"Transfer-Encoding", "gzip"}}).status, not_implemented);
    EXPECT_EQ(
        ruled({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}).status, 400);
    EXPECT_EQ(ruled({{"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}).status, 400);
    EXPECT_EQ(ruled({{"Content-Length", "0"}, {"Transfer-Encoding", "chunked"}}).status, 400);
    EXPECT_EQ(ruled({{"Transfer-Encoding", "chunked"}}, "/", 0).status, bad_request);
}

TEST(RequestRules, KnowOneHost) {
    EXPECT_EQ(ruled({}).head.authority, "h");
    EXPECT_EQ(ruled({{"host", "h"}}).status, bad_request);
    EXPECT_EQ(ruled({}, "/", 0).status, 0);
    EXPECT_EQ(ruled({{"Host", "a"}, {"Host", "a"}}, "/", 0).status, bad_request);
    for (const char* const host : {"a b", "a,b", "a/b", "u@h", ":80", "h:8o", "h:123456", "[::1"})
        EXPECT_EQ(ruled({{"Host", host}}, "/", 0).status, bad_request) << host;
    for (const char* const host : {"", "h:", "h:65535", "[::1]:80", "a_b.c"})
        EXPECT_EQ(ruled({{"Host", host}}, "/", 0).status, 0) << host;
    EXPECT_EQ(ruled({}, "http://H/a").status, 0);
    EXPECT_EQ(ruled({}, "http://other/a").status, bad_request);
}

TEST(RequestRules, TakeTargetsOfKnownForms) {
    EXPECT_EQ(ruled({}, "http://h/a?b").head.target, "/a?b");
    EXPECT_EQ(ruled({}, "https://h?b").head.target, "/?b");
    EXPECT_EQ(ruled({}, "http://h").head.target, "/");
    EXPECT_EQ(ruled({}, "*", 1, "OPTIONS").status, 0);
    for (const char* const target :
        {"*", "a", "", "ftp://h/", "http:///a", "/a#b", "/a b", "/\x7f"})
        EXPECT_EQ(ruled({}, target).status, bad_request) << target;
    EXPECT_EQ(ruled({}, "h:80", 1, "CONNECT").status, not_implemented);
}

TEST(RequestRules, KeepWhatIsTheHandlers) {
    EXPECT_THAT(names_left(ruled({{"A", "1"}, {"TE", "trailers"}, {"Trailer", "t"},
                    {"Keep-Alive", "5"}, {"Upgrade", "h2c"}, {"Proxy-Connection", "x"},
                    {"Proxy", "p"}, {"Proxy-Authorization", "s"}, {"a", "2"}})),
        ElementsAre("Host", "A", "a"));
    EXPECT_THAT(names_left(ruled({{"X-A", "1"}, {"Connection", "x-a, close"}, {"X-B", "2"}})),
        ElementsAre("Host", "X-B"));
    // No client's to take away.
    EXPECT_THAT(
        names_left(ruled({{"Connection", "host, content-length"}, {"Content-Length", "3"}})),
        ElementsAre("Host", "Content-Length"));
    EXPECT_THAT(names_left(ruled({}, "/", 0)), IsEmpty());
}

TEST(RequestRules, SayWhetherTheConnectionGoesOn) {
    EXPECT_TRUE(ruled({}).head.is_kept_alive);
    EXPECT_FALSE(ruled({{"Connection", "Close"}}).head.is_kept_alive);
    EXPECT_FALSE(ruled({}, "/", 0).head.is_kept_alive);
    EXPECT_TRUE(ruled({{"Connection", "keep-alive"}}, "/", 0).head.is_kept_alive);
    EXPECT_FALSE(ruled({{"Connection", "keep-alive, close"}}, "/", 0).head.is_kept_alive);
    EXPECT_TRUE(ruled({{"Expect", "100-Continue"}}).head.expects_continue);
    EXPECT_FALSE(ruled({{"Expect", "100-continue"}}, "/", 0).head.expects_continue);
    EXPECT_EQ(ruled({{"Expect", "tea"}}).status, expectation_failed);
}

}  // namespace
}  // namespace wrun::http
