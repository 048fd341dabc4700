// Artifacts: what comes back from one runs as what went in, and no damage gets through.
#include "engine/artifact.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <random>

#include "base/errors.hpp"
#include "engine/frozen.hpp"
#include "engine/state.hpp"
#include "tests/engine/artifacts.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::ArtifactBytes;
using engine::ArtifactHeader;
using engine::ArtifactSection;
using engine::ModuleOptions;
using ::testing::HasSubstr;

const char* const everything = R"((module $everything
  (type $unary (func (param i32) (result i32)))
  (import "host" "twice" (func $twice (type $unary)))
  (memory (export "memory") 3 9)
  (table $t (export "table") 6 20 funcref)
  (table $u 2 externref)
  (global $count (export "count") (mut i32) (i32.const 40))
  (global $sum i64 (i64.add (i64.const 3) (i64.const 4)))
  (global $half f64 (f64.const 0.5))
  (global $nine (mut funcref) (ref.func $nine_more))
  (elem (table $t) (i32.const 1) func $twice $nine_more $twice)
  (elem $later funcref (ref.func $nine_more) (ref.null func) (ref.func $twice))
  (elem declare func $once)
  (data (i32.const 65530) "across pages")
  (data $passive "passive bytes")
  (data (i32.const 4) "first")
  (data $over (i32.const 7) "OVER")
  (data (i32.const 20) "AAAA")
  (data (i32.const 18) "BBBB")
  (func $start (global.set $count (i32.const 42)))
  (start $start)
  (func $nine_more (type $unary) (i32.add (local.get 0) (i32.const 9)))
  (func $once (export "once") (type $unary) (call $twice (local.get 0)))
  (func (export "byte") (type $unary) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect $t (type $unary) (local.get 0) (local.get 1)))
  (func (export "init") (param i32 i32 i32)
    (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
  (func (export "drop") (data.drop $passive))
  (func (export "init_active")
    (memory.init $over (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "table_init") (table.init $t $later (i32.const 0) (i32.const 0) (i32.const 3)))
  (func (export "sum") (result i64) (global.get $sum))
  (func (export "half") (result f64) (global.get $half))
  (func (export "by_global") (result i32)
    (table.set $t (i32.const 5) (global.get $nine))
    (call_indirect $t (type $unary) (i32.const 1) (i32.const 5)))
  (func $inner (unreachable))
  (func $outer (call $inner))
  (func (export "trap") (call $outer))
  (func (export "divide") (type $unary) (i32.div_s (i32.const 100) (local.get 0)))
  (func (export "grow") (type $unary) (memory.grow (local.get 0)))))";

/// All that decides what code a module becomes.
const ModuleOptions configurations[] = {
    {},
    {.bounds = engine::Bounds::checked},
    {.epoch = true},
    {.fuel = true},
    {.bounds = engine::Bounds::checked, .epoch = true, .fuel = true},
};

/// Whether code compiled as `made` does all that `needed` asks for.
bool gives(const ModuleOptions& made, const ModuleOptions& needed) {
    return made.bounds >= needed.bounds && made.epoch >= needed.epoch && made.fuel >= needed.fuel;
}

HostResult twice(Caller&, void*, std::span<u64> slots) {
    slots[0] = static_cast<u32>(slots[0] * 2);
    return HostResult::ok();
}

class Artifact : public EngineTest {
protected:
    Artifact() { define("twice", {type_i32}, {type_i32}, twice); }

    using Loaded = Result<std::shared_ptr<const engine::Module>>;
    Loaded load_own(
        std::span<const u8> artifact, std::span<const u8> wasm, const ModuleOptions& options = {}) {
        return engine::load_own_artifact(*engine, memory_file(artifact), Sha256::of(wasm), options);
    }
    Loaded load_foreign(std::span<const u8> artifact, const ModuleOptions& needed = {}) {
        return engine::load_foreign_artifact(*engine, memory_file(artifact), needed);
    }
    ErrorCode refusal(const Loaded& loaded) { return loaded.error().code; }

    /// Everything that the module above can show.
    std::string behaviour(const std::shared_ptr<const engine::Module>& module) {
        auto made = store->instantiate(module, linker);
        if (!made.ok()) return linker.explain(module->decoded(), made.error());
        instance = made.value().instance;
        std::string all = text(made.value().outcome);
        const auto note = [&](std::string_view name, std::vector<Value> arguments = {}) {
            all += std::string{name} + "=" + call(name, std::move(arguments)) + "; ";
        };
        all += text(Value::i32(static_cast<u32>(engine::Store::get(export_of("count").global))));
        for (const u32 at :
            {0u, 4u, 7u, 9u, 11u, 19u, 20u, 21u, 22u, 65530u, 65541u, 65542u, 196607u, 196608u})
            note("byte", {Value::i32(at)});
        note("once", {Value::i32(21)});
        for (const u32 entry : {0u, 1u, 2u, 3u, 4u, 6u})
            note("indirect", {Value::i32(5), Value::i32(entry)});
        note("init", {Value::i32(100), Value::i32(8), Value::i32(5)});
        note("byte", {Value::i32(100)});
        note("drop");
        note("init_active");
        note("init", {Value::i32(100), Value::i32(8), Value::i32(5)});
        note("table_init");
        note("indirect", {Value::i32(5), Value::i32(0)});
        note("sum");
        note("half");
        note("by_global");
        note("divide", {Value::i32(7)});
        note("divide", {Value::i32(0)});
        note("grow", {Value::i32(2)});
        note("grow", {Value::i32(9)});
        const auto trapped = outcome("trap");
        for (const engine::Frame& frame : std::get<engine::Trap>(trapped).frames)
            all += frame.name + "@" + std::to_string(frame.module_offset) + " ";
        return all;
    }
};

TEST_F(Artifact, RunsAsTheCompiledModuleDoes) {
    const auto wasm = wat::assemble(everything);
    for (const ModuleOptions& options : configurations) {
        const auto compiled = engine::Module::compile(*engine, wasm, options).take();
        const Bytes artifact = bytes_of(*compiled);
        const std::string wanted = behaviour(compiled);
        EXPECT_THAT(wanted, HasSubstr("inner@"));
        EXPECT_THAT(wanted, HasSubstr("byte=79; "));  // the O of OVER
        const auto own = load_own(artifact, wasm, options);
        ASSERT_TRUE(own.ok()) << describe(own.error());
        EXPECT_EQ(behaviour(own.value()), wanted);
        const auto foreign = load_foreign(artifact);
        ASSERT_TRUE(foreign.ok()) << describe(foreign.error());
        EXPECT_EQ(behaviour(foreign.value()), wanted);
        for (const auto& loaded : {own.value(), foreign.value()}) {
            EXPECT_TRUE(gives(loaded->options(), options) && gives(options, loaded->options()));
            EXPECT_EQ(bytes_of(*loaded), artifact) << "written again";
        }
    }
}

TEST_F(Artifact, IsTheSameWheneverItIsWritten) {
    const auto wasm = wat::assemble(everything);
    const Bytes first = bytes_of(*engine::Module::compile(*engine, wasm).take());
    EXPECT_EQ(bytes_of(*engine::Module::compile(*engine, wasm).take()), first);
}

TEST_F(Artifact, OfAnEmptyModuleLoads) {
    const auto wasm = wat::assemble("(module)");
    const Bytes artifact = bytes_of(*engine::Module::compile(*engine, wasm).take());
    EXPECT_TRUE(load_foreign(artifact).ok());
    const auto own = load_own(artifact, wasm);
    ASSERT_TRUE(own.ok());
    EXPECT_NE(store->instantiate(own.value(), linker).take().instance, nullptr);
}

TEST_F(Artifact, GivesEachInstanceItsOwnMemory) {
    const auto wasm = wat::assemble(everything);
    const Bytes artifact = bytes_of(*engine::Module::compile(*engine, wasm).take());
    const auto module = load_own(artifact, wasm).take();
    instance = store->instantiate(module, linker).take().instance;
    EXPECT_EQ(call("store", {Value::i32(4), Value::i32(1)}), "");
    instance = store->instantiate(module, linker).take().instance;
    EXPECT_EQ(call("byte", {Value::i32(4)}), "102");  // f
    const auto again = load_foreign(bytes_of(*module));
    EXPECT_TRUE(again.ok()) << "nothing was written to the file";
}

TEST_F(Artifact, OutlivesItsFilesName) {
    const auto wasm = wat::assemble(everything);
    const Bytes artifact = bytes_of(*engine::Module::compile(*engine, wasm).take());
    const std::string path = testing::TempDir() + "/outlives.wrun";
    {
        os::File file{::creat(path.c_str(), 0600)};
        ASSERT_TRUE(os::write_at(file.number(), 0, artifact).ok());
    }
    const auto module =
        engine::load_foreign_artifact(*engine, os::File::open_for_reading(path).take()).take();
    ASSERT_EQ(unlink(path.c_str()), 0);
    EXPECT_THAT(behaviour(module), HasSubstr("once=42"));
}

TEST_F(Artifact, BecomesATemplate) {
    const auto wasm = wat::assemble(everything);
    const Bytes artifact = bytes_of(*engine::Module::compile(*engine, wasm).take());
    const auto module = load_own(artifact, wasm).take();
    const auto made = engine::Template::make(module, linker).take();
    ASSERT_NE(made.made, nullptr);
    const auto dense = made.made->state().make_dense();
    ASSERT_TRUE(dense.ok()) << describe(dense.error());
}

// ---- configurations ----------------------------------------------------------------------------

/// The cache's names are made of the same, so there too nothing is found that was asked for
/// otherwise.
TEST_F(Artifact, OfAnotherConfigurationIsNoneOfTheOwn) {
    const auto wasm = wat::assemble(everything);
    for (const ModuleOptions& made : configurations) {
        const Bytes artifact = bytes_of(*engine::Module::compile(*engine, wasm, made).take());
        for (const ModuleOptions& wanted : configurations) {
            const bool is_same = gives(made, wanted) && gives(wanted, made);
            const Loaded own = load_own(artifact, wasm, wanted);
            EXPECT_EQ(own.ok(), is_same);
            if (!is_same) {
                EXPECT_EQ(refusal(own), ErrorCode::artifact_build);
            }
            const Loaded foreign = load_foreign(artifact, wanted);
            const Loaded checked =
                engine::load_checked_artifact(*engine, memory_file(artifact), wanted);
            for (const Loaded* const loaded : {&foreign, &checked}) {
                EXPECT_EQ(loaded->ok(), gives(made, wanted));
                if (!gives(made, wanted)) {
                    EXPECT_EQ(refusal(*loaded), ErrorCode::artifact_options);
                }
            }
        }
    }
}

TEST_F(Artifact, IsToldApartByAllThatDecidesItsCode) {
    using engine::ArtifactIdentity;
    using engine::EngineOptions;
    std::vector<ArtifactIdentity> identities;
    for (const ModuleOptions& options : configurations)
        identities.push_back(ArtifactIdentity::here({}, options));
    const auto add = [&](const std::function<void(EngineOptions&)>& change) {
        EngineOptions options;
        change(options);
        identities.push_back(ArtifactIdentity::here(options, {}));
    };
    add([](EngineOptions& options) { options.features = FeatureSet{}; });
    add([](EngineOptions& options) { options.integer_homes_max = 3; });
    add([](EngineOptions& options) { options.float_homes_max = 3; });
    add([](EngineOptions& options) { options.stress.spill = true; });
    add([](EngineOptions& options) { options.stress.flush = true; });
    add([](EngineOptions& options) { options.stress.check = true; });
    add([](EngineOptions& options) { options.stress.epoch = true; });
    add([](EngineOptions& options) { options.stress.fuel = true; });
    for (std::size_t i = 0; i < identities.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k)
            EXPECT_NE(identities[i], identities[k]) << i << " and " << k;
    }
}

