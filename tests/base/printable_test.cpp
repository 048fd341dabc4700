// What of a stranger's text reaches a terminal or a log as it is.
#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace wrun {
namespace {

TEST(Printable, KeepsCharactersAndEscapesControls) {
    EXPECT_EQ(printable("a~ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        "a~ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    EXPECT_EQ(printable("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
    EXPECT_EQ(printable("\xc2\x9b\xc2\xa0"), "\\xc2\\x9b\xc2\xa0");
    EXPECT_EQ(printable("\xe2\x80\xae\xe2\x81\xa6"), "\\xe2\\x80\\xae\\xe2\\x81\\xa6");
    EXPECT_EQ(printable("\xd8\x9c\xef\xbb\xbf"), "\\xd8\\x9c\\xef\\xbb\\xbf");
}

// Beside those that have no shape of their own, on both sides of each end of their ranges.
TEST(Printable, KeepsPunctuation) {
    for (const char* const text : {"\u00a0", "\u00e9", "\u07ff", "\U0001f600", "\u200a", "\u2010",
             "\u2026", "\u2027", "\u202f", "\u205f", "\u2070", "\u061b", "\u061d", "\ufefe"})
        EXPECT_EQ(printable(text), text);
    for (const char* const text : {"\u0080", "\u009f", "\u200b", "\u200f", "\u2028", "\u202e",
             "\u2060", "\u206f", "\u061c", "\ufeff"})
        EXPECT_EQ(printable(text).front(), '\\') << text;
}

// A terminal that decodes laxly would take overlong forms for the controls they spell.
TEST(Printable, EscapesWhatIsNoUtf8) {
    EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b");
    EXPECT_EQ(printable("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
    EXPECT_EQ(printable("\xf0\x80\x80\x9b"), "\\xf0\\x80\\x80\\x9b");
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    EXPECT_EQ(printable("a\xe2\x82"), "a\\xe2\\x82");
}

TEST(Printable, EndsWhereItIsLongEnough) {
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("abcd", 3), "abc…");
    EXPECT_EQ(printable(""), "");
}

}  // namespace
}  // namespace wrun
