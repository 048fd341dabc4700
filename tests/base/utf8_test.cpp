// Which byte strings are UTF-8: each form at its borders, alone and behind enough ASCII that the
// fast path is taken.
#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace wrun {
namespace {

constexpr std::string_view valid[] = {
    "",
    "a",
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "a\xc3\xa9z",
    "\xef\xbb\xbf",
};

constexpr std::string_view invalid[] = {
    "\x80",
    "\xbf",
    "\xc0\x80",
    "\xc1\xbf",
    "\xc2",
    "\xc2\x7f",
    "\xc2\xc0",
    "\xe0\x9f\xbf",
    "\xe0\xa0",
    "\xe1\x80\x7f",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x8f\xbf\xbf",
    "\xf0\x90\x80",
    "\xf1\x80\x80\xc0",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xfe",
    "\xff",
    "a\xc3",
};

TEST(Utf8, AcceptsEachFormAtItsBorders) {
    for (const std::string_view text : valid) {
        for (const std::size_t ahead : {0u, 1u, 7u, 8u, 9u, 31u}) {
            EXPECT_TRUE(is_utf8(std::string(ahead, 'x') + std::string{text} + "tail")) << text;
        }
        EXPECT_TRUE(is_utf8(text));
    }
}

TEST(Utf8, RefusesOverlongSurrogateTooLargeAndCutOffForms) {
    for (const std::string_view text : invalid) {
        for (const std::size_t ahead : {0u, 1u, 7u, 8u, 9u, 31u}) {
            EXPECT_FALSE(is_utf8(std::string(ahead, 'x') + std::string{text})) << ahead;
            EXPECT_FALSE(is_utf8(std::string(ahead, 'x') + std::string{text} + "twelve bytes"))
                << ahead;
        }
    }
}

TEST(Utf8, TellsHowLongTheFirstSequenceIs) {
    for (const auto& [text, bytes] :
        std::initializer_list<std::pair<std::string_view, std::size_t>>{{"ab", 1},
            {std::string_view{"\0", 1}, 1}, {"\xc3\xa9z", 2}, {"\xe2\x82\xac", 3},
            {"\xf0\x9f\x98\x80\x80", 4}, {"\x80", 0}, {"\xe2\x82", 0}, {"\xed\xa0\x80", 0}})
        EXPECT_EQ(utf8_sequence_bytes(text), bytes) << text;
}

TEST(Utf8, SaysTheSameOfEveryCodePoint) {
    for (u32 point = 0; point <= 0x11'0000; point += point < 0x3000 ? 1 : 61) {
        std::string text;
        const auto put = [&](u32 byte) { text.push_back(static_cast<char>(byte)); };
        if (point < 0x80) {
            put(point);
        } else if (point < 0x800) {
            put(0xc0 | point >> 6);
        } else if (point < 0x1'0000) {
            put(0xe0 | point >> 12);
            put(0x80 | (point >> 6 & 0x3f));
        } else {
            put(0xf0 | point >> 18);
            put(0x80 | (point >> 12 & 0x3f));
            put(0x80 | (point >> 6 & 0x3f));
        }
        if (point >= 0x80) put(0x80 | (point & 0x3f));
        const bool is_scalar = point < 0x11'0000 && (point < 0xd800 || point > 0xdfff);
        EXPECT_EQ(is_utf8(text), is_scalar) << point;
    }
}

}  // namespace
}  // namespace wrun