TEST_F(Artifact, PaysForWhatItDoesWhenItWasCompiledSo) {
    const auto wasm = wat::assemble(R"((module (func (export "run") (loop $l (br $l)))))");
    const auto compiled = engine::Module::compile(*engine, wasm, {.fuel = true}).take();
    for (const auto& module : {load_own(bytes_of(*compiled), wasm, {.fuel = true}).take(),
             load_foreign(bytes_of(*compiled)).take()}) {
        instance = store->instantiate(module, linker).take().instance;
        store->set_fuel(1000);
        EXPECT_EQ(call("run"), "trap: out of fuel");
        const auto made = engine::Template::make(module, linker).take().made;
        EXPECT_TRUE(made->state().make_dense().value()->module().options().fuel);
    }
}

TEST_F(Artifact, EndsAtDeadlines) {
    const auto wasm = wat::assemble(R"((module (func (export "run") (loop $l (br $l)))))");
    for (const bool epoch : {false, true}) {
        const auto compiled = engine::Module::compile(*engine, wasm, {.epoch = epoch}).take();
        const auto loaded = load_own(bytes_of(*compiled), wasm, {.epoch = epoch}).take();
        engine::EngineOptions options = test_options();
        if (epoch) options.interrupt_signal = engine::EngineOptions::no_signal;
        const auto other = engine::Engine::make(options).take();
        const auto module =
            engine::load_foreign_artifact(*other, memory_file(bytes_of(*loaded))).take();
        const auto own = engine::Store::make(*other).take();
        const auto made = own->instantiate(module, linker).take();
        std::vector<Value> results;
        EXPECT_EQ(text(own->call(made.instance->find_export("run")->func, {}, results,
                      engine::CallLimits::within(2'000'000))),
            "trap: deadline exceeded");
    }
}

