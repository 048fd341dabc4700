// Snapshots: instances begin where the frozen one was, in a store and in slots, and nothing that a
// file says of one is believed.
#include "engine/snapshot.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

#include "base/errors.hpp"
#include "engine/frozen.hpp"
#include "tests/engine/artifacts.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::ArtifactBytes;
using engine::ArtifactSection;
using engine::Snapshot;
using engine::SnapshotFacts;
using ::testing::HasSubstr;

/// Everything that init can leave. `seen` and its like tell it.
const char* const everything = R"((module $everything
  (type $unary (func (param i32) (result i32)))
  (import "host" "note" (func $note (param i32)))
  (import "host" "twice" (func $twice (type $unary)))
  (memory (export "memory") 2 40) (data (i32.const 8) "begin") (data $late "later") (data $kept "kept")
  (table $t (export "table") 3 50 funcref) (table $u 1 9 externref)
  (elem (table $t) (i32.const 0) func $nine $nine)
  (elem $gone func $nine) (elem $stays func $ten $twice)
  (global $small (mut i32) (i32.const 1)) (global $large (mut i64) (i64.const 1))
  (global $half (mut f32) (f32.const 0.5)) (global $whole (mut f64) (f64.const 0.5))
  (global $function (mut funcref) (ref.null func)) (global $import (mut funcref) (ref.null func))
  (global $host (mut externref) (ref.null extern)) (global $fixed i32 (i32.const 77))
  (func $start (call $note (i32.const 1)))
  (start $start)
  (func $nine (type $unary) (i32.add (local.get 0) (i32.const 9)))
  (func $ten (type $unary) (i32.add (local.get 0) (i32.const 10)))
  (func (export "init")
    (call $note (i32.const 2))
    (i32.store (i32.const 100) (i32.const 123))
    (drop (memory.grow (i32.const 30)))
    (i32.store (i32.const 2097148) (i32.const 456)) (i32.store (i32.const 2090000) (i32.const 1))
    (i32.store (i32.const 1200000) (i32.const 789))
    (global.set $small (i32.const -5)) (global.set $large (i64.const -6))
    (global.set $half (f32.const 1.25)) (global.set $whole (f64.const -2.5))
    (global.set $function (ref.func $ten)) (global.set $import (ref.func $twice))
    (table.set $t (i32.const 1) (ref.func $twice)) (table.set $t (i32.const 0) (ref.null func))
    (drop (table.grow $t (ref.func $ten) (i32.const 4)))
    (data.drop $late) (elem.drop $gone))
  (func (export "again") (global.set $small (i32.add (global.get $small) (i32.const 1))))
  (func (export "wrun_restored")
    (call $note (i32.const 3))
    (i32.store (i32.const 104) (i32.add (i32.load (i32.const 104)) (i32.const 1))))
  (func (export "load") (type $unary) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "small") (result i32) (global.get $small))
  (func (export "large") (result i64) (global.get $large))
  (func (export "half") (result f32) (global.get $half))
  (func (export "whole") (result f64) (global.get $whole))
  (func (export "fixed") (result i32) (global.get $fixed))
  (func (export "size") (result i32) (memory.size))
  (func (export "sizes") (result i32 i32) (table.size $t) (table.size $u))
  (func (export "grow") (type $unary) (memory.grow (local.get 0)))
  (func (export "grow_table") (type $unary) (table.grow $t (ref.func $nine) (local.get 0)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect $t (type $unary) (local.get 0) (local.get 1)))
  (func (export "by_global") (result i32 i32)
    (table.set $t (i32.const 0) (global.get $function)) (table.set $t (i32.const 2) (global.get $import))
    (call_indirect $t (type $unary) (i32.const 5) (i32.const 0))
    (call_indirect $t (type $unary) (i32.const 5) (i32.const 2)))
  (func (export "late") (memory.init $late (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "kept") (result i32)
    (memory.init $kept (i32.const 0) (i32.const 0) (i32.const 4)) (i32.load (i32.const 0)))
  (func (export "gone") (table.init $t $gone (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "stays") (result i32)
    (table.init $t $stays (i32.const 0) (i32.const 0) (i32.const 2))
    (call_indirect $t (type $unary) (i32.const 5) (i32.const 1)))
  (func (export "null") (result i32) (ref.is_null (global.get $host)))))";

