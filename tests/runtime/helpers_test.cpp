// Every row of helpers.def as generated code calls it: effects, bounds, edges.
#include "runtime/helpers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/limits.hpp"
#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::Helper;
using runtime::Reference;
using runtime::TrapCode;

constexpr u64 page = limits::wasm_page_bytes;
constexpr u64 minus_one_32 = 0xffff'ffff;

class Helpers : public ::testing::Test {
protected:
    Helpers() {
        data_[0].bytes = {0, static_cast<u32>(bytes_.size())};
        elems_[0] = values_;
        guest_.instance.bytes = bytes_;
        guest_.instance.data = data_;
        guest_.instance.elems = elems_;
    }
    GuestRun help(
        Helper helper, std::initializer_list<u64> operands, std::array<u64, 2> immediates) {
        GuestRun run;
        u64* to = run.arguments.integers.data();
        *to++ = to_underlying(helper);
        for (const u64 operand : operands)
            *to++ = operand;
        run.arguments.integers[4] = immediates[0];
        run.arguments.integers[5] = immediates[1];
        guest_.run(GuestFunction::help, run);
        return run;
    }
    u64 status(Helper helper, std::initializer_list<u64> operands, std::array<u64, 2> immediates) {
        return help(helper, operands, immediates).status;
    }
    u8* memory() { return guest_.memory->base(); }

    static constexpr u64 memory_trap = trapped(TrapCode::memory_out_of_bounds);
    static constexpr u64 table_trap = trapped(TrapCode::table_out_of_bounds);
    Guest guest_;
    std::array<u8, 4> bytes_ = {1, 2, 3, 4};
    std::array<Reference, 3> values_ = {11, 12, 13};
    std::array<DataSegment, 1> data_;
    std::array<std::span<const Reference>, 1> elems_;
};

TEST_F(Helpers, ADamagedRangeOfASegmentIsEmpty) {
    for (const ByteRange range : {ByteRange{0, 5}, {3, 2}, {0xffff'fff0, 0xffff'fff4}}) {
        data_[0].bytes = range;
        EXPECT_EQ(status(Helper::memory_init, {0, 0, 1}, {0, 0}), memory_trap);
        EXPECT_EQ(status(Helper::memory_init, {0, 0, 0}, {0, 0}), 0u);
    }
}

TEST_F(Helpers, MemoryGrowAnswersTheSizeBeforeOrMinusOne) {
    EXPECT_EQ(help(Helper::memory_grow, {1}, {0, 0}).value(), 1u);
    EXPECT_EQ(guest_.memory->pages(), 2u);
    EXPECT_EQ(help(Helper::memory_grow, {3}, {0, 0}).value(), minus_one_32);
    EXPECT_EQ(help(Helper::memory_grow, {minus_one_32}, {0, 0}).value(), minus_one_32);
    EXPECT_EQ(help(Helper::memory_grow, {0}, {0, 0}).value(), 2u);
}

TEST_F(Helpers, MemoryFillStopsAtTheEnd) {
    EXPECT_EQ(status(Helper::memory_fill, {page - 2, 0x1ab, 2}, {0, 0}), 0u);
    EXPECT_EQ(memory()[page - 1], 0xab);
    EXPECT_EQ(status(Helper::memory_fill, {page - 2, 0, 3}, {0, 0}), memory_trap);
    EXPECT_EQ(memory()[page - 1], 0xab) << "nothing is written when a byte is outside";
    EXPECT_EQ(status(Helper::memory_fill, {page, 0, 0}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::memory_fill, {page + 1, 0, 0}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_fill, {minus_one_32, 0, minus_one_32}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_fill, {~u64{0}, 0, 2}, {0, 0}), memory_trap);
}

TEST_F(Helpers, MemoryCopyAllowsOverlapBothWays) {
    std::memcpy(memory(), "abcdef", 6);
    EXPECT_EQ(status(Helper::memory_copy, {2, 0, 4}, {0, 0}), 0u);
    EXPECT_EQ(std::memcmp(memory(), "ababcd", 6), 0);
    EXPECT_EQ(status(Helper::memory_copy, {0, 2, 4}, {0, 0}), 0u);
    EXPECT_EQ(std::memcmp(memory(), "abcdcd", 6), 0);
}

TEST_F(Helpers, MemoryCopyChecksBothSides) {
    EXPECT_EQ(status(Helper::memory_copy, {page - 1, 0, 2}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_copy, {0, page - 1, 2}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_copy, {page, page, 0}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::memory_copy, {page + 1, 0, 0}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_copy, {0, page + 1, 0}, {0, 0}), memory_trap);
}

TEST_F(Helpers, MemoryInitReadsASegmentUntilItIsDropped) {
    EXPECT_EQ(status(Helper::memory_init, {10, 1, 3}, {0, 0}), 0u);
    EXPECT_EQ(memory()[10], 2);
    EXPECT_EQ(memory()[12], 4);
    EXPECT_EQ(status(Helper::memory_init, {10, 2, 3}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_init, {page - 1, 0, 2}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_init, {0, minus_one_32, 2}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_init, {0, ~u64{0}, 2}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::data_drop, {}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::memory_init, {10, 0, 1}, {0, 0}), memory_trap);
    EXPECT_EQ(status(Helper::memory_init, {10, 0, 0}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::data_drop, {}, {0, 0}), 0u) << "twice is once";
}

