// What the contract between server and handlers does by itself.
#include "http/exchange.hpp"

#include <gtest/gtest.h>

namespace wrun::test {
namespace {

using http::Field;
using http::is_same_name;

TEST(Fields, NamesCompareWithoutCaseInAsciiOnly) {
    EXPECT_TRUE(is_same_name("Content-Type", "content-tYPE"));
    EXPECT_FALSE(is_same_name("content-type", "content-types"));
    EXPECT_FALSE(is_same_name("content_type", "content-type"));
    EXPECT_FALSE(is_same_name("\xc3\x84", "\xc3\xa4"));
    EXPECT_FALSE(is_same_name("[", "{"));
}

TEST(Fields, TheFirstOfANameIsFound) {
    const Field fields[] = {{"Accept", "a"}, {"COOKIE", "b"}, {"cookie", "c"}};
    http::Request request;
    request.fields = fields;
    ASSERT_NE(request.find("Cookie"), nullptr);
    EXPECT_EQ(request.find("Cookie")->value, "b");
    EXPECT_EQ(request.find("cook"), nullptr);
}

}  // namespace
}  // namespace wrun::test