HostResult twice(Caller&, void*, std::span<u64> slots) {
    slots[0] = static_cast<u32>(slots[0] * 2);
    return HostResult::ok();
}

class SnapshotTest : public SlotsTest {
protected:
    SnapshotTest() {
        define("note", {type_i32}, {}, note, &notes);
        define("twice", {type_i32}, {type_i32}, twice);
    }
    static HostResult note(Caller&, void* env, std::span<u64> slots) {
        static_cast<std::vector<u64>*>(env)->push_back(slots[0]);
        return slots[0] == 0xffff'ffff ? HostResult::exited(3) : HostResult::ok();
    }

    TemplatePtr freeze(std::string_view wat, std::vector<std::string> init = {"init"},
        const engine::ModuleOptions& how = {}) {
        const auto module = engine::Module::compile(*engine, wat::assemble(wat), how).take();
        auto made = Template::make(module, linker, {.init = std::move(init)});
        EXPECT_TRUE(made.ok()) << describe(made.error());
        return made.ok() ? std::move(made).take().made : nullptr;
    }
    static Bytes artifact_of(const TemplatePtr& of, u32 learned = 0, u64 monotonic_ns = 0) {
        const Snapshot taken = Snapshot::take(*of, learned, monotonic_ns).take();
        return bytes_of(ArtifactBytes{of->module(), taken.view()});
    }
    Result<std::shared_ptr<const engine::Module>> load(const Bytes& artifact) {
        return engine::load_foreign_artifact(*engine, memory_file(artifact));
    }
    std::shared_ptr<const engine::Module> load_whole(const Bytes& artifact) {
        auto loaded = load(artifact);
        EXPECT_TRUE(loaded.ok()) << describe(loaded.error());
        return loaded.ok() ? std::move(loaded).take() : nullptr;
    }
    engine::Instance& begin(const std::shared_ptr<const engine::Module>& module) {
        auto made = store->instantiate(module, linker);
        EXPECT_TRUE(made.ok()) << describe(made.error());
        instance = made.value().instance;
        return *instance;
    }
    using Calls = std::vector<std::pair<const char*, std::vector<Value>>>;
    static const Calls& all_calls() {
        const auto i32 = [](u32 value) { return Value::i32(value); };
        static const Calls calls = {{"load", {i32(8)}}, {"load", {i32(100)}}, {"load", {i32(104)}},
            {"load", {i32(2'097'148)}}, {"load", {i32(1'200'000)}}, {"load", {i32(2'097'149)}},
            {"small", {}}, {"large", {}}, {"half", {}}, {"whole", {}}, {"fixed", {}}, {"size", {}},
            {"sizes", {}}, {"null", {}}, {"indirect", {i32(5), i32(0)}},
            {"indirect", {i32(5), i32(1)}}, {"indirect", {i32(5), i32(2)}},
            {"indirect", {i32(5), i32(3)}}, {"indirect", {i32(5), i32(6)}},
            {"indirect", {i32(5), i32(7)}}, {"by_global", {}}, {"late", {}}, {"kept", {}},
            {"gone", {}}, {"stays", {}}, {"grow", {i32(8)}}, {"load", {i32(2'621'436)}},
            {"grow", {i32(1)}}, {"grow_table", {i32(43)}}, {"indirect", {i32(5), i32(49)}},
            {"grow_table", {i32(1)}}};
        return calls;
    }
    /// All of them on `instance`.
    std::string behaviour() {
        std::string all;
        for (const auto& [name, arguments] : all_calls())
            all += std::string{name} + "=" + call(name, arguments) + "; ";
        return all;
    }

    std::vector<u64> notes;
};

