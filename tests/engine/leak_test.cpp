// Guests and hosts that write all over their instances, for as many cycles as one likes, and after
// each the question whether anything is left: memory against the image byte by byte, everything
// else against a number that the guest computes of it. WRUN_LEAK_CYCLES says how many (100,000;
// with sanitizers 3,000); the command for long runs is in docs/testing.md.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "engine/pool.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/swap_file.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::CallLimits;
using engine::Canceller;

/// `misbehave` does one of many things, chosen by its first parameter; the others are random.
/// `rampage` does not end. Memory: four wasm pages, the first two with data.
const char* const vandal = R"((module
    (import "host" "write" (func $host_write (param i32 i32)))
    (import "host" "read" (func $host_read (param i32 i32)))
    (import "host" "leave" (func $host_leave))
    (import "host" "fail" (func $host_fail))
    (memory (export "memory") 4 64) (data (i32.const 5000) "frozen") (data (i32.const 70000) "too")
    (data $passive "passive bytes")
    (table $t 40 400 funcref) (elem (table $t) (i32.const 7) func $a $b $a $b)
    (elem $late func $b $b $b)
    (table $other 20 funcref) (elem (table $other) (i32.const 0) func $a)
    (global $i (mut i32) (i32.const 11)) (global $l (mut i64) (i64.const 12))
    (global $f (mut f32) (f32.const 13)) (global $d (mut f64) (f64.const 14))
    (global $r (mut funcref) (ref.func $a)) (global $e (mut externref) (ref.null extern))
    (func $a) (func $b (result i32) (i32.const 5))
    (func $address (param $x i32) (param $room i32) (result i32)
        (i32.rem_u (local.get $x) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (local.get $room))))
    (func $overflow (param i64) (call $overflow (local.get 0)))
    (func (export "misbehave") (param $what i32) (param $x i32) (param $y i32)
        (block $12 (block $11 (block $10 (block $9 (block $8 (block $7 (block $6 (block $5 (block $4
        (block $3 (block $2 (block $1 (block $0
            (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 (local.get $what)))
            (i32.store8 (call $address (local.get $x) (i32.const 1)) (local.get $y)) (return))
            (i64.store (call $address (local.get $x) (i32.const 8)) (i64.const -1))
            (i64.store (call $address (local.get $y) (i32.const 8)) (i64.const 1)) (return))
            (memory.fill (call $address (local.get $x) (i32.const 30000)) (local.get $y)
                (i32.const 30000)) (return))
            (memory.copy (call $address (local.get $x) (i32.const 9000))
                (call $address (local.get $y) (i32.const 9000)) (i32.const 9000)) (return))
            (memory.init $passive (call $address (local.get $x) (i32.const 13)) (i32.const 0) (i32.const 13))
            (data.drop $passive) (return))
            (drop (memory.grow (i32.rem_u (local.get $x) (i32.const 5))))
            (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 238)) (return))
            (table.set $t (i32.rem_u (local.get $x) (table.size $t)) (ref.func $b))
            (table.set $other (i32.rem_u (local.get $y) (i32.const 20)) (ref.null func)) (return))
            (drop (table.grow $t (ref.func $a) (i32.rem_u (local.get $x) (i32.const 60))))
            (table.fill $t (i32.rem_u (local.get $y) (i32.const 30)) (ref.func $a) (i32.const 10)) (return))
            (table.init $t $late (i32.rem_u (local.get $x) (i32.const 30)) (i32.const 0) (i32.const 3))
            (table.copy $other $t (i32.const 3) (i32.rem_u (local.get $y) (i32.const 30)) (i32.const 9))
            (elem.drop $late) (return))
            (global.set $i (local.get $x)) (global.set $l (i64.const -1)) (global.set $f (f32.const nan))
            (global.set $d (f64.const inf)) (global.set $r (ref.null func)) (return))
            (call $host_write (local.get $x) (local.get $y)) (return))
            (call $host_read (local.get $x) (local.get $y)) (return))
        (if (i32.eq (local.get $what) (i32.const 13)) (then (call $host_leave)))
        (if (i32.eq (local.get $what) (i32.const 14)) (then (call $host_fail)))
        (if (i32.eq (local.get $what) (i32.const 15)) (then (call $overflow (i64.const -1))))
        unreachable)
    (func (export "rampage") (param $x i32) (loop $l
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (i32.const 12345)))
        (table.set $t (i32.and (i32.shr_u (local.get $x) (i32.const 9)) (i32.const 31)) (ref.func $b))
        (table.set $other (i32.and (i32.shr_u (local.get $x) (i32.const 14)) (i32.const 15)) (ref.func $b))
        (i64.store (call $address (local.get $x) (i32.const 8)) (i64.const -1))
        (memory.fill (call $address (local.get $x) (i32.const 900)) (local.get $x) (i32.const 900))
        (global.set $i (local.get $x)) (global.set $r (ref.null func))
        (if (i32.eqz (i32.and (local.get $x) (i32.const 0xf000))) (then
            (call $host_write (local.get $x) (i32.const 77)) (call $host_read (local.get $x) (i32.const 99))))
        (drop (memory.grow (i32.eqz (i32.and (local.get $x) (i32.const 0xffff00)))))
        (drop (table.grow $t (ref.func $a) (i32.eqz (i32.and (local.get $x) (i32.const 0xfff00)))))
        (br $l)))
    (func $kind (param funcref) (result i64)
        (i64.add (i64.mul (i64.extend_i32_u (ref.is_null (local.get 0))) (i64.const 31)) (i64.const 1)))
    (func (export "sum") (result i64) (local $sum i64) (local $n i32)
        (local.set $sum
            (i64.extend_i32_u (i32.add (i32.mul (memory.size) (i32.const 1009)) (table.size $t))))
        (loop $next
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
                (call $kind (table.get $t (local.get $n)))))
            (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (table.size $t))))
        (local.set $n (i32.const 0))
        (loop $next
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
                (call $kind (table.get $other (local.get $n)))))
            (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (table.size $other))))
        ;; What grows is empty.
        (drop (table.grow $t (ref.null func) (i32.const 70))) (drop (memory.grow (i32.const 6)))
        (local.set $n (i32.const 0))
        (loop $next
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
                (call $kind (table.get $t (i32.add (i32.const 40) (local.get $n))))))
            (local.set $sum (i64.add (local.get $sum)
                (i64.load8_u (i32.add (i32.const 262144) (i32.mul (local.get $n) (i32.const 5617))))))
            (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 70))))
        (call_indirect $t (result i32) (i32.const 8)) drop
        (i64.add (local.get $sum) (i64.extend_i32_u (global.get $i))) (i64.add (global.get $l))
        (i64.add (i64.extend_i32_u (i32.reinterpret_f32 (global.get $f))))
        (i64.add (i64.reinterpret_f64 (global.get $d)))
        (i64.add (call $kind (global.get $r)))
        ;; What was dropped cannot be read again: these trap.
        (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 13))
        (table.init $t $late (i32.const 0) (i32.const 0) (i32.const 3)))))";