// ---- memories' images --------------------------------------------------------------------------

struct Segments {
    const char* text;
    bool has_image;
};

TEST_F(Artifact, HoldsAnImageWhereSegmentsHaveOnePlace) {
    const std::vector<Segments> rows = {
        {"(module (memory (export \"m\") 1))", true},
        {"(module (memory (export \"m\") 1) (data \"passive\"))", true},
        {"(module (memory (export \"m\") 1) (data (i32.const 3) \"a\"))", true},
        {"(module (memory (export \"m\") 1) (data (i32.const 65536) \"\"))", true},
        {"(module (memory (export \"m\") 1) (data (i32.const 65535) \"z\"))", true},
        {"(module (memory (export \"m\") 1) (data (i32.const 65535) \"zz\"))", false},
        {"(module (memory (export \"m\") 1) (data (i32.const 65537) \"\"))", false},
        {"(module (memory (export \"m\") 1) (data (i32.const -1) \"a\"))", false},
        {"(module (memory (export \"m\") 1) (data (i32.const 0) \"a\")"
         " (data (i32.add (i32.const 2) (i32.const 2)) \"b\"))",
            false},
        {"(module (memory (export \"m\") 60000) (data (i32.const 0) \"a\")"
         " (data (i32.const 130000000) \"b\"))",
            true},
        {"(module (memory (export \"m\") 60000)"
         " (data (i32.const 0) \"a\") (data (i32.const 13000000) \"b\")"
         " (data (i32.const 26000000) \"b\") (data (i32.const 39000000) \"b\")"
         " (data (i32.const 52000000) \"b\") (data (i32.const 65000000) \"b\")"
         " (data (i32.const 78000000) \"b\") (data (i32.const 91000000) \"b\")"
         " (data (i32.const 104000000) \"b\") (data (i32.const 117000000) \"b\"))",
            false},
    };
    for (const Segments& row : rows) {
        const auto wasm = wat::assemble(row.text);
        const auto compiled = engine::Module::compile(*engine, wasm).take();
        Bytes artifact = bytes_of(*compiled);
        EXPECT_EQ(header_of(artifact).has_image, u64{row.has_image}) << row.text;
        EXPECT_LT(artifact.size(), 4u << 20) << row.text;
        const auto loaded = load_own(artifact, wasm);
        ASSERT_TRUE(loaded.ok()) << row.text;
        const auto wanted = store->instantiate(compiled, linker).take();
        const auto found = store->instantiate(loaded.value(), linker).take();
        EXPECT_EQ(text(found.outcome), text(wanted.outcome)) << row.text;
        ASSERT_EQ(found.instance == nullptr, wanted.instance == nullptr) << row.text;
        if (found.instance == nullptr) continue;
        const auto one = wanted.instance->memory();
        const auto other = found.instance->memory();
        ASSERT_EQ(one.size(), other.size());
        for (u64 at = 0; at < one.size(); at += at < 8192 ? 1 : 65'535) {
            ASSERT_EQ(one.load<u8>(at), other.load<u8>(at)) << row.text << " at " << at;
        }
    }
}

