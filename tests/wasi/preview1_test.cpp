// The shim, through an engine: guests in WAT that import preview 1, several stores with states of
// their own over one linker.
#include "wasi/preview1.hpp"

#include <map>
#include <set>

#include "tests/support/wat.hpp"
#include "tests/wasi/guest.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi {
namespace {

using engine::Engine;
using engine::Linker;
using engine::Outcome;
using engine::Store;
using engine::Value;

struct Import {
    std::string params;
    std::string results;
    Access access;
    bool is_new = false;  // wasi_unstable has none
};

const std::map<std::string, Import>& functions() {
    static const std::map<std::string, Import> table = {
#define WRUN_WASI(name, params, results, access) {#name, {params, results, Access::access}},
#define WRUN_WASI_NEW(name, params, results, access) \
    {#name, {params, results, Access::access, true}},
#define WRUN_WASI_OWN(name, params, results, access)
#include "wasi/functions.def"
#undef WRUN_WASI
#undef WRUN_WASI_NEW
#undef WRUN_WASI_OWN
    };
    return table;
}

std::string wat_types(const char* word, const std::string& letters) {
    if (letters.empty()) return "";
    std::string text = std::string{" ("} + word;
    for (const char letter : letters)
        text += letter == 'I' ? " i64" : " i32";
    return text + ")";
}

std::string wat_import(const std::string& name, const char* from = "wasi_snapshot_preview1") {
    const Import& import = functions().at(name);
    return "(import \"" + std::string{from} + "\" \"" + name + "\" (func $" + name +
           wat_types("param", import.params) + wat_types("result", import.results) + "))";
}

class Preview1Test : public testing::Test {
protected:
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
        auto made = Engine::make({});
        ASSERT_TRUE(made.ok());
        engine_ = std::move(made).take();
        ASSERT_TRUE(define_preview1(linker_).ok());
    }
    std::shared_ptr<const engine::Module> compile(const std::string& wat) {
        auto compiled = engine::Module::compile(*engine_, wat::assemble(wat));
        EXPECT_TRUE(compiled.ok());
        return compiled.ok() ? std::move(compiled).take() : nullptr;
    }
    std::unique_ptr<Store> store_for(State* state) {
        engine::StoreOptions options;
        options.host_data = state;
        auto made = Store::make(*engine_, options);
        EXPECT_TRUE(made.ok());
        return std::move(made).take();
    }
    engine::Instance* instantiate(
        Store& store, const std::shared_ptr<const engine::Module>& module, const Linker& linker) {
        auto made = store.instantiate(module, linker);
        EXPECT_TRUE(made.ok());
        return made.ok() ? made.value().instance : nullptr;
    }
    /// Calls the export "run" of a fresh instance.
    Outcome run(Store& store, const std::shared_ptr<const engine::Module>& module,
        std::vector<Value>& results) {
        engine::Instance* const instance = instantiate(store, module, linker_);
        if (instance == nullptr) return engine::Returned{};
        auto outcome = store.call(instance->find_export("run")->func, {}, results);
        EXPECT_TRUE(outcome.ok());
        return std::move(outcome).take();
    }
    std::unique_ptr<Engine> engine_;
    Linker linker_;
};

std::unique_ptr<State> state_with(std::vector<std::string> args) {
    Config config;
    config.args = std::move(args);
    config.stdio = {-1, -1, -1};
    return State::make(config).state;
}

TEST_F(Preview1Test, AllFunctionsLink) {
    EXPECT_EQ(functions().size(), 46u);
    std::string wat = "(module (memory (export \"memory\") 1)";
    for (const auto& [name, import] : functions())
        wat.insert(8, wat_import(name));
    const auto module = compile(wat + ")");
    EXPECT_TRUE(linker_.missing(module->decoded()).empty());
    const auto state = state_with({});
    EXPECT_NE(instantiate(*store_for(state.get()), module, linker_), nullptr);
}

TEST_F(Preview1Test, AllFunctionsOfThePreviewBeforeLink) {
    std::string wat = "(module (memory (export \"memory\") 1)";
    u32 count = 0;
    for (const auto& [name, import] : functions()) {
        if (!import.is_new) wat.insert(8, wat_import(name, "wasi_unstable"));
        count += import.is_new ? 0 : 1;
    }
    EXPECT_EQ(count, 45u);
    const auto module = compile(wat + ")");
    EXPECT_TRUE(imports_unstable(module->decoded()));
    EXPECT_EQ(linker_.missing(module->decoded()).size(), 45u);
    ASSERT_TRUE(define_unstable(linker_).ok());
    EXPECT_TRUE(linker_.missing(module->decoded()).empty());
    EXPECT_FALSE(imports_unstable(compile("(module " + wat_import("fd_close") + ")")->decoded()));
    const auto newer = compile("(module " + wat_import("sock_accept", "wasi_unstable") + ")");
    EXPECT_EQ(linker_.missing(newer->decoded()).size(), 1u);
}

TEST_F(Preview1Test, ThePreviewBeforeHasRecordsOfItsOwn) {
    ASSERT_TRUE(define_unstable(linker_).ok());
    // A clock of 1 ns at 56 bytes a record: of 48 its id would be 99.
    const auto module =
        compile("(module " + wat_import("poll_oneoff", "wasi_unstable") +
                R"((memory (export "memory") 1) (func (export "run") (result i32 i64)
        (i64.store (i32.const 0) (i64.const 7)) (i64.store (i32.const 16) (i64.const 99))
        (i32.store (i32.const 24) (i32.const 1)) (i64.store (i32.const 32) (i64.const 1))
        (call $poll_oneoff (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 64))
        (i64.load (i32.const 128)))))");
    const auto state = state_with({});
    std::vector<Value> results;
    (void)run(*store_for(state.get()), module, results);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_EQ(results[0].bits, 0u);
    EXPECT_EQ(results[1].bits, 7u);
}

