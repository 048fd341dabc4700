// See report.hpp.
#include "cli/report.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

#include "cli/message.hpp"
#include "engine/type_match.hpp"

namespace wrun::cli {
namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    std::array<char, 256> line{};
    va_list arguments;
    va_start(arguments, pattern);
    static_cast<void>(std::vsnprintf(line.data(), line.size(), pattern, arguments));
    va_end(arguments);
    return line.data();
}

std::string describe_frame(std::size_t number, const engine::Frame& frame) {
    const std::string name = frame.name.empty() ? "<unnamed>" : printable(frame.name);
    return "\n  #" + std::to_string(number) + ' ' + name +
           format(" (func %u, offset 0x%x)", frame.func_index, frame.module_offset);
}

std::string phase(const char* name, u64 ns, const std::string& rest = {}) {
    return format("\n  %-12s %10.3f ms", name, static_cast<double>(ns) / 1e6) +
           (rest.empty() ? "" : "   " + rest);
}

}  // namespace

std::string describe_trap(const engine::Trap& trap) {
    std::string text{trap.message()};
    if (!trap.detail.empty()) text += ": " + printable(trap.detail, 1000);
    std::size_t number = 0;
    for (const engine::Frame& frame : trap.frames) {
        if (number == engine::Trap::innermost_frames_kept && trap.frames_omitted != 0) {
            text += "\n  … " + std::to_string(trap.frames_omitted) + " frames left out …";
            number += trap.frames_omitted;
        }
        text += describe_frame(number++, frame);
    }
    return text;
}

std::string describe_import(const Module& module, const Import& import) {
    switch (import.kind) {
        case ExternKind::func: {
            const TypeIndex type = module.functions[import.index];
            const auto params = module.params(type);
            const auto results = module.results(type);
            return engine::describe(
                engine::FuncType{{params.begin(), params.end()}, {results.begin(), results.end()}});
        }
        case ExternKind::table: return engine::describe(module.tables[import.index].type);
        case ExternKind::memory: return engine::describe(module.memories[import.index].type);
        case ExternKind::global: return engine::describe(module.globals[import.index].type);
        case ExternKind::tag: break;
    }
    return "(tag)";
}

std::string describe_missing(const Module& module, const std::vector<const Import*>& missing) {
    std::string text = missing.size() == 1 ? "an import is missing:" : "imports are missing:";
    for (const Import* import : missing) {
        text += "\n  " + printable(module.text(import->module)) + '.' +
                printable(module.text(import->field)) + "  " + describe_import(module, *import);
    }
    return text + "\nwrun provides wasi_snapshot_preview1 and wasi_unstable, the preview before.";
}

std::string describe_bytes(u64 bytes) {
    const auto value = static_cast<double>(bytes);
    if (bytes < 10'000) return format("%llu B", static_cast<unsigned long long>(bytes));
    if (bytes < 1'000'000) return format("%.1f KB", value / 1e3);
    return format("%.2f MB", value / 1e6);
}

std::string describe_stats(const engine::CompileStats& stats, const Phases& phases) {
    const double code_bytes = static_cast<double>(stats.code_section_bytes);
    // One of them: of a lazy module there is no code yet, and its functions count as its run.
    const u64 bodies_ns = stats.validate_ns + stats.compile_ns;
    const double bodies_s = static_cast<double>(bodies_ns) / 1e9;
    const double rate = bodies_s > 0 ? code_bytes / 1e6 / bodies_s : 0;
    const std::string bodies = describe_bytes(stats.code_section_bytes) +
                               format(" of bodies, %.1f MB/s, %u thread%s", rate, stats.threads,
                                   stats.threads == 1 ? "" : "s");
    const bool is_lazy = stats.validate_ns != 0 && stats.compile_ns == 0;
    const u64 total = phases.start_ns + phases.read_ns + phases.prepare_ns + stats.decode_ns +
                      bodies_ns + stats.link_ns + stats.publish_ns + phases.keep_ns +
                      phases.instantiate_ns + phases.run_ns;
    return "statistics" + phase("start", phases.start_ns, "options and grants") +
           phase("read", phases.read_ns, describe_bytes(stats.wasm_bytes)) +
           phase("prepare", phases.prepare_ns, "engine and imports") +
           phase("decode", stats.decode_ns, format("%u functions", stats.functions)) +
           (is_lazy ? phase("validate", bodies_ns, bodies + "; functions are compiled when called")
                    : phase("compile", bodies_ns, "validation and code: " + bodies)) +
           phase("link", stats.link_ns) +
           phase("publish", stats.publish_ns,
               describe_bytes(stats.machine_code_bytes) + " of machine code, " +
                   describe_bytes(stats.trap_table_bytes) + " of trap table") +
           (phases.keep_ns == 0 ? "" : phase("keep", phases.keep_ns, "in the cache")) +
           phase("instantiate", phases.instantiate_ns) + phase("run", phases.run_ns) +
           phase("total", total);
}

}  // namespace wrun::cli
