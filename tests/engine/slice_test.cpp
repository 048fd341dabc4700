// Time slices: guests that are paused between any two of their instructions and go on as if nothing
// had been. What a guest computes in slices is held against what it computes in one go.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/os_thread.hpp"
#include "base/sanitizers.hpp"
#include "engine/fiber.hpp"
#include "engine/state.hpp"
#include "runtime/code_range.hpp"
#include "runtime/leave_guest.hpp"
#include "runtime/slice.hpp"
#include "tests/engine/slots.hpp"

namespace wrun::test {
namespace {

using engine::CallLimits;
using engine::Canceller;
using engine::Fiber;
using engine::Outcome;
using engine::Store;

constexpr u64 us = 1'000;
constexpr u64 ms = 1'000'000;
constexpr u64 far_ns = 100'000 * ms;
constexpr const char* stopped = "trap: deadline exceeded";
constexpr const char* cancelled = "trap: cancelled";
constexpr bool is_sanitized = has_address_sanitizer || has_thread_sanitizer;

[[nodiscard]] std::vector<u32> functions_of(const Outcome& outcome) {
    std::vector<u32> functions;
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome)) {
        for (const auto& frame : trap->frames)
            functions.push_back(frame.func_index);
    }
    return functions;
}

/// A call of a store's function, made on a fiber.
struct Call {
    Store* store = nullptr;
    runtime::FuncRecord* func = nullptr;
    std::vector<Value> arguments;
    CallLimits limits;
    Result<Outcome> outcome = Outcome{};
    std::string answer;  // outcome and results as text

    static void run(void* self) noexcept { static_cast<Call*>(self)->run(); }
    void run() {
        std::vector<Value> results;
        outcome = store->call(func, arguments, results, limits);
        answer = text(outcome);
        for (const Value& result : results)
            answer += text(result) + ";";
    }
};

/// Whatever runs on the thread between two slices: it leaves nothing in registers as it was.
void spoil_registers() {
    u64 spoiled = 0x5555'5555'5555'5555;
    asm volatile(
        "movq %0, %%xmm0\n\tpunpcklqdq %%xmm0, %%xmm0\n\t"
        "movaps %%xmm0, %%xmm1\n\tmovaps %%xmm0, %%xmm2\n\tmovaps %%xmm0, %%xmm3\n\t"
        "movaps %%xmm0, %%xmm4\n\tmovaps %%xmm0, %%xmm5\n\tmovaps %%xmm0, %%xmm6\n\t"
        "movaps %%xmm0, %%xmm7\n\tmovaps %%xmm0, %%xmm8\n\tmovaps %%xmm0, %%xmm9\n\t"
        "movaps %%xmm0, %%xmm10\n\tmovaps %%xmm0, %%xmm11\n\tmovaps %%xmm0, %%xmm12\n\t"
        "movaps %%xmm0, %%xmm13\n\tmovaps %%xmm0, %%xmm14\n\tmovaps %%xmm0, %%xmm15\n\t"
        "mov %0, %%rbx\n\tmov %0, %%r8\n\tmov %0, %%r9\n\tmov %0, %%r10\n\tmov %0, %%r11\n\t"
        "mov %0, %%r12\n\tmov %0, %%r13\n\tmov %0, %%r14\n\tmov %0, %%r15\n\t"
        : "+a"(spoiled)
        :
        : "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
        "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15", "cc");
}

/// Signals a thread every so often, as the watchdog does every millisecond.
class Ticker {
public:
    Ticker(int signal, u64 least_ns, u64 most_ns)
        : thread_{[this, signal, least_ns, most_ns, worker = runtime::this_worker()] {
              std::mt19937_64 random{1};
              while (!is_done_) {
                  const u64 until_ns =
                      os::monotonic_ns() + least_ns + random() % (most_ns - least_ns);
                  while (os::monotonic_ns() < until_ns && !is_done_) {
                  }
                  runtime::signal_worker(*worker, signal);
                  has_begun_ = true;
              }
          }} {
        while (!has_begun_)
            std::this_thread::yield();
    }
    ~Ticker() {
        is_done_ = true;
        thread_.join();
    }
    Ticker(const Ticker&) = delete;
    Ticker& operator=(const Ticker&) = delete;

private:
    std::atomic<bool> is_done_ = false;
    std::atomic<bool> has_begun_ = false;
    std::thread thread_;
};

class SliceTest : public SlotsTest {
protected:
    SliceTest() {
        define("nothing", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::ok(); });
    }
    void SetUp() override {
        SlotsTest::SetUp();
        if (has_thread_sanitizer) GTEST_SKIP() << "the thread sanitizer keeps signals back";
    }
    [[nodiscard]] Call prepared(
        std::string_view name, std::vector<Value> arguments = {}, const CallLimits& limits = {}) {
        return {store.get(), export_of(name).func, std::move(arguments), limits, Outcome{}, ""};
    }
    [[nodiscard]] std::string in_one_go(std::string_view name, std::vector<Value> arguments = {}) {
        Call call = prepared(name, std::move(arguments));
        call.run();
        return call.answer;
    }
    /// In slices that are over when they begin, so each signal ends one. Counts them.
    [[nodiscard]] u64 run_in_slices(Call& call) {
        pauses = 0;
        for (bool some = fiber->start(Call::run, &call, 1); some; some = fiber->resume(1)) {
            EXPECT_TRUE(fiber->was_sliced());
            ++pauses;
            spoil_registers();
        }
        return pauses;
    }

    std::unique_ptr<Fiber> fiber = Fiber::make().take();
    u64 pauses = 0;  // of the latest call in slices
};

