// Fibers by themselves: what a switch keeps, where walks over a fiber's stack end, what misuse is.
#include <execinfo.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>
#include <xmmintrin.h>

#include <array>
#include <cfenv>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/os_cpu.hpp"
#include "base/sanitizers.hpp"
#include "runtime/entry.hpp"
#include "runtime/fiber.hpp"
#include "runtime/slice.hpp"
#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::Fiber;

TEST(Fiber, RunsUntilItSuspendsAndGoesOnThere) {
    const auto fiber = Fiber::make().take();
    std::string log;
    const Fiber::Entry entry = [](void* text) noexcept {
        auto& to = *static_cast<std::string*>(text);
        to += "a";
        Fiber::suspend();
        to += "b";
        Fiber::suspend();
        to += "c";
    };
    for (int round = 0; round < 3; ++round) {
        log += "1";
        EXPECT_TRUE(fiber->start(entry, &log));
        EXPECT_TRUE(fiber->is_suspended());
        log += "2";
        EXPECT_TRUE(fiber->resume());
        log += "3";
        EXPECT_FALSE(fiber->resume());
        EXPECT_FALSE(fiber->is_suspended());
        EXPECT_FALSE(fiber->was_sliced());
    }
    EXPECT_EQ(log, "1a2b3c1a2b3c1a2b3c");
}

TEST(Fiber, IsTheCurrentOneWhileItRuns) {
    const auto fiber = Fiber::make().take();
    EXPECT_EQ(Fiber::current(), nullptr);
    Fiber* seen = nullptr;
    (void)fiber->start(
        [](void* to) noexcept { *static_cast<Fiber**>(to) = Fiber::current(); }, &seen);
    EXPECT_EQ(seen, fiber.get());
    EXPECT_EQ(Fiber::current(), nullptr);
}

/// A stack of its own, as large as promised; what asks for room learns of it.
TEST(Fiber, HasAStackThatKnowsItsBounds) {
    const auto fiber = Fiber::make().take();
    const u64 outside = runtime::host_stack_room();
    u64 room = 0;
    (void)fiber->start(
        [](void* to) noexcept { *static_cast<u64*>(to) = runtime::host_stack_room(); }, &room);
    u64 here = 0;
    (void)fiber->start(
        [](void* to) noexcept {
            *static_cast<u64*>(to) = reinterpret_cast<u64>(&to);
            // All of it can be written.
            std::array<volatile u8, Fiber::stack_bytes - 32 * 1024> large;
            for (std::size_t i = 0; i < large.size(); i += 1024)
                large[i] = 1;
        },
        &here);
    const auto stack = fiber->stack();
    const u64 begin = reinterpret_cast<u64>(stack.data());
    EXPECT_GT(here, begin);
    EXPECT_LT(here, begin + stack.size());
    EXPECT_LE(room, stack.size());
    EXPECT_GT(room, stack.size() - 4096);
    EXPECT_NE(outside, room);
    EXPECT_EQ(runtime::host_stack_room() / 4096, outside / 4096);
}

