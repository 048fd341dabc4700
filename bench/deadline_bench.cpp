// How late a run is ended at its deadline, by where its guest is just then, and what a deadline
// costs a call that keeps it. Prints one JSON object; a name as argument measures that place alone.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "base/os_thread.hpp"
#include "bench/percentile.hpp"
#include "engine/engine.hpp"
#include "tests/support/wat.hpp"
#include "wasi/preview1.hpp"
#include "wasi/state.hpp"

namespace {

using namespace wrun;
using engine::Caller;
using engine::CallLimits;
using engine::HostResult;

struct Place {
    const char* name;
    const char* wat;
};

const Place places[] = {
    {"loop", R"((func (export "run") (loop $l (br $l))))"},
    {"calls", R"((func $f (param i32) (if (local.get 0) (then
        (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "run") (call $f (i32.const 1000))))"},
    {"fill of 4 GiB", R"((memory 65536) (func (export "run") (loop $l
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffffffff)) (br $l))))"},
    {"copy of 2 GiB", R"((memory 65536) (func (export "run") (loop $l
        (memory.copy (i32.const 0) (i32.const 0x80000000) (i32.const 0x7fffffff)) (br $l))))"},
    {"table.fill", R"((table $t 5000000 funcref) (elem declare func $f) (func $f)
        (func (export "run") (loop $l
            (table.fill $t (i32.const 0) (ref.func $f) (i32.const 5000000)) (br $l))))"},
    {"short host functions", R"((import "host" "nothing" (func $f))
        (func (export "run") (loop $l (call $f) (br $l))))"},
    {"read of an empty pipe", R"((import "wasi_snapshot_preview1" "fd_read"
            (func $f (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\40\00\00\00\09\00\00\00")
        (func (export "run")
            (drop (call $f (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))"},
    {"poll_oneoff of an hour", R"((import "wasi_snapshot_preview1" "poll_oneoff"
            (func $f (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run")
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 3600000000000))
            (drop (call $f (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))))"},
    {"host function that sleeps",
        R"((import "host" "sleep" (func $f)) (func (export "run") (call $f)))"},
    {"guest in host in guest", R"((import "host" "call" (func $f))
        (func (export "spin") (loop $l (br $l))) (func (export "run") (call $f)))"},
};

HostResult sleep_long(Caller&, void*, std::span<u64>) {
    timespec left{60, 0};
    while (!engine::is_interrupted() && nanosleep(&left, &left) != 0) {
    }
    return HostResult::ok();
}
HostResult call_spin(Caller& caller, void*, std::span<u64>) {
    std::vector<engine::Value> results;
    (void)caller.store().call(caller.instance()->find_export("spin")->func, {}, results);
    return HostResult::ok();
}

class Bench {
public:
    explicit Bench(int input) : engine_{engine::Engine::make({}).take()} {
        wasi::Config config;
        config.stdio = {input, -1, -1};
        state_ = wasi::State::make(config).state;
        if (!wasi::define_preview1(linker_).ok()) std::abort();
        define("nothing", [](Caller&, void*, std::span<u64>) { return HostResult::ok(); });
        define("sleep", sleep_long);
        define("call", call_spin);
    }

    void measure(const Place& place, int count, bool is_first) {
        std::mt19937_64 random{1};
        std::vector<double> late_us;
        const auto module = compile("(module " + std::string{place.wat} + ")");
        for (int i = 0; i < count; ++i) {
            Guest guest = make(module);
            const CallLimits limits = CallLimits::within(1'000'000 + random() % 4'000'000);
            std::vector<engine::Value> results;
            const auto outcome = guest.store->call(guest.run, {}, results, limits);
            const u64 now_ns = os::monotonic_ns();
            if (!outcome.ok() || !std::holds_alternative<engine::Trap>(outcome.value())) {
                std::fprintf(stderr, "%s: not stopped\n", place.name);
                std::exit(1);
            }
            late_us.push_back(static_cast<double>(now_ns - limits.deadline_ns) / 1000);
        }
        std::sort(late_us.begin(), late_us.end());
        const auto at = [&](double part) { return bench::percentile(late_us, part); };
        std::printf(
            "%s\n    {\"place\": \"%s\", \"runs\": %d, \"late_us_min\": %.0f, "
            "\"late_us_median\": %.0f, \"late_us_p99\": %.0f, \"late_us_max\": %.0f}",
            is_first ? "" : ",", place.name, count, at(0), at(0.5), at(0.99), at(1));
        std::fflush(stdout);
    }

    /// Least time of one call of an empty function, of several rounds of many.
    [[nodiscard]] double call_ns(const CallLimits& limits) {
        const Guest guest = make(compile(R"((module (func (export "run"))))"));
        constexpr int calls = 100'000;
        double least = 1e9;
        for (int round = 0; round < 20; ++round) {
            const u64 begin_ns = os::monotonic_ns();
            std::vector<engine::Value> results;
            for (int i = 0; i < calls; ++i)
                (void)guest.store->call(guest.run, {}, results, limits);
            least = std::min(least, static_cast<double>(os::monotonic_ns() - begin_ns) / calls);
        }
        return least;
    }

private:
    struct Guest {
        std::unique_ptr<engine::Store> store;
        runtime::FuncRecord* run;
    };

    void define(const char* name, engine::HostCallback callback) {
        if (!linker_.define_function("host", name, {}, callback, nullptr).ok()) std::abort();
    }
    std::shared_ptr<const engine::Module> compile(const std::string& wat) {
        return engine::Module::compile(*engine_, wat::assemble(wat)).take();
    }
    Guest make(const std::shared_ptr<const engine::Module>& module) {
        engine::StoreOptions options;
        options.host_data = state_.get();
        Guest guest{engine::Store::make(*engine_, options).take(), nullptr};
        const auto made = guest.store->instantiate(module, linker_).take();
        guest.run = made.instance->find_export("run")->func;
        return guest;
    }

    std::unique_ptr<engine::Engine> engine_;
    engine::Linker linker_;
    std::unique_ptr<wasi::State> state_;
};

}  // namespace

int main(int argc, char** argv) {
    if (!wat::available()) {
        std::fprintf(stderr, "%s\n", wat::unavailable_reason().c_str());
        return 1;
    }
    int pipe_ends[2] = {-1, -1};
    if (::pipe(pipe_ends) != 0) return 1;
    Bench bench{pipe_ends[0]};
    std::printf("{\"places\": [");
    bool is_first = true;
    for (const Place& place : places) {
        if (argc > 1 && std::string{argv[1]} != place.name) continue;
        bench.measure(place, 200, is_first);
        is_first = false;
    }
    const engine::Canceller canceller;
    std::printf(
        "],\n \"call_ns\": %.1f, \"call_ns_with_deadline\": %.1f, "
        "\"call_ns_with_deadline_and_canceller\": %.1f}\n",
        bench.call_ns({}), bench.call_ns(CallLimits::within(u64{1000} << 30)),
        bench.call_ns(CallLimits::within(u64{1000} << 30, &canceller)));
    return 0;
}