// ---- by the watchdog ---------------------------------------------------------------------------

TEST_F(SliceTest, AGuestThatDoesNotEndIsPausedAndGoesOn) {
    make(R"((module (global (export "g") (mut i64) (i64.const 0))
        (func (export "run") (loop $l
            (global.set 0 (i64.add (global.get 0) (i64.const 1))) (br $l)))))");
    Call call = prepared("run", {}, CallLimits::within(60 * ms));
    const u64 begin_ns = os::monotonic_ns();
    u64 slices = 0;
    u64 counted = 0;
    for (bool some = fiber->start(Call::run, &call, 5 * ms); some; some = fiber->resume(5 * ms)) {
        ++slices;
        EXPECT_TRUE(fiber->was_sliced());
        const u64 now = Store::get(export_of("g").global);
        EXPECT_GT(now, counted);
        counted = now;
    }
    EXPECT_FALSE(fiber->was_sliced());
    EXPECT_EQ(call.answer, stopped);
    EXPECT_GE(os::monotonic_ns() - begin_ns, 60 * ms);
    EXPECT_GE(slices, 1u);
    EXPECT_LE(slices, 12u);
}

/// Each is stopped by its own deadline, and while it is paused by nothing.
TEST_F(SliceTest, GuestsThatDoNotEndShareAThread) {
    const auto module = compile(R"((module (func (export "run") (param i64) (result i64)
        (loop $l (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (i64.const 7))))")
                            .take();
    struct One {
        std::unique_ptr<Store> store;
        std::unique_ptr<Fiber> fiber = Fiber::make().take();
        Call call;
    };
    std::vector<One> all(5);
    std::vector<One*> waiting;
    for (std::size_t i = 0; i < all.size(); ++i) {
        One& one = all[i];
        one.store = Store::make(*engine).take();
        auto* const made = one.store->instantiate(module, linker).take().instance;
        // The last one ends by itself.
        const bool ends = i + 1 == all.size();
        one.call = {one.store.get(), made->find_export("run")->func,
            {ends ? Value::i64(20'000'000) : Value::i64(-1ull)},
            CallLimits::within(ends ? far_ns : (20 + 10 * i) * ms), Outcome{}, ""};
        if (one.fiber->start(Call::run, &one.call, 2 * ms)) waiting.push_back(&one);
    }
    while (!waiting.empty()) {
        One* const one = waiting.front();
        waiting.erase(waiting.begin());
        if (one->fiber->resume(2 * ms)) waiting.push_back(one);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].call.answer, i + 1 == all.size() ? "7;" : stopped) << i;
    }
}

/// A slice that is over leaves nothing behind: no signal comes to what the thread does next.
TEST_F(SliceTest, NoSignalFollowsASlice) {
    make(R"((module (func (export "run") (loop $l (br $l)))))");
    Call call = prepared("run", {}, CallLimits::within(200 * ms));
    ASSERT_TRUE(fiber->start(Call::run, &call, 3 * ms));
    timespec left{0, 20'000'000};
    EXPECT_EQ(nanosleep(&left, &left), 0) << "interrupted";
    // Nor is it paused without a slice.
    EXPECT_FALSE(fiber->resume());
    EXPECT_EQ(call.answer, stopped);
}

/// Nor when the fiber suspends by itself while the signal for its slice is on the way.
TEST_F(SliceTest, NoSignalFollowsAFiberThatSuspendsWhenItsSliceEnds) {
    make(R"((module (func (export "run"))))");
    Call call = prepared("run", {}, CallLimits::within(far_ns));
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(fiber->start(
            [](void* self) noexcept {
                Call::run(self);
                const runtime::Worker& worker = *runtime::this_worker();
                while (!worker.is_signalled.load()) {
                }
                Fiber::suspend();
            },
            &call, ms));
        EXPECT_FALSE(fiber->was_sliced());
        timespec left{0, 100'000};
        ASSERT_EQ(nanosleep(&left, &left), 0) << "interrupted, round " << i;
        ASSERT_FALSE(fiber->resume());
    }
}

/// Nothing happens while a helper runs, but deadlines do.
TEST_F(SliceTest, ALargeFillIsNotPausedButStopped) {
    make(R"((module (memory 65536) (func (export "run") (loop $l
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffffffff)) (br $l)))))");
    Call call = prepared("run", {}, CallLimits::within(30 * ms));
    const u64 begin_ns = os::monotonic_ns();
    u64 slices = 0;
    for (bool some = fiber->start(Call::run, &call, ms); some; some = fiber->resume(ms))
        ++slices;
    EXPECT_EQ(call.answer, stopped);
    EXPECT_LT(os::monotonic_ns() - begin_ns, 5'000 * ms);
    EXPECT_LE(slices, 2u);
}