/// Loads every register that survives calls, suspends, and tells whether one is another now.
[[nodiscard]] u64 lost_over_suspend(u64 seed) {
    u64 lost = 0;
    asm volatile(
        ".intel_syntax noprefix\n\t"
        "lea rsp, [rsp - 128]\n\t"  // the compiler's red zone
        "push rbp\n\t"
        "push rbx\n\t"
        "mov rbx, rsi\n\t"
        "lea rbp, [rsi + 1]\n\t"
        "lea r12, [rsi + 2]\n\t"
        "lea r13, [rsi + 3]\n\t"
        "lea r14, [rsi + 4]\n\t"
        "lea r15, [rsi + 5]\n\t"
        "push rsi\n\t"
        "sub rsp, 120\n\t"
        "mov rcx, rsp\n\t"
        "and rsp, -16\n\t"
        "push rcx\n\t"
        "push rcx\n\t"
        "call rdi\n\t"
        "pop rcx\n\t"
        "pop rcx\n\t"
        "mov rsp, rcx\n\t"
        "add rsp, 120\n\t"
        "pop rsi\n\t"
        "xor eax, eax\n\t"
        "sub rbx, rsi\n\t"
        "or rax, rbx\n\t"
        "sub rbp, rsi\n\t"
        "sub rbp, 1\n\t"
        "or rax, rbp\n\t"
        "sub r12, rsi\n\t"
        "sub r12, 2\n\t"
        "or rax, r12\n\t"
        "sub r13, rsi\n\t"
        "sub r13, 3\n\t"
        "or rax, r13\n\t"
        "sub r14, rsi\n\t"
        "sub r14, 4\n\t"
        "or rax, r14\n\t"
        "sub r15, rsi\n\t"
        "sub r15, 5\n\t"
        "or rax, r15\n\t"
        "pop rbx\n\t"
        "pop rbp\n\t"
        "lea rsp, [rsp + 128]\n\t"
        ".att_syntax prefix\n\t"
        : "=a"(lost), "+S"(seed)
        : "D"(&Fiber::suspend)
        : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "cc", "memory");
    return lost;
}

/// Each with its own rounding and precision, as <cfenv> and compilers set them.
struct Keeper {
    u64 number = 0;
    u64 lost = 0;
    int rounds = 0;

    static constexpr std::array roundings = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    [[nodiscard]] int rounding() const { return roundings[number % 4]; }

    static void run(void* self) noexcept {
        auto& keeper = *static_cast<Keeper*>(self);
        std::fesetround(keeper.rounding());
        for (int i = 0; i < keeper.rounds; ++i) {
            keeper.lost |= lost_over_suspend(keeper.number * 1'000'003 + static_cast<u64>(i));
            keeper.lost |= std::fegetround() != keeper.rounding();
            keeper.lost |= (_mm_getcsr() & _MM_ROUND_MASK) != (keeper.number % 4) << 13;
        }
    }
};

TEST(Fiber, KeepsRegistersAndControlWords) {
    std::vector<Keeper> keepers(20);
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::mt19937_64 random{1};
    for (Keeper& keeper : keepers) {
        keeper.number = fibers.size();
        keeper.rounds = 200;
        fibers.push_back(Fiber::make().take());
        ASSERT_TRUE(fibers.back()->start(Keeper::run, &keeper));
        ASSERT_EQ(std::fegetround(), FE_TONEAREST);
    }
    std::size_t left = fibers.size();
    while (left != 0) {
        Fiber& fiber = *fibers[random() % fibers.size()];
        if (!fiber.is_suspended()) continue;
        left -= !fiber.resume();
        ASSERT_EQ(std::fegetround(), FE_TONEAREST);
    }
    for (const Keeper& keeper : keepers)
        EXPECT_EQ(keeper.lost, 0u) << keeper.number;
}

/// A fiber that begins has what its starter has.
TEST(Fiber, BeginsWithItsStartersRounding) {
    const auto fiber = Fiber::make().take();
    int seen = 0;
    std::fesetround(FE_UPWARD);
    (void)fiber->start(
        [](void* to) noexcept { *static_cast<int*>(to) = std::fegetround(); }, &seen);
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(seen, FE_UPWARD);
}

/// Behind a stack's end lies another one's guard, so that a walk that goes on ends the process.
TEST(Fiber, WalksOverItsStackEnd) {
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < 8; ++i)
        fibers.push_back(Fiber::make().take());
    const auto is_below = [](const Fiber& one, const Fiber& other) {
        const u64 end = reinterpret_cast<u64>(one.stack().data()) + Fiber::stack_bytes;
        return end + runtime::stack_guard_bytes == reinterpret_cast<u64>(other.stack().data());
    };
    int neighbours = 0;
    for (const auto& one : fibers) {
        for (const auto& other : fibers)
            neighbours += is_below(*one, *other);
    }
    EXPECT_GT(neighbours, 0);
    for (const auto& fiber : fibers) {
        int count = 0;
        (void)fiber->start(
            [](void* to) noexcept {
                std::array<void*, 200> frames{};
                *static_cast<int*>(to) = backtrace(frames.data(), 200);
            },
            &count);
        EXPECT_GE(count, 2);
        EXPECT_LE(count, 8);
    }
}

