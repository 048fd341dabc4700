// See measure.hpp.
#include "bench/cold/measure.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/cold/proof.hpp"
#include "bench/cold/samples.hpp"

namespace wrun::cold {
namespace {

constexpr u64 chunk_max = 1000;  // cycles between looks at anything else
constexpr u64 warm_up_max = 2000;
constexpr u64 warm_up_seconds_max = 1;
constexpr u64 seconds_max = 5;

/// Ends a measurement that takes longer than it may, with what there is.
class Deadline {
public:
    explicit Deadline(const Clock& clock, u64 seconds = seconds_max)
        : end_{ticks_at_begin() +
               static_cast<u64>(static_cast<double>(seconds) * 1e9 / clock.ns_per_tick)} {}
    [[nodiscard]] bool is_over() const noexcept { return ticks_at_begin() > end_; }

private:
    u64 end_;
};

std::unique_ptr<Subject> make(const SubjectKind& kind, const Handler& handler) {
    Setup setup;
    setup.handler = &handler;
    if (!kind.is_native) setup.programs.push_back(handler.wasm());
    return kind.make(setup);
}

/// A worker to measure, of places that nobody has looked at: looking maps all pages.
std::unique_ptr<Worker> proven_worker(Subject& subject, const Handler& handler) {
    const std::unique_ptr<Worker> looked_at = subject.worker();
    prove(*looked_at, handler);
    static_cast<void>(looked_at->forget());
    return subject.worker();
}

void check(u32 answer, const Handler& handler) {
    if (answer != handler.expected) give_up(handler.name, "the answer is wrong");
}

/// One whole cycle; what disturb() does is not counted.
u64 cycle(Worker& worker, const Handler& handler, const Clock& clock) {
    const u64 begin = ticks_at_begin();
    worker.start(0);
    const u32 answer = worker.call(handler.argument);
    u64 ticks = 0;
    u64 resumed = begin;
    if (worker.disturbs()) {
        ticks = clock.span(begin, ticks_at_end());
        worker.disturb();
        resumed = ticks_at_begin();
    }
    worker.finish();
    ticks += clock.span(resumed, ticks_at_end());
    check(answer, handler);
    return ticks;
}

/// For as long as `ticks`.
u64 do_nothing(u64 ticks, const Clock& clock) {
    const u64 begin = ticks_at_begin();
    u64 now = begin;
    while (now - begin < ticks)
        now = ticks_at_end();
    return clock.span(begin, now);
}

u64 call_system(const Clock& clock) {
    const u64 begin = ticks_at_begin();
    static_cast<void>(syscall(SYS_getppid));
    return clock.span(begin, ticks_at_end());
}

struct Steps {
    explicit Steps(std::size_t count) : start{count}, call{count}, finish{count} {}
    Samples start, call, finish;

