// Which faults become which traps, at which edges, and which are left to others.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <thread>

#include "base/limits.hpp"
#include "runtime/signals.hpp"
#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::Context;
using runtime::HostCallArea;
using runtime::TrapCode;

constexpr u64 page = limits::wasm_page_bytes;

TEST(Traps, UnreachableIsItself) {
    Guest guest;
    const GuestRun run = guest.run(GuestFunction::unreachable);
    EXPECT_EQ(run.status, trapped(TrapCode::unreachable));
    EXPECT_EQ(run.record.faulted, 1u);
}

TEST(Traps, DivisionTellsZeroFromOverflow) {
    Guest guest;
    const auto min = static_cast<u64>(std::numeric_limits<i64>::min());
    EXPECT_EQ(guest.run(GuestFunction::divide, {42, 6}).value(), 7u);
    EXPECT_EQ(
        guest.run(GuestFunction::divide, {1, 0}).status, trapped(TrapCode::integer_divide_by_zero));
    EXPECT_EQ(guest.run(GuestFunction::divide, {min, ~u64{0}}).status,
        trapped(TrapCode::integer_overflow));
    EXPECT_EQ(guest.run(GuestFunction::divide_32, {1, 0}).status,
        trapped(TrapCode::integer_divide_by_zero));
    EXPECT_EQ(guest.run(GuestFunction::divide_32, {0x8000'0000, 0xffff'ffff}).status,
        trapped(TrapCode::integer_overflow));
}