// ---- damage ------------------------------------------------------------------------------------

class Damage : public Artifact {
protected:
    void SetUp() override {
        Artifact::SetUp();
        if (IsSkipped()) return;
        wasm_ = wat::assemble(everything);
        artifact_ = bytes_of(*engine::Module::compile(*engine, wasm_).take());
    }
    /// Loads the file by a name of its own, as loading takes it.
    os::File again(const os::File& file) { return os::File{dup(file.number())}; }

    Bytes wasm_;
    Bytes artifact_;
};

TEST_F(Damage, EveryFlippedBitOfHeaderAndStartIsRefused) {
    const u64 end = header_of(artifact_).checked_end;
    const os::File file = memory_file(artifact_);
    const auto digest = Sha256::of(wasm_);
    ASSERT_TRUE(engine::load_own_artifact(*engine, again(file), digest, {}).ok());
    flip_each(file, artifact_, {0, end, slowness}, [&] {
        return !engine::load_own_artifact(*engine, again(file), digest, {}).ok() &&
               !engine::load_foreign_artifact(*engine, again(file)).ok();
    });
    ASSERT_TRUE(engine::load_own_artifact(*engine, again(file), digest, {}).ok());
}

TEST_F(Damage, EveryFlippedBitOfASectionIsFoundByVerify) {
    const os::File file = memory_file(artifact_);
    ASSERT_TRUE(engine::verify_artifact(again(file)).ok());
    for (const engine::StoredSection& section : header_of(artifact_).sections) {
        // Some bytes of the long ones, all of the others.
        const u64 step = section.bytes > 2048 ? 61 * slowness : slowness;
        for (u64 at = section.offset; at < section.offset + section.bytes; at += step) {
            const u8 damaged = static_cast<u8>(artifact_[at] ^ (1u << (at % 8)));
            ASSERT_EQ(pwrite(file.number(), &damaged, 1, static_cast<off_t>(at)), 1);
            ASSERT_FALSE(engine::verify_artifact(again(file)).ok()) << at;
            ASSERT_FALSE(engine::load_foreign_artifact(*engine, again(file)).ok()) << at;
            ASSERT_EQ(pwrite(file.number(), &artifact_[at], 1, static_cast<off_t>(at)), 1);
        }
    }
}