    void cycle(Worker& worker, const Handler& handler, const Clock& clock) {
        const u64 begin = ticks_at_begin();
        worker.start(0);
        const u64 started = ticks_at_end();
        const u32 answer = worker.call(handler.argument);
        const u64 answered = ticks_at_end();
        worker.disturb();
        const u64 resumed = ticks_at_begin();
        worker.finish();
        const u64 end = ticks_at_end();
        start.add(clock.span(begin, started));
        call.add(clock.span(started, answered));
        finish.add(clock.span(resumed, end));
        check(answer, handler);
    }
};

/// What a cycle usually takes.
u64 warmed_up(Worker& worker, const Handler& handler, const Clock& clock, u64 cycles) {
    cycles = std::min(cycles, warm_up_max);
    Samples samples{cycles};
    const Deadline deadline{clock, warm_up_seconds_max};
    for (u64 i = 0; i < cycles && !deadline.is_over(); ++i)
        samples.add(cycle(worker, handler, clock));
    return samples.quantile(0.5);
}

std::string field(std::string_view name, const std::string& value) {
    return "\"" + std::string{name} + "\":" + value;
}

std::string number(double value) {
    std::array<char, 32> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.4g", value));
    return text.data();
}

}  // namespace

std::string measure_cycles(const SubjectKind& kind, const Handler& handler, u64 cycles) {
    const std::unique_ptr<Subject> subject = make(kind, handler);
    stay_on(usable_cpus().front());
    const Clock clock = Clock::calibrated();
    const std::unique_ptr<Worker> worker = proven_worker(*subject, handler);
    const u64 usual = warmed_up(*worker, handler, clock, cycles);

    Samples whole{cycles};
    Samples nothing{cycles};
    Samples system{cycles};
    Steps steps{cycles};
    u64 faults = 0;
    const u64 chunk = std::min(cycles, chunk_max);
    const Deadline deadline{clock};
    while (whole.count() < cycles && !deadline.is_over()) {
        const u64 before = faults_of_thread();
        for (u64 i = 0; i < chunk; ++i)
            whole.add(cycle(*worker, handler, clock));
        faults += faults_of_thread() - before;
        for (u64 i = 0; i < chunk / 2; ++i)
            nothing.add(do_nothing(usual, clock));
        for (u64 i = 0; i < chunk / 4 + 1; ++i)
            system.add(call_system(clock));
        for (u64 i = 0; i < chunk / 4 + 1; ++i)
            steps.cycle(*worker, handler, clock);
    }
    prove(*worker, handler);
    const double overhead_ns = static_cast<double>(clock.overhead_ticks) * clock.ns_per_tick;
    return "{" + field("cycle", whole.json(clock)) + "," + field("start", steps.start.json(clock)) +
           "," + field("call", steps.call.json(clock)) + "," +
           field("finish", steps.finish.json(clock)) + "," + field("nothing", nothing.json(clock)) +
           "," + field("system_call", system.json(clock)) + "," +
           field("faults_per_cycle",
               number(static_cast<double>(faults) / static_cast<double>(whole.count()))) +
           "," + field("timer_ns", number(overhead_ns)) + "}";
}

namespace {

constexpr std::size_t threads = 2;

/// What the threads of one measurement share.
struct Together {
    const SubjectKind& kind;
    const Handler& handler;
    Clock clock;
    u64 cycles;
    std::barrier<> turn{threads};
    std::atomic<std::size_t> done{0};  // threads that have all samples of this turn
    std::vector<Samples> alone;
    std::vector<Samples> at_once;
};

void work(Together& all, Subject& subject, std::size_t mine, int cpu) {
    stay_on(cpu);
    const std::unique_ptr<Worker> worker = proven_worker(subject, all.handler);
    const u64 chunk = std::min(all.cycles, chunk_max);
    static_cast<void>(warmed_up(*worker, all.handler, all.clock, all.cycles));
    for (u64 made = 0; made < all.cycles; made += chunk) {
        for (std::size_t whose = 0; whose < threads; ++whose) {
            all.turn.arrive_and_wait();
            for (u64 i = 0; whose == mine && i < chunk; ++i)
                all.alone[mine].add(cycle(*worker, all.handler, all.clock));
        }
        all.done = 0;
        all.turn.arrive_and_wait();
        for (u64 i = 0; i < chunk; ++i)
            all.at_once[mine].add(cycle(*worker, all.handler, all.clock));
        // Until the other one has all of its own it must not be alone.
        for (++all.done; all.done < threads;)
            static_cast<void>(cycle(*worker, all.handler, all.clock));
        all.turn.arrive_and_wait();
    }
    prove(*worker, all.handler);
}

}  // namespace

std::string measure_threads(const SubjectKind& kind, const Handler& handler, u64 cycles) {
    const std::vector<int> cpus = usable_cpus();
    if (cpus.size() < threads) give_up("bench", "there is only one CPU");
    const std::unique_ptr<Subject> subject = make(kind, handler);
    Together all{.kind = kind,
        .handler = handler,
        .clock = Clock::calibrated(),
        .cycles = cycles,
        .alone = {threads, Samples{cycles}},
        .at_once = {threads, Samples{cycles}}};
    {
        std::vector<std::jthread> running;
        for (std::size_t i = 0; i < threads; ++i)
            running.emplace_back(
                [&all, &subject, i, cpu = cpus[i]] { work(all, *subject, i, cpu); });
    }
    Samples alone{threads * cycles};
    Samples at_once{threads * cycles};
    for (std::size_t i = 0; i < threads; ++i) {
        alone.add(all.alone[i]);
        at_once.add(all.at_once[i]);
    }
    return "{" + field("alone", alone.json(all.clock)) + "," +
           field("at_once", at_once.json(all.clock)) + "}";
}

namespace {

enum class Place { same, other, none };

/// Whether a measurement of starts was what it says.
void check_binds(std::optional<u64> before, std::optional<u64> after, Place place, u64 starts) {
    if (!before || !after) return;
    const u64 expected = place == Place::same ? 0 : place == Place::other ? 2 * starts : starts;
    // The first start may find what the measurement before has left.
    if (*after - *before > expected + 1 || *after - *before + 1 < expected)
        give_up("bench", "places were not as they should be");
}

/// Starts and ends of program 0.
std::string measure_starts(Worker& worker, Place place, u64 cycles, const Clock& clock) {
    Samples starts{cycles};
    Samples finishes{cycles};
    const Deadline deadline{clock};
    const u64 warm_up = cycles / 10 + 2;
    const std::optional<u64> before = worker.binds();
    u64 i = 0;
    for (; i < cycles + warm_up && !deadline.is_over(); ++i) {
        if (place == Place::other) {
            worker.start(1);
            worker.finish();
        }
        if (place == Place::none) static_cast<void>(worker.forget());
        const u64 begin = ticks_at_begin();
        worker.start(0);
        const u64 started = ticks_at_end();
        worker.finish();
        const u64 finished = ticks_at_end();
        if (i < warm_up) continue;
        starts.add(clock.span(begin, started));
        finishes.add(clock.span(started, finished));
    }
    check_binds(before, worker.binds(), place, i);
    return "{" + field("start", starts.json(clock)) + "," + field("finish", finishes.json(clock)) +
           "}";
}

}  // namespace

std::string measure_large(const SubjectKind& kind, std::vector<u8> program, u64 cycles) {
    Setup setup;
    setup.programs.push_back(std::move(program));
    setup.programs.push_back(find_handler("medium")->wasm());
    setup.slots = 1;
    setup.compiles_fast = true;
    const std::unique_ptr<Subject> subject = kind.make(setup);
    stay_on(usable_cpus().front());
    const Clock clock = Clock::calibrated();
    const std::unique_ptr<Worker> worker = subject->worker();
    std::string text = "{" + field("bound", measure_starts(*worker, Place::same, cycles, clock)) +
                       "," +
                       field("unbound", measure_starts(*worker, Place::other, cycles / 4, clock));
    if (worker->forget())
        text += "," + field("no_slot", measure_starts(*worker, Place::none, cycles / 4, clock));
    return text + "}";
}

namespace {

/// Of a file of `Name:  number kB` lines.
u64 kilobytes(const char* path, std::string_view name) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name) && line[name.size()] == ':')
            return std::stoull(line.substr(name.size() + 1));
    give_up("bench", std::string{path} + " does not tell " + std::string{name});
}