TEST(Traps, MemoryEndsWhereItEnds) {
    Guest guest;
    for (u64 pages = 1; pages <= 4; ++pages) {
        const u64 end = pages * page;
        EXPECT_EQ(guest.run(GuestFunction::store, {end - 4, 42}).status, 0u);
        EXPECT_EQ(guest.run(GuestFunction::load, {end - 4}).value(), 42u);
        for (const u64 address : {end - 3, end - 1, end, end + 1, u64{0xffff'ffff}}) {
            EXPECT_EQ(guest.run(GuestFunction::load, {address}).status,
                trapped(TrapCode::memory_out_of_bounds))
                << address;
            EXPECT_EQ(guest.run(GuestFunction::store, {address, 1}).status,
                trapped(TrapCode::memory_out_of_bounds))
                << address;
        }
        if (pages < 4) {
            EXPECT_EQ(guest.memory->grow(1), pages);
        }
    }
}

TEST(Traps, TheWholeReservationIsTheGuests) {
    Guest guest;
    // The largest index plus the largest offset, and the last byte of an access of 16 there.
    const u64 farthest = 0xffff'ffffull + 0xffff'ffffull + 12;
    EXPECT_EQ(
        guest.run(GuestFunction::load, {farthest}).status, trapped(TrapCode::memory_out_of_bounds));
}

TEST(Traps, FourGibibytesAreUsableToTheLastByte) {
    Guest guest{{.memory = {65'536, 65'536, false, false}}};
    const u64 end = u64{4} << 30;
    EXPECT_EQ(guest.run(GuestFunction::store, {end - 4, 7}).status, 0u);
    EXPECT_EQ(guest.run(GuestFunction::load, {end - 4}).value(), 7u);
    EXPECT_EQ(
        guest.run(GuestFunction::load, {end - 3}).status, trapped(TrapCode::memory_out_of_bounds));
}

TEST(Traps, ANullRecordIsAnUninitializedElement) {
    Guest guest;
    EXPECT_EQ(
        guest.run(GuestFunction::check_type, {0}).status, trapped(TrapCode::uninitialized_element));
}

TEST(Traps, ClearTheDirectionFlag) {
    Guest guest;
    EXPECT_EQ(guest.run(GuestFunction::spoil).status, trapped(TrapCode::unreachable));
    u64 flags = 0;
    asm volatile("pushfq; pop %0" : "=r"(flags));
    EXPECT_EQ(flags & 0x400, 0u);
}

TEST(Traps, AreExactAndRepeatable) {
    Guest guest;
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_EQ(
            guest.run(GuestFunction::load, {page}).status, trapped(TrapCode::memory_out_of_bounds));
        ASSERT_EQ(guest.run(GuestFunction::add, {1, 2}).value(), 3u);
    }
}

// ---- stack overflow --------------------------------------------------------------------------

TEST(StackOverflow, OfSmallAndLargeFrames) {
    Guest guest;
    EXPECT_EQ(guest.run(GuestFunction::recurse).status, trapped(TrapCode::stack_overflow));
    EXPECT_EQ(guest.run(GuestFunction::recurse_large).status, trapped(TrapCode::stack_overflow));
    EXPECT_EQ(guest.run(GuestFunction::add, {1, 2}).value(), 3u);
}

TEST(StackOverflow, ThroughRecordsOfTwoContexts) {
    Guest first;
    Guest second;
    auto record = second.record(GuestFunction::recurse_record);
    const GuestRun run = first.run(GuestFunction::recurse_record, {reinterpret_cast<u64>(&record)});
    EXPECT_EQ(run.status, trapped(TrapCode::stack_overflow));
}

/// Every distance from the guard, so that each push of each stub is the one that faults.
TEST(StackOverflow, AtEveryDepthOfEveryStub) {
    Guest guest;
    TestHostFunction host{[](HostCallArea& area, Context*, const u64*, void*) -> u64 {
                              area.integers[0] = 5;
                              return 0;
                          },
        nullptr};
    TestHostFunction host_of_two{[](HostCallArea& area, Context*, const u64* stack, void*) -> u64 {
                                     area.integers[0] = stack[0] - stack[1];
                                     return 0;
                                 },
        nullptr, 2};
    auto two = guest.record(GuestFunction::pop_two, 2);
    auto small = guest.record(GuestFunction::add);
    struct Row {
        const char* name;
        GuestFunction function;
        std::array<u64, 5> arguments;
    };
    const auto address = [](const runtime::FuncRecord& record) {
        return reinterpret_cast<u64>(&record);
    };
    const u64 grow = to_underlying(runtime::Helper::memory_grow);
    const Row rows[] = {
        {"guest callee", GuestFunction::call_record, {address(small), 1}},
        {"guest callee with stack arguments", GuestFunction::call_pop_two, {address(two)}},
        {"host callee", GuestFunction::call_record, {address(host.record), 1}},
        {"host callee with stack arguments", GuestFunction::call_pop_two,
            {address(host_of_two.record)}},
        {"helper", GuestFunction::help, {grow, 0, 0, 0, 0}},
    };
    for (const Row& row : rows) {
        u64 overflows = 0;
        u64 returns = 0;
        for (u64 room = 0; room <= 1024; room += 8) {
            GuestRun run;
            run.record.guest_rsp = guest.stack.limit() + room;
            std::copy(row.arguments.begin(), row.arguments.end(), run.arguments.integers.begin());
            guest.run(row.function, run);
            if (run.status == trapped(TrapCode::stack_overflow)) {
                ++overflows;
                ASSERT_EQ(returns, 0u) << row.name << ": overflow with more room, " << room;
            } else {
                ++returns;
                ASSERT_EQ(run.status, 0u) << row.name << " with " << room;
            }
        }
        EXPECT_GT(overflows, 2u) << row.name;
        EXPECT_GT(returns, 20u) << row.name;
    }
}

TEST(StackOverflow, WhileTheEntryPushesArguments) {
    Guest guest;
    const std::vector<u64> many(100);
    GuestRun run;
    run.record.guest_rsp = guest.stack.limit() + 50 * 8;
    run.arguments.stack_slot_count = many.size();
    run.arguments.stack_slots = many.data();
    guest.run(GuestFunction::add, run);
    EXPECT_EQ(run.status, trapped(TrapCode::stack_overflow));
}

// ---- threads -----------------------------------------------------------------------------------

TEST(Traps, OfThreadsDoNotMix) {
    std::vector<std::thread> threads;
    std::array<int, 4> good{};
    for (std::size_t number = 0; number < good.size(); ++number) {
        threads.emplace_back([&, number] {
            Guest guest;
            for (int i = 0; i < 500; ++i) {
                good[number] += guest.run(GuestFunction::load, {page}).status ==
                                trapped(TrapCode::memory_out_of_bounds);
                good[number] +=
                    guest.run(GuestFunction::recurse).status == trapped(TrapCode::stack_overflow);
                good[number] += guest.run(GuestFunction::divide, {1, 0}).status ==
                                trapped(TrapCode::integer_divide_by_zero);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const int count : good)
        EXPECT_EQ(count, 1500);
}

TEST(Traps, WorkOnThreadsThatBlockEverySignal) {
    u64 status = 0;
    std::thread thread{[&] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
        Guest guest;
        status = guest.run(GuestFunction::unreachable).status;
    }};
    thread.join();
    EXPECT_EQ(status, trapped(TrapCode::unreachable));
}

TEST(Traps, UseASignalStackThatIsThereAlready) {
    std::vector<char> own(256 * 1024);
    stack_t during{};
    u64 status = 0;
    std::thread thread{[&] {
        stack_t before{};
        stack_t given{};
        given.ss_sp = own.data();
        given.ss_size = own.size();
        sigaltstack(&given, &before);
        Guest guest;
        status = guest.run(GuestFunction::recurse).status;
        sigaltstack(nullptr, &during);
        // The sanitizer takes back at the end of a thread what it gave it.
        sigaltstack(&before, nullptr);
    }};
    thread.join();
    EXPECT_EQ(status, trapped(TrapCode::stack_overflow));
    EXPECT_EQ(during.ss_sp, own.data());
}

TEST(Traps, TakeTheirSignalStackAwayFromAnEndingThread) {
    stack_t after{};
    std::thread thread{[&] {
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
        // Runs after the destructors of thread-local objects made later than it.
        thread_local struct AtEnd {
            stack_t* result = nullptr;
            ~AtEnd() {
                if (result != nullptr) sigaltstack(nullptr, result);
            }
        } at_end;
        at_end.result = &after;
        Guest guest;
        (void)guest.run(GuestFunction::unreachable);
        stack_t during{};
        sigaltstack(nullptr, &during);
        EXPECT_EQ(during.ss_flags & SS_DISABLE, 0);
    }};
    thread.join();
    EXPECT_NE(after.ss_flags & SS_DISABLE, 0);
}

// ---- what is not ours
// ---------------------------------------------------------------------------- Each in a process of
// its own, with the handlers that were there before the engine.

volatile sig_atomic_t handled = 0;

void by_default(int signal) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
}

void with_handler(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signal, &action, nullptr);
}

void fault_in_host() {
    volatile int* const nowhere =
        static_cast<int*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *nowhere = 1;
}

class ChainedFaultsDeathTest : public ::testing::Test {
protected:
    ChainedFaultsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ChainedFaultsDeathTest, InHostCodeKillUnderTheDefault) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        fault_in_host();
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, InHostCodeBelowAGuestKillToo) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        TestHostFunction host{[](HostCallArea&, Context*, const u64*, void*) -> u64 {
                                  fault_in_host();
                                  return 0;
                              },
            nullptr};
        (void)guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, AtARowButOutsideTheMemoriesKill) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        Guest other;
        (void)guest.run(GuestFunction::load_anywhere,
            {reinterpret_cast<u64>(other.memory->base() + other.memory->bytes())});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, InMemoryWithoutARowKill) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        (void)guest.run(GuestFunction::load_unlisted,
            {reinterpret_cast<u64>(guest.memory->base() + guest.memory->bytes())});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, InPageZeroAtAMemoryRowKill) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        (void)guest.run(GuestFunction::load_anywhere, {16});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, BehindPageZeroAtATypeRowKill) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        (void)guest.run(GuestFunction::check_type, {4096 - 16});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, OfUnlistedInstructionsKill) {
    const auto die = [] {
        by_default(SIGILL);
        Guest guest;
        (void)guest.run(GuestFunction::undefined);
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGILL), "");
}

