// A module does the same in wrun and in the second engine: results, traps, host calls, globals,
// memories, tables. Bytes that begin like a module are one, others choose what the generator of
// pressure/ makes. Guests end: the second engine goes first and has only so much fuel.
// WRUN_FUZZ_WRITE=FILE keeps the module that was tried.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/pressure/module.hpp"
#include "fuzz/differential/readings.hpp"
#include "fuzz/target.hpp"

namespace {

using namespace wrun;
using namespace wrun::differ;

constexpr u64 fuel = 20'000;  // of one round; bulk operations of megabytes take one unit each
constexpr std::array homes_choices = {16u, 0u, 3u, 1u};

struct Engines {
    std::unique_ptr<Subject> second = make_second_subject(false, fuel);
    std::unique_ptr<Subject> canonical = make_second_subject(true, fuel);
    std::array<std::unique_ptr<Subject>, homes_choices.size()> mine;
    Engines() {
        for (std::size_t i = 0; i < mine.size(); ++i)
            mine[i] = make_wrun_subject(homes_choices[i]);
    }
};

Engines& engines() {
    if (!second_engine_missing().empty()) {
        std::printf("skipped: %s\n", second_engine_missing().c_str());
        std::exit(77);
    }
    static Engines& made = *new Engines;  // for the process's life: there is no orderly end
    return made;
}

bool is_module(std::span<const u8> bytes) {
    return bytes.size() >= 4 && std::memcmp(bytes.data(), "\0asm", 4) == 0;
}

void keep(const std::vector<u8>& wasm) {
    const char* const path = std::getenv("WRUN_FUZZ_WRITE");
    if (path == nullptr) return;
    std::ofstream file(path, std::ios::binary);
    file.write(
        reinterpret_cast<const char*>(wasm.data()), static_cast<std::streamsize>(wasm.size()));
}

bool ran_dry(const Transcript& transcript) {
    for (const Event& event : transcript.events)
        if (event.what == What::ending &&
            event.bits == (u64{to_underlying(Ending::Kind::trapped)} << 8 |
                              to_underlying(TrapKind::out_of_fuel)))
            return true;
    return false;
}

/// Bytes decide, so that an input means the same in every run.
u64 digest(std::span<const u8> bytes) {
    u64 state = bytes.size();
    for (const u8 byte : bytes)
        state = mix(state, byte);
    return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes{data, size};
    const std::vector<u8> wasm = is_module(bytes) ? std::vector<u8>{bytes.begin(), bytes.end()}
                                                  : make_pressure_module(bytes);
    keep(wasm);
    Engines& all = engines();
    constexpr ObserveOptions options{.rounds = 2, .state_per_call = false};
    const Transcript second = observe(*all.second, wasm, options);
    if (ran_dry(second)) return 0;
    // What only one of them validates is the business of validate_fuzz.
    if (second.verdict != Verdict::accepted) return 0;
    Subject& subject = *all.mine[digest(wasm) % all.mine.size()];
    const Transcript mine = observe(subject, wasm, options);
    const Comparison comparison = compare_modules(wasm, mine, second);
    if (comparison.kind != Comparison::Kind::different) return 0;
    // Which NaN an operation makes is an engine's choice. This one also allocates registers in its
    // other way, so that a fault of the fast one's is not ours.
    const Transcript canonical = observe(*all.canonical, wasm, options);
    if (compare(canonical, second).kind == Comparison::Kind::different) return 0;
    std::fprintf(stderr, "execute: %s\n", comparison.text.c_str());
    std::abort();
}
