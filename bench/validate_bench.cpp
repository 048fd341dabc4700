// How fast bodies are walked: checked with the summary (P0), and trusted with a sink that ignores
// everything (the floor of P1). The module is the file named by WRUN_BENCH_MODULE or by the first
// argument that is not an option. Bytes are those of the code section; ns_per_byte is the figure
// that budgets are written in.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/errors.hpp"
#include "decoder/decode.hpp"
#include "validator/validate.hpp"
#include "validator/walk.hpp"

namespace {

using namespace wrun;

u64 bits_of(u32 value) {
    return value;
}
u64 bits_of(i32 value) {
    return static_cast<u64>(value);
}
u64 bits_of(u64 value) {
    return value;
}
u64 bits_of(i64 value) {
    return static_cast<u64>(value);
}
u64 bits_of(MemArg arg) {
    return arg.offset;
}
u64 bits_of(BlockType type) {
    return to_underlying(type.form);
}
u64 bits_of(CallIndirect call) {
    return call.type.value;
}
u64 bits_of(LabelTable table) {
    return table.count;
}
u64 bits_of(ValType type) {
    return type.bits();
}
template <class Tag>
u64 bits_of(Index<Tag> index) {
    return index.value;
}

/// Adds up what it hears, so that every immediate must be decoded.
struct IgnoringSink {
    u64 sum = 0;
    void at(u32 offset, const u8* /*next*/) noexcept { sum += offset; }
#define WRUN_OP(name, ...)                                \
    template <class... Immediates>                        \
    void emit_##name(Immediates... immediates) noexcept { \
        sum += (u64{0} + ... + bits_of(immediates));      \
    }
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
};

struct Loaded {
    std::vector<u8> bytes;
    Module module;
};

Loaded& loaded() {
    static Loaded instance;
    return instance;
}

[[noreturn]] void fail(const std::string& text) {
    std::fprintf(stderr, "validate_bench: %s\n", text.c_str());
    std::exit(1);
}

void load(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) fail("cannot read " + path);
    Loaded& target = loaded();
    target.bytes.assign(std::istreambuf_iterator<char>{file}, {});
    Result<Module> module = decode(target.bytes, default_features());
    if (!module.ok()) fail(describe(module.error()));
    target.module = std::move(module).take();
    const Result<void> valid = validate_module(target.module, default_features());
    if (!valid.ok()) fail(describe(valid.error()));
}

void report(benchmark::State& state) {
    const auto bytes = static_cast<double>(loaded().module.code_end - loaded().module.code_begin);
    const double all = bytes * static_cast<double>(state.iterations());
    state.SetBytesProcessed(static_cast<std::int64_t>(all));
    state.counters["ns_per_byte"] =
        benchmark::Counter(all * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void decode_sections(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(decode(loaded().bytes, default_features()));
    state.SetBytesProcessed(static_cast<std::int64_t>(loaded().bytes.size()) * state.iterations());
}
BENCHMARK(decode_sections);

void checked_with_summary(benchmark::State& state) {
    const Module& module = loaded().module;
    FunctionValidator validator{module, default_features()};
    FunctionSummary summary;
    for (auto _ : state) {
        for (u32 i = module.imported_function_count; i < module.functions.size(); ++i) {
            const Result<void> valid = validator.validate(FuncIndex{i}, summary);
            if (!valid.ok()) fail(describe(valid.error()));
        }
    }
    report(state);
}
BENCHMARK(checked_with_summary)->Unit(benchmark::kMillisecond);

void trusted_with_nothing(benchmark::State& state) {
    const Module& module = loaded().module;
    IgnoringSink sink;
    for (auto _ : state) {
        for (u32 i = module.imported_function_count; i < module.functions.size(); ++i) {
            walk_trusted(module, FuncIndex{i}, sink);
        }
    }
    benchmark::DoNotOptimize(sink.sum);
    report(state);
}
BENCHMARK(trusted_with_nothing)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    const char* const from_environment = std::getenv("WRUN_BENCH_MODULE");
    if (argc > 1) {
        load(argv[1]);
    } else if (from_environment != nullptr) {
        load(from_environment);
    } else {
        fail("name a module as an argument or in WRUN_BENCH_MODULE");
    }
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