constexpr u32 misdeeds = 16;

class Leak : public SlotsTest {
protected:
    Leak() {
        source = ::open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        define("write", {type_i32, type_i32}, {}, host_write);
        define("read", {type_i32, type_i32}, {}, host_read, &source);
        define(
            "leave", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::exited(1); });
        define("fail", {}, {}, [](Caller& caller, void*, std::span<u64>) {
            caller.explain("a secret in a text");
            return HostResult::trapped(runtime::TrapCode::host);
        });
    }
    ~Leak() override { ::close(source); }

    static HostResult host_write(Caller& caller, void*, std::span<u64> slots) {
        static const std::vector<u8> bytes(6000, 0x5e);
        const auto memory = caller.memory();
        (void)memory.write(slots[0] % (memory.size() - bytes.size()), bytes.data(), bytes.size());
        return HostResult::ok();
    }
    /// The system writes into the guest's memory.
    static HostResult host_read(Caller& caller, void* env, std::span<u64> slots) {
        const auto memory = caller.memory();
        const auto to = memory.view_for_system(slots[0] % (memory.size() - 20'000), 20'000);
        const ssize_t got = ::read(*static_cast<int*>(env), to->data(), to->size());
        return got == 20'000 ? HostResult::ok() : HostResult::trapped(runtime::TrapCode::host);
    }

    void open(const PoolOptions& options, const TemplateOptions& of = {}) {
        open_pool(options);
        // Overflows are many, and a deep stack takes its time to fault in.
        TemplateOptions with = of;
        with.store.stack_bytes = 64 * 1024;
        // Dense memories are open as far as they may ever grow.
        with.store.memory_bytes_max = u64{64} << 16;
        const auto module =
            engine::Module::compile(*engine, wat::assemble(vandal), {.bounds = bounds}).take();
        from = Template::make(module, linker, with).take().made;
        misbehave = from->find_function("misbehave").value();
        rampage = from->find_function("rampage").value();
        sum = from->find_function("sum").value();
        auto run = shard->start(from).take();
        const auto memory = run.instance().memory();
        const auto bytes = memory.view(0, memory.size()).value();
        pristine.assign(bytes.begin(), bytes.end());
        pristine_sum = sum_of(run);
    }
    [[nodiscard]] u64 sum_of(engine::Run& run) const {
        std::vector<Value> results;
        const auto outcome = run.call(sum, {}, results);
        return results.empty() ? 0 : results[0].bits;
    }
    /// "" or what is not as it was. Spoils the instance a little.
    [[nodiscard]] std::string difference(engine::Run& run) const {
        const auto memory = run.instance().memory();
        if (memory.size() != pristine.size()) return "memory size " + std::to_string(memory.size());
        const auto bytes = memory.view(0, memory.size()).value();
        if (std::memcmp(bytes.data(), pristine.data(), pristine.size()) != 0) {
            const auto at = std::mismatch(bytes.begin(), bytes.end(), pristine.begin()).first;
            return "memory at " + std::to_string(at - bytes.begin());
        }
        const u64 now = sum_of(run);
        return now == pristine_sum ? "" : "sum " + std::to_string(now);
    }
    void vandalise(engine::Run& run, std::mt19937_64& random) const {
        std::vector<Value> results;
        for (u64 i = random() % 4; i-- > 0;) {
            const Value arguments[] = {Value::i32(static_cast<u32>(random() % misdeeds)),
                Value::i32(static_cast<u32>(random())), Value::i32(static_cast<u32>(random()))};
            (void)run.call(misbehave, arguments, results);
        }
        // Now and then one is stopped wherever it is, which takes a millisecond.
        if (random() % kill_one_in == 0) kill(run, random);
    }
    /// By a deadline or by another thread.
    void kill(engine::Run& run, std::mt19937_64& random) const {
        std::vector<Value> results;
        const Value argument[] = {Value::i32(static_cast<u32>(random()))};
        if (random() % 4 != 0) {
            const auto limits = CallLimits::within(random() % 500'000);
            EXPECT_EQ(
                text(run.call(rampage, argument, results, limits)), "trap: deadline exceeded");
        } else {
            const Canceller canceller;
            std::thread other{[&] { canceller.cancel(); }};
            EXPECT_EQ(text(run.call(rampage, argument, results, {CallLimits::never, &canceller})),
                "trap: cancelled");
            other.join();
        }
        EXPECT_THAT(text(run.call(rampage, argument, results)),
            testing::HasSubstr("cannot be called again"));
        ++kills;
    }
    /// "" when nothing was found in so many cycles.
    [[nodiscard]] std::string cycle(u64 cycles, u64 seed) const {
        std::mt19937_64 random{seed};
        for (u64 i = 0; i < cycles; ++i) {
            auto run = shard->start(from);
            if (!run.ok()) return describe(run.error());
            // Looking reads pages; most cycles begin where nobody has looked.
            if (random() % 2 == 0) {
                std::string found = difference(run.value());
                if (!found.empty()) return found + " in cycle " + std::to_string(i);
            }
            vandalise(run.value(), random);
        }
        auto run = shard->start(from).take();
        return difference(run);
    }
    /// Runs that do nothing, until writes are watched. False where they never are.
    [[nodiscard]] bool settle() const {
        for (u32 i = 0; i < 10'000; ++i) {
            if (shard->start(from).take().is_watched()) return true;
        }
        return false;
    }
    /// Likewise, where each vandal finds a watched memory.
    [[nodiscard]] std::string watched_cycle(u64 cycles, u64 seed) const {
        std::mt19937_64 random{seed};
        for (u64 i = 0; i < cycles; ++i) {
            if (!settle()) return "not watched in cycle " + std::to_string(i);
            {
                auto run = shard->start(from).take();
                vandalise(run, random);
            }
            auto run = shard->start(from).take();
            std::string found = difference(run);
            if (!found.empty()) return found + " in cycle " + std::to_string(i);
        }
        return "";
    }
    [[nodiscard]] static u64 cycles() {
        const char* const wanted = std::getenv("WRUN_LEAK_CYCLES");
        if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10);
        return has_address_sanitizer ? 3'000 : 100'000;
    }

    int source = -1;
    engine::Bounds bounds = engine::Bounds::guard;
    TemplatePtr from;
    FuncIndex misbehave;
    FuncIndex rampage;
    u64 kill_one_in = 512;
    mutable u64 kills = 0;
    FuncIndex sum;
    std::vector<u8> pristine;
    u64 pristine_sum = 0;
};