TEST(Fiber, OfTwoThreadsDoNotKnowEachOther) {
    const auto body = [](u64* sum) {
        std::vector<std::unique_ptr<Fiber>> fibers;
        for (int i = 0; i < 8; ++i) {
            fibers.push_back(Fiber::make().take());
            (void)fibers.back()->start(
                [](void* to) noexcept {
                    for (int round = 0; round < 2000; ++round) {
                        ++*static_cast<u64*>(to);
                        Fiber::suspend();
                    }
                },
                sum);
        }
        for (bool some = true; some;) {
            some = false;
            for (const auto& fiber : fibers)
                some |= fiber->is_suspended() && fiber->resume();
        }
    };
    u64 one = 0;
    u64 two = 0;
    std::thread other{body, &two};
    body(&one);
    other.join();
    EXPECT_EQ(one, 16'000u);
    EXPECT_EQ(two, 16'000u);
}

/// Idle ones belong to nobody: who ended on one thread may start on another.
TEST(Fiber, MayBeStartedByAnotherThreadOnceItHasEnded) {
    const auto fiber = Fiber::make().take();
    int runs = 0;
    const Fiber::Entry entry = [](void* count) noexcept {
        Fiber::suspend();
        ++*static_cast<int*>(count);
    };
    for (int i = 0; i < 3; ++i) {
        std::thread{[&] {
            EXPECT_TRUE(fiber->start(entry, &runs));
            EXPECT_FALSE(fiber->resume());
        }}.join();
    }
    EXPECT_EQ(runs, 3);
}

const Fiber::Entry wait_once = [](void*) noexcept { Fiber::suspend(); };

using FiberDeath = ::testing::Test;

TEST(FiberDeath, MisuseStopsTheProcess) {
    if (has_thread_sanitizer) GTEST_SKIP() << "the thread sanitizer and fork()";
    EXPECT_DEATH({ (void)Fiber::make().take()->start(wait_once, nullptr); }, "State::idle");
    EXPECT_DEATH({ (void)Fiber::make().take()->resume(); }, "State::suspended");
    EXPECT_DEATH({ Fiber::suspend(); }, "current_fiber");
    const auto fiber = Fiber::make().take();
    (void)fiber->start(wait_once, nullptr);
    EXPECT_DEATH({ (void)fiber->start(wait_once, nullptr); }, "State::idle");
    EXPECT_DEATH({ std::thread{[&] { (void)fiber->resume(); }}.join(); }, "thread_");
    EXPECT_FALSE(fiber->resume());
    // On top of another.
    const Fiber::Entry nest = [](void*) noexcept {
        const auto inner = Fiber::make().take();
        (void)inner->start([](void*) noexcept {}, nullptr);
    };
    EXPECT_DEATH({ (void)fiber->start(nest, nullptr); }, "current_fiber");
}

// ---- pausing guests ----------------------------------------------------------------------------

/// At each breakpoint of a guest, pauses it.
class Breakpoints {
public:
    Breakpoints() {
        struct sigaction action {};
        action.sa_sigaction = [](int, siginfo_t*, void* context) {
            auto* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
            was_paused = runtime::pause_guest(registers, *wrun_entry);
        };
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGTRAP, &action, &before_);
    }
    ~Breakpoints() { sigaction(SIGTRAP, &before_, nullptr); }
    Breakpoints(const Breakpoints&) = delete;
    Breakpoints& operator=(const Breakpoints&) = delete;

    static inline bool was_paused = false;

private:
    struct sigaction before_ {};
};

struct KeepRun {
    Guest guest;
    GuestFunction function = GuestFunction::keep;
    u64 seed = 0;
    u64 room = 0;  // of the guest's stack; 0: all
    u32 count = 1;
    u64 lost = 0;
    u64 status = 0;

    static void run(void* self) noexcept {
        auto& keep = *static_cast<KeepRun*>(self);
        for (u32 i = 0; i < keep.count; ++i) {
            const u64 rsp =
                keep.room == 0 ? keep.guest.stack.high() : keep.guest.stack.limit() + keep.room;
            const GuestRun run = keep.guest.run_at(rsp, keep.function, {0, keep.seed * 77 + i});
            keep.lost |= run.value();
            keep.status |= run.status;
        }
    }
};

/// The state that the processor holds for upper halves, if it says (XGETBV 1).
[[nodiscard]] bool has_upper_halves_in_use() {
    u32 low = 0;
    u32 high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return (low & 4) != 0;
}

TEST(FiberSlice, KeepsEveryRegisterAndFlagOfTheGuest) {
    const Breakpoints breakpoints;
    std::vector<std::unique_ptr<KeepRun>> runs;
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (u64 i = 0; i < 8; ++i) {
        auto& run = *runs.emplace_back(std::make_unique<KeepRun>());
        run.function =
            i % 2 == 0 && Cpu::host().avx ? GuestFunction::keep_wide : GuestFunction::keep;
        run.seed = i * 0x1234'5678'9abc'def1;
        run.count = 500;
        fibers.push_back(Fiber::make().take());
        ASSERT_TRUE(fibers.back()->start(KeepRun::run, &run));
    }
    for (bool some = true; some;) {
        some = false;
        for (const auto& fiber : fibers) {
            if (!fiber->is_suspended()) continue;
            ASSERT_TRUE(fiber->was_sliced());
            ASSERT_TRUE(Breakpoints::was_paused);
            some |= fiber->resume();
        }
    }
    for (const auto& run : runs) {
        EXPECT_EQ(run->lost, 0u) << run->seed;
        EXPECT_EQ(run->status, runtime::entry_status::returned);
    }
}

/// A guest that uses no upper halves is not made to: code for 128 bits would be slower.
TEST(FiberSlice, LeavesUpperHalvesCleanThatWereClean) {
    if (!Cpu::host().avx) GTEST_SKIP() << "no AVX";
    asm volatile("vzeroupper" ::: "memory");
    if (has_upper_halves_in_use()) GTEST_SKIP() << "the processor does not say";
    const Breakpoints breakpoints;
    KeepRun run;
    const auto fiber = Fiber::make().take();
    ASSERT_TRUE(fiber->start(KeepRun::run, &run));
    EXPECT_FALSE(fiber->resume());
    EXPECT_FALSE(has_upper_halves_in_use());
    EXPECT_EQ(run.lost, 0u);
}

/// Below the guest's stack lies the guard: nobody pushes into it.
TEST(FiberSlice, NeedsRoomOnTheGuestsStack) {
    const Breakpoints breakpoints;
    KeepRun run;
    const auto fiber = Fiber::make().take();
    run.room = runtime::slice_stack_bytes + 32;
    EXPECT_FALSE(fiber->start(KeepRun::run, &run));
    EXPECT_FALSE(Breakpoints::was_paused);
    run.room = runtime::slice_stack_bytes + 256;
    EXPECT_TRUE(fiber->start(KeepRun::run, &run));
    EXPECT_TRUE(Breakpoints::was_paused);
    EXPECT_FALSE(fiber->resume());
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.lost, 0u);
}

TEST(FiberSlice, NeedsAFiber) {
    const Breakpoints breakpoints;
    KeepRun run;
    KeepRun::run(&run);
    EXPECT_FALSE(Breakpoints::was_paused);
    EXPECT_EQ(run.lost, 0u);
}

}  // namespace
}  // namespace wrun::test