// What only a trap, a name or memory.init reads: whatever stands there, nothing outside is touched.
TEST_F(Damage, OfWhatIsReadLaterIsHarmlessInTheOwnCache) {
    const std::string wanted = behaviour(load_own(artifact_, wasm_).take());
    for (const ArtifactSection section : {ArtifactSection::data, ArtifactSection::function_names}) {
        const auto [offset, bytes, sum] = header_of(artifact_).sections[to_underlying(section)];
        ASSERT_NE(bytes, 0u);
        for (u64 at = offset; at < offset + bytes; at += slowness) {
            for (const u8 value : {u8{0}, u8{1}, u8{0x7f}, u8{0x80}, u8{0xff}}) {
                Bytes damaged = artifact_;
                damaged[at] = value;
                const auto loaded = load_own(damaged, wasm_);
                ASSERT_TRUE(loaded.ok());
                const std::string found = behaviour(loaded.value());
                EXPECT_EQ(found.substr(0, 20), wanted.substr(0, 20));
            }
        }
    }
}

TEST_F(Damage, EveryTruncationIsRefused) {
    const os::File file = memory_file(artifact_);
    const auto digest = Sha256::of(wasm_);
    for (u64 size = (artifact_.size() - 1) / 512 * 512;; size -= 512) {
        ASSERT_EQ(ftruncate(file.number(), static_cast<off_t>(size)), 0);
        ASSERT_FALSE(engine::load_own_artifact(*engine, again(file), digest, {}).ok()) << size;
        ASSERT_FALSE(engine::load_foreign_artifact(*engine, again(file)).ok()) << size;
        if (size == 0) break;
    }
    Bytes longer = artifact_;
    longer.resize(longer.size() + 4096);
    EXPECT_EQ(refusal(load_foreign(longer)), ErrorCode::artifact_damaged);
}