TEST_F(Preview1Test, ASignalThatEndsAProcessEndsTheGuest) {
    const auto module = compile("(module " + wat_import("proc_raise") +
                                R"((memory (export "memory") 1) (func (export "run") (result i32)
        (drop (call $proc_raise (i32.const 27))) (call $proc_raise (i32.const 23)))))");
    const auto state = state_with({});
    std::vector<Value> results;
    const Outcome outcome = run(*store_for(state.get()), module, results);
    const auto* const exit = std::get_if<engine::Exit>(&outcome);
    ASSERT_NE(exit, nullptr);
    EXPECT_EQ(exit->status, 128u + 24);  // xcpu, as Linux numbers it
}

TEST_F(Preview1Test, AnotherSignatureDoesNotLink) {
    const auto module =
        compile(R"((module (import "wasi_snapshot_preview1" "fd_close" (func (param i64)))))");
    const auto state = state_with({});
    const auto store = store_for(state.get());
    EXPECT_EQ(
        store->instantiate(module, linker_).error().code, ErrorCode::incompatible_import_type);
}

TEST_F(Preview1Test, DefiningTwiceIsAnError) {
    EXPECT_EQ(define_preview1(linker_).error().code, ErrorCode::duplicate_definition);
}

/// A call of the function with zeros, of an answer that nobody looks at.
std::string wat_calling(const std::string& name) {
    const Import& import = functions().at(name);
    std::string call = "(call $" + name;
    for (const char letter : import.params)
        call += letter == 'I' ? " (i64.const 0)" : " (i32.const 0)";
    call += ")";
    if (!import.results.empty()) call = "(drop " + call + ")";
    return "(module " + wat_import(name) + "(memory (export \"memory\") 1)" +
           "(func (export \"run\") " + call + "))";
}

TEST_F(Preview1Test, WhatIsNotAllowedTraps) {
    constexpr Access kinds[] = {
        Access::args, Access::env, Access::clock, Access::random, Access::files};
    for (const Access refused : kinds) {
        Config config;
        config.stdio = {-1, -1, -1};
        config.allowed = {Access::none};
        for (const Access kind : kinds) {
            if (kind != refused) config.allowed.add(kind);
        }
        const auto state = State::make(config).state;
        u32 trapped = 0;
        for (const auto& [name, import] : functions()) {
            if (name == "proc_exit" || name == "proc_raise") continue;
            const auto store = store_for(state.get());
            std::vector<Value> results;
            const Outcome outcome = run(*store, compile(wat_calling(name)), results);
            const auto* const trap = std::get_if<engine::Trap>(&outcome);
            ASSERT_EQ(trap != nullptr, import.access == refused) << name;
            if (trap == nullptr) continue;
            ++trapped;
            EXPECT_THAT(trap->detail, testing::StartsWith(name + " is refused"));
            EXPECT_THAT(
                trap->detail, testing::HasSubstr("'" + std::string{wasi::name(refused)} + "'"));
        }
        EXPECT_GT(trapped, 0u);
    }
}

