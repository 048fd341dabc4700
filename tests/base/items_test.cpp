// A sequence that owns or borrows: what each kind reads, and what moving leaves.
#include "base/items.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace wrun {
namespace {

using ::testing::ElementsAre;

TEST(Items, KeepsWhatIsAppended) {
    Items<u32> items;
    EXPECT_TRUE(items.empty());
    for (u32 i = 0; i < 1000; ++i)
        items.push_back(i);
    ASSERT_EQ(items.size(), 1000u);
    for (u32 i = 0; i < 1000; ++i)
        EXPECT_EQ(items[i], i);
    EXPECT_EQ(items.back(), 999u);
    items.clear();
    EXPECT_TRUE(items.empty());
}

TEST(Items, AppendsAnItemOfItsOwn) {
    Items<u32> items;
    items.push_back(7);
    while (items.size() < 100)
        items.push_back(items[0]);
    for (const u32 item : items)
        EXPECT_EQ(item, 7u);
}

TEST(Items, ReadsWhatItBorrowsWhereItIs) {
    std::vector<u32> elsewhere = {1, 2, 3};
    const Items<u32> items = Items<u32>::borrowed(elsewhere);
    elsewhere[1] = 20;
    EXPECT_THAT(items, ElementsAre(1, 20, 3));
    EXPECT_EQ(items.data(), elsewhere.data());
}

TEST(Items, MovesBothKinds) {
    const std::vector<u32> elsewhere = {1, 2};
    Items<u32> own;
    own.push_back(5);
    Items<u32> moved{std::move(own)};
    EXPECT_THAT(moved, ElementsAre(5));
    moved = Items<u32>::borrowed(elsewhere);
    EXPECT_THAT(moved, ElementsAre(1, 2));
    moved = Items<u32>{std::span{elsewhere}};
    EXPECT_NE(moved.data(), elsewhere.data());
    EXPECT_THAT(moved, ElementsAre(1, 2));
}

}  // namespace
}  // namespace wrun