TEST_F(SliceTest, AHostFunctionIsNotPaused) {
    define("work", {}, {}, [](Caller&, void*, std::span<u64>) {
        const u64 until_ns = os::monotonic_ns() + 10 * ms;
        while (os::monotonic_ns() < until_ns) {
        }
        EXPECT_FALSE(engine::is_interrupted());
        return HostResult::ok();
    });
    make(R"((module (import "host" "work" (func $work))
        (func (export "run") (result i32) (call $work) (i32.const 42))))");
    Call call = prepared("run");
    u64 slices = 0;
    for (bool some = fiber->start(Call::run, &call, ms); some; some = fiber->resume(ms)) {
        EXPECT_TRUE(fiber->was_sliced());
        ++slices;
    }
    EXPECT_EQ(call.answer, "42;");
    EXPECT_LE(slices, 2u);
}

/// Where there are no signals at all, checkpoints do it.
TEST_F(SliceTest, CheckpointsPauseToo) {
    engine::EngineOptions options = test_options();
    options.interrupt_signal = engine::EngineOptions::no_signal;
    const auto own = engine::Engine::make(options).take();
    const auto module = engine::Module::compile(*own,
        compile(R"((module (func (export "run") (param i64) (result i64) (local i64)
        (loop $l (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 31)) (local.get 0)))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1))))")
            .take()
            ->state()
            .bytes,
        {.epoch = true})
                            .take();
    auto other = Store::make(*own).take();
    auto* const made = other->instantiate(module, linker).take().instance;
    const auto call_of = [&](u64 rounds, const CallLimits& limits) {
        return Call{other.get(), made->find_export("run")->func, {Value::i64(rounds)}, limits,
            Outcome{}, ""};
    };
    Call expected = call_of(30'000'000, {});
    expected.run();
    Call call = call_of(30'000'000, {});
    u64 slices = 0;
    for (bool some = fiber->start(Call::run, &call, 2 * ms); some; some = fiber->resume(2 * ms)) {
        EXPECT_TRUE(fiber->was_sliced());
        ++slices;
        spoil_registers();
    }
    EXPECT_EQ(call.answer, expected.answer);
    EXPECT_GE(slices, 1u);
    Call endless = call_of(0, CallLimits::within(100 * ms));
    slices = 0;
    for (bool some = fiber->start(Call::run, &endless, 2 * ms); some; some = fiber->resume(2 * ms))
        ++slices;
    EXPECT_EQ(endless.answer, stopped);
    EXPECT_GE(slices, 1u);
}

// ---- every few microseconds --------------------------------------------------------------------

struct Kernel {
    const char* name;
    u64 rounds;
    const char* wat;  // exports run: (param $n i64) (result …)
};