TEST_F(Helpers, TableInitReadsASegmentUntilItIsDropped) {
    EXPECT_EQ(status(Helper::table_init, {2, 1, 2}, {0, 0}), 0u);
    EXPECT_EQ(guest_.table->get(2), 12u);
    EXPECT_EQ(guest_.table->get(3), 13u);
    EXPECT_EQ(status(Helper::table_init, {3, 0, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_init, {0, 2, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_init, {0, ~u64{0}, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::elem_drop, {}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::table_init, {0, 0, 1}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_init, {4, 0, 0}, {0, 0}), 0u);
}

TEST_F(Helpers, TableCopyAndFillCheckTheirBounds) {
    EXPECT_EQ(status(Helper::table_fill, {1, 42, 2}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::table_copy, {2, 1, 2}, {0, 0}), 0u);
    EXPECT_EQ(guest_.table->get(0), 0u);
    EXPECT_EQ(guest_.table->get(3), 42u);
    EXPECT_EQ(status(Helper::table_fill, {3, 0, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_copy, {3, 0, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_copy, {0, 3, 2}, {0, 0}), table_trap);
    EXPECT_EQ(status(Helper::table_copy, {4, 4, 0}, {0, 0}), 0u);
    EXPECT_EQ(status(Helper::table_copy, {5, 0, 0}, {0, 0}), table_trap);
}

TEST_F(Helpers, TableGrowTakesTheValueFirst) {
    EXPECT_EQ(help(Helper::table_grow, {99, 2}, {0, 0}).value(), 4u);
    EXPECT_EQ(guest_.table->get(5), 99u);
    EXPECT_EQ(help(Helper::table_grow, {99, 11}, {0, 0}).value(), minus_one_32);
    EXPECT_EQ(help(Helper::table_grow, {99, 10}, {0, 0}).value(), 6u);
}

/// Of everything that can take long not one piece is done, and the guest is left as was asked.
TEST_F(Helpers, DoNothingMoreForARunThatShallEnd) {
    struct Row {
        Helper helper;
        std::initializer_list<u64> operands;
    };
    const Row rows[] = {{Helper::memory_fill, {0, 1, 100}}, {Helper::memory_copy, {10, 200, 50}},
        {Helper::memory_init, {20, 0, 4}}, {Helper::table_fill, {0, 42, 4}},
        {Helper::table_copy, {0, 1, 3}}, {Helper::table_init, {0, 0, 3}},
        {Helper::table_grow, {42, 5}}};
    std::memset(memory() + 200, 7, 50);
    for (const Row& row : rows) {
        GuestRun run;
        u64* to = run.arguments.integers.data();
        *to++ = to_underlying(row.helper);
        for (const u64 operand : row.operands)
            *to++ = operand;
        run.record.interrupt = trapped(TrapCode::deadline);
        guest_.run(GuestFunction::help, run);
        EXPECT_EQ(run.status, trapped(TrapCode::deadline)) << to_underlying(row.helper);
        for (u32 i = 0; i < 200; ++i)
            ASSERT_EQ(memory()[i], 0) << to_underlying(row.helper);
        for (u32 i = 0; i < guest_.table->size(); ++i)
            ASSERT_EQ(guest_.table->get(i), 0u) << to_underlying(row.helper);
    }
}

TEST_F(Helpers, MoveInPiecesAsInOne) {
    constexpr u64 pages = 60;  // several pieces
    Guest large{{.memory = {pages, pages, false, false}}};
    u8* const base = large.memory->base();
    const auto fill = [&] {
        for (u64 i = 0; i < pages * page; ++i)
            base[i] = static_cast<u8>(i * 31 >> 8 ^ i);
    };
    for (const u64 distance : {u64{1}, page, 20 * page - 3}) {
        for (const bool is_up : {false, true}) {
            fill();
            std::vector<u8> expected(base, base + pages * page);
            const u64 bytes = 38 * page;
            const u64 to = is_up ? distance : 0;
            const u64 from = is_up ? 0 : distance;
            std::memmove(expected.data() + to, expected.data() + from, bytes);
            GuestRun run;
            run.arguments.integers = {to_underlying(Helper::memory_copy), to, from, bytes, 0, 0};
            large.run(GuestFunction::help, run);
            ASSERT_EQ(run.status, 0u);
            EXPECT_EQ(std::memcmp(base, expected.data(), expected.size()), 0)
                << distance << (is_up ? " up" : " down");
        }
    }
}

TEST_F(Helpers, ActOnTheMemoryAndTableTheyAreToldOf) {
    auto second = runtime::Memory::make({{1, 1, false, false}}, ~u64{0}).take();
    runtime::Memory* memories[] = {guest_.memory.get(), second.get()};
    guest_.instance.memories = memories;
    second->base()[0] = 8;
    EXPECT_EQ(status(Helper::memory_copy, {5, 0, 1}, {0, 1}), 0u) << "to memory 0 from memory 1";
    EXPECT_EQ(memory()[5], 8);
    EXPECT_EQ(status(Helper::memory_fill, {7, 3, 1}, {1, 0}), 0u);
    EXPECT_EQ(second->base()[7], 3);
    EXPECT_EQ(help(Helper::memory_grow, {1}, {1, 0}).value(), minus_one_32);
}

}  // namespace
}  // namespace wrun::test
