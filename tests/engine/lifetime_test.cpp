// What stores and modules take from the process, they give back; threads do not meet; limits are
// told.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

const char* const everything =
    R"((module (memory 1) (table 4 100 funcref) (global (mut i32) (i32.const 1))
    (data (i32.const 0) "abc") (data "passive") (elem (i32.const 0) $f)
    (func $f (export "f") (result i32) (i32.load8_u (i32.const 0)))
    (func (export "trap") unreachable)))";

std::size_t mapping_count() {
    std::ifstream file{"/proc/self/maps"};
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}, '\n'));
}

class Lifetime : public EngineTest {};

TEST_F(Lifetime, ManyStoresLeaveNoMappings) {
    constexpr int cycles = has_address_sanitizer ? 5'000 : 100'000;
    const auto module = compile(everything).take();
    std::size_t before = 0;
    for (int i = 0; i < cycles; ++i) {
        if (i == 100) before = mapping_count();
        auto one = engine::Store::make(*engine).take();
        ASSERT_NE(one->instantiate(module, linker).take().instance, nullptr);
    }
    EXPECT_LE(mapping_count(), before + 20);
}

TEST_F(Lifetime, ManyModulesLeaveNoMappings) {
    const auto bytes = wat::assemble(everything);
    std::size_t before = 0;
    const u8* last = nullptr;
    for (int i = 0; i < 2'000; ++i) {
        if (i == 100) before = mapping_count();
        const auto module = engine::Module::compile(*engine, bytes).take();
        const u8* const code = module->code(FuncIndex{0}).data();
        if (last != nullptr) {
            ASSERT_EQ(code, last) << "the same pages every time";
        }
        last = code;
    }
    EXPECT_LE(mapping_count(), before + 20);
}

TEST_F(Lifetime, FailedCompilationsLeaveNoMappings) {
    auto bytes = wat::assemble("(module (func (result i32) i32.const 1))");
    bytes[bytes.size() - 3] = 0x42;
    const std::size_t before = mapping_count();
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_FALSE(engine::Module::compile(*engine, bytes).ok());
    }
    EXPECT_LE(mapping_count(), before + 20);
}

TEST_F(Lifetime, AStoreKeepsItsModules) {
    auto module = compile(everything).take();
    instance = store->instantiate(module, linker).take().instance;
    module.reset();
    EXPECT_EQ(call("f"), "97");
}

TEST_F(Lifetime, ThreadsWithStoresOfTheirOwn) {
    const auto module = compile(everything).take();
    std::vector<std::thread> threads;
    std::array<int, 4> good{};
    for (std::size_t number = 0; number < good.size(); ++number) {
        threads.emplace_back([&, number] {
            for (int i = 0; i < 200; ++i) {
                auto own = engine::Store::make(*engine).take();
                auto* const made = own->instantiate(module, linker).take().instance;
                std::vector<Value> results;
                good[number] +=
                    text(own->call(made->find_export("f")->func, {}, results)).empty() &&
                    results[0].bits == 97;
                good[number] += text(own->call(made->find_export("trap")->func, {}, results)) ==
                                "trap: unreachable";
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const int count : good)
        EXPECT_EQ(count, 400);
}

TEST_F(Lifetime, ThreadsThatCompileTheSameModule) {
    const auto bytes = wat::assemble(everything);
    std::vector<std::thread> threads;
    std::array<int, 4> good{};
    for (std::size_t number = 0; number < good.size(); ++number) {
        threads.emplace_back([&, number] {
            for (int i = 0; i < 50; ++i) {
                good[number] += engine::Module::compile(*engine, bytes).ok();
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const int count : good)
        EXPECT_EQ(count, 50);
}

TEST_F(Lifetime, AStoreMayMoveBetweenThreads) {
    make(everything);
    std::string first;
    std::string second;
    std::thread{[&] { first = call("trap"); }}.join();
    std::thread{[&] { second = call("f"); }}.join();
    EXPECT_EQ(first, "trap: unreachable");
    EXPECT_EQ(second, "97");
}

// ---- a small address space ---------------------------------------------------------------------

class SmallAddressSpaceDeathTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (has_address_sanitizer) {
            GTEST_SKIP() << "the sanitizer itself needs terabytes of addresses";
        }
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
        GTEST_FLAG_SET(death_test_style, "threadsafe");
    }
    static void limit(u64 mib) {
        const rlimit bound{mib << 20, mib << 20};
        setrlimit(RLIMIT_AS, &bound);
    }
    [[noreturn]] static void say(Error error) {
        std::fprintf(stderr, "%s\n", describe(error).c_str());
        std::exit(5);
    }
};

TEST_F(SmallAddressSpaceDeathTest, RunsWhatHasNoMemory) {
    const auto body = [] {
        const auto bytes = wat::assemble("(module (func (export \"f\")))");
        limit(1024);
        auto engine = engine::Engine::make({}).take();
        auto module = engine::Module::compile(*engine, bytes).take();
        auto store = engine::Store::make(*engine).take();
        engine::Linker linker;
        const auto made = store->instantiate(module, linker);
        std::vector<Value> results;
        const auto func = made.value().instance->find_export("f")->func;
        std::exit(text(store->call(func, {}, results)).empty() ? 5 : 6);
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "");
}

TEST_F(SmallAddressSpaceDeathTest, SaysWhatAMemoryNeeds) {
    const auto body = [] {
        const auto bytes = wat::assemble("(module (memory 1))");
        limit(1024);
        auto engine = engine::Engine::make({}).take();
        auto module = engine::Module::compile(*engine, bytes).take();
        auto store = engine::Store::make(*engine).take();
        engine::Linker linker;
        say(store->instantiate(module, linker).error());
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "ulimit -v");
}

TEST_F(SmallAddressSpaceDeathTest, SaysSoWhenThereIsNoRoomForCode) {
    const auto body = [] {
        limit(60);
        const auto engine = engine::Engine::make({});
        if (engine.ok()) std::exit(6);
        say(engine.error());
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "address space");
}

}  // namespace
}  // namespace wrun::test