const Kernel kernels[] = {
    {"all integer homes", 1'000'000, R"(
        (func (export "run") (param $n i64) (result i64)
            (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $e i64) (local $f i64)
            (local $g i64) (local $h i64) (local $i i64)
            (local.set $a (i64.const 0x123456789abcdef1)) (local.set $b (i64.const -7))
            (loop $l
                (local.set $a (i64.add (local.get $a) (i64.rotl (local.get $b) (i64.const 5))))
                (local.set $b (i64.xor (local.get $b) (local.get $a)))
                (local.set $c (i64.add (local.get $c) (i64.mul (local.get $b) (i64.const 31))))
                (local.set $d (i64.sub (local.get $d) (local.get $c)))
                (local.set $e (i64.rotr (i64.add (local.get $e) (local.get $d)) (local.get $a)))
                (local.set $f (i64.or (i64.shl (local.get $f) (i64.const 1)) (i64.shr_u (local.get $e) (i64.const 63))))
                (local.set $g (i64.add (local.get $g) (i64.popcnt (local.get $f))))
                (local.set $h (i64.add (local.get $h) (i64.shr_s (local.get $g) (local.get $n))))
                (local.set $i (i64.xor (local.get $i) (i64.add (local.get $h) (local.get $n))))
                (br_if $l (i32.eqz (i64.eqz (local.tee $n (i64.sub (local.get $n) (i64.const 1)))))))
            (i64.add (i64.add (i64.add (local.get $a) (local.get $b)) (i64.add (local.get $c) (local.get $d)))
                (i64.add (i64.add (local.get $e) (local.get $f))
                    (i64.add (local.get $g) (i64.add (local.get $h) (local.get $i)))))))"},
    {"all float homes", 1'000'000, R"(
        (func (export "run") (param $n i64) (result f64)
            (local $a f64) (local $b f64) (local $c f64) (local $d f64) (local $e f64) (local $f f64)
            (local $g f64) (local $h f64) (local $i f32) (local $j f32) (local $k f64) (local $m f64)
            (local $o f64) (local $p f32)
            (local.set $a (f64.const 1.5)) (local.set $b (f64.const -2.25)) (local.set $i (f32.const 3))
            (loop $l
                (local.set $a (f64.add (f64.mul (local.get $a) (f64.const 0.99)) (local.get $b)))
                (local.set $b (f64.sub (local.get $b) (f64.mul (local.get $a) (f64.const 0.001))))
                (local.set $c (f64.max (local.get $c) (local.get $a)))
                (local.set $d (f64.min (local.get $d) (local.get $b)))
                (local.set $e (f64.add (local.get $e) (f64.sqrt (f64.abs (local.get $a)))))
                (local.set $f (f64.copysign (local.get $e) (local.get $b)))
                (local.set $g (f64.add (local.get $g) (f64.floor (local.get $f))))
                (local.set $h (f64.div (f64.add (local.get $h) (local.get $g)) (f64.const 1.25)))
                (local.set $i (f32.add (local.get $i) (f32.demote_f64 (local.get $h))))
                (local.set $j (f32.div (local.get $i) (f32.const 3)))
                (local.set $k (f64.add (local.get $k) (f64.promote_f32 (local.get $j))))
                (local.set $m (f64.add (local.get $m) (f64.convert_i64_u (local.get $n))))
                (local.set $o (select (local.get $k) (local.get $m) (f64.lt (local.get $a) (local.get $b))))
                (local.set $p (f32.nearest (f32.demote_f64 (local.get $o))))
                (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (f64.add (f64.add (f64.add (local.get $a) (local.get $b)) (f64.add (local.get $c) (local.get $d)))
                (f64.add (f64.add (f64.add (local.get $e) (local.get $f)) (f64.add (local.get $g) (local.get $h)))
                    (f64.add (f64.add (f64.promote_f32 (local.get $i)) (f64.promote_f32 (local.get $j)))
                        (f64.add (f64.add (local.get $k) (local.get $m))
                            (f64.add (local.get $o) (f64.promote_f32 (local.get $p)))))))))"},
    {"carries and fused branches", 1'000'000, R"(
        (func (export "run") (param $n i64) (result i64)
            (local $lo i64) (local $hi i64) (local $x i64) (local $s i64) (local $odd i32)
            (local.set $x (i64.const 0x9e3779b97f4a7c15))
            (loop $l
                (local.set $x (i64.mul (i64.add (local.get $x) (local.get $n)) (i64.const 0xbf58476d1ce4e5b9)))
                (local.set $s (i64.add (local.get $lo) (local.get $x)))
                (local.set $hi (i64.add (local.get $hi) (i64.extend_i32_u (i64.lt_u (local.get $s) (local.get $x)))))
                (local.set $lo (local.get $s))
                (if (i64.lt_s (local.get $x) (i64.const 0)) (then
                    (local.set $hi (i64.sub (local.get $hi)
                        (i64.extend_i32_u (i64.lt_u (local.get $lo) (local.get $x)))))
                    (if (i32.and (i64.gt_u (local.get $lo) (local.get $hi)) (i64.ne (local.get $x) (local.get $s)))
                        (then (local.set $odd (i32.add (local.get $odd) (i32.const 1)))))))
                (local.set $hi (i64.xor (local.get $hi)
                    (select (local.get $lo) (local.get $x) (i64.le_s (local.get $lo) (local.get $s)))))
                (br_if $l (i64.gt_u (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (i64.add (i64.xor (local.get $lo) (local.get $hi)) (i64.extend_i32_s (local.get $odd)))))"},
    {"calls, tables, results in the buffer", 200'000, R"(
        (import "host" "nothing" (func $nothing))
        (table 4 funcref) (elem (i32.const 0) $two $five $two $five)
        (type $t (func (param i64 i64) (result i64 i64)))
        (func $two (type $t) (i64.add (local.get 0) (i64.const 2)) (i64.xor (local.get 1) (local.get 0)))
        (func $five (type $t) (i64.mul (local.get 0) (i64.const 5)) (i64.sub (local.get 0) (local.get 1)))
        (func $many (param i64 i64 i64 i64 i64 i64 i64 i64 f64 f64) (result i64 f64 i64 i64)
            (i64.add (i64.add (local.get 0) (i64.mul (local.get 1) (i64.const 3)))
                (i64.add (local.get 6) (i64.mul (local.get 7) (i64.const 7))))
            (f64.add (local.get 8) (f64.mul (local.get 9) (f64.const 2)))
            (i64.xor (local.get 2) (local.get 5)) (i64.sub (local.get 3) (local.get 4)))
        (func $fib (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func (export "run") (param $n i64) (result i64) (local $a i64) (local $b i64) (local $d f64)
            (loop $l
                (call_indirect (type $t) (local.get $a) (local.get $b)
                    (i32.and (i32.wrap_i64 (local.get $n)) (i32.const 3)))
                local.set $b local.set $a
                (call $many (local.get $a) (local.get $b) (local.get $n) (local.get $a) (local.get $b)
                    (local.get $n) (local.get $b) (local.get $a) (local.get $d) (f64.const 0.5))
                local.set $a local.get $a i64.add local.set $b local.set $d
                local.get $b i64.add local.set $b
                (if (i64.eqz (i64.and (local.get $n) (i64.const 255))) (then (call $nothing)
                    (local.set $a (i64.add (local.get $a) (i64.extend_i32_u (call $fib (i32.const 12)))))))
                (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (i64.add (local.get $a) (i64.add (local.get $b) (i64.trunc_sat_f64_s (local.get $d))))))"},
    {"memory, divisions, br_table", 1'000'000, R"(
        (memory 1 10) (data (i32.const 100) "something to begin with")
        (func (export "run") (param $n i64) (result i64) (local $x i32) (local $s i64)
            (loop $l
                (local.set $x (i32.and (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (i32.const 12345))
                    (i32.const 0x7fff)))
                (i64.store offset=8 (local.get $x) (i64.add (i64.load (local.get $x)) (local.get $n)))
                (i32.store16 (local.get $x) (i32.add (i32.load8_s offset=3 (local.get $x)) (local.get $x)))
                (local.set $s (i64.add (local.get $s) (i64.rem_s (local.get $n)
                    (i64.extend_i32_u (i32.add (local.get $x) (i32.const 1))))))
                (local.set $s (i64.xor (local.get $s) (i64.div_u (local.get $s) (i64.const 7))))
                (block $c (block $b (block $a
                    (br_table $a $b $c (i32.rem_u (local.get $x) (i32.const 3))))
                    (local.set $s (i64.add (local.get $s) (i64.load32_u (local.get $x)))) (br $c))
                    (memory.copy (local.get $x) (i32.const 100) (i32.const 40)))
                (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (local.get $s)))"},
};

/// Of each kind of code that there is.
struct Kind {
    engine::Compilation compilation;
    engine::Bounds bounds;
};

class SliceKernels : public SliceTest, public ::testing::WithParamInterface<Kind> {};

TEST_P(SliceKernels, PausedOftenTheyComputeTheSame) {
    engine::EngineOptions options = test_options();
    options.compilation = GetParam().compilation;
    options.bounds = GetParam().bounds;
    store.reset();
    engine = engine::Engine::make(options).take();
    const u64 slices_wanted = is_sanitized ? 50 : 400;
    const u64 slices_needed = slices_wanted / 10;
    // Where other programs want the processors, signals come late: then fewer do.
    constexpr u64 repeats = 40;
    constexpr u64 repeats_max = repeats * 100;
    u64 slices = 0;
    for (const Kernel& kernel : kernels) {
        const auto renew = [&] {
            store = Store::make(*engine).take();
            make("(module " + std::string{kernel.wat} + ")");
        };
        renew();
        const Value rounds = Value::i64(is_sanitized ? kernel.rounds / 10 : kernel.rounds);
        const std::string expected = in_one_go("run", {rounds});
        const Ticker ticker{engine->options().interrupt_signal, 3 * us, 20 * us};
        u64 own = 0;
        for (u64 i = 0; own < (i < repeats ? slices_wanted : slices_needed) && i < repeats_max;
             ++i) {
            renew();
            Call call =
                prepared("run", {rounds}, i % 2 == 0 ? CallLimits{} : CallLimits::within(far_ns));
            own += run_in_slices(call);
            ASSERT_EQ(call.answer, expected) << kernel.name;
        }
        EXPECT_GE(own, slices_needed) << kernel.name;
        slices += own;
    }
    std::printf("%llu slices\n", static_cast<unsigned long long>(slices));
}

INSTANTIATE_TEST_SUITE_P(All, SliceKernels,
    ::testing::Values(Kind{engine::Compilation::eager, engine::Bounds::guard},
        Kind{engine::Compilation::on_call, engine::Bounds::checked}));

// ---- at every instruction ----------------------------------------------------------------------

/// Runs guests step by step (the processor's trap flag) and does one thing at one step in their
/// code.
class Stepper {
public:
    enum class At : u8 { nothing, pause, leave };

    Stepper() {
        struct sigaction action {};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGTRAP, &action, &before_);
        the_stepper = this;
    }
    ~Stepper() {
        sigaction(SIGTRAP, &before_, nullptr);
        the_stepper = nullptr;
    }
    Stepper(const Stepper&) = delete;
    Stepper& operator=(const Stepper&) = delete;

    void begin(At what, u64 step) {
        what_ = what;
        wanted_ = step;
        steps = 0;
        was_done = false;
        asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq" ::: "cc", "memory");
    }
    static void end() {
        asm volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" ::: "cc", "memory");
    }

    u64 steps = 0;  // in generated code
    bool was_done = false;
    u64 pc = 0;  // there
    std::set<u64> pcs;

private:
    static void handle(int, siginfo_t*, void* context) noexcept {
        auto* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        the_stepper->step(registers);
    }
    void step(greg_t* registers) noexcept {
        constexpr greg_t trap_flag = 0x100;
        const auto here = static_cast<u64>(registers[REG_RIP]);
        if (!runtime::code_range.holds(here) || wrun_entry == nullptr) return;
        pcs.insert(here);
        if (steps++ != wanted_ || what_ == At::nothing) return;
        pc = here;
        registers[REG_EFL] &= ~trap_flag;
        if (what_ == At::pause) {
            was_done = runtime::pause_guest(registers, *wrun_entry);
        } else {
            was_done = true;
            leave_guest(registers, *wrun_entry,
                runtime::entry_status::trap_base + to_underlying(runtime::TrapCode::cancelled));
        }
    }

    static inline Stepper* the_stepper = nullptr;
    struct sigaction before_ {};
    At what_ = At::nothing;
    u64 wanted_ = 0;
};

/// Prologues and epilogues with and without saved homes, calls of each kind, loops, fused branches,
/// results in registers and buffer, loads, divisions, a helper, a host function.
const char* const stepped = R"((module
    (import "host" "nothing" (func $nothing))
    (import "host" "begin" (func $begin)) (import "host" "end" (func $end))
    (memory 1) (table 2 funcref) (elem (i32.const 0) $leaf $two)
    (type $t (func (param i64 i64) (result i64 i64)))
    (func $leaf (type $t) (i64.add (local.get 0) (i64.const 2)) (i64.xor (local.get 1) (local.get 0)))
    (func $two (type $t) (call $leaf (i64.mul (local.get 1) (i64.const 3)) (local.get 0)))
    (func $many (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
        (i64.add (i64.add (local.get 0) (local.get 5)) (i64.sub (local.get 6) (local.get 7))))
    (func $body (param $n i64) (result i64) (local $a i64) (local $b i64) (local $d f64) (local $i i32)
        (local.set $d (f64.const 1.25)) (local.set $a (i64.const 0x1234567812345678))
        (loop $l
            (call_indirect (type $t) (local.get $a) (local.get $n) (i32.and (local.get $i) (i32.const 1)))
            local.set $b local.set $a
            (local.set $d (f64.add (f64.mul (local.get $d) (f64.const 0.75)) (f64.convert_i64_s (local.get $b))))
            (i64.store (local.get $i) (i64.div_u (local.get $a) (i64.add (local.get $n) (i64.const 3))))
            (if (i64.lt_u (i64.add (local.get $a) (local.get $b)) (local.get $a)) (then
                (local.set $a (i64.rotl (local.get $a) (local.get $n)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (call $nothing)
        (memory.fill (i32.const 8) (local.get $i) (i32.const 3))
        (i64.add (call $many (local.get $a) (local.get $b) (local.get $a) (i64.const 4) (i64.const 5)
            (local.get $b) (i64.reinterpret_f64 (local.get $d)) (i64.const 8)) (i64.load (i32.const 1))))
    (func (export "run") (result i64) (local $r i64)
        (call $begin) (local.set $r (call $body (i64.const 3))) (call $end) (local.get $r)))
)";

class StepTest : public SliceTest {
protected:
    StepTest() {
        define("begin", {}, {}, [](Caller& caller, void*, std::span<u64>) {
            auto& self = *static_cast<StepTest*>(caller.store().host_data());
            if (self.stepper) self.stepper->begin(self.what, self.step);
            return HostResult::ok();
        });
        define("end", {}, {}, [](Caller&, void*, std::span<u64>) {
            Stepper::end();
            return HostResult::ok();
        });
    }
    void open() {
        engine::StoreOptions options;
        options.host_data = this;
        store = Store::make(*engine, options).take();
        make(stepped);
    }

    std::optional<Stepper> stepper;
    Stepper::At what = Stepper::At::nothing;
    u64 step = 0;
};

TEST_F(StepTest, PausedAtAnyInstructionItGoesOnAsIfNothingHadBeen) {
    open();
    const std::string expected = in_one_go("run");
    stepper.emplace();
    Call counted = prepared("run");
    ASSERT_FALSE(fiber->start(Call::run, &counted));
    EXPECT_EQ(counted.answer, expected);
    const u64 steps = stepper->steps;
    ASSERT_GT(steps, 100u);
    ASSERT_LT(steps, 5'000u);
    what = Stepper::At::pause;
    for (step = 0; step < steps; ++step) {
        Call call = prepared("run");
        ASSERT_TRUE(fiber->start(Call::run, &call)) << "step " << step << " was not paused";
        EXPECT_TRUE(fiber->was_sliced());
        ASSERT_TRUE(stepper->was_done);
        spoil_registers();
        ASSERT_FALSE(fiber->resume());
        ASSERT_EQ(call.answer, expected) << "paused at step " << step;
    }
    std::printf("%llu steps, %zu instructions\n", static_cast<unsigned long long>(steps),
        stepper->pcs.size());
}

/// What is ended while it is paused tells where it was as if it had been ended there.
TEST_F(StepTest, ATraceOfAPausedGuestIsThatOfAnInterruptedOne) {
    open();
    stepper.emplace();
    Call counted = prepared("run");
    ASSERT_FALSE(fiber->start(Call::run, &counted));
    const u64 steps = stepper->steps;
    std::set<std::vector<u32>> different;
    for (step = 0; step < steps; step += is_sanitized ? 5 : 1) {
        what = Stepper::At::leave;
        Call left = prepared("run");
        ASSERT_FALSE(fiber->start(Call::run, &left));
        ASSERT_EQ(left.answer, cancelled);
        open();
        what = Stepper::At::pause;
        const Canceller canceller;
        Call paused = prepared("run", {}, {CallLimits::never, &canceller});
        ASSERT_TRUE(fiber->start(Call::run, &paused));
        canceller.cancel();
        ASSERT_FALSE(fiber->resume());
        ASSERT_EQ(paused.answer, cancelled);
        const auto& one = std::get<engine::Trap>(left.outcome.value()).frames;
        const auto& other = std::get<engine::Trap>(paused.outcome.value()).frames;
        ASSERT_EQ(functions_of(left.outcome.value()), functions_of(paused.outcome.value()))
            << "step " << step;
        for (std::size_t i = 0; i < one.size(); ++i)
            ASSERT_EQ(one[i].module_offset, other[i].module_offset) << "step " << step;
        different.insert(functions_of(left.outcome.value()));
        open();
    }
    EXPECT_GE(different.size(), 4u);
}

// ---- what comes after a slice ------------------------------------------------------------------

/// Each is paused before it does what it is about, and what that is comes as always.
TEST_F(SliceTest, TrapsExitsAndGrowthAfterASlice) {
    define("leave", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::exited(3); });
    // Until it has been paused more often than when it came here first.
    u64 wanted = 0;
    engine::StoreOptions options;
    options.host_data = &wanted;
    define(
        "wait", {}, {type_i32},
        [](Caller& caller, void* pauses_so_far, std::span<u64> slots) {
            u64& until = *static_cast<u64*>(caller.store().host_data());
            const u64 now = *static_cast<const u64*>(pauses_so_far);
            if (until == 0) until = now + 3;
            slots[0] = now < until;
            if (slots[0] == 0) until = 0;
            return HostResult::ok();
        },
        &pauses);
    struct Ending {
        const char* name;
        const char* wat;
        std::string_view answer;
        std::vector<u32> functions;
    };
    const std::string prefix = R"((module (import "host" "leave" (func $leave))
        (import "host" "wait" (func $wait (result i32))) (memory 1 10)
        (func $spin (local $i i32) (loop $more
            (local.set $i (i32.const 0))
            (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                (i32.const 10000))))
            (br_if $more (call $wait)))) )";
    const Ending endings[] = {
        {"trap", R"((func $f (call $spin) unreachable) (func (export "run") (call $f)))",
            "trap: unreachable", {3, 4}},
        {"fault", R"((func (export "run") (result i32) (call $spin) (i32.load (i32.const 65536))))",
            "trap: out of bounds memory access", {3}},
        {"exit", R"((func (export "run") (call $spin) (call $leave)))", "exit 3", {}},
        {"overflow", R"((func $f (param i64) (call $f (local.get 0)))
            (func (export "run") (call $spin) (call $f (i64.const 1))))",
            "trap: call stack exhausted", {}},
        {"growth", R"((func (export "run") (result i32) (call $spin)
            (drop (memory.grow (i32.const 2))) (call $spin)
            (i32.store (i32.const 196604) (i32.const 40))
            (i32.add (i32.load (i32.const 196604)) (memory.grow (i32.const 1)))))",
            "43;", {}},
    };
    for (const Ending& ending : endings) {
        wanted = 0;
        store = Store::make(*engine, options).take();
        make(prefix + ending.wat + ")");
        const Ticker ticker{engine->options().interrupt_signal, 20 * us, 100 * us};
        Call call = prepared("run");
        EXPECT_GT(run_in_slices(call), 2u) << ending.name;
        EXPECT_EQ(call.answer, ending.answer) << ending.name;
        if (!ending.functions.empty()) {
            EXPECT_EQ(functions_of(call.outcome.value()), ending.functions) << ending.name;
        }
    }
}

/// Pausing in the last frame before the guard would overflow: it waits for a better moment.
TEST_F(SliceTest, DeepInTheStackAGuestIsNotPaused) {
    engine::StoreOptions options;
    options.stack_bytes = 64 * 1024;
    store = Store::make(*engine, options).take();
    make(R"((module (global $depth (mut i32) (i32.const 0))
        (func $down (param i64) (result i64)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (i64.add (call $down (local.get 0)) (i64.const 1)))
        (func (export "run") (result i64) (call $down (i64.const 1)))))");
    const Ticker ticker{engine->options().interrupt_signal, us, 5 * us};
    for (int i = 0; i < 200; ++i) {
        Call call = prepared("run");
        (void)run_in_slices(call);
        ASSERT_EQ(call.answer, "trap: call stack exhausted");
    }
}

/// Who is rid of a paused guest cancels it.
TEST_F(SliceTest, APausedGuestIsAbandonedByItsRequest) {
    for (int i = 0; i < 20; ++i) {
        store = Store::make(*engine).take();
        make(R"((module (global (export "g") (mut i64) (i64.const 0)) (func (export "run")
            (loop $l (global.set 0 (i64.add (global.get 0) (i64.const 1))) (br $l)))))");
        const Canceller canceller;
        Call call = prepared("run", {}, {CallLimits::never, &canceller});
        ASSERT_TRUE(fiber->start(Call::run, &call, 1));
        const u64 counted = Store::get(export_of("g").global);
        canceller.cancel();
        ASSERT_FALSE(fiber->resume());
        EXPECT_EQ(call.answer, cancelled);
        EXPECT_EQ(Store::get(export_of("g").global), counted) << "it went on";
    }
}

// ---- slices that end where runs end ------------------------------------------------------------

/// In slots, whose memories must be as new each time, with slices and deadlines about as long as
/// the run, and signals that come at any time.
class SliceEdges : public SliceTest {
protected:
    struct Job {
        SliceEdges* test;
        u32 rounds;
        CallLimits limits;
        std::string outcome;
        u32 result = 0;
        bool was_new = false;

        static void run(void* self) noexcept {
            auto& job = *static_cast<Job*>(self);
            auto slot = job.test->shard->start(job.test->from).take();
            std::vector<Value> results;
            job.was_new =
                text(slot.call(job.test->is_new, {}, results)) == "" && results[0].bits == 1;
            const std::array arguments = {Value::i32(job.rounds)};
            job.outcome = text(slot.call(job.test->function, arguments, results, job.limits));
            if (!results.empty()) job.result = static_cast<u32>(results[0].bits);
        }
    };
    [[nodiscard]] static u64 runs() {
        const char* const wanted = std::getenv("WRUN_SLICE_RUNS");
        if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10);
        return is_sanitized ? 3'000 : 100'000;
    }
    void open(runtime::Watch watch) {
        open_pool({.spare_slots = 0, .watch = watch});
        const auto module = compile(R"((module (import "host" "nothing" (func $nothing)) (memory 2)
            (table $t 10 funcref) (elem declare func $mix)
            (func $mix (param i32 i32) (result i32)
                (i32.add (i32.mul (local.get 0) (i32.const 31)) (local.get 1)))
            (func (export "run") (param $n i32) (result i32) (local $sum i32)
                (loop $l
                    (local.set $sum (call $mix (local.get $sum) (local.get $n)))
                    (i32.store (i32.and (local.get $sum) (i32.const 0x1fffc)) (local.get $n))
                    (if (i32.eqz (i32.and (local.get $n) (i32.const 63))) (then
                        (table.set $t (i32.const 3) (ref.func $mix))
                        (memory.fill (i32.const 0) (local.get $n) (i32.const 100)) (call $nothing)
                        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 50))))))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i32.add (local.get $sum) (i32.load (i32.const 1000))))
            (func (export "is_new") (result i32) (local $at i32) (local $any i64)
                (loop $l
                    (local.set $any (i64.or (local.get $any) (i64.load (local.get $at))))
                    (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64)))
                        (i32.const 131072))))
                (i32.and (i64.eqz (local.get $any)) (ref.is_null (table.get $t (i32.const 3)))))))")
                                .take();
        from = Template::make(module, linker).take().made;
        function = from->find_function("run").value();
        is_new = from->find_function("is_new").value();
    }

    TemplatePtr from;
    FuncIndex function;
    FuncIndex is_new;
};

