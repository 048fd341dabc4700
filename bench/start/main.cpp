// From an artifact in the page cache to a guest that runs, in one process that has an engine and a
// linker already: a node that has never seen this module. Prints one JSON object for each module.
// usage: start_bench [--count N] MODULE.wasm…
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "base/errors.hpp"
#include "bench/cold/samples.hpp"
#include "bench/cold/subject.hpp"
#include "engine/artifact.hpp"

namespace wrun::cold {

void give_up(std::string_view what, std::string_view why) {
    static_cast<void>(std::fprintf(
        stderr, "start_bench: %s: %s\n", std::string{what}.c_str(), std::string{why}.c_str()));
    std::exit(1);
}

namespace {

template <class T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).take();
    give_up("cannot start", describe(result.error()));
}

u64 first_call_ticks = 0;

/// Every import ends the run: the first one that is called tells that the guest runs.
engine::HostResult end_of_run(engine::Caller&, void*, std::span<u64>) {
    first_call_ticks = ticks_at_end();
    return engine::HostResult::exited(0);
}

void define_imports(const wrun::Module& module, engine::Linker& linker) {
    for (const Import& import : module.imports) {
        if (import.kind != ExternKind::func) continue;
        const TypeIndex type = module.functions[import.index];
        const auto params = module.params(type);
        const auto results = module.results(type);
        static_cast<void>(
            linker.define_function(module.text(import.module), module.text(import.field),
                {{params.begin(), params.end()}, {results.begin(), results.end()}}, end_of_run,
                nullptr));
    }
}

struct Phases {
    explicit Phases(std::size_t count)
        : load(count), instantiate(count), both(count), first_call(count) {}
    Samples load;
    Samples instantiate;
    Samples both;  // all before the guest's first instruction
    Samples first_call;
};

void measure(const char* path, std::size_t count) {
    std::ifstream input{path, std::ios::binary};
    std::vector<u8> wasm{std::istreambuf_iterator<char>{input}, {}};
    const auto engine = must(engine::Engine::make({}));
    const Sha256Digest digest = Sha256::of(wasm);
    const std::string file = "/tmp/start_bench." + std::to_string(getpid()) + ".wrun";
    engine::Linker linker;
    {
        const auto module = must(engine::Module::compile(*engine, std::move(wasm)));
        define_imports(module->decoded(), linker);
        std::ofstream{file}.flush();
        const int output = ::open(file.c_str(), O_RDWR);
        const Result<void> written = engine::ArtifactBytes{*module}.write_to(output);
        ::close(output);
        if (!written.ok()) std::exit(1);
    }
    const Clock clock = Clock::calibrated();
    Phases phases{count};
    u64 faults = 0;
    for (std::size_t i = 0; i < count + 5; ++i) {
        const bool counts = i >= 5;
        const u64 faults_before = faults_of_thread();
        const u64 begin = ticks_at_begin();
        const auto module = must(
            engine::load_own_artifact(*engine, must(os::File::open_for_reading(file)), digest, {}));
        const u64 loaded = ticks_at_end();
        const auto store = must(engine::Store::make(*engine));
        const auto made = must(store->instantiate(module, linker));
        const u64 ready = ticks_at_end();
        if (counts) faults += faults_of_thread() - faults_before;
        if (counts) phases.load.add(clock.span(begin, loaded));
        if (counts) phases.instantiate.add(clock.span(loaded, ready));
        if (counts) phases.both.add(clock.span(begin, ready));
        if (made.instance == nullptr) continue;
        const auto start = made.instance->find_export("_start");
        if (!start) continue;
        std::vector<engine::Value> results;
        static_cast<void>(must(store->call(start->func, {}, results)));
        if (counts) phases.first_call.add(clock.span(begin, first_call_ticks));
    }
    std::remove(file.c_str());
    std::printf(
        "{\"module\":\"%s\",\"faults\":%.1f,\"load\":%s,\"instantiate\":%s,\"both\":%s,"
        "\"first_host_call\":%s}\n",
        path, static_cast<double>(faults) / static_cast<double>(count),
        phases.load.json(clock).c_str(), phases.instantiate.json(clock).c_str(),
        phases.both.json(clock).c_str(), phases.first_call.json(clock).c_str());
}

}  // namespace
}  // namespace wrun::cold

int main(int argc, char** argv) {
    std::size_t count = 200;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
            count = std::strtoul(argv[++i], nullptr, 10);
        } else {
            wrun::cold::measure(argv[i], count);
        }
    }
}
