// See samples.hpp.
#include "cli/samples.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/json.hpp"
#include "cli/message.hpp"
#include "cli/report.hpp"

namespace wrun::cli {
namespace {

u64 least(const std::vector<u64>& values) {
    return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

std::string fixed(u64 ns, int width) {
    std::array<char, 32> text{};
    static_cast<void>(
        std::snprintf(text.data(), text.size(), "%*.3f", width, static_cast<double>(ns) / 1e6));
    return text.data();
}

std::string rate(u64 bytes, u64 ns) {
    if (ns == 0) return "0";
    std::array<char, 32> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.1f MB/s",
        static_cast<double>(bytes) * 1e3 / static_cast<double>(ns)));
    return text.data();
}

std::string row(const char* name, const Samples& samples, const std::string& rest = {}) {
    std::string text = "\n  ";
    text += name;
    text.resize(18, ' ');
    const u64 first = samples.wall_ns.empty() ? 0 : samples.wall_ns.front();
    text += fixed(first, 10) + fixed(least(samples.wall_ns), 11) +
            fixed(median(samples.wall_ns), 11) +
            (samples.cpu_ns.empty() ? "          -" : fixed(median(samples.cpu_ns), 11));
    return rest.empty() ? text : text + "   " + rest;
}

void write_numbers(JsonWriter& json, const char* name, const std::vector<u64>& values) {
    json.key(name).open('[');
    for (const u64 value : values)
        json.value(value);
    json.close(']');
}

void write_samples(JsonWriter& json, const char* name, const Samples& samples) {
    json.key(name).open('{').key("min_ns").value(least(samples.wall_ns));
    json.key("median_ns").value(median(samples.wall_ns));
    write_numbers(json, "wall_ns", samples.wall_ns);
    if (!samples.cpu_ns.empty()) write_numbers(json, "cpu_ns", samples.cpu_ns);
    json.close('}');
}

}  // namespace

u64 median(std::vector<u64> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 != 0) return values[middle];
    return values[middle - 1] + (values[middle] - values[middle - 1]) / 2;
}

std::string describe_samples(const BenchOptions& options, const Measured& measured) {
    const engine::CompileStats& stats = measured.stats;
    std::string text = printable(options.run.module, 500) + ": " +
                       describe_bytes(stats.wasm_bytes) + ", " + std::to_string(stats.functions) +
                       " functions, " + std::to_string(options.repeat) + " repetitions";
    text += "\n  milliseconds         first        min     median    CPU med.";
    const u64 code = stats.code_section_bytes;
    text += row("load", measured.load, "from bytes to a module");
    text += row("  decode", measured.decode);
    text += row("  compile", measured.compile,
        rate(code, median(measured.compile.wall_ns)) + " of " + describe_bytes(code) +
            ", threads: " + std::to_string(stats.threads));
    text += row("  link", measured.link);
    text += row("  publish", measured.publish,
        describe_bytes(stats.machine_code_bytes) + " of machine code, " +
            describe_bytes(stats.trap_table_bytes) + " of trap table");
    text += row("validate", measured.validate,
        "part of compile, here alone: " + rate(code, median(measured.validate.wall_ns)));
    if (options.compile_only) return text + '\n';
    text += row("instantiate", measured.instantiate);
    text += row("run", measured.run,
        measured.guest_exit_code ? "exit code " + std::to_string(*measured.guest_exit_code) : "");
    return text + '\n';
}

std::string samples_as_json(const BenchOptions& options, const Measured& measured) {
    const engine::CompileStats& stats = measured.stats;
    JsonWriter json;
    json.open('{').key("file").value(std::string_view{options.run.module});
    json.key("repeat").value(options.repeat).key("threads").value(stats.threads);
    json.key("bytes").value(stats.wasm_bytes);
    json.key("code_section_bytes").value(stats.code_section_bytes);
    json.key("machine_code_bytes").value(stats.machine_code_bytes);
    json.key("trap_table_bytes").value(stats.trap_table_bytes);
    json.key("functions").value(stats.functions).key("phases").open('{');
    write_samples(json, "validate", measured.validate);
    write_samples(json, "decode", measured.decode);
    write_samples(json, "compile", measured.compile);
    write_samples(json, "link", measured.link);
    write_samples(json, "publish", measured.publish);
    write_samples(json, "load", measured.load);
    if (!options.compile_only) {
        write_samples(json, "instantiate", measured.instantiate);
        write_samples(json, "run", measured.run);
    }
    json.close('}');
    if (!options.compile_only) {
        json.key("results").open('[');
        for (const std::string& result : measured.results)
            json.value(std::string_view{result});
        json.close(']').key("exit_code").value(measured.guest_exit_code.value_or(0));
    }
    return json.close('}').text() + '\n';
}

}  // namespace wrun::cli