TEST_F(SliceEdges, RunsInSlicesAreExactAndTheNextOnesToo) {
    for (const auto watch : {runtime::Watch::faults, runtime::Watch::writes}) {
        open(watch);
        std::map<u32, u32> expected;
        for (const u32 rounds : {100u, 1'000u, 5'000u}) {
            Job alone{this, rounds, {}, "", 0, false};
            Job::run(&alone);
            ASSERT_EQ(alone.outcome, "");
            expected[rounds] = alone.result;
        }
        constexpr std::size_t fiber_count = 6;
        std::vector<std::unique_ptr<Fiber>> fibers;
        for (std::size_t i = 0; i < fiber_count; ++i)
            fibers.push_back(Fiber::make().take());
        std::vector<Job> jobs(fiber_count);
        const Ticker ticker{engine->options().interrupt_signal, us, 30 * us};
        std::mt19937_64 random{1};
        u64 started = 0;
        u64 ended = 0;
        u64 slices = 0;
        u64 stopped_runs = 0;
        const u64 wanted = runs() / 2;
        // Where other programs want the processors, signals come seldom.
        const auto is_enough = [&] {
            const bool is_much = slices > wanted / 100 && stopped_runs > wanted / 1000;
            return started >= (is_much ? wanted : 10 * wanted);
        };
        while (ended < started || !is_enough()) {
            const std::size_t i = random() % fiber_count;
            const u64 slice_ns = 1 + random() % (random() % 2 == 0 ? 20 * us : 200 * us);
            bool is_waiting = false;
            if (fibers[i]->is_suspended()) {
                is_waiting = fibers[i]->resume(slice_ns);
            } else {
                if (is_enough()) continue;
                ++started;
                const auto which = std::next(expected.begin(), static_cast<long>(random() % 3));
                const u64 kind = random() % 4;
                CallLimits limits;
                if (kind == 1) limits = CallLimits::within(far_ns);
                if (kind == 2) limits = CallLimits::within(random() % (300 * us));
                jobs[i] = {this, which->first, limits, "", 0, false};
                is_waiting = fibers[i]->start(Job::run, &jobs[i], slice_ns);
            }
            slices += is_waiting;
            if (is_waiting) continue;
            ++ended;
            const Job& job = jobs[i];
            ASSERT_TRUE(job.was_new) << "run " << ended;
            if (job.outcome == stopped) {
                ASSERT_LE(job.limits.deadline_ns, os::monotonic_ns());
                ++stopped_runs;
                continue;
            }
            ASSERT_EQ(job.outcome, "") << "run " << ended;
            ASSERT_EQ(job.result, expected[job.rounds]) << "run " << ended;
        }
        std::printf("%llu runs, %llu slices, %llu stopped\n",
            static_cast<unsigned long long>(ended), static_cast<unsigned long long>(slices),
            static_cast<unsigned long long>(stopped_runs));
        EXPECT_GT(slices, wanted / 100);
        EXPECT_GT(stopped_runs, wanted / 1000);
        EXPECT_EQ(pool->stats().quarantined, 0u);
    }
}

}  // namespace
}  // namespace wrun::test