TEST_F(ChainedFaultsDeathTest, ThatSomebodySentKillUnderTheDefault) {
    const auto die = [] {
        by_default(SIGSEGV);
        Guest guest;
        TestHostFunction host{[](HostCallArea&, Context*, const u64*, void*) -> u64 {
                                  raise(SIGSEGV);
                                  return 0;
                              },
            nullptr};
        (void)guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, ThatSomebodySentAreIgnoredIfTheyWere) {
    const auto survive = [] {
        signal(SIGSEGV, SIG_IGN);
        Guest guest;
        raise(SIGSEGV);
        _exit(
            guest.run(GuestFunction::load, {page}).status == trapped(TrapCode::memory_out_of_bounds)
                ? 3
                : 4);
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(3), "");
}

TEST_F(ChainedFaultsDeathTest, ThatSomebodySentToAGuestAtARowAreNoTraps) {
    const auto survive = [] {
        signal(SIGILL, SIG_IGN);
        Guest guest;
        const pthread_t spinning = pthread_self();
        std::thread sender{[&] {
            for (int i = 0; i < 2000; ++i)
                pthread_kill(spinning, SIGILL);
            *reinterpret_cast<volatile u32*>(guest.memory->base()) = 1;
        }};
        const u64 status = guest.run(GuestFunction::spin, {0}).status;
        sender.join();
        _exit(status == 0 ? 5 : 6);
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(5), "");
}

TEST_F(ChainedFaultsDeathTest, OfTheHostCannotBeIgnored) {
    const auto die = [] {
        signal(SIGSEGV, SIG_IGN);
        Guest guest;
        fault_in_host();
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(ChainedFaultsDeathTest, ReachAHandlerFromBeforeWithEverythingTheKernelSaid) {
    const auto survive = [] {
        with_handler(
            SIGSEGV,
            [](int signal, siginfo_t* info, void* context) {
                const bool fits = signal == SIGSEGV && info->si_code == SEGV_ACCERR &&
                                  info->si_addr != nullptr && context != nullptr;
                _exit(fits ? 5 : 6);
            },
            0);
        Guest guest;
        (void)guest.run(GuestFunction::load, {page});
        fault_in_host();
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(5), "");
}

TEST_F(ChainedFaultsDeathTest, ReachAPlainHandlerFromBefore) {
    const auto survive = [] {
        signal(SIGSEGV, [](int signal) { _exit(signal == SIGSEGV ? 5 : 6); });
        Guest guest;
        fault_in_host();
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(5), "");
}

TEST_F(ChainedFaultsDeathTest, AreBlockedInAHandlerFromBeforeAsItAsked) {
    const auto survive = [] {
        struct sigaction action {};
        action.sa_handler = [](int) {
            sigset_t now;
            pthread_sigmask(SIG_SETMASK, nullptr, &now);
            const bool fits = sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGUSR2) == 0 &&
                              sigismember(&now, SIGSEGV) == 0;
            _exit(fits ? 5 : 6);
        };
        sigaddset(&action.sa_mask, SIGUSR1);
        action.sa_flags = SA_NODEFER;
        sigaction(SIGSEGV, &action, nullptr);
        Guest guest;
        fault_in_host();
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(5), "");
}

TEST_F(ChainedFaultsDeathTest, ReachAHandlerThatResetsItselfOnce) {
    const auto die = [] {
        with_handler(
            SIGSEGV, [](int, siginfo_t*, void*) { handled = 1; }, static_cast<int>(SA_RESETHAND));
        Guest guest;
        fault_in_host();
    };
    EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGSEGV), "");
}

struct sigaction engines_handler {};

TEST_F(ChainedFaultsDeathTest, ComeThroughAHandlerFromAfter) {
    const auto survive = [] {
        Guest guest;
        struct sigaction action {};
        action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
            handled = handled + 1;
            engines_handler.sa_sigaction(signal, info, context);
        };
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &engines_handler);
        const u64 first = guest.run(GuestFunction::load, {page}).status;
        const u64 second = guest.run(GuestFunction::recurse).status;
        const bool fits = first == trapped(TrapCode::memory_out_of_bounds) &&
                          second == trapped(TrapCode::stack_overflow) && handled == 2;
        _exit(fits ? 5 : 6);
    };
    EXPECT_EXIT(survive(), ::testing::ExitedWithCode(5), "");
}

}  // namespace
}  // namespace wrun::test
