// Each field of a FunctionSummary, from bodies whose summary can be counted by hand.
#include "validator/summary.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "tests/validator/harness.hpp"

namespace wrun {
namespace {

using namespace build;
using testing::ElementsAre;

Bytes use(u32 local) {
    return join(local_get(local), drop());
}
Bytes set_i32(u32 local) {
    return join(i32_const(0), local_set(local));
}
Bytes in_loop(const Bytes& code) {
    return join(loop(), code, end());
}

std::vector<std::pair<u32, u32>> integers(const FunctionSummary& summary) {
    std::vector<std::pair<u32, u32>> list;
    for (u32 i = 0; i < summary.hot_integer_count; ++i) {
        list.emplace_back(summary.hot_integers[i].local, summary.hot_integers[i].weight);
    }
    return list;
}

/// `count` locals of i32 from index 6 on.
Environment with_i32_locals(u32 count) {
    Environment environment;
    environment.more_locals = {{count, type_i32}};
    return environment;
}

TEST(Summary, KeepsLocalsRunLength) {
    Environment environment;
    environment.more_locals = {{0, type_f32}, {1000, type_f32}, {2, type_f32}};
    const FunctionSummary summary = summarise(body(), environment);
    EXPECT_EQ(summary.param_count, 1u);
    EXPECT_EQ(summary.local_count, 1008u);
    EXPECT_EQ(summary.local_slots, 1008u);
    // Neighbours of one type share a run, whichever group declared them.
    ASSERT_EQ(summary.locals.size(), 7u);
    EXPECT_EQ(summary.locals[0].type, type_i32);
    EXPECT_EQ(summary.locals[6].begin, 6u);
    EXPECT_EQ(summary.locals[6].count, 1002u);
}

TEST(Summary, CountsTwoSlotsForVectors) {
    Environment environment;
    environment.features.set(Feature::simd);
    environment.more_locals = {{3, type_v128}};
    const FunctionSummary summary = summarise(
        body(local_get(6), local_get(0), drop(), drop(), local_get(6), local_tee(7), local_set(8)),
        environment);
    EXPECT_EQ(summary.local_count, 9u);
    EXPECT_EQ(summary.local_slots, 12u);
    EXPECT_EQ(summary.stack_slots_max, 3u);
    EXPECT_EQ(summary.hot_integer_count, 1u);
    EXPECT_EQ(summary.hot_float_count, 0u);
}

struct HeightRow {
    const char* what;
    Bytes code;
    u32 slots;
};

const HeightRow heights[] = {
    {"nothing", body(), 0},
    {"two operands", body(i32_const(1), i32_const(2), i32_add(), drop()), 2},
    {"a block between",
        body(i32_const(1), block(), i32_const(2), i32_const(3), drop(), drop(), end(), drop()), 3},
    {"behind a block",
        body(block(), i32_const(1), drop(), end(), i32_const(1), i32_const(1), drop(), drop()), 2},
    {"parameters of a block counted once",
        body(i32_const(1), block(TypeIndex{2}), i64_const(1), end(), drop(), drop()), 2},
    {"an if's condition", body(i32_const(1), if_(), end()), 1},
    {"results of a call", body(i32_const(1), call(2), drop(), drop()), 2},
    {"dead operands do not count",
        body(block(), br(0), i32_const(1), i32_const(2), i32_const(3), drop(), drop(), drop(),
            end()),
        0},
    {"a dead block's results do not count",
        body(block(), br(0), block(type_i32), i32_const(1), i32_const(2), i32_add(), end(), drop(),
            end(), i32_const(1), drop()),
        1},
    {"the result of a block left early", body(block(type_i64), build::unreachable(), end(), drop()),
        1},
    {"else begins where then began",
        body(i32_const(1), if_(), i32_const(1), i32_const(2), drop(), drop(), else_(), i32_const(1),
            drop(), end()),
        2},
    {"dead then, live else",
        body(i32_const(1), if_(), br(0), i32_const(1), i32_const(2), drop(), drop(), else_(),
            i64_const(1), drop(), end()),
        1},
};

TEST(Summary, MeasuresTheDeepestReachableStack) {
    for (const HeightRow& row : heights) {
        EXPECT_EQ(summarise(row.code).stack_slots_max, row.slots) << row.what;
    }
}

TEST(Summary, WeighsLocalsByLoopDepth) {
    // Depths 0 to 6; from 4 on the weight stays.
    Bytes code = use(0);
    for (u32 depth = 1; depth <= 6; ++depth)
        code = join(use(0), loop(), code, end());
    u32 expected = 0;
    for (const u32 weight : {1u, 8u, 64u, 512u, 4096u, 4096u, 4096u})
        expected += weight;
    EXPECT_THAT(integers(summarise(join(code, end()))), ElementsAre(std::pair{0u, expected}));
}

TEST(Summary, CountsGetSetAndTee) {
    const Bytes code = body(local_get(0), local_tee(0), local_set(0));
    EXPECT_THAT(integers(summarise(code)), ElementsAre(std::pair{0u, 3u}));
}

TEST(Summary, DoesNotCountDeadUses) {
    const Bytes code = body(block(), br(0), use(0), loop(), use(0), end(), end(), use(0));
    const FunctionSummary summary = summarise(code);
    EXPECT_THAT(integers(summary), ElementsAre(std::pair{0u, 1u}));
    EXPECT_FALSE(summary.has_loop);
    EXPECT_TRUE(summary.blocks.empty());
}

TEST(Summary, OrdersHotLocalsByWeightThenIndex) {
    const Bytes code =
        body(use(9), use(7), use(8), use(8), in_loop(use(6)), use(300), use(70), use(70), use(70));
    EXPECT_THAT(integers(summarise(code, with_i32_locals(400))),
        ElementsAre(std::pair{6u, 8u}, std::pair{70u, 3u}, std::pair{8u, 2u}, std::pair{7u, 1u},
            std::pair{9u, 1u}, std::pair{300u, 1u}));
}

TEST(Summary, KeepsOnlyTheHeaviestSixteen) {
    Bytes code;
    // Touched in descending order, so that an equal weight with a lower index must push others out.
    for (u32 local = 105; local >= 6; --local)
        append(code, use(local));
    append(code, join(use(100), use(40), use(40)));
    const FunctionSummary summary = summarise(join(code, end()), with_i32_locals(100));
    ASSERT_EQ(summary.hot_integer_count, FunctionSummary::hot_integers_max);
    EXPECT_EQ(summary.hot_integers[0].local, 40u);
    EXPECT_EQ(summary.hot_integers[1].local, 100u);
    for (u32 i = 2; i < summary.hot_integer_count; ++i) {
        EXPECT_EQ(summary.hot_integers[i].local, 4 + i);
    }
}

TEST(Summary, KeepsClassesApartAndReferencesOut) {
    const Bytes code = body(use(0), use(1), use(2), use(3), use(3), use(4), use(5));
    const FunctionSummary summary = summarise(code);
    EXPECT_THAT(integers(summary), ElementsAre(std::pair{0u, 1u}, std::pair{1u, 1u}));
    ASSERT_EQ(summary.hot_float_count, 2u);
    EXPECT_EQ(summary.hot_floats[0].local, 3u);
    EXPECT_EQ(summary.hot_floats[0].weight, 2u);
    EXPECT_EQ(summary.hot_floats[0].type, type_f64);
    EXPECT_EQ(summary.hot_floats[1].local, 2u);
}

TEST(Summary, SaturatesWeights) {
    // 8^4 per use: 2^20 uses reach 2^32.
    Bytes code = repeat((1u << 20) + 10, use(0));
    for (u32 depth = 0; depth < 4; ++depth)
        code = in_loop(code);
    EXPECT_THAT(integers(summarise(join(code, end()))), ElementsAre(std::pair{0u, 0xffff'ffffu}));
}

TEST(Summary, ListsLoopsInOrderOfEntryWithWhatIsInside) {
    const FunctionSummary summary = summarise(body(use(0), loop(), set_i32(6), loop(), use(7),
                                                  end(), call(0), end(), loop(), use(80), end()),
        with_i32_locals(100));
    ASSERT_EQ(summary.blocks.size(), 3u);
    EXPECT_EQ(summary.blocks[0].set.bits, LocalSet::bit(6));
    EXPECT_EQ(summary.blocks[0].used.bits, LocalSet::bit(6) | LocalSet::bit(7));
    EXPECT_TRUE(summary.blocks[0].has_inner_loop);
    EXPECT_TRUE(summary.blocks[0].has_call);
    EXPECT_EQ(summary.blocks[1].set.bits, 0u);
    EXPECT_EQ(summary.blocks[1].used.bits, LocalSet::bit(7));
    EXPECT_FALSE(summary.blocks[1].has_inner_loop);
    EXPECT_FALSE(summary.blocks[1].has_call);
    EXPECT_EQ(summary.blocks[2].used.bits, LocalSet::bit(63));
    EXPECT_TRUE(summary.blocks[2].used.may_hold(99));
    EXPECT_FALSE(summary.blocks[2].used.may_hold(62));
}

TEST(Summary, ListsBlocksThatAreEnteredWithOperands) {
    const TypeIndex takes_i32{2};
    const FunctionSummary summary = summarise(body(block(), set_i32(0), end(),  // empty: not listed
        i32_const(1), if_(), set_i32(0), end(),            // a condition alone: not
        i32_const(1), block(), set_i32(0), end(), drop(),  // listed
        i32_const(1), block(takes_i32), i64_const(0), end(), drop(),
        drop(),  // its parameter: listed
        i32_const(1), i32_const(1), if_(), use(0), else_(), set_i32(0), end(), drop()));  // listed
    ASSERT_EQ(summary.blocks.size(), 3u);
    EXPECT_EQ(summary.blocks[0].set.bits, LocalSet::bit(0));
    EXPECT_EQ(summary.blocks[1].set.bits, 0u);
    EXPECT_EQ(summary.blocks[2].set.bits, LocalSet::bit(0));
}

TEST(Summary, CountsOperandsOfEnclosingBlocks) {
    const FunctionSummary summary =
        summarise(body(i32_const(1), block(), block(), end(), end(), drop(), block(), end()));
    EXPECT_EQ(summary.blocks.size(), 2u);
}

TEST(Summary, SaysWhatTheFunctionDoes) {
    const auto flags = [](const Bytes& code) {
        const FunctionSummary summary = summarise(code);
        std::string text;
        if (summary.has_call) text += "call ";
        if (summary.has_helper) text += "helper ";
        if (summary.has_loop) text += "loop ";
        if (summary.uses_memory) text += "memory ";
        if (summary.has_call_in_loop) text += "call_in_loop ";
        return text;
    };
    EXPECT_EQ(flags(body(nop())), "");
    EXPECT_EQ(flags(body(call(0))), "call ");
    EXPECT_EQ(flags(body(i32_const(0), call_indirect(0))), "call ");
    EXPECT_EQ(flags(body(i32_const(0), memory_grow(), drop())), "helper memory ");
    EXPECT_EQ(flags(body(memory_size(), drop())), "memory ");
    EXPECT_EQ(flags(body(i32_const(0), i32_load(), drop())), "memory ");
    EXPECT_EQ(
        flags(body(i32_const(0), i32_const(0), i32_const(0), memory_copy())), "helper memory ");
    EXPECT_EQ(flags(body(elem_drop(0))), "helper ");
    EXPECT_EQ(flags(body(loop(), end())), "loop ");
    EXPECT_EQ(flags(body(loop(), end(), call(0))), "call loop ");
    EXPECT_EQ(flags(body(call(0), memory_size(), drop(), loop(), end())), "call loop memory ");
    EXPECT_EQ(flags(body(loop(), block(), call(0), end(), end())), "call loop call_in_loop ");
    EXPECT_EQ(flags(body(block(), br(0), loop(), call(0), end(), end())), "");
}

TEST(Summary, SaysWhichBlocksCallHelpers) {
    const FunctionSummary summary = summarise(
        body(loop(), loop(), i32_const(0), memory_grow(), drop(), end(), end(), loop(), end()));
    ASSERT_EQ(summary.blocks.size(), 3u);
    EXPECT_TRUE(summary.blocks[0].has_helper);
    EXPECT_TRUE(summary.blocks[1].has_helper);
    EXPECT_FALSE(summary.blocks[2].has_helper);
}

TEST(Summary, KeepsWhatWasHeardBeforeAnInnerLoop) {
    const FunctionSummary summary =
        summarise(body(loop(), call(0), elem_drop(0), set_i32(0), loop(), end(), end()));
    ASSERT_EQ(summary.blocks.size(), 2u);
    EXPECT_TRUE(summary.blocks[0].has_call);
    EXPECT_TRUE(summary.blocks[0].has_helper);
    EXPECT_EQ(summary.blocks[0].set.bits, LocalSet::bit(0));
    EXPECT_FALSE(summary.blocks[1].has_call);
    EXPECT_FALSE(summary.blocks[1].has_helper);
    EXPECT_EQ(summary.blocks[1].used.bits, 0u);
}

TEST(Summary, OwesNothingToTheFunctionBefore) {
    const Bytes heavy = body(in_loop(join(use(0), use(6), use(90), call(0))));
    const Bytes broken = body(in_loop(join(use(0), use(90), i32_add())));
    const Environment environment = with_i32_locals(100);
    for (const Bytes& before : {heavy, broken}) {
        // Both bodies in one module, so that one FunctionValidator sees them in turn.
        ModuleBuilder builder;
        const u32 type = builder.type({}, {});
        builder.function(type, before, {{100, type_i32}});
        builder.function(type, body(use(0), use(90)), {{91, type_i32}});
        const Bytes bytes = builder.bytes();
        Result<Module> module = decode(bytes, default_features());
        FunctionValidator validator{module.value(), default_features()};
        FunctionSummary summary;
        (void)validator.validate(FuncIndex{0}, summary);
        ASSERT_THAT(validator.validate(FuncIndex{1}, summary), succeeds());
        EXPECT_THAT(integers(summary), ElementsAre(std::pair{0u, 1u}, std::pair{90u, 1u}));
        EXPECT_TRUE(summary.blocks.empty());
        EXPECT_FALSE(summary.has_call);
        EXPECT_EQ(summary.locals.size(), 1u);
    }
}

}  // namespace
}  // namespace wrun
