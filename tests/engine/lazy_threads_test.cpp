// A lazy module among threads and processes: several run it while the background compiles it, one
// traps while others add functions, it goes away in the middle, and a forked process goes on with
// what it has.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/sanitizers.hpp"
#include "engine/artifact.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun::test {
namespace {

using engine::Compilation;
using engine::ModuleOptions;
using engine::Store;
using ModulePtr = std::shared_ptr<const engine::Module>;

/// Functions "f<i>"(x), in groups: the last of a group loads from address x and adds i, the others
/// add i to what their successor makes of it.
constexpr u32 group = 4;
build::Bytes groups(u32 count) {
    using namespace build;
    ModuleBuilder module;
    const u32 type = module.type({type_i32}, {type_i32});
    module.memory(1, 1);
    for (u32 i = 0; i < count; ++i) {
        const Bytes inner = i % group == group - 1 ? i32_load(0) : call(i + 1);
        const Bytes padding = repeat(30, join(i32_const(1), i32_add()));
        module.function(
            type, body(local_get(0), inner, i32_const(static_cast<i32>(i)), i32_add(), padding));
        module.export_item("f" + std::to_string(i), ExternKind::func, i);
    }
    return module.bytes();
}

/// What a call of "f<i>" answers of an address that is in the memory, which is all zeros.
u32 expected(u32 i) {
    u32 sum = 0;
    for (u32 j = i; j < (i / group + 1) * group; ++j)
        sum += j + 30;
    return sum;
}

/// One thread's store with an instance.
struct Guest {
    std::unique_ptr<Store> store;
    engine::Instance* instance;

    Guest(engine::Engine& engine, const ModulePtr& module)
        : store{Store::make(engine).take()},
          instance{store->instantiate(module, engine::Linker{}).take().instance} {}