constexpr const char* wanted_behaviour =
    "load=1768383842; load=123; load=1; load=456; load=789; load=trap: out of bounds memory "
    "access; "
    "small=-5; large=-6; half=1.25; whole=-2.5; fixed=77; size=32; sizes=7 1; null=1; "
    "indirect=trap: uninitialized element; indirect=10; indirect=trap: uninitialized element; "
    "indirect=15; indirect=15; indirect=trap: undefined element; by_global=15 10; "
    "late=trap: out of bounds memory access; kept=1953523051; "
    "gone=trap: out of bounds table access; stays=10; grow=32; load=0; grow=-1; grow_table=7; "
    "indirect=14; grow_table=-1; ";

TEST_F(SnapshotTest, InstancesBeginWhereInitEnded) {
    for (const auto bounds : {engine::Bounds::guard, engine::Bounds::checked}) {
        notes.clear();
        const auto from = freeze(everything, {"init"}, {bounds});
        EXPECT_EQ(notes, (std::vector<u64>{1, 2}));
        const Bytes artifact = artifact_of(from);
        const auto module = load_whole(artifact);
        notes.clear();
        begin(module);
        EXPECT_EQ(notes, std::vector<u64>{3}) << "neither start nor init, and wrun_restored once";
        EXPECT_EQ(behaviour(), wanted_behaviour);
        EXPECT_EQ(notes, std::vector<u64>{3});
        begin(module);
        EXPECT_EQ(behaviour(), wanted_behaviour) << "again";
        EXPECT_EQ(bytes_of(*module), artifact) << "written again";
        EXPECT_EQ(module->options().bounds, bounds);
    }
}

TEST_F(SnapshotTest, SlotsBeginThereToo) {
    open_pool({});
    const auto from = freeze(everything);
    const auto module = load_whole(artifact_of(from));
    notes.clear();
    auto made = Template::make(module, linker);
    ASSERT_TRUE(made.ok()) << describe(made.error());
    const TemplatePtr of = made.value().made;
    EXPECT_EQ(notes, std::vector<u64>{}) << "freezing is no start";
    EXPECT_EQ(of->difference(*from), "");
    const auto run_all = [&] {
        auto run = shard->start(of).take();
        std::string all;
        for (const auto& [name, arguments] : all_calls()) {
            std::vector<Value> results;
            std::string said = text(run.call(*of->find_function(name), arguments, results));
            for (const Value& result : results)
                said += (said.empty() ? "" : " ") + text(result);
            all += std::string{name} + "=" + said + "; ";
        }
        return all;
    };
    for (u64 i = 1; i <= 3; ++i) {
        EXPECT_EQ(run_all(), wanted_behaviour);
        EXPECT_EQ(notes, std::vector<u64>(i, 3)) << "once in each run";
    }
}

TEST_F(SnapshotTest, ATemplateWithInitTellsItsRunsToo) {
    open_pool({});
    const auto of = freeze(everything);
    notes.clear();
    for (u64 i = 1; i <= 3; ++i) {
        auto run = shard->start(of).take();
        std::vector<Value> results;
        EXPECT_EQ(
            text(run.call(*of->find_function("load"), std::vector{Value::i32(104)}, results)), "");
        EXPECT_EQ(text(results.at(0)), "1");
        EXPECT_EQ(notes, std::vector<u64>(i, 3));
    }
}

