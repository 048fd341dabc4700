// The pieces that requests and answers are read and written with.
#include "http/text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace wrun::http {
namespace {

TEST(Text, NamesAnEnd) {
    EXPECT_EQ(host_and_port("127.0.0.1", 80), "127.0.0.1:80");
    EXPECT_EQ(host_and_port("::1", 65535), "[::1]:65535");
    EXPECT_EQ(host_and_port("", 0), ":0");
}

TEST(Text, WalksListsOfTokens) {
    std::vector<std::string_view> tokens;
    for_each_token(" a,,b c\t, ,d", [&](std::string_view token) { tokens.push_back(token); });
    EXPECT_EQ(tokens, (std::vector<std::string_view>{"a", "b c", "d"}));
    EXPECT_TRUE(has_token("keep-alive, X-One", "x-one"));
    EXPECT_FALSE(has_token("keep-alive, X-One", "x-on"));
    EXPECT_FALSE(has_token("", "x"));
}

TEST(Text, TrimsWhatItIsTold) {
    EXPECT_EQ(trimmed(" \ta b\t "), "a b");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(trimmed("\na\n"), "\na\n");
    EXPECT_EQ(trimmed("\n a\n", " \n"), "a");
}

TEST(Text, ReadsNumbersOfDigitsAlone) {
    EXPECT_EQ(parse_decimal("018446744073709551615"), ~u64{0});
    for (const std::string_view text : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"})
        EXPECT_EQ(parse_decimal(text), std::nullopt) << text;
    EXPECT_EQ(parse_decimal<u16>("65535"), u16{65535});
    EXPECT_EQ(parse_decimal<u16>("65536"), std::nullopt);
}

TEST(Text, KnowsTheDigitsOfEscapes) {
    for (int c = 0; c < 256; ++c) {
        const auto digit = std::string_view{"0123456789abcdefABCDEF"}.find(static_cast<char>(c));
        const int value = digit == std::string_view::npos ? -1 : static_cast<int>(digit);
        EXPECT_EQ(hex_value(static_cast<char>(c)), value > 15 ? value - 6 : value) << c;
    }
}

}  // namespace
}  // namespace wrun::http
