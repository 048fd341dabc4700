// What fibers cost: a switch, a start, a guest's call on one, a pause; how much of its stack host
// functions use; and how long short guests wait for a thread that a spinning one has, slice by
// slice. Prints one JSON object.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/os_thread.hpp"
#include "bench/percentile.hpp"
#include "engine/engine.hpp"
#include "engine/fiber.hpp"
#include "tests/support/wat.hpp"
#include "wasi/preview1.hpp"
#include "wasi/state.hpp"

namespace {

using namespace wrun;
using engine::CallLimits;
using engine::Fiber;

constexpr u64 ms = 1'000'000;

/// Least time of one turn, of several rounds of many.
template <class Turn>
[[nodiscard]] double least_ns(int turns, Turn&& turn) {
    double least = 1e9;
    for (int round = 0; round < 20; ++round) {
        const u64 begin_ns = os::monotonic_ns();
        for (int i = 0; i < turns; ++i)
            turn();
        least = std::min(least, static_cast<double>(os::monotonic_ns() - begin_ns) / turns);
    }
    return least;
}

struct Guest {
    std::unique_ptr<engine::Store> store;
    runtime::FuncRecord* run = nullptr;
    CallLimits limits;
    std::vector<engine::Value> results;

    static void call(void* self) noexcept {
        auto& guest = *static_cast<Guest*>(self);
        (void)guest.store->call(guest.run, {}, guest.results, guest.limits);
    }
};

class Bench {
public:
    Bench() : engine_{engine::Engine::make({}).take()} {
        state_ = wasi::State::make({}).state;
        if (!wasi::define_preview1(linker_).ok()) std::abort();
    }

    void measure_costs() {
        std::printf("{\"switch_there_and_back_ns\": %.1f", switch_ns());
        const Fiber::Entry nothing = [](void*) noexcept {};
        std::printf(", \"start_and_end_ns\": %.1f",
            least_ns(100'000, [&] { (void)fiber_->start(nothing, nullptr); }));
        Guest guest = make("(module (func (export \"run\")))");
        const auto measure_call = [&](const char* name, const CallLimits& limits) {
            guest.limits = limits;
            std::printf(
                ",\n \"%s_ns\": %.1f", name, least_ns(100'000, [&] { Guest::call(&guest); }));
            for (const u64 slice_ns : {u64{0}, 10 * ms}) {
                std::printf(", \"%s_on_fiber%s_ns\": %.1f", name, slice_ns == 0 ? "" : "_in_slice",
                    least_ns(100'000, [&] { (void)fiber_->start(Guest::call, &guest, slice_ns); }));
            }
        };
        measure_call("call", {});
        measure_call("call_with_deadline", CallLimits::within(u64{1000} << 30));
    }

    /// Of the deepest call, in whole pages.
    void measure_stack() {
        std::printf(",\n \"stack_touched_bytes\": {");
        measure_stack_of("empty guest", "(module (func (export \"run\")))", true);
        measure_stack_of("fd_write", R"((module (import "wasi_snapshot_preview1" "fd_write"
                (func $f (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
            (func (export "run") (drop (call $f (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))))",
            false);
        measure_stack_of("poll_oneoff", R"((module (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $f (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
            (func (export "run") (i32.store (i32.const 16) (i32.const 1))
                (drop (call $f (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512))))))",
            false);
        measure_stack_of("path_open", R"((module (import "wasi_snapshot_preview1" "path_open"
                (func $f (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "run") (drop (call $f (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 512))))))",
            false);
        measure_stack_of("function compiled when called",
            R"((module (func $f (param i64) (result i64)
            (loop $l (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
            (i64.add (local.get 0) (i64.const 1)))
            (func (export "run") (drop (call $f (i64.const 3))))))",
            false, engine::Compilation::on_call);
        measure_stack_of("trap with 80 frames", R"((module (func $f (param i32)
            (if (i32.eqz (local.get 0)) (then unreachable)) (call $f (i32.sub (local.get 0) (i32.const 1))))
            (func (export "run") (call $f (i32.const 200)))))",
            false);
        std::printf("}");
    }