// Whoever changes an artifact can also write sums that fit. All but the code is held against the
// module's bytes.
TEST_F(Damage, WithFittingSumsIsRefusedAllTheSame) {
    std::mt19937 random{11};
    const auto& sections = header_of(artifact_).sections;
    const u64 code = sections[to_underlying(ArtifactSection::code)].offset;
    const auto& rows = sections[to_underlying(ArtifactSection::trap_rows)];
    const auto& functions = sections[to_underlying(ArtifactSection::function_code)];
    const auto inside = [](u64 at, const engine::StoredSection& section) {
        return at >= section.offset && at < section.offset + section.bytes;
    };
    u32 tried = 0;
    for (u32 i = 0; i < 12'000 / slowness; ++i) {
        Bytes damaged = artifact_;
        for (u64 count = random() % 3 + 1; count != 0; --count) {
            // Mostly where lengths and offsets are.
            const u64 at = random() % (random() % 4 == 0 ? code : 2 * 4096);
            damaged[at] = static_cast<u8>(
                random() % 2 == 0 ? random() : damaged[at] ^ (1u << (random() % 8)));
        }
        bool is_code = false;
        bool is_free = true;  // between sections or for another CPU, where anything goes
        const auto& names = sections;
        for (u64 at = 0; at < code; ++at) {
            if (damaged[at] == artifact_[at]) continue;
            is_code |= inside(at, rows) || inside(at, functions);
            bool known = at < 24 || (at >= 32 && at < 64) || (at >= 96 && at < 216);
            for (const engine::StoredSection& section : names)
                known |= inside(at, section);
            is_free &= !known;
        }
        repair_sums(damaged);
        const auto loaded = load_foreign(damaged);
        if (is_code || is_free) continue;
        ++tried;
        ASSERT_FALSE(loaded.ok()) << i;
    }
    EXPECT_GT(tried, 4'000u / slowness);
}

TEST_F(Damage, OfTheTablesBesideTheCodeIsRefused) {
    const auto& sections = header_of(artifact_).sections;
    const auto change = [&](ArtifactSection section, u64 offset, u32 value) {
        Bytes damaged = artifact_;
        std::memcpy(damaged.data() + sections[to_underlying(section)].offset + offset, &value, 4);
        repair_sums(damaged);
        return refusal(load_foreign(damaged));
    };
    EXPECT_EQ(change(ArtifactSection::function_code, 0, 0xffff'fff0), ErrorCode::artifact_damaged);
    EXPECT_EQ(change(ArtifactSection::function_code, 4, 0x7fff'fff0), ErrorCode::artifact_damaged);
    EXPECT_EQ(change(ArtifactSection::function_code, 8, 1), ErrorCode::artifact_damaged);
    EXPECT_EQ(change(ArtifactSection::trap_rows, 0, 0x7fff'fff0), ErrorCode::artifact_damaged);
}

TEST_F(Damage, OtherFilesAreRefused) {
    EXPECT_EQ(refusal(load_foreign({})), ErrorCode::artifact_damaged);
    EXPECT_EQ(refusal(load_foreign(Bytes(10'000, 0))), ErrorCode::not_an_artifact);
    Bytes module = wasm_;
    module.resize(8192);
    EXPECT_EQ(refusal(load_foreign(module)), ErrorCode::not_an_artifact);
    os::File folder = os::File::open_for_reading("/").take();
    EXPECT_EQ(refusal(engine::load_foreign_artifact(*engine, std::move(folder))),
        ErrorCode::artifact_damaged);
}

TEST_F(Damage, WhatIsForSomethingElseIsRefused) {
    const auto other = wat::assemble("(module)");
    EXPECT_EQ(refusal(load_own(artifact_, other)), ErrorCode::artifact_build);
    EXPECT_EQ(
        refusal(load_own(artifact_, wasm_, {engine::Bounds::checked})), ErrorCode::artifact_build);
    const auto with = [&](const std::function<void(ArtifactHeader&)>& change) {
        Bytes changed = artifact_;
        change(header_of(changed));
        repair_sums(changed);
        return changed;
    };
    const Bytes build = with([](ArtifactHeader& header) { header.build_id[5] ^= 1; });
    EXPECT_EQ(refusal(load_own(build, wasm_)), ErrorCode::artifact_build);
    EXPECT_EQ(refusal(load_foreign(build)), ErrorCode::artifact_build);
    const Bytes cpu = with([](ArtifactHeader& header) { header.cpu_features |= u64{1} << 40; });
    EXPECT_EQ(refusal(load_own(cpu, wasm_)), ErrorCode::artifact_build);
    EXPECT_EQ(refusal(load_foreign(cpu)), ErrorCode::artifact_cpu);
    EXPECT_TRUE(engine::verify_artifact(memory_file(cpu)).ok());
    const Bytes machine = with([](ArtifactHeader& header) { header.machine = 183; });
    EXPECT_EQ(refusal(load_foreign(machine)), ErrorCode::artifact_cpu);
    const Bytes version = with([](ArtifactHeader& header) { ++header.version; });
    EXPECT_EQ(refusal(load_foreign(version)), ErrorCode::artifact_version);
    const Bytes features = with([](ArtifactHeader& header) {
        header.configuration.features |= 1u << to_underlying(Feature::tail_call);
    });
    EXPECT_EQ(refusal(load_foreign(features)), ErrorCode::artifact_features);
}

}  // namespace
}  // namespace wrun::test