TEST_F(SnapshotTest, KeepsItsFacts) {
    const auto from = freeze(everything, {"again", "init", "again"});
    const auto module = load_whole(artifact_of(from, 5, 1'000'000'007));
    ASSERT_NE(module->snapshot(), nullptr);
    const SnapshotFacts& facts = *module->snapshot();
    EXPECT_EQ(module->decoded().text(module->decoded().exports[facts.init].field), "again");
    EXPECT_EQ(facts.learned, 5u);
    EXPECT_EQ(facts.monotonic_ns, 1'000'000'007u);
    begin(module);
    EXPECT_EQ(call("small"), "-4") << "in the order that was given";
    EXPECT_EQ(from->module().snapshot(), nullptr);
}

TEST_F(SnapshotTest, IsTheSameWheneverItIsTaken) {
    EXPECT_EQ(artifact_of(freeze(everything)), artifact_of(freeze(everything)));
}

TEST_F(SnapshotTest, OfAModuleWithNothing) {
    const auto module = load_whole(artifact_of(freeze("(module)", {})));
    begin(module);
    EXPECT_EQ(module->snapshot()->init, SnapshotFacts::none);
    const auto grown =
        load_whole(artifact_of(freeze("(module (memory (export \"m\") 0 1) (func (export \"init\") "
                                      "(drop (memory.grow (i32.const 1)))))")));
    EXPECT_EQ(begin(grown).memory().size(), 65'536u) << "all zero, and larger";
}

TEST_F(SnapshotTest, LeavesOutZeros) {
    const Bytes artifact = artifact_of(freeze(R"((module (memory (export "m") 1000)
        (func (export "init") (i32.store8 (i32.const 5) (i32.const 1))
            (i32.store8 (i32.const 40000000) (i32.const 2)) (i32.store8 (i32.const 65535999) (i32.const 3)))))"));
    EXPECT_LT(artifact.size(), 100'000u);
    const auto memory = begin(load_whole(artifact)).memory();
    EXPECT_EQ(memory.load<u8>(5), 1);
    EXPECT_EQ(memory.load<u8>(40'000'000), 2);
    EXPECT_EQ(memory.load<u8>(65'535'999), 3);
    EXPECT_EQ(memory.load<u8>(40'000'001), 0);
    // Many places far apart become few runs.
    const auto scattered =
        freeze(R"((module (memory (export "m") 1000) (func (export "init") (local $i i32)
        (loop $more (i32.store8 (local.get $i) (i32.const 7))
            (local.set $i (i32.add (local.get $i) (i32.const 1000000)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 65000000)))))))");
    Bytes many = artifact_of(scattered);
    EXPECT_LE(header_of(many).sections[to_underlying(ArtifactSection::image_runs)].bytes,
        8 * sizeof(engine::ImageRun));
    const auto seen = begin(load_whole(many)).memory();
    for (u64 at = 0; at < 65'000'000; at += 500'000)
        EXPECT_EQ(seen.load<u8>(at), at % 1'000'000 == 0 ? 7 : 0) << at;
}

TEST_F(SnapshotTest, EachInstanceHasItsOwnMemory) {
    const Bytes artifact = artifact_of(freeze(everything));
    const auto module = load_whole(artifact);
    begin(module);
    EXPECT_EQ(call("store", {Value::i32(100), Value::i32(1)}), "");
    begin(module);
    EXPECT_EQ(call("load", {Value::i32(100)}), "123");
    EXPECT_EQ(bytes_of(*module), artifact) << "nothing was written to the file";
}

TEST_F(SnapshotTest, LimitsOfTheStoreHold) {
    const auto module = load_whole(artifact_of(freeze(everything)));
    const auto refusal = [&](const engine::StoreOptions& options) {
        const auto small = engine::Store::make(*engine, options).take();
        const auto made = small->instantiate(module, linker);
        return made.ok() ? ErrorCode::ok : made.error().code;
    };
    EXPECT_EQ(refusal({.memory_bytes_max = 32 << 16}), ErrorCode::ok);
    EXPECT_EQ(refusal({.memory_bytes_max = 31 << 16}), ErrorCode::memory_limit);
    EXPECT_EQ(refusal({.table_elements_max = 8}), ErrorCode::ok);
    EXPECT_EQ(refusal({.table_elements_max = 7}), ErrorCode::table_limit);
}

// ---- wrun_restored -----------------------------------------------------------------------------

std::string with_restored(const std::string& body) {
    return R"((module (import "host" "note" (func $note (param i32)))
        (func (export "init")) (func (export "run") (call $note (i32.const 9))) )" +
           body + ")";
}

TEST_F(SnapshotTest, WhatDoesNotReturnFromRestoredEndsTheStart) {
    open_pool({});
    for (const auto& [body, said] : std::initializer_list<std::pair<const char*, const char*>>{
             {"unreachable", "trap: unreachable"}, {"(call $note (i32.const -1))", "exit 3"}}) {
        const std::string wat =
            with_restored("(func (export \"wrun_restored\") " + std::string{body} + ")");
        const auto from = freeze(wat);
        const auto module = load_whole(artifact_of(from));
        const auto made = store->instantiate(module, linker).take();
        EXPECT_EQ(made.instance, nullptr);
        EXPECT_EQ(text(made.outcome), said);
        notes.clear();
        auto run = shard->start(from).take();
        std::vector<Value> results;
        for (int i = 0; i < 2; ++i)
            EXPECT_EQ(text(run.call(*from->find_function("run"), {}, results)), said);
        EXPECT_EQ(std::count(notes.begin(), notes.end(), 9), 0);
    }
}

TEST_F(SnapshotTest, RestoredMustBeAPlainFunction) {
    for (const char* const body : {"(func (export \"wrun_restored\") (param i32))",
             "(func (export \"wrun_restored\") (result i32) (i32.const 1))",
             "(global (export \"wrun_restored\") i32 (i32.const 1))"}) {
        const auto module = compile(with_restored(body)).take();
        const auto made = Template::make(module, linker, {.init = {"init"}});
        ASSERT_FALSE(made.ok()) << body;
        EXPECT_EQ(made.error().code, ErrorCode::restored_mismatch);
        EXPECT_NE(store->instantiate(module, linker).take().instance, nullptr)
            << "an instance that is not frozen need not care";
    }
}

TEST_F(SnapshotTest, WithoutRestoredNothingIsCalled) {
    const auto module = load_whole(artifact_of(freeze(with_restored(""))));
    notes.clear();
    begin(module);
    EXPECT_EQ(call("run"), "");
    EXPECT_EQ(notes, std::vector<u64>{9});
}

// ---- what a file may say -----------------------------------------------------------------------

class SnapshotDamage : public SnapshotTest {
protected:
    void SetUp() override {
        SnapshotTest::SetUp();
        if (!IsSkipped()) artifact_ = artifact_of(freeze(everything));
    }
    const engine::StoredSection& section(ArtifactSection of) {
        return header_of(artifact_).sections[to_underlying(of)];
    }
    /// With an item changed and all sums right, as who wants to be believed would write it.
    template <class T>
    ErrorCode with(ArtifactSection of, u64 item, const std::function<void(T&)>& change) {
        Bytes changed = artifact_;
        T value{};
        u8* const place = changed.data() + section(of).offset + item * sizeof(T);
        EXPECT_LT(item * sizeof(T), section(of).bytes);
        std::memcpy(&value, place, sizeof value);
        change(value);
        std::memcpy(place, &value, sizeof value);
        repair_sums(changed);
        const auto loaded = load(changed);
        return loaded.ok() ? ErrorCode::ok : loaded.error().code;
    }
    template <class T>
    ErrorCode with(ArtifactSection of, u64 item, T wanted) {
        return with<T>(of, item, [&](T& value) { value = wanted; });
    }
    Bytes artifact_;
};

constexpr auto refused = ErrorCode::artifact_damaged;

TEST_F(SnapshotDamage, OfFactsIsRefused) {
    const auto init = [&](u32 to) {
        return with<SnapshotFacts>(
            ArtifactSection::snapshot, 0, [&](SnapshotFacts& facts) { facts.init = to; });
    };
    EXPECT_EQ(init(0), refused) << "a memory";
    EXPECT_EQ(init(1'000), refused);
    EXPECT_EQ(init(SnapshotFacts::none), ErrorCode::ok);
}

TEST_F(SnapshotDamage, OfMemorySizesIsRefused) {
    const auto size = [&](u64 bytes) {
        return with<u64>(ArtifactSection::snapshot_memories, 0, bytes);
    };
    EXPECT_EQ(size(40 << 16), ErrorCode::ok);
    EXPECT_EQ(size(41 << 16), refused) << "more than the type allows";
    EXPECT_EQ(size(1 << 16), refused) << "less than it has at first";
    EXPECT_EQ(size((40 << 16) - 4096), refused);
    EXPECT_EQ(size(31 << 16), refused) << "a page lies outside";
    EXPECT_EQ(size(~u64{0}), refused);
    EXPECT_EQ(size(~u64{0} << 16), refused);
}

TEST_F(SnapshotDamage, OfRunsIsRefused) {
    using engine::ImageRun;
    const auto run = [&](u64 which, u64 ImageRun::*member, u64 value) {
        return with<ImageRun>(
            ArtifactSection::image_runs, which, [&](ImageRun& item) { item.*member = value; });
    };
    ASSERT_GE(section(ArtifactSection::image_runs).bytes, 3 * sizeof(ImageRun));
    EXPECT_EQ(run(0, &ImageRun::begin, 4096), ErrorCode::ok) << "elsewhere is still inside";
    EXPECT_EQ(run(0, &ImageRun::begin, 1), refused);
    EXPECT_EQ(run(0, &ImageRun::begin, 32 << 16), refused);
    EXPECT_EQ(run(2, &ImageRun::begin, 32 << 16), refused) << "behind the memory's end";
    EXPECT_EQ(run(2, &ImageRun::begin, (32 << 16) - 4096), refused) << "half of it is";
    EXPECT_EQ(run(2, &ImageRun::begin, (32 << 16) - 12288), ErrorCode::ok);
    EXPECT_EQ(run(2, &ImageRun::bytes, 4096), refused) << "a page is left over";
    EXPECT_EQ(run(0, &ImageRun::begin, ~u64{4095}), refused);
    EXPECT_EQ(run(1, &ImageRun::begin, 0), refused) << "over another one";
    EXPECT_EQ(run(0, &ImageRun::begin, 1'499'136), refused) << "behind the next";
    EXPECT_EQ(run(0, &ImageRun::memory, 1), refused);
    EXPECT_EQ(run(0, &ImageRun::memory, ~u64{0}), refused);
    EXPECT_EQ(run(0, &ImageRun::bytes, 0), refused);
    EXPECT_EQ(run(0, &ImageRun::bytes, 8192), refused) << "offsets do not follow";
    EXPECT_EQ(run(0, &ImageRun::offset, 4096), refused);
    EXPECT_EQ(run(2, &ImageRun::bytes, u64{1} << 40), refused);
    EXPECT_EQ(with<ImageRun>(ArtifactSection::image_runs, 2,
                  [](ImageRun& item) {
                      item.begin -= 4096;
                      item.bytes += 4096;
                  }),
        refused)
        << "more than the section has";
    EXPECT_EQ(run(2, &ImageRun::offset, ~u64{4095}), refused);
}

TEST_F(SnapshotDamage, OfGlobalsIsRefused) {
    using engine::StoredCell;
    const auto global = [&](u64 which, u64 low, u64 high = 0) {
        return with<StoredCell>(ArtifactSection::snapshot_globals, which, {low, high});
    };
    EXPECT_EQ(global(0, 7), ErrorCode::ok);
    EXPECT_EQ(global(0, u64{1} << 32), refused) << "an i32 has 32 bits";
    EXPECT_EQ(global(2, u64{1} << 32), refused) << "so has an f32";
    EXPECT_EQ(global(1, ~u64{0}), ErrorCode::ok);
    EXPECT_EQ(global(1, 0, 1), refused) << "only a v128 has more than 64";
    EXPECT_EQ(global(4, 1), ErrorCode::ok) << "the first import";
    EXPECT_EQ(global(4, 1 + 2), refused) << "an import goes by its first number";
    EXPECT_EQ(global(4, 1 + 3), ErrorCode::ok);
    EXPECT_EQ(global(4, 1 + 2 + 100), refused);
    EXPECT_EQ(global(4, (u64{1} << 32) + 1), refused);
    EXPECT_EQ(global(6, 1), refused) << "the host's references cannot be there";
}

TEST_F(SnapshotDamage, OfTablesIsRefused) {
    const auto size = [&](u64 which, u64 to) {
        return with<u64>(ArtifactSection::snapshot_tables, which, to);
    };
    EXPECT_EQ(size(0, 6), refused) << "elements are left";
    EXPECT_EQ(size(0, 8), refused) << "none are left for the next";
    EXPECT_EQ(size(0, ~u64{0}), refused);
    EXPECT_EQ(size(1, 2), refused);
    const auto element = [&](u64 which, u32 to) {
        return with<u32>(ArtifactSection::snapshot_elements, which, to);
    };
    EXPECT_EQ(element(0, 1), ErrorCode::ok);
    EXPECT_EQ(element(1, 0), ErrorCode::ok);
    EXPECT_EQ(element(0, 1 + 2 + 100), refused);
    EXPECT_EQ(element(0, ~u32{0}), refused);
    EXPECT_EQ(element(7, 1), refused) << "the host's references cannot be there";
}

TEST_F(SnapshotDamage, OfDroppedSegmentsIsRefused) {
    const auto dropped = [&](u64 word, u64 flipped) {
        return with<u64>(
            ArtifactSection::snapshot_dropped, word, [&](u64& value) { value ^= flipped; });
    };
    EXPECT_EQ(dropped(0, 4), ErrorCode::ok) << "a passive one";
    EXPECT_EQ(dropped(0, 1), refused) << "an active one is always gone";
    EXPECT_EQ(dropped(0, 8), refused) << "there are three";
    EXPECT_EQ(dropped(1, 1), refused);
    EXPECT_EQ(dropped(1, u64{1} << 63), refused);
}

// A function table whose elements have one type takes no function of another.
TEST_F(SnapshotDamage, OfTypedReferencesIsRefused) {
    engine::EngineOptions options;
    options.features.set(Feature::function_references);
    const auto typed = engine::Engine::make(options).take();
    const auto wasm = wat::assemble(R"((module
        (type $unary (func (param i32) (result i32))) (type $none (func))
        (table $t 2 (ref null $unary)) (table $n 1 1 (ref $unary) (ref.func $nine))
        (elem declare func $nine $nothing)
        (func $nine (type $unary) (i32.add (local.get 0) (i32.const 9))) (func $nothing (type $none))
        (func (export "init") (table.set $t (i32.const 1) (ref.func $nine)))))");
    const auto compiled = engine::Module::compile(*typed, wasm);
    if (!compiled.ok()) GTEST_SKIP() << describe(compiled.error());
    const auto from = Template::make(compiled.value(), linker, {.init = {"init"}}).take().made;
    artifact_ = artifact_of(from);
    const auto element = [&](u64 which, u32 to) {
        Bytes changed = artifact_;
        std::memcpy(changed.data() + section(ArtifactSection::snapshot_elements).offset + 4 * which,
            &to, sizeof to);
        repair_sums(changed);
        return engine::load_foreign_artifact(*typed, memory_file(changed)).ok();
    };
    EXPECT_TRUE(element(0, 0));
    EXPECT_TRUE(element(0, 1));
    EXPECT_FALSE(element(0, 2)) << "another type";
    EXPECT_FALSE(element(2, 0)) << "null where none may be";
}

TEST_F(SnapshotDamage, ThatIsMissingIsRefused) {
    for (const ArtifactSection of : {ArtifactSection::snapshot, ArtifactSection::snapshot_memories,
             ArtifactSection::snapshot_globals, ArtifactSection::snapshot_tables,
             ArtifactSection::snapshot_elements, ArtifactSection::snapshot_dropped,
             ArtifactSection::image_runs, ArtifactSection::image}) {
        Bytes changed = artifact_;
        header_of(changed).sections[to_underlying(of)].bytes = 0;
        repair_sums(changed);
        EXPECT_FALSE(load(changed).ok()) << to_underlying(of);
    }
}

// Nor may it be another module's.
TEST_F(SnapshotDamage, OfAModuleThatImportsItsMemoryIsRefused) {
    const auto wasm = wat::assemble("(module (import \"m\" \"m\" (memory 1)))");
    const auto module = engine::Module::compile(*engine, wasm).take();
    Snapshot none;
    EXPECT_FALSE(load(bytes_of(ArtifactBytes{*module, none.view()})).ok());
}

// Whatever a changed snapshot with fitting sums says: it is refused, or instances of it are as safe
// as any.
TEST_F(SnapshotDamage, AtRandomIsHarmless) {
    std::mt19937 random{5};
    const std::array of = {ArtifactSection::snapshot_memories, ArtifactSection::snapshot_globals,
        ArtifactSection::snapshot_tables, ArtifactSection::snapshot_elements,
        ArtifactSection::snapshot_dropped, ArtifactSection::image_runs, ArtifactSection::snapshot};
    u32 loaded_count = 0;
    for (u32 i = 0; i < 6'000 / slowness; ++i) {
        Bytes changed = artifact_;
        for (u64 count = random() % 2 + 1; count != 0; --count) {
            const auto& [offset, bytes, sum] = section(of[random() % of.size()]);
            u8& byte = changed[offset + random() % bytes];
            byte = static_cast<u8>(random() % 2 == 0 ? random() % 16 : byte ^ (1u << random() % 8));
        }
        repair_sums(changed);
        const auto loaded = load(changed);
        if (!loaded.ok()) {
            ASSERT_EQ(loaded.error().code, refused) << i;
            continue;
        }
        ++loaded_count;
        store = engine::Store::make(*engine).take();
        const auto made = store->instantiate(loaded.value(), linker);
        ASSERT_TRUE(made.ok()) << describe(made.error());
        instance = made.value().instance;
        ASSERT_NE(instance, nullptr);
        EXPECT_THAT(behaviour(), HasSubstr("fixed="));
    }
    EXPECT_GT(loaded_count, 100u / slowness);
}

TEST_F(SnapshotDamage, EveryFlippedBitIsFound) {
    const os::File file = memory_file(artifact_);
    const auto is_taken = [&] {
        const bool by_start = engine::load_checked_artifact(*engine, file.copy()).ok();
        const bool by_all = engine::load_foreign_artifact(*engine, file.copy()).ok();
        return std::pair{by_start, by_all};
    };
    ASSERT_EQ(is_taken(), (std::pair{true, true}));
    flip_each(file, artifact_, {0, header_of(artifact_).checked_end, slowness}, [&] {
        return is_taken() == std::pair{false, false};
    });
    const auto& [offset, bytes, sum] = section(ArtifactSection::image);
    flip_each(file, artifact_, {offset, offset + bytes, 61 * slowness}, [&] {
        return is_taken() == std::pair{true, false};
    });
    ASSERT_EQ(is_taken(), (std::pair{true, true}));
}

TEST_F(SnapshotDamage, EveryTruncationIsRefused) {
    const os::File file = memory_file(artifact_);
    for (u64 size = (artifact_.size() - 1) / 512 * 512;; size -= 512) {
        ASSERT_EQ(ftruncate(file.number(), static_cast<off_t>(size)), 0);
        ASSERT_FALSE(engine::load_checked_artifact(*engine, file.copy()).ok()) << size;
        ASSERT_FALSE(engine::verify_artifact(file.copy()).ok()) << size;
        if (size == 0) break;
    }
}

TEST_F(SnapshotDamage, IsNotWhatTheCacheAskedFor) {
    const auto wasm = wat::assemble(everything);
    EXPECT_EQ(engine::load_own_artifact(*engine, memory_file(artifact_), Sha256::of(wasm), {})
                  .error()
                  .code,
        ErrorCode::artifact_build);
}

}  // namespace
}  // namespace wrun::test
