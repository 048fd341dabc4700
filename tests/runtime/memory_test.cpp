// Memories and tables: sizes, bounds, growth, and what happens when the system has no more.
#include "runtime/memory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.hpp"
#include "base/sanitizers.hpp"
#include "runtime/code_range.hpp"
#include "runtime/stack.hpp"
#include "runtime/table.hpp"

namespace wrun::test {
namespace {

using runtime::Memory;
using runtime::Table;

constexpr u64 page = limits::wasm_page_bytes;
constexpr u64 no_bound = ~u64{0};

MemoryType memory_type(u64 min, std::optional<u64> max = std::nullopt) {
    return {{min, max, false, false}};
}

TableType table_type(u64 min, std::optional<u64> max = std::nullopt) {
    return {type_funcref, {min, max, false, false}};
}

TEST(Memory, BeginsZeroedAtItsMinimum) {
    const auto memory = Memory::make(memory_type(2), no_bound).take();
    EXPECT_EQ(memory->bytes(), 2 * page);
    EXPECT_EQ(memory->pages(), 2u);
    for (u64 i = 0; i < memory->bytes(); ++i)
        ASSERT_EQ(memory->base()[i], 0);
}

TEST(Memory, MayBeEmpty) {
    const auto memory = Memory::make(memory_type(0, 0), no_bound).take();
    EXPECT_EQ(memory->bytes(), 0u);
    EXPECT_TRUE(memory->contains(0, 0));
    EXPECT_FALSE(memory->contains(0, 1));
    EXPECT_EQ(memory->grow(0), 0u);
    EXPECT_EQ(memory->grow(1), std::nullopt);
}

TEST(Memory, GrowsInPlaceUpToItsMaximum) {
    const auto memory = Memory::make(memory_type(1, 3), no_bound).take();
    u8* const base = memory->base();
    base[page - 1] = 9;
    EXPECT_EQ(memory->grow(1), 1u);
    EXPECT_EQ(memory->grow(2), std::nullopt);
    EXPECT_EQ(memory->grow(~u64{0}), std::nullopt);
    EXPECT_EQ(memory->grow(1), 2u);
    EXPECT_EQ(memory->grow(0), 3u);
    EXPECT_EQ(memory->base(), base);
    EXPECT_EQ(base[page - 1], 9);
    EXPECT_EQ(base[3 * page - 1], 0);
    EXPECT_EQ(memory->type(), memory_type(3, 3));
}

TEST(Memory, NeverPassesTheLanguagesOrTheStoresBound) {
    const auto whole = Memory::make(memory_type(65'535), no_bound).take();
    EXPECT_EQ(whole->grow(2), std::nullopt);
    EXPECT_EQ(whole->grow(1), 65'535u);
    EXPECT_EQ(whole->grow(1), std::nullopt);
    const auto bounded = Memory::make(memory_type(1), 2 * page + page / 2).take();
    EXPECT_EQ(bounded->grow(1), 1u);
    EXPECT_EQ(bounded->grow(1), std::nullopt);
    EXPECT_EQ(Memory::make(memory_type(3), 3 * page - 1).error().code, ErrorCode::memory_limit);
    EXPECT_TRUE(Memory::make(memory_type(3), 3 * page).ok());
}

TEST(Memory, KnowsItsBoundsWithoutOverflow) {
    const auto memory = Memory::make(memory_type(1), no_bound).take();
    EXPECT_TRUE(memory->contains(page, 0));
    EXPECT_TRUE(memory->contains(page - 1, 1));
    EXPECT_FALSE(memory->contains(page - 1, 2));
    EXPECT_FALSE(memory->contains(page + 1, 0));
    EXPECT_FALSE(memory->contains(~u64{0}, 2));
    EXPECT_FALSE(memory->contains(2, ~u64{0}));
}

TEST(Memory, ReachesEveryAddressThatCodeCanForm) {
    const auto memory = Memory::make(memory_type(0), no_bound).take();
    const u64 base = reinterpret_cast<u64>(memory->base());
    const u64 farthest = 0xffff'ffffull + 0xffff'ffffull + 15;
    EXPECT_TRUE(memory->reaches(base));
    EXPECT_TRUE(memory->reaches(base + farthest));
    EXPECT_FALSE(memory->reaches(base - 1));
    EXPECT_FALSE(memory->reaches(base + runtime::memory32_reservation_bytes));
}

TEST(Memory, KeepsItsHeaderWhereTheOwnerSays) {
    runtime::MemoryHeader header{};
    const auto memory = Memory::make(memory_type(1), no_bound, &header).take();
    EXPECT_EQ(&memory->header(), &header);
    EXPECT_EQ(header.base, memory->base());
    (void)memory->grow(1);
    EXPECT_EQ(header.bytes, 2 * page);
}

Result<std::unique_ptr<Memory>> dense(u64 min, std::optional<u64> max, u64 bound = no_bound) {
    return Memory::make(memory_type(min, max), bound, nullptr, runtime::MemoryLayout::dense);
}

TEST(DenseMemory, IsOpenFromTheStartAndZeroBehindItsSize) {
    const auto memory = dense(1, 3).take();
    EXPECT_TRUE(memory->is_dense());
    EXPECT_EQ(memory->bytes(), page);
    for (u64 i = 0; i < 3 * page; ++i)
        ASSERT_EQ(memory->base()[i], 0);
    memory->base()[3 * page - 1] = 1;  // nobody's right, but no fault
    EXPECT_EQ(memory->grow(1), 1u);
    EXPECT_EQ(memory->bytes(), 2 * page);
    EXPECT_EQ(memory->grow(2), std::nullopt);
    EXPECT_EQ(memory->grow(1), 2u);
    EXPECT_EQ(memory->type(), memory_type(3, 3));
    EXPECT_FALSE(Memory::make(memory_type(1), no_bound).value()->is_dense());
}

TEST(DenseMemory, ReservesWhatItMayHoldAndAGuard) {
    struct Row {
        std::optional<u64> max;
        u64 bound;
        u64 reach;
    };
    const Row rows[] = {{0, no_bound, 0}, {3, no_bound, 3 * page}, {3, 2 * page + 1, 2 * page},
        {std::nullopt, 5 * page, 5 * page}, {std::nullopt, no_bound, 65'536 * page}};
    for (const Row& row : rows) {
        const auto memory = dense(0, row.max, row.bound).take();
        const u64 base = reinterpret_cast<u64>(memory->base());
        EXPECT_TRUE(memory->reaches(base + row.reach + os::page_bytes - 1));
        EXPECT_FALSE(memory->reaches(base + row.reach + os::page_bytes));
        EXPECT_EQ(memory->grow(row.reach / page + 1), std::nullopt);
        EXPECT_EQ(memory->grow(row.reach / page), 0u);
    }
    EXPECT_EQ(dense(3, 4, 3 * page - 1).error().code, ErrorCode::memory_limit);
}

TEST(DenseMemoryDeathTest, FaultsBehindWhatItMayHold) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto memory = dense(1, 2).take();
    volatile u8* const base = memory->base();
    base[2 * page - 1] = 1;
    EXPECT_DEATH(base[2 * page] = 1, "");
}

TEST(DenseMemory, IsBoundAndShrunkWithAllOfItOpen) {
    const std::vector<u8> content(5000, 7);
    const auto image = runtime::MemoryImage::make(content).take();
    const auto memory = dense(2, 4).take();
    std::fill_n(memory->base(), 2 * page, u8{9});
    for (const u64 bytes : {page, 3 * page}) {
        ASSERT_TRUE(memory->bind(*image, bytes).ok());
        EXPECT_EQ(memory->bytes(), bytes);
        EXPECT_EQ(memory->base()[4999], 7);
        for (u64 i = content.size(); i < 4 * page; ++i)
            ASSERT_EQ(memory->base()[i], 0) << i;
        EXPECT_EQ(memory->grow(1), bytes / page);
        std::fill_n(memory->base(), bytes + page, u8{9});
        ASSERT_TRUE(memory->shrink(bytes).ok());
        EXPECT_EQ(memory->bytes(), bytes);
        EXPECT_EQ(memory->base()[bytes - 1], 9);
        for (u64 i = bytes; i < 4 * page; ++i)
            ASSERT_EQ(memory->base()[i], 0) << i;
    }
    ASSERT_TRUE(memory->bind(*image, 4 * page).ok());
    EXPECT_FALSE(memory->bind(*image, 5 * page).ok());
}

TEST(Table, BeginsFilled) {
    const auto table = Table::make(table_type(3), no_bound, 7).take();
    EXPECT_EQ(table->size(), 3u);
    for (u64 i = 0; i < 3; ++i)
        EXPECT_EQ(table->get(i), 7u);
    EXPECT_EQ(table->get(3), std::nullopt);
}

TEST(Table, GrowsAndFillsWhatIsNew) {
    const auto table = Table::make(table_type(1, 5000), no_bound, 0).take();
    EXPECT_TRUE(table->set(0, 1));
    EXPECT_EQ(table->grow(2, 5), 1u);
    const auto* const base = table->base();
    EXPECT_EQ(table->grow(4997, 6), 3u);
    EXPECT_EQ(table->grow(1, 6), std::nullopt);
    EXPECT_EQ(table->grow(~u64{0}, 6), std::nullopt);
    EXPECT_EQ(table->base(), base) << "it moves once";
    EXPECT_EQ(table->get(0), 1u);
    EXPECT_EQ(table->get(2), 5u);
    EXPECT_EQ(table->get(3), 6u);
    EXPECT_EQ(table->get(4999), 6u);
    EXPECT_EQ(table->type(), table_type(5000, 5000));
}

/// What a context says of a table is copied back when a slot is reset.
TEST(Table, ShrunkIsWhereItBegan) {
    for (const u64 size : {u64{0}, u64{3}, u64{600}, u64{20'000}}) {
        const auto table = Table::make(table_type(size), no_bound, 7).take();
        const runtime::TableHeader begun = table->header();
        for (const u64 added : {u64{0}, u64{1}, u64{700}, u64{30'000}}) {
            EXPECT_EQ(table->grow(added, 5), size);
            if (size != 0) {
                EXPECT_TRUE(table->set(size - 1, 9));
            }
            EXPECT_TRUE(table->shrink(size).ok());
            EXPECT_EQ(table->header().base, begun.base);
            EXPECT_EQ(table->size(), size);
            for (u64 i = 0; i + 1 < size; ++i)
                ASSERT_EQ(table->get(i), 7u) << i;
            if (size != 0) {
                EXPECT_EQ(table->get(size - 1), 9u);
            }
        }
        EXPECT_EQ(table->grow(30'000, 0), size);
        for (u64 i = size; i < size + 30'000; ++i)
            ASSERT_EQ(table->get(i), 0u) << "left from before at " << i;
    }
}

TEST(Table, ShrinksToLessThanItBeganWith) {
    const auto table = Table::make(table_type(600), no_bound, 7).take();
    EXPECT_TRUE(table->shrink(10).ok());
    EXPECT_EQ(table->grow(5, 0), 10u);
    EXPECT_EQ(table->get(9), 7u);
    EXPECT_EQ(table->get(14), 0u);
    EXPECT_TRUE(table->shrink(3).ok());
    EXPECT_EQ(table->get(2), 7u);
    EXPECT_EQ(table->grow(700, 0), 3u);
    EXPECT_EQ(table->get(2), 7u);
    EXPECT_EQ(table->get(3), 0u);
    EXPECT_EQ(table->get(702), 0u);
}

TEST(Table, NeverPassesTheStoresBound) {
    const auto table = Table::make(table_type(0), 2, 0).take();
    EXPECT_EQ(table->grow(3, 0), std::nullopt);
    EXPECT_EQ(table->grow(2, 0), 0u);
    EXPECT_EQ(Table::make(table_type(3), 2, 0).error().code, ErrorCode::table_limit);
}

TEST(Table, FillsWithinItsBoundsOnly) {
    const auto table = Table::make(table_type(4), no_bound, 0).take();
    EXPECT_FALSE(table->fill(2, 9, 3));
    EXPECT_FALSE(table->fill(~u64{0}, 9, 2));
    EXPECT_EQ(table->get(2), 0u) << "nothing is written when a place is outside";
    EXPECT_TRUE(table->fill(4, 9, 0));
    EXPECT_FALSE(table->fill(5, 9, 0));
    EXPECT_TRUE(table->fill(1, 9, 3));
    EXPECT_EQ(table->get(0), 0u);
    EXPECT_EQ(table->get(3), 9u);
}

TEST(Table, MayHaveNoRoomAtAll) {
    const auto table = Table::make(table_type(0, 0), no_bound, 0).take();
    EXPECT_EQ(table->grow(0, 1), 0u);
    EXPECT_EQ(table->grow(1, 1), std::nullopt);
    EXPECT_TRUE(table->fill(0, 1, 0));
}

TEST(GuestStack, LiesBetweenGuardAndResults) {
    const auto stack = runtime::GuestStack::make(100'000).take();
    EXPECT_EQ(stack.limit() - stack.low(), runtime::stack_guard_bytes);
    EXPECT_GE(stack.high() - stack.limit(), 100'000u);
    EXPECT_EQ(reinterpret_cast<u64>(stack.results()), stack.high());
    EXPECT_EQ(stack.high() % 16, 0u);
    stack.results()[runtime::result_buffer_slots - 1] = 1;
}

// ---- a small address space -------------------------------------------------------------------

class SmallAddressSpaceDeathTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (has_address_sanitizer) {
            GTEST_SKIP() << "the sanitizer itself needs terabytes of addresses";
        }
        GTEST_FLAG_SET(death_test_style, "threadsafe");
    }
    static void limit(u64 mib) {
        const rlimit bound{mib << 20, mib << 20};
        setrlimit(RLIMIT_AS, &bound);
    }
};

TEST_F(SmallAddressSpaceDeathTest, HasNoRoomForAMemory) {
    const auto body = [] {
        limit(4096);
        const auto memory = Memory::make(memory_type(1), no_bound);
        _exit(memory.error().code == ErrorCode::address_space ? 5 : 6);
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "");
}

TEST_F(SmallAddressSpaceDeathTest, HasRoomForASmallerCodeRange) {
    const auto body = [] {
        limit(1024);
        const bool reserved = runtime::reserve_code_range().ok();
        const u64 bytes = runtime::code_range.end - runtime::code_range.begin;
        _exit(reserved && bytes == u64{512} << 20 ? 5 : 6);
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "");
}

TEST_F(SmallAddressSpaceDeathTest, MayHaveNoRoomForCodeAndSaysSo) {
    const auto body = [] {
        limit(60);
        const auto reserved = runtime::reserve_code_range();
        _exit(reserved.error().code == ErrorCode::address_space ? 5 : 6);
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "");
}

}  // namespace
}  // namespace wrun::test