TEST_F(Leak, NothingIsLeft) {
    open({.spare_slots = 0});
    EXPECT_NE(pristine_sum, 0u);
    EXPECT_EQ(cycle(cycles(), 1), "");
    EXPECT_EQ(pool->stats().quarantined, 0u);
}

TEST_F(Leak, NothingIsLeftWherePagesAreRead) {
    open({.spare_slots = 0, .look = os::PageScanner::Way::read});
    EXPECT_EQ(cycle(cycles() / 10, 2), "");
}

TEST_F(Leak, NothingIsLeftWhereWritesAreWatched) {
    for (const auto with : {engine::Bounds::guard, engine::Bounds::checked}) {
        bounds = with;
        open({.spare_slots = 0, .watch = runtime::Watch::writes});
        if (!settle()) GTEST_SKIP() << "the system cannot refuse pages (userfaultfd of Linux 6.4)";
        EXPECT_EQ(watched_cycle(cycles() / 500, 12), "");
        EXPECT_EQ(cycle(cycles() / 20, 13), "");
        EXPECT_EQ(pool->stats().quarantined, 0u);
    }
}

TEST_F(Leak, NothingIsLeftOfRunsThatWereStopped) {
    kill_one_in = 2;
    const u64 some = std::max<u64>(cycles() / 250, 100);
    for (const auto with : {engine::Bounds::guard, engine::Bounds::checked}) {
        bounds = with;
        open({.spare_slots = 0});
        EXPECT_EQ(cycle(some, 15), "");
        open({.spare_slots = 0, .watch = runtime::Watch::writes});
        EXPECT_EQ(settle() ? watched_cycle(some / 4, 16) : "", "");
        EXPECT_EQ(pool->stats().quarantined, 0u);
    }
    EXPECT_GT(kills, some / 2) << "hardly any was stopped";
}