    /// Whether f<i> answers as it must.
    [[nodiscard]] bool answers(u32 i) {
        std::vector<Value> results;
        const auto done = store->call(function(i), std::vector{Value::i32(16)}, results);
        return text(done).empty() && results[0].bits == expected(i);
    }
    /// Whether a load outside of the memory traps in the last function of the group, called by all
    /// from f<i> on.
    [[nodiscard]] bool traps(u32 i) {
        std::vector<Value> results;
        const auto done =
            store->call(function(i), std::vector{Value::i32(0x7fff'0000)}, results).take();
        const auto* const trap = std::get_if<engine::Trap>(&done);
        if (trap == nullptr || trap->code != runtime::TrapCode::memory_out_of_bounds) return false;
        const u32 last = (i / group + 1) * group - 1;
        if (trap->frames.size() != last - i + 1) return false;
        for (u32 j = i; j <= last; ++j) {
            if (trap->frames[last - j].func_index != j) return false;
        }
        const auto& body = instance->module().decoded().bodies[last];
        return trap->frames[0].module_offset == body.begin + 3;
    }

private:
    [[nodiscard]] runtime::FuncRecord* function(u32 i) const {
        return instance->find_export("f" + std::to_string(i))->func;
    }
};

class LazyThreads : public ::testing::TestWithParam<Compilation> {
protected:
    [[nodiscard]] ModulePtr compile(const build::Bytes& bytes) {
        return engine::Module::compile(*engine, bytes, {.compilation = GetParam()}).take();
    }
    static std::unique_ptr<engine::Engine> make_engine() {
        engine::EngineOptions options;
        options.compile_threads = 3;
        return engine::Engine::make(options).take();
    }
    std::unique_ptr<engine::Engine> engine = make_engine();
};

INSTANTIATE_TEST_SUITE_P(
    Ways, LazyThreads, ::testing::Values(Compilation::on_call, Compilation::lazy));

TEST_P(LazyThreads, RunTrapAndCompileAtOnce) {
    constexpr u32 count = has_address_sanitizer || has_thread_sanitizer ? 800 : 3'000;
    const auto bytes = groups(count);
    for (int round = 0; round < 4; ++round) {
        const ModulePtr module = compile(bytes);
        std::atomic<u32> wrong = 0;
        std::vector<std::thread> threads;
        for (u32 number = 0; number < 4; ++number) {
            threads.emplace_back([&, number] {
                Guest guest{*engine, module};
                for (u32 i = 0; i < count; ++i) {
                    // From both ends, two of them side by side; every function is new to somebody.
                    const u32 f = number % 2 == 0 ? i : count - 1 - i;
                    const bool right = (i + number) % 3 == 0 ? guest.traps(f) : guest.answers(f);
                    wrong += right ? 0 : 1;
                }
            });
        }
        for (std::thread& thread : threads)
            thread.join();
        EXPECT_EQ(wrong, 0u);
        Guest guest{*engine, module};
        for (u32 i = 0; i < count; ++i)
            ASSERT_TRUE(guest.answers(i) && guest.traps(i)) << i;
    }
}

TEST_P(LazyThreads, FinishWhileOthersRun) {
    const auto bytes = groups(2'000);
    const ModulePtr module = compile(bytes);
    std::atomic<bool> is_done = false;
    std::thread runner{[&] {
        Guest guest{*engine, module};
        for (u32 i = 0; !is_done; i = (i + 17) % 2'000)
            EXPECT_TRUE(guest.answers(i));
    }};
    std::vector<std::thread> finishers;
    for (int i = 0; i < 2; ++i)
        finishers.emplace_back([&] { EXPECT_TRUE(engine::finished_code(*module).ok()); });
    for (std::thread& thread : finishers)
        thread.join();
    is_done = true;
    runner.join();
}

TEST_P(LazyThreads, StopWhenTheModuleGoes) {
    const auto bytes = groups(20'000);
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < 20; ++round) {
        const ModulePtr module = compile(bytes);
        if (round % 2 == 0) continue;
        Guest guest{*engine, module};
        EXPECT_TRUE(guest.answers(19'000));
    }
    // Validation is most of it; to compile everything each time would take much longer.
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("%.3f s for 20 modules\n", seconds.count());
}

/// Runs `body` in a forked process; whether it answered true.
template <class Body>
bool in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body() ? 0 : 1);
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_P(LazyThreads, ForkedProcessesGoTheirOwnWays) {
    if (has_thread_sanitizer) GTEST_SKIP() << "the sanitizer knows no threads in forked processes";
    constexpr u32 count = 2'000;
    const auto bytes = groups(count);
    for (u32 round = 0; round < 20; ++round) {
        const ModulePtr module = compile(bytes);
        Guest guest{*engine, module};
        const u32 first = round * 8;
        ASSERT_TRUE(guest.answers(first));
        int to_child[2];
        ASSERT_EQ(pipe(to_child), 0);
        // Both compile at once, each something else, and then what the other had compiled.
        const pid_t child = fork();
        if (child == 0) {
            // Nobody may hang for ever in here.
            alarm(60);
            bool right = guest.answers(first) && guest.traps(first);
            for (u32 i = 1'000; i < 1'200; ++i)
                right = right && guest.answers(i) && guest.traps(i);
            char byte = 0;
            right = right && read(to_child[0], &byte, 1) == 1;
            for (u32 i = 0; i < count; ++i)
                right = right && guest.traps(i) && guest.answers(i);
            right = right && in_child([&] { return guest.answers(3) && guest.traps(5); });
            right = right && engine::finished_code(*module).ok();
            _exit(right ? 0 : 1);
        }
        for (u32 i = 400; i < 600; ++i)
            EXPECT_TRUE(guest.answers(i) && guest.traps(i));
        ASSERT_EQ(write(to_child[1], "x", 1), 1);
        for (u32 i = 0; i < count; i += 3)
            EXPECT_TRUE(guest.traps(i) && guest.answers(i));
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
            << "round " << round << ", " << status;
        close(to_child[0]);
        close(to_child[1]);
    }
}

TEST_P(LazyThreads, ForkedProcessesEndTheirModules) {
    if (has_thread_sanitizer) GTEST_SKIP() << "the sanitizer knows no threads in forked processes";
    const auto bytes = groups(20'000);
    for (int round = 0; round < 20; ++round) {
        ModulePtr module = compile(bytes);
        auto guest = std::make_unique<Guest>(*engine, module);
        EXPECT_TRUE(in_child([&] {
            alarm(60);
            const bool right = guest->answers(77);
            guest.reset();
            module.reset();
            // Another one, with threads of its own.
            module = compile(bytes);
            return right && Guest{*engine, module}.traps(12'345);
        }));
    }
}

}  // namespace
}  // namespace wrun::test