    /// Short guests come every `every_ns`; a spinning one has the thread whenever none is there.
    void measure_waiting(u64 slice_ns) {
        constexpr u64 every_ns = 700'000;
        constexpr int count = 2000;
        Guest spinner = make("(module (func (export \"run\") (loop $l (br $l))))");
        const engine::Canceller canceller;
        spinner.limits = {CallLimits::never, &canceller};
        Guest quick = make("(module (func (export \"run\")))");
        const auto other = Fiber::make().take();
        std::vector<double> waited_us;
        u64 next_ns = os::monotonic_ns() + every_ns;
        bool is_spinning = fiber_->start(Guest::call, &spinner, slice_ns);
        while (static_cast<int>(waited_us.size()) < count && is_spinning) {
            for (; next_ns <= os::monotonic_ns(); next_ns += every_ns) {
                (void)other->start(Guest::call, &quick, slice_ns);
                waited_us.push_back(static_cast<double>(os::monotonic_ns() - next_ns) / 1000);
            }
            is_spinning = fiber_->resume(slice_ns);
        }
        canceller.cancel();
        while (is_spinning)
            is_spinning = fiber_->resume(slice_ns);
        std::sort(waited_us.begin(), waited_us.end());
        const auto at = [&](double part) { return bench::percentile(waited_us, part); };
        std::printf(
            "%s{\"slice_us\": %llu, \"waited_us_median\": %.0f, \"waited_us_p99\": %.0f, "
            "\"waited_us_max\": %.0f}",
            is_first_ ? "" : ", ", static_cast<unsigned long long>(slice_ns / 1000), at(0.5),
            at(0.99), at(1));
        is_first_ = false;
    }

private:
    [[nodiscard]] double switch_ns() {
        bool is_over = false;
        (void)fiber_->start(
            [](void* over) noexcept {
                while (!*static_cast<bool*>(over))
                    Fiber::suspend();
            },
            &is_over);
        const double least = least_ns(1'000'000, [&] { (void)fiber_->resume(); });
        is_over = true;
        (void)fiber_->resume();
        return least;
    }
    void measure_stack_of(const char* name, const std::string& wat, bool is_first,
        engine::Compilation compilation = engine::Compilation::eager) {
        const auto fresh = Fiber::make().take();
        Guest guest = make(wat, compilation);
        (void)fresh->start(Guest::call, &guest);
        const auto stack = fresh->stack();
        std::vector<unsigned char> pages(stack.size() / 4096);
        if (::mincore(const_cast<u8*>(stack.data()), stack.size(), pages.data()) != 0) std::abort();
        const auto deepest = std::find_if(
            pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; });
        std::printf("%s\"%s\": %llu", is_first ? "" : ", ", name,
            static_cast<unsigned long long>(pages.end() - deepest) * 4096);
    }
    Guest make(
        const std::string& wat, engine::Compilation compilation = engine::Compilation::eager) {
        const auto module =
            engine::Module::compile(*engine_, wat::assemble(wat), {.compilation = compilation})
                .take();
        engine::StoreOptions options;
        options.host_data = state_.get();
        Guest guest;
        guest.store = engine::Store::make(*engine_, options).take();
        const auto made = guest.store->instantiate(module, linker_).take();
        guest.run = made.instance->find_export("run")->func;
        return guest;
    }

    std::unique_ptr<engine::Engine> engine_;
    engine::Linker linker_;
    std::unique_ptr<wasi::State> state_;
    std::unique_ptr<Fiber> fiber_ = Fiber::make().take();
    bool is_first_ = true;
};

}  // namespace

int main() {
    if (!wat::available()) {
        std::fprintf(stderr, "%s\n", wat::unavailable_reason().c_str());
        return 1;
    }
    Bench bench;
    bench.measure_costs();
    bench.measure_stack();
    std::printf(",\n \"beside_a_spinning_guest\": [");
    for (const u64 slice_ns : {2 * ms, 5 * ms, 10 * ms})
        bench.measure_waiting(slice_ns);
    std::printf("]}\n");
    return 0;
}
