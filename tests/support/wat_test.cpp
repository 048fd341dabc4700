// The assembler behind the other tests: that it gives real modules, and that its errors can be
// read.
#include "tests/support/wat.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wrun::wat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WatTest : public testing::Test {
protected:
    void SetUp() override {
        if (!available()) GTEST_SKIP() << unavailable_reason();
    }
};

TEST_F(WatTest, EmptyModuleIsItsHeader) {
    EXPECT_THAT(assemble("(module)"), ElementsAre(0, 'a', 's', 'm', 1, 0, 0, 0));
}

TEST_F(WatTest, MistakeIsReportedWithItsPlace) {
    std::string error;
    EXPECT_FALSE(try_assemble("(module\n  (func (rezults i32)))", &error).has_value());
    EXPECT_THAT(error, HasSubstr(":2:"));
}

TEST_F(WatTest, ErrorTextIsOptional) {
    EXPECT_FALSE(try_assemble("(module", nullptr).has_value());
}

TEST_F(WatTest, TextNeedNotEndInZero) {
    const std::string text = "(module))))";
    EXPECT_TRUE(try_assemble(std::string_view(text).substr(0, 8), nullptr).has_value());
}

TEST_F(WatTest, MistakeInTheTestItselfEndsIt) {
    EXPECT_DEATH(assemble("(module (nonsense))"), "cannot assemble");
}

}  // namespace
}  // namespace wrun::wat
