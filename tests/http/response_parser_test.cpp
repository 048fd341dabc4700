// Answers of servers, however they are cut: what is taken, and what is not believed.
#include "http/response_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/http/parse.hpp"

namespace wrun::http {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// An answer, or why it is none, as plain values.
struct Answered {
    u32 status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    bool is_kept_alive = false;
    std::string why;
    friend bool operator==(const Answered&, const Answered&) = default;
};

Answered answered(const std::vector<std::string_view>& pieces, bool is_of_head) {
    ResponseParser parser{is_of_head};
    std::vector<u8> body;
    for (const std::string_view piece : pieces)
        (void)parser.feed({reinterpret_cast<const u8*>(piece.data()), piece.size()}, body);
    if (parser.state() != ResponseParser::State::done) parser.finish(body);
    Answered result;
    result.why = parser.why();
    if (parser.state() != ResponseParser::State::done) return result;
    result.status = parser.status();
    for (const Field& field : parser.fields())
        result.fields.emplace_back(field.name, field.value);
    result.body.assign(body.begin(), body.end());
    result.is_kept_alive = parser.is_kept_alive();
    return result;
}

/// The same whole, byte by byte and at every cut.
Answered only(std::string_view text, bool is_of_head = false) {
    const Answered whole = answered({text}, is_of_head);
    EXPECT_EQ(answered(bytewise(text), is_of_head), whole) << text;
    for (std::size_t cut = 1; cut < text.size() && text.size() < 2000; cut++)
        EXPECT_EQ(answered({text.substr(0, cut), text.substr(cut)}, is_of_head), whole) << cut;
    return whole;
}

TEST(ResponseParser, TakesBodiesOfEachFraming) {
    EXPECT_EQ(only("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab").body, "ab");
    EXPECT_EQ(only("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1\r\na\r\n1\r\nb\r\n0\r\nT: t\r\n\r\n")
                  .body,
        "ab");
    const Answered until_end = only("HTTP/1.1 200 OK\r\n\r\nab");
    EXPECT_EQ(until_end.body, "ab");
    EXPECT_FALSE(until_end.is_kept_alive);
    EXPECT_TRUE(only("HTTP/1.1 204 No Content\r\n\r\n").is_kept_alive);
    EXPECT_EQ(only("HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n").status, 304u);
    const Answered to_head = only("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true);
    EXPECT_THAT(to_head.fields, ElementsAre(Pair("Content-Length", "9")));
    EXPECT_TRUE(to_head.is_kept_alive);
}

TEST(ResponseParser, SkipsInterimAnswers) {
    const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    const Answered one = only(interim + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n");
    EXPECT_EQ(one.status, 200u);
    EXPECT_THAT(one.fields, ElementsAre(Pair("Content-Length", "0"), Pair("A", "b")));
    std::string many;
    for (u32 i = 0; i <= ResponseParser::interim_max; i++)
        many += interim;
    EXPECT_EQ(only(many).why, "too many interim answers");
}

TEST(ResponseParser, LeavesOutWhatIsOfTheConnection) {
    EXPECT_THAT(only("HTTP/1.1 204 x\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\nTrailer: t\r\n"
                     "Proxy-Authenticate: Basic\r\n\r\n")
                    .fields,
        ElementsAre(Pair("X-B", "2")));
}

TEST(ResponseParser, BelievesNothingOfWhatCouldBeReadOtherwise) {
    static constexpr std::string_view heads[] = {
        "Content-Length: 1\r\nContent-Length: 1\r\n"sv,
        "Content-Length: 1\r\nContent-Length: 2\r\n"sv,
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"sv,
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"sv,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"sv,
        "Transfer-Encoding: gzip, chunked\r\n"sv,
        "Transfer-Encoding: identity\r\n"sv,
        "Content-Length: +1\r\n"sv,
        "Content-Length: 0x1\r\n"sv,
        "Content-Length: 18446744073709551616\r\n"sv,
        "A : b\r\n"sv,
        "A: b\r\n c\r\n"sv,
        "A: b\0c\r\n"sv,
        ": b\r\n"sv,
    };
    for (const std::string_view head : heads) {
        const std::string text =
            "HTTP/1.1 200 OK\r\n" + std::string{head} + "\r\n1\r\na\r\n0\r\n\r\n";
        const Answered one = only(text);
        EXPECT_EQ(one.status, 0u) << head;
        EXPECT_NE(one.why, "") << head;
    }
    for (const std::string_view text :
        {""sv, "HTTP/1.1 200"sv, "\r\nHTTP/1.1 200 OK\r\n\r\n"sv, "HTTP/2 200 OK\r\n\r\n"sv,
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv,
            "RTSP/1.0 200 OK\r\n\r\n"sv, "HTTP/1.1 099 OK\r\n\r\n"sv, "HTTP/1.1 101 OK\r\n\r\n"sv,
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"sv,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"sv}) {
        const Answered one = only(text);
        EXPECT_EQ(one.status, 0u) << text;
        EXPECT_NE(one.why, "") << text;
    }
}

TEST(ResponseParser, KeepsItsLimits) {
    const std::string ok = "HTTP/1.1 204 x\r\n";
    std::string fields;
    for (std::size_t i = 0; i < ResponseParser::fields_max; i++)
        fields += "A: b\r\n";
    EXPECT_EQ(only(ok + fields + "\r\n").fields.size(), ResponseParser::fields_max);
    EXPECT_EQ(only(ok + fields + "A: b\r\n\r\n").why, "too many fields");
    const std::string large(ResponseParser::head_bytes_max, 'x');
    EXPECT_EQ(only(ok + "A: " + large + "\r\n\r\n").why, "a head that is too large");
}

}  // namespace
}  // namespace wrun::http
