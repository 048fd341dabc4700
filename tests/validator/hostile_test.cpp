// Input made to hurt: deep nests, huge tables and bodies, counts without bytes, many locals, cut
// and flipped bytes. Whatever it is, the answer is a verdict, and the work is linear in the bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <random>

#include "base/limits.hpp"
#include "tests/validator/harness.hpp"
#include "tests/validator/random_body.hpp"
#include "tests/validator/recording.hpp"

namespace wrun {
namespace {

using namespace build;
using enum ErrorCode;

/// Time of this thread on the processor: what other processes do does not count.
double cpu_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

template <class Work>
double cost_ms(Work work) {
    double best = 1e9;
    for (int round = 0; round < 3; ++round) {
        const double begin = cpu_ms();
        work();
        best = std::min(best, cpu_ms() - begin);
    }
    return best;
}

TEST(Hostile, DeepNestsAreVerdictsNotCrashes) {
    for (const Bytes& opener : {block(), loop(), join(i32_const(1), if_())}) {
        const Bytes deep = join(repeat(100'000, opener), repeat(100'000, end()), end());
        EXPECT_THAT(validate_body(deep), succeeds());
        EXPECT_EQ(heard_trusted(make_body(deep).module, make_body(deep).func).size() % 100'000, 1u);
    }
    const Bytes dead =
        join(build::unreachable(), repeat(100'000, block()), repeat(100'000, end()), end());
    EXPECT_THAT(validate_body(dead), succeeds());
    const Body made = make_body(dead);
    EXPECT_EQ(heard_trusted(made.module, made.func).size(), 2u);
}

TEST(Hostile, NestingMeetsItsLimit) {
    for (const u32 depth :
        {limits::nesting_max - 1, limits::nesting_max, limits::nesting_max + 1}) {
        const Bytes nest = join(repeat(depth, block()), repeat(depth, end()), end());
        if (depth <= limits::nesting_max) {
            EXPECT_THAT(validate_body(nest), succeeds()) << depth;
        } else {
            EXPECT_THAT(
                validate_body(nest), fails(nesting_too_deep, at_offset(2 * limits::nesting_max)));
        }
    }
}

TEST(Hostile, LabelTablesMeetTheirLimit) {
    for (const u32 count : {limits::br_table_targets_max, limits::br_table_targets_max + 1}) {
        Bytes code = join(local_get(0), opcode(Op::br_table), leb_u(count));
        code.resize(code.size() + count + 1);  // label 0 each, and the default
        append(code, end());
        if (count == limits::br_table_targets_max) {
            EXPECT_THAT(validate_body(code), succeeds());
            const Body made = make_body(code);
            EXPECT_EQ(heard_trusted(made.module, made.func).size(), 3u);
        } else {
            EXPECT_THAT(validate_body(code), fails(too_many_items, at_offset(3)));
        }
    }
}

TEST(Hostile, LargeBodiesAreTaken) {
    const Bytes statement = join(local_get(0), i32_const(1), i32_add(), local_set(0));
    const Bytes large = join(repeat(1'000'000, statement), end());
    ASSERT_GT(large.size(), 7'000'000u - 1);
    EXPECT_THAT(validate_body(large), succeeds());
    // Nothing is ever taken from the stack until the end.
    const u32 count = 3'000'000;
    const Bytes tall = join(repeat(count, local_get(0)), repeat(count, drop()), end());
    EXPECT_EQ(summarise(tall).stack_slots_max, count);
}

TEST(Hostile, FramesMeetTheirLimit) {
    // 1,000 results for each call of two bytes.
    ModuleBuilder builder;
    const u32 type = builder.type({}, ValTypes(1000, type_i64));
    builder.import_function("m", "f", type);
    const u32 calls = limits::frame_slots_max / 1000 + 2000;
    builder.function({}, {}, join(repeat(calls, call(0)), return_(), end()));
    EXPECT_THAT(build::validate(builder.bytes()), fails(frame_too_large));
}

TEST(Hostile, ManyLocalsInManyFunctionsCostTheirRuns) {
    const auto module_with = [](u32 locals) {
        ModuleBuilder builder;
        const u32 type = builder.type({}, {});
        const Bytes code = body(local_get(locals - 1), drop());
        for (u32 i = 0; i < 10'000; ++i)
            builder.function(type, code, {{locals, type_i32}});
        return builder.bytes();
    };
    const Bytes few = module_with(200);
    const Bytes many = module_with(limits::locals_max);
    EXPECT_LE(many.size(), few.size() + 10'000u * 6);
    const double cost_few = cost_ms([&] { EXPECT_THAT(build::validate(few), succeeds()); });
    const double cost_many = cost_ms([&] { EXPECT_THAT(build::validate(many), succeeds()); });
    // Work per local would be 250 times as much.
    EXPECT_LT(cost_many, 8 * cost_few + 5);
}

TEST(Hostile, RunsOfLocalsAreSearchedNotWalked) {
    // 25,000 runs, and as many uses of the last local.
    const auto body_with = [](u32 runs) {
        ModuleBuilder builder;
        std::vector<Locals> locals(runs, {2, type_i32});
        builder.function(
            {}, {}, join(repeat(25'000, join(local_get(2 * runs - 1), drop())), end()), locals);
        return builder.bytes();
    };
    const Bytes few = body_with(100);
    const Bytes many = body_with(25'000);
    const double cost_few = cost_ms([&] { EXPECT_THAT(build::validate(few), succeeds()); });
    const double cost_many = cost_ms([&] { EXPECT_THAT(build::validate(many), succeeds()); });
    EXPECT_LT(cost_many, 20 * cost_few + 5);
}

TEST(Hostile, ManyResultsBehindEachLabelAreCompared) {
    // Two labels by turns, of 1,000 results each; and one result of another type at either end.
    const auto table_of = [](const ValTypes& operands, const ValTypes& label) {
        ModuleBuilder builder;
        builder.type({}, {});
        const TypeIndex results{builder.type({}, label)};
        Bytes code = join(block(results), block(results), push(operands), i32_const(0));
        append(code, join(opcode(Op::br_table), leb_u(65'519), repeat(32'760, {0, 1})));
        builder.function(0, join(code, end(), end(), return_(), end()));
        return build::validate(builder.bytes());
    };
    const ValTypes thousand(1000, type_i64);
    EXPECT_THAT(table_of(thousand, thousand), succeeds());
    ValTypes wrong_first = thousand;
    wrong_first.front() = type_i32;
    EXPECT_THAT(table_of(wrong_first, thousand), fails(type_mismatch));
    ValTypes wrong_last = thousand;
    wrong_last.back() = type_i32;
    EXPECT_THAT(table_of(wrong_last, thousand), fails(type_mismatch));
    EXPECT_THAT(table_of(ValTypes(999, type_i64), thousand), fails(type_mismatch));
}

/// Dead code, branches out of deep nests and large signatures: twice the bytes, about twice the
/// work.
TEST(Hostile, WorkIsLinearInTheBytes) {
    const auto with_branches = [](u32 depth) {
        return join(repeat(depth, block()), repeat(depth, join(local_get(0), br_if(depth - 1))),
            repeat(depth, end()), end());
    };
    const auto with_tables = [](u32 count) {
        const Bytes table = join(local_get(0), br_table(0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
        return join(repeat(count, join(block(), table, end())), end());
    };
    const auto dead = [](u32 count) {
        return join(build::unreachable(), repeat(count, join(i32_add(), drop())), end());
    };
    const std::function<Bytes(u32)> shapes[] = {with_branches, with_tables, dead};
    for (const auto& shape : shapes) {
        const Body small = make_body(shape(20'000));
        const Body large = make_body(shape(160'000));
        const auto walk_all = [](const Body& made) {
            FunctionValidator validator{made.module, default_features()};
            FunctionSummary summary;
            EXPECT_THAT(validator.validate(made.func, summary), succeeds());
        };
        const double cost_small = cost_ms([&] { walk_all(small); });
        const double cost_large = cost_ms([&] { walk_all(large); });
        // Eight times the bytes; quadratic work would cost 64 times as much.
        EXPECT_LT(cost_large, 24 * cost_small + 5);
    }
}

// ---- cut and flipped bytes ------------------------------------------------------------------

/// Modules with every section and many rows.
std::vector<Bytes> samples() {
    std::vector<Bytes> all;
    ModuleBuilder builder;
    const u32 type = builder.type({type_i32, type_i64}, {type_i64});
    const u32 nothing = builder.type({}, {});
    builder.import_function("env", "f", type);
    builder.import_global("env", "g", type_i32, false);
    builder.table(type_funcref, 3, 9);
    builder.memory(1, 2);
    builder.global(type_i32, true, body(global_get(0), i32_const(4), i32_mul()));
    const u32 first = builder.function(type,
        body(local_get(1), local_get(0), if_(type_i64), i64_const(-77), else_(), i64_const(1),
            local_tee(2), end(), i64_add(), local_get(0), br_table(0, 0, 0)),
        {{3, type_i64}, {1, type_f32}});
    builder.start(builder.function(
        nothing, body(i32_const(3), i32_const(1), i32_const(1), memory_init(0), loop(),
                     i32_const(0), br_if(0), end(), i32_const(0), f64_load(9, 3), drop())));
    builder.export_item("first", ExternKind::func, first);
    builder.active_elements(body(i32_const(0)), {0, 1, 2});
    builder.element(
        join(5, val_type(type_funcref), 2, body(ref_null(type_funcref)), body(ref_func(0))));
    builder.passive_data("0123456789");
    builder.active_data(body(i32_const(16)), "abc");
    builder.data_count(2);
    builder.custom(
        "name", join(0, sized(name("n")), 1, sized(join(2, 0, name("a"), 1, name("b")))));
    all.push_back(builder.bytes());
    for (u32 seed = 1; seed <= 3; ++seed)
        all.push_back(make_body(RandomBody{seed}.make(8, 4)).bytes);
    return all;
}

/// In memory of exactly its size, so that a sanitizer sees a read behind it.
Result<void> validate_exact(const u8* bytes, std::size_t size) {
    const auto copy = std::make_unique<u8[]>(size);
    std::copy_n(bytes, size, copy.get());
    const std::span<const u8> span{copy.get(), size};
    Result<Module> decoded = decode(span, default_features());
    if (!decoded.ok()) return decoded.error();
    Module& module = decoded.value();
    WRUN_TRY(validate_module(module, default_features()));
    FunctionValidator validator{module, default_features()};
    FunctionSummary summary;
    for (u32 i = module.imported_function_count; i < module.functions.size(); ++i) {
        const FuncIndex func{i};
        WRUN_TRY(validator.validate(func, summary));
        // What is valid may be trusted.
        EXPECT_EQ(heard_checked(module, func, default_features()), heard_trusted(module, func));
    }
    return {};
}

TEST(Hostile, EveryPrefixIsRefusedOrEndsWithASection) {
    for (const Bytes& sample : samples()) {
        ASSERT_THAT(validate_exact(sample.data(), sample.size()), succeeds());
        std::vector<bool> section_ends(sample.size() + 1);
        const Result<Module> whole = decode(sample, default_features());
        section_ends[8] = true;
        for (const SectionInfo& section : whole.value().sections)
            section_ends[section.bytes.end] = true;
        for (std::size_t size = 0; size < sample.size(); ++size) {
            const Result<void> result = validate_exact(sample.data(), size);
            if (section_ends[size]) continue;
            EXPECT_FALSE(result.ok()) << size;
            EXPECT_EQ(error_class(result.error().code), ErrorClass::malformed) << size;
            EXPECT_LE(result.error().offset, size);
        }
    }
}

TEST(Hostile, EveryFlippedByteIsAVerdict) {
    for (const Bytes& sample : samples()) {
        for (std::size_t at = 0; at < sample.size(); ++at) {
            for (const u8 value : {u8{0}, u8{0x0b}, u8{0x7f}, u8{0x80}, u8{0xff},
                     static_cast<u8>(sample[at] ^ 1), static_cast<u8>(sample[at] + 1)}) {
                Bytes flipped = sample;
                flipped[at] = value;
                (void)validate_exact(flipped.data(), flipped.size());
            }
        }
    }
}

TEST(Hostile, RandomDamageIsAVerdict) {
    std::mt19937 random{20'240'607};
    const std::vector<Bytes> all = samples();
    u32 accepted = 0;
    for (u32 round = 0; round < 20'000; ++round) {
        Bytes damaged = all[random() % all.size()];
        const auto places = static_cast<u32>(1 + random() % 3);
        for (u32 i = 0; i < places; ++i) {
            const std::size_t at = random() % damaged.size();
            switch (random() % 3) {
                case 0: damaged[at] = static_cast<u8>(random()); break;
                case 1: damaged.erase(damaged.begin() + static_cast<std::ptrdiff_t>(at)); break;
                default:
                    damaged.insert(damaged.begin() + static_cast<std::ptrdiff_t>(at),
                        static_cast<u8>(random()));
            }
        }
        if (validate_exact(damaged.data(), damaged.size()).ok()) ++accepted;
    }
    // Some damage does not matter: names, constants, data.
    EXPECT_GT(accepted, 100u);
}

}  // namespace
}  // namespace wrun