struct Footprint {
    u64 resident = 0;      // pages that many instances share count for each of them
    u64 proportional = 0;  // those count once in all
    u64 private_dirty = 0;
    u64 page_tables = 0;
    u64 mappings = 0;

    static Footprint now() {
        constexpr const char* maps = "/proc/self/smaps_rollup";
        Footprint footprint{kilobytes(maps, "Rss") * 1024, kilobytes(maps, "Pss") * 1024,
            kilobytes(maps, "Private_Dirty") * 1024, kilobytes("/proc/self/status", "VmPTE") * 1024,
            0};
        std::ifstream file{"/proc/self/maps"};
        for (std::string line; std::getline(file, line);)
            ++footprint.mappings;
        return footprint;
    }
};

std::string grown(std::string_view name, u64 before, u64 after, u32 count) {
    return "," +
           field(name, number((static_cast<double>(after) - static_cast<double>(before)) / count));
}

}  // namespace

std::string measure_live(const SubjectKind& kind, const Handler& handler, u32 count) {
    Setup setup;
    setup.handler = &handler;
    setup.programs.push_back(handler.wasm());
    setup.slots = count + 1;
    const std::unique_ptr<Subject> subject = kind.make(setup);
    stay_on(usable_cpus().front());
    const Clock clock = Clock::calibrated();
    const std::unique_ptr<Worker> worker = proven_worker(*subject, handler);
    Samples starts{count};
    const Footprint before = Footprint::now();
    for (u32 i = 0; i < count; ++i) {
        const u64 begin = ticks_at_begin();
        worker->start(0);
        const u32 answer = worker->call(handler.argument);
        starts.add(clock.span(begin, ticks_at_end()));
        check(answer, handler);
        worker->keep();
    }
    const Footprint after = Footprint::now();
    return "{" + field("count", std::to_string(count)) + "," +
           field("start_and_call", starts.json(clock)) + "," +
           field("hot_bytes", std::to_string(handler.pages_written * page_bytes)) +
           grown("resident_bytes_each", before.resident, after.resident, count) +
           grown("proportional_bytes_each", before.proportional, after.proportional, count) +
           grown("private_dirty_bytes_each", before.private_dirty, after.private_dirty, count) +
           grown("page_table_bytes_each", before.page_tables, after.page_tables, count) +
           grown("mappings_each", before.mappings, after.mappings, count) + "}";
}

}  // namespace wrun::cold