TEST_F(Leak, NothingIsLeftInDenseMemories) {
    bounds = engine::Bounds::checked;
    open({.spare_slots = 0});
    EXPECT_EQ(cycle(cycles() / 5, 10), "");
    open({.spare_slots = 0}, {.reset = runtime::ResetWay::drop});
    EXPECT_EQ(cycle(cycles() / 20, 11), "");
}

TEST_F(Leak, NothingIsLeftWhereAllIsDropped) {
    open({.spare_slots = 0}, {.reset = runtime::ResetWay::drop});
    EXPECT_EQ(cycle(cycles() / 20, 3), "");
}

TEST_F(Leak, NothingIsLeftWhileAnotherThreadMakesHugePages) {
#ifndef MADV_COLLAPSE
    constexpr int MADV_COLLAPSE = 25;
#endif
    open({.spare_slots = 0, .watch = runtime::Watch::writes});
    u8* base = nullptr;
    {
        auto run = shard->start(from).take();
        base = run.instance().memory().view(0, 1)->data();
    }
    std::atomic<bool> done = false;
    std::atomic<u64> collapsed = 0;
    std::thread other{[&] {
        while (!done) {
            // The memory is smaller than a huge page unless it has grown by much; ask all the same.
            const u64 huge = u64{2} << 20;
            const u64 begin = (reinterpret_cast<u64>(base) + huge - 1) & ~(huge - 1);
            collapsed +=
                madvise(base + (begin - reinterpret_cast<u64>(base)), huge, MADV_COLLAPSE) == 0;
            collapsed += madvise(base, pristine.size(), MADV_COLLAPSE) == 0;
        }
    }};
    const std::string found = cycle(cycles() / 20, 4);
    const std::string found_watched = settle() ? watched_cycle(cycles() / 1000, 14) : "";
    done = true;
    other.join();
    EXPECT_EQ(found, "");
    EXPECT_EQ(found_watched, "");
}

TEST_F(Leak, NothingIsLeftInAChildOfFork) {
    open({.spare_slots = 0});
    ASSERT_EQ(cycle(200, 5), "");
    auto run = shard->start(from).take();
    std::mt19937_64 random{6};
    vandalise(run, random);
    const pid_t child = fork();
    if (child == 0) {
        vandalise(run, random);
        run = {};
        _exit(cycle(500, 7).empty() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    vandalise(run, random);
    run = {};
    EXPECT_EQ(cycle(200, 8), "");
}

TEST_F(Leak, NothingIsLeftOfWhatWasSwappedOut) {
#ifndef MADV_PAGEOUT
    constexpr int MADV_PAGEOUT = 21;
#endif
    const SwapFile swap;
    if (!swap.is_on()) GTEST_SKIP() << "no swap: " << swap.why();
    open({.spare_slots = 0, .watch = runtime::Watch::writes});
    std::mt19937_64 random{9};
    u64 swapped = 0;
    for (u64 i = 0; i < 240; ++i) {
        if (i > 200) (void)settle();
        auto run = shard->start(from).take();
        ASSERT_EQ(difference(run), "") << i;
        vandalise(run, random);
        const auto memory = run.instance().memory();
        u8* const base = memory.view(0, 1)->data();
        if (i % 4 != 0) continue;
        (void)madvise(base, memory.size(), MADV_PAGEOUT);
        swapped += swapped_pages(base, memory.size());
    }
    EXPECT_GT(swapped, 0u) << "nothing was swapped, so nothing was tested";
    auto run = shard->start(from).take();
    EXPECT_EQ(difference(run), "");
}

}  // namespace
}  // namespace wrun::test
