// Fibers by themselves: what a switch keeps, where walks over a fiber's stack end, what misuse is.
#include <execinfo.h>
#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <array>
#include <cfenv>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime/entry.hpp"
#include "runtime/fiber.hpp"
#include "tests/support/sanitizers.hpp"

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

TEST(Fiber, WalksOverItsStackEnd) {
    const auto fiber = Fiber::make().take();
    struct Seen {
        int by_tables = 0;
        int by_frames = 0;
    } seen;
    (void)fiber->start(
        [](void* to) noexcept {
            std::array<void*, 200> frames{};
            static_cast<Seen*>(to)->by_tables = backtrace(frames.data(), 200);
            int& count = static_cast<Seen*>(to)->by_frames;
            for (auto* frame = static_cast<void**>(__builtin_frame_address(0));
                 frame != nullptr && count < 200; ++count) {
                const auto stack = Fiber::current()->stack();
                const auto* const at = reinterpret_cast<const u8*>(frame);
                // Without frame pointers rbp is anything; the base has 0 in it all the same.
                if (at < stack.data() || at >= stack.data() + stack.size()) break;
                frame = static_cast<void**>(*frame);
            }
        },
        &seen);
    EXPECT_GE(seen.by_tables, 2);
    EXPECT_LE(seen.by_tables, 8);
    EXPECT_LE(seen.by_frames, 8);
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

}  // namespace
}  // namespace wrun::test