TEST_F(Preview1Test, EveryGenerationIsToldItsOwnId) {
    const auto module = compile(R"((module
        (import "wrun" "generation_id" (func $id (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (result i64 i64 i32)
            (drop (call $id (i32.const 8)))
            (i64.load (i32.const 8)) (i64.load (i32.const 16)) (call $id (i32.const 65521)))))");
    const auto state = state_with({});
    std::set<std::pair<u64, u64>> seen;
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(state->reset(), "");
        for (int again = 0; again < 2; ++again) {
            std::vector<Value> results;
            (void)run(*store_for(state.get()), module, results);
            ASSERT_EQ(results.size(), 3u);
            seen.insert({results[0].bits, results[1].bits});
            EXPECT_EQ(results[2].bits, to_underlying(Errno::fault));
        }
        EXPECT_EQ(seen.size(), static_cast<std::size_t>(i) + 1);
    }
}

TEST_F(Preview1Test, TheMonotonicClockDoesNotGoBackBelowWhatWasTold) {
    const auto module = compile("(module " + wat_import("clock_time_get") +
                                R"((memory (export "memory") 1) (func (export "run") (result i64)
        (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
        (i64.load (i32.const 0)))))");
    const u64 host = now(CLOCK_MONOTONIC);
    const u64 year_ns = u64{365} * 24 * 3600 * 1'000'000'000;
    for (const u64 from : {u64{0}, host / 2, host + year_ns}) {
        Config config;
        config.monotonic_from_ns = from;
        const auto state = State::make(config).state;
        u64 before = std::max(from, host);
        for (int i = 0; i < 3; ++i) {
            std::vector<Value> results;
            (void)run(*store_for(state.get()), module, results);
            ASSERT_EQ(results.size(), 1u);
            EXPECT_GE(results[0].bits, before);
            EXPECT_LT(results[0].bits, before + year_ns / 2);
            before = results[0].bits;
        }
    }
}

/// Every one of the 46 with arguments that are all ones: pointers and lengths of nothing good.
TEST_F(Preview1Test, WildArgumentsEndInAnErrorNumber) {
    const auto state = state_with({"program"});
    const auto store = store_for(state.get());
    for (const auto& [name, import] : functions()) {
        if (name == "proc_exit") continue;
        for (const char* const value : {"-1", "0", "65536", "65535"}) {
            std::string call;
            for (const char letter : import.params)
                call += std::string{letter == 'I' ? " (i64" : " (i32"} + ".const " + value + ")";
            const auto module =
                compile("(module " + wat_import(name) + "(memory (export \"memory\") 1)" +
                        "(func (export \"run\") (result i32) (call $" + name + call + ")))");
            std::vector<Value> results;
            const Outcome outcome = run(*store, module, results);
            ASSERT_TRUE(std::holds_alternative<engine::Returned>(outcome)) << name << value;
            ASSERT_EQ(results.size(), 1u);
            EXPECT_LE(results[0].bits, 76u) << name << value;
        }
    }
}

TEST_F(Preview1Test, WideArgumentsArriveWhole) {
    Folder folder;
    folder.write("file", "0123456789");
    Config config = Guest::with_folder(folder, false);
    auto state = State::make(config).state;
    const auto module = compile("(module " + wat_import("path_open") + wat_import("fd_seek") + R"(
        (memory (export "memory") 1) (data (i32.const 16) "file")
        (func (export "run") (result i64)
            (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4)
                    (i32.const 0) (i64.const 0x6) (i64.const 0) (i32.const 0) (i32.const 32))
                (then unreachable))
            (if (call $fd_seek (i32.load (i32.const 32)) (i64.const 0x123456789a) (i32.const 0)
                    (i32.const 40))
                (then unreachable))
            (if (call $fd_seek (i32.load (i32.const 32)) (i64.const -1) (i32.const 1)
                    (i32.const 40))
                (then unreachable))
            (i64.load (i32.const 40)))))");
    std::vector<Value> results;
    const Outcome outcome = run(*store_for(state.get()), module, results);
    ASSERT_TRUE(std::holds_alternative<engine::Returned>(outcome));
    EXPECT_EQ(results[0].bits, 0x1234567899u);
}

