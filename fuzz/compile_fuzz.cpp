// Any bytes compile to machine code or to an error, with every number of homes, in time and space
// that are linear in the input. Nothing is run: guests may loop for ever.
#include <ctime>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/limits.hpp"
#include "engine/engine.hpp"
#include "fuzz/target.hpp"

namespace {

using namespace wrun;

/// Ten times and more what an instrumented build needs for the most expensive bytes known.
constexpr u64 work_ns_free = 200'000'000;
constexpr u64 work_ns_per_byte = 100'000;
/// A trap row of eight bytes needs an instruction; a body of few bytes may have many by its calls.
constexpr u64 trap_bytes_per_code_byte = 4;

constexpr std::array homes_choices = {16u, 0u, 3u};

// One engine for all inputs, as in a server; one thread, so that a crash comes from this input.
engine::Engine& engine_with(u32 homes_max) {
    engine::EngineOptions options;
    options.compile_threads = 1;
    options.integer_homes_max = homes_max;
    options.float_homes_max = homes_max;
    auto result = engine::Engine::make(options);
    if (!result.ok()) {
        std::fputs("no engine on this machine\n", stderr);
        std::exit(1);
    }
    return *result.value().release();  // lives as long as the process
}

u64 cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

void expect(bool holds, const char* what, u64 is, u64 bound) {
    if (holds) return;
    std::fprintf(stderr, "compile: %s: %llu, at most %llu\n", what,
        static_cast<unsigned long long>(is), static_cast<unsigned long long>(bound));
    std::abort();
}

/// Nanoseconds of this thread.
u64 compile_once(engine::Engine& engine, const std::uint8_t* data, std::size_t size) {
    const u64 begin_ns = cpu_ns();
    const auto compiled = engine::Module::compile(engine, std::vector<u8>(data, data + size));
    const u64 taken_ns = cpu_ns() - begin_ns;
    if (!compiled.ok()) return taken_ns;
    const engine::CompileStats& stats = compiled.value()->stats();
    const u64 code_max = u64{limits::code_bytes_per_wasm_byte_max} * size + limits::code_bytes_free;
    expect(
        stats.machine_code_bytes <= code_max, "bytes of code", stats.machine_code_bytes, code_max);
    const u64 traps_max = trap_bytes_per_code_byte * stats.machine_code_bytes;
    expect(stats.trap_table_bytes <= traps_max, "bytes of trap table", stats.trap_table_bytes,
        traps_max);
    return taken_ns;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array engines = {&engine_with(homes_choices[0]),
        &engine_with(homes_choices[1]), &engine_with(homes_choices[2])};
    const u64 work_ns_max = work_ns_free + work_ns_per_byte * size;
    for (engine::Engine* const engine : engines) {
        u64 work_ns = compile_once(*engine, data, size);
        // The machine may have been busy with other things: only what is always slow is slow.
        for (int again = 0; again < 3 && work_ns > work_ns_max; ++again)
            work_ns = std::min(work_ns, compile_once(*engine, data, size));
        expect(work_ns <= work_ns_max, "nanoseconds", work_ns, work_ns_max);
    }
    return 0;
}
