// Whose turn it is, without a server: exchanges are names here, and nobody looks into them.
#include "http/server/turns.hpp"

#include <gtest/gtest.h>

#include <array>

namespace wrun::http {
namespace {

/// So many routes, of which number `limited` has a limit of its own.
class Numbers : public Router {
public:
    explicit Numbers(u32 count, u32 limited = ~u32{0}, u32 most = 0)
        : count_{count}, limited_{limited}, most_{most} {}
    [[nodiscard]] Route find(
        const Request& /*request*/, std::span<Field, segments_max> /*to*/) const override {
        return {};
    }
    [[nodiscard]] u32 count() const noexcept override { return count_; }
    [[nodiscard]] u32 in_flight_max(u32 number) const noexcept override {
        return number == limited_ ? most_ : 0;
    }

private:
    u32 count_, limited_, most_;
};

class TurnsTest : public testing::Test {
protected:
    [[nodiscard]] static Turns make(Numbers router, u32 threads = 1, u32 in_flight_max = 2) {
        return Turns{std::make_shared<const Numbers>(router), threads, in_flight_max};
    }
    /// Number `index` of the exchanges.
    [[nodiscard]] ServedExchange& exchange(std::size_t index) noexcept {
        return *reinterpret_cast<ServedExchange*>(&memory_[index * 8]);
    }
    [[nodiscard]] std::size_t index(const ServedExchange* of) const noexcept {
        return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(of) - &memory_[0]) / 8;
    }
    alignas(8) std::array<std::byte, 1024> memory_{};
};

TEST_F(TurnsTest, GoAroundTheRoutes) {
    Turns turns = make(Numbers{3});
    for (std::size_t i = 0; i < 4; i++)
        turns.wait(0, exchange(i));
    for (std::size_t i = 4; i < 6; i++)
        turns.wait(2, exchange(i));
    turns.wait(1, exchange(6));
    std::string order;
    while (ServedExchange* const next = turns.next(1))
        order += std::to_string(index(next));
    EXPECT_EQ(order, "6405123");  // 1 2 0, 2 0, 0, 0
}

TEST_F(TurnsTest, ForgetWhoHasGone) {
    Turns turns = make(Numbers{2});
    turns.wait(1, exchange(0));
    turns.wait(1, exchange(1));
    turns.forget(1, exchange(0));
    turns.forget(1, exchange(2));
    EXPECT_EQ(turns.next(1), &exchange(1));
    EXPECT_EQ(turns.next(1), nullptr);
}

TEST_F(TurnsTest, TakeTheYoungestOfTheLongestQueue) {
    Turns turns = make(Numbers{2});
    for (std::size_t i = 0; i < 3; i++)
        turns.wait(0, exchange(i));
    turns.wait(1, exchange(3));
    EXPECT_EQ(turns.to_give_way(0), nullptr);
    EXPECT_EQ(turns.to_give_way(1), &exchange(2));
    EXPECT_EQ(turns.to_give_way(1), nullptr);  // two wait there, and here would then
}

TEST_F(TurnsTest, KeepTheLastOnesForRoutesThatHaveNone) {
    Turns turns = make(Numbers{2}, 1, 16);
    EXPECT_TRUE(turns.has_turn(0, 1));
    EXPECT_FALSE(turns.has_turn(0, 0));
    turns.begin(0);
    EXPECT_TRUE(turns.has_turn(0, 3));
    EXPECT_FALSE(turns.has_turn(0, 2));
    EXPECT_TRUE(turns.has_turn(1, 1));
    turns.end(0);
    EXPECT_TRUE(turns.has_turn(0, 1));
    // One route has nobody to leave them to, and of few none is spared.
    Turns alone = make(Numbers{1}, 1, 16);
    alone.begin(0);
    EXPECT_TRUE(alone.has_turn(0, 1));
    Turns few = make(Numbers{2}, 1, 3);
    few.begin(0);
    EXPECT_TRUE(few.has_turn(0, 1));
}

TEST_F(TurnsTest, KeepTheLimitOfARoute) {
    Turns turns = make(Numbers{2, 1, 3}, 2);  // two of three on each thread
    turns.begin(1);
    EXPECT_TRUE(turns.has_turn(1, 8));
    turns.begin(1);
    EXPECT_FALSE(turns.has_turn(1, 8));
    turns.wait(1, exchange(0));
    EXPECT_EQ(turns.next(8), nullptr);
    turns.end(1);
    // Whoever waits comes first.
    EXPECT_FALSE(turns.has_turn(1, 8));
    EXPECT_EQ(turns.next(8), &exchange(0));
}

}  // namespace
}  // namespace wrun::http