TEST_F(Preview1Test, ExitEndsTheRunFromAnyDepth) {
    const auto module = compile("(module " + wat_import("proc_exit") + R"(
        (func $deep (param i32)
            (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
                (else (call $proc_exit (i32.const 300)))))
        (func (export "run") (call $deep (i32.const 100)) unreachable)))");
    const auto state = state_with({});
    std::vector<Value> results;
    const Outcome outcome = run(*store_for(state.get()), module, results);
    ASSERT_TRUE(std::holds_alternative<engine::Exit>(outcome));
    EXPECT_EQ(std::get<engine::Exit>(outcome).status, 300u);
}

constexpr const char* count_args = R"(
    (memory (export "memory") 1)
    (func (export "run") (result i32)
        (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
        (i32.load (i32.const 0)))))";

TEST_F(Preview1Test, StoresHaveStatesOfTheirOwnOverOneLinker) {
    const auto module = compile("(module " + wat_import("args_sizes_get") + count_args);
    const auto none = state_with({});
    const auto three = state_with({"a", "b", "c"});
    const auto first = store_for(none.get());
    const auto second = store_for(three.get());
    for (int round = 0; round < 2; ++round) {
        std::vector<Value> results;
        run(*first, module, results);
        EXPECT_EQ(results[0].bits, 0u);
        run(*second, module, results);
        EXPECT_EQ(results[0].bits, 3u);
    }
}

TEST_F(Preview1Test, AHostMayKeepStatesElsewhere) {
    static std::unique_ptr<State> elsewhere;
    elsewhere = state_with({"x", "y"});
    Linker linker;
    ASSERT_TRUE(define_preview1(linker, [](Store&) { return elsewhere.get(); }).ok());
    const auto module = compile("(module " + wat_import("args_sizes_get") + count_args);
    const auto store = store_for(nullptr);
    engine::Instance* const instance = instantiate(*store, module, linker);
    std::vector<Value> results;
    ASSERT_TRUE(store->call(instance->find_export("run")->func, {}, results).ok());
    EXPECT_EQ(results[0].bits, 2u);
    elsewhere.reset();
}

TEST_F(Preview1Test, WithoutAStateACallTraps) {
    const auto module = compile("(module " + wat_import("args_sizes_get") + count_args);
    std::vector<Value> results;
    const Outcome outcome = run(*store_for(nullptr), module, results);
    ASSERT_TRUE(std::holds_alternative<engine::Trap>(outcome));
    EXPECT_EQ(std::get<engine::Trap>(outcome).code, runtime::TrapCode::host);
}

/// A guest without a memory can link; what it passes as pointers is then outside of it.
TEST_F(Preview1Test, WithoutAMemoryEveryPointerIsAFault) {
    const auto module = compile("(module " + wat_import("args_sizes_get") + R"(
        (func (export "run") (result i32) (call $args_sizes_get (i32.const 0) (i32.const 4)))))");
    const auto state = state_with({});
    std::vector<Value> results;
    run(*store_for(state.get()), module, results);
    EXPECT_EQ(results[0].bits, to_underlying(Errno::fault));
}

/// The memory's size is asked at each call, so pages that were grown count at once.
TEST_F(Preview1Test, GrownMemoryIsSeen) {
    const auto module = compile("(module " + wat_import("random_get") + R"(
        (memory (export "memory") 1)
        (func (export "run") (result i32 i32)
            (call $random_get (i32.const 65536) (i32.const 16))
            (drop (memory.grow (i32.const 1)))
            (call $random_get (i32.const 131056) (i32.const 16)))))");
    const auto state = state_with({});
    std::vector<Value> results;
    run(*store_for(state.get()), module, results);
    EXPECT_EQ(results[0].bits, to_underlying(Errno::fault));
    EXPECT_EQ(results[1].bits, 0u);
}

}  // namespace
}  // namespace wrun::wasi
