// The comparison of two engines, on engines made up for it: whatever one of them does differently
// is seen, and what they may do differently is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/transcript.hpp"

namespace wrun::differ {
namespace {

using Kind = Comparison::Kind;
using ::testing::HasSubstr;

/// An engine that does as told: its module imports "host" "h" and exports a function of two
/// results, a global, a memory and a table.
class FakeSubject final : public Subject {
public:
    Verdict verdict = Verdict::accepted;
    Shape module = default_shape();
    Ending instantiation;
    Ending ending;
    std::vector<Value> results = {{Type::i32, 7}, {Type::f64, 0}};
    std::vector<Value> host_arguments = {{Type::i64, 5}};
    Value global_now = {Type::i64, 1};
    std::vector<u8> bytes = std::vector<u8>(65'536);
    std::vector<Value> elements = {{Type::externref, 0}, {Type::externref, 3}};
    u32 calls_that_return = 0xffff;  // the next one ends as `ending` says

    std::string_view name() const override { return "fake"; }
    Verdict load(std::span<const u8>, std::string& why) override {
        why = "because";
        return verdict;
    }
    const Shape& shape() const override { return module; }
    void begin_round(Host& host) override {
        host_ = &host;
        instances_ = 0;
    }
    Ending instantiate() override {
        ++instances_;
        return instantiation;
    }
    u32 instance_count() const override { return instances_; }
    Ending call(u32, u32, std::span<const Value>, std::vector<Value>& answers) override {
        std::vector<Value> host_results = {{Type::i32, 0}};
        host_saw = host_->call(0, host_arguments, host_results) ? host_results[0].bits : 0;
        if (calls++ >= calls_that_return) return ending;
        answers = results;
        return {};
    }
    Value global(u32, u32) override { return global_now; }
    std::span<const u8> memory(u32, u32) override { return bytes; }
    u64 table_size(u32, u32) override { return elements.size(); }
    Value table_element(u32, u32, u64 index) override { return elements[index]; }

    u32 calls = 0;
    u64 host_saw = 0;

private:
    static Item item(std::string module, std::string field, ExternKind kind) {
        Item made;
        made.module = std::move(module);
        made.field = std::move(field);
        made.kind = kind;
        return made;
    }
    static Shape default_shape() {
        Shape shape;
        Item host = item("host", "h", ExternKind::func);
        host.params = {Type::i64};
        host.results = {Type::i32};
        shape.imports = {host};
        Item func = item("", "f", ExternKind::func);
        func.params = {Type::i32};
        func.results = {Type::i32, Type::f64};
        Item global = item("", "g", ExternKind::global);
        global.content = Type::i64;
        const Item memory = item("", "m", ExternKind::memory);
        Item table = item("", "t", ExternKind::table);
        table.content = Type::externref;
        shape.exports = {func, global, memory, table};
        return shape;
    }

    Host* host_ = nullptr;
    u32 instances_ = 0;
};

Ending trap(TrapKind kind) {
    return {Ending::Kind::trapped, kind, {}};
}

Comparison compare_fakes(FakeSubject mine, FakeSubject second) {
    const ObserveOptions options;
    return compare(observe(mine, {}, options), observe(second, {}, options));
}

using Change = std::function<void(FakeSubject&)>;

/// One subject is changed; the other is not.
Comparison with(const Change& change) {
    FakeSubject changed;
    change(changed);
    return compare_fakes(changed, {});
}

TEST(Comparison, OfEqualBehaviourFindsNothing) {
    EXPECT_EQ(compare_fakes({}, {}).kind, Kind::same);
}

TEST(Comparison, FindsEachDifference) {
    struct Row {
        const char* what;
        const char* text;  // of the message
        Change change;
    };
    const Row rows[] = {
        {"first result", "result 0 = i32 0x00000008", [](auto& s) { s.results[0].bits = 8; }},
        {"sign of a zero", "result 1 = f64 0x8000",
            [](auto& s) { s.results[1].bits = u64{1} << 63; }},
        {"trap", "trap: unreachable",
            [](auto& s) {
                s.calls_that_return = 0;
                s.ending = trap(TrapKind::unreachable);
            }},
        {"start trap", "trap: integer overflow",
            [](auto& s) { s.instantiation = trap(TrapKind::integer_overflow); }},
        {"unlinkable", "refused", [](auto& s) { s.instantiation.kind = Ending::Kind::refused; }},
        {"host argument", "argument 0 = i64 0x0000000000000006",
            [](auto& s) { s.host_arguments[0].bits = 6; }},
        {"global", "global \"g\"", [](auto& s) { s.global_now.bits = 2; }},
        {"byte of memory", "memory \"m\"", [](auto& s) { s.bytes[65'535] = 1; }},
        {"pages of memory", "131072 bytes", [](auto& s) { s.bytes.resize(131'072); }},
        {"size of a table", "3 elements",
            [](auto& s) {
                s.elements.push_back({Type::externref, 0});
            }},
        {"element of a table", "element 1", [](auto& s) { s.elements[1].bits = 2; }},
        {"null in a table", "element 0", [](auto& s) { s.elements[0].bits = 1; }},
        {"verdict", "refused: because", [](auto& s) { s.verdict = Verdict::refused; }},
        {"type of an export", "exports", [](auto& s) { s.module.exports[0].results.clear(); }},
    };
    for (const Row& row : rows) {
        const Comparison comparison = with(row.change);
        EXPECT_EQ(comparison.kind, Kind::different) << row.what;
        EXPECT_THAT(comparison.text, HasSubstr(row.text)) << row.what;
    }
}

TEST(Comparison, TellsTrapsApart) {
    FakeSubject mine;
    mine.calls_that_return = 0;
    mine.ending = trap(TrapKind::memory_bounds);
    FakeSubject second = mine;
    EXPECT_EQ(compare_fakes(mine, second).kind, Kind::same);
    second.ending = trap(TrapKind::table_bounds);
    EXPECT_EQ(compare_fakes(mine, second).kind, Kind::different);
}

TEST(Comparison, TakesOneNanForAnother) {
    for (const auto& [type, first, other] :
        {std::tuple{Type::f32, u64{0x7fc0'0000}, u64{0xffa0'0001}},
            std::tuple{Type::f64, u64{0x7ff8'0000'0000'0000}, u64{0xfff0'0000'0000'0001}}}) {
        FakeSubject mine;
        FakeSubject second;
        mine.results[1] = {type, first};
        second.results[1] = {type, other};
        EXPECT_EQ(compare_fakes(mine, second).kind, Kind::same) << text(mine.results[1]);
        second.results[1] = {type, type == Type::f32 ? u64{0x7f80'0000} : u64{0x7ff} << 52};
        EXPECT_EQ(compare_fakes(mine, second).kind, Kind::different) << "an infinity is no NaN";
    }
}

TEST(Comparison, IgnoresWhatLiesAboveAnI32) {
    EXPECT_EQ(with([](auto& s) { s.results[0].bits |= u64{1} << 40; }).kind, Kind::same);
}

TEST(Comparison, StopsWhereBothRunOutOfStack) {
    FakeSubject mine;
    mine.calls_that_return = 1;
    mine.ending = trap(TrapKind::stack_overflow);
    FakeSubject second = mine;
    second.global_now.bits = 1;
    EXPECT_EQ(compare_fakes(mine, second).kind, Kind::same);
}

TEST(Comparison, SkipsWhereOneRunsOutOfStack) {
    const Comparison comparison = with([](auto& s) {
        s.calls_that_return = 1;
        s.ending = trap(TrapKind::stack_overflow);
    });
    EXPECT_EQ(comparison.kind, Kind::skipped);
    EXPECT_THAT(comparison.text, HasSubstr("ran out of stack"));
}

TEST(Comparison, FindsWhatDiffersBeforeAStackRunsOut) {
    const Comparison comparison = with([](auto& s) {
        s.calls_that_return = 1;
        s.ending = trap(TrapKind::stack_overflow);
        s.results[0].bits = 8;
    });
    EXPECT_EQ(comparison.kind, Kind::different);
}

TEST(Comparison, SkipsWhatIsOverALimit) {
    EXPECT_EQ(with([](auto& s) { s.verdict = Verdict::over_a_limit; }).kind, Kind::skipped);
}

TEST(Observation, CallsBackWhenTheHostFunctionIsNamedSo) {
    const auto calls_of = [](std::string_view field) {
        FakeSubject subject;
        subject.module.imports[0].field = field;
        static_cast<void>(observe(subject, {}, {}));
        return subject.calls;
    };
    EXPECT_EQ(calls_of("h"), 3u);
    EXPECT_GT(calls_of(calling_back), 3u);
}

TEST(Observation, InstantiatesTwiceWhenAnImportIsATwins) {
    FakeSubject subject;
    subject.module.imports[0].module = twin_module;
    static_cast<void>(observe(subject, {}, {}));
    EXPECT_EQ(subject.instance_count(), 2u);
    EXPECT_EQ(subject.calls, 6u);
}

TEST(Plan, BeginsWithZeros) {
    for (const Type type : {Type::i32, Type::i64, Type::f32, Type::f64, Type::externref})
        EXPECT_EQ(argument(type, 0, 3, 2).bits, 0u) << name(type);
}

TEST(Plan, VariesByRoundExportAndParameter) {
    u32 equal = 0;
    for (u32 i = 1; i < 100; ++i) {
        equal += argument(Type::i64, i, 1, 1).bits == argument(Type::i64, 1, i, 1).bits;
        equal += argument(Type::i64, i, 1, 1).bits == argument(Type::i64, 1, 1, i).bits;
    }
    EXPECT_LT(equal, 40u);
}

}  // namespace
}  // namespace wrun::differ
