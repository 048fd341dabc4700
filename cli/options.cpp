// See options.hpp. Options up to the module are CLI11's to read; it stops at the first word that is
// none of ours, and the rest is the module and the guest's arguments.
#include "cli/options.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>

#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/option_parts.hpp"

namespace wrun::cli {
namespace {

constexpr const char* run_usage =
    "Usage: wrun [run] [OPTIONS] MODULE [ARGUMENTS…]\n"
    "       wrun serve [OPTIONS] MODULE | -f spin.toml\n"
    "       wrun validate MODULE…\n"
    "       wrun inspect [--json] MODULE\n"
    "       wrun bench [OPTIONS] MODULE [ARGUMENTS…]\n"
    "       wrun objdump [OPTIONS] MODULE\n"
    "       wrun compile [-o FILE] MODULE\n"
    "       wrun snapshot [OPTIONS] -o FILE MODULE\n"
    "       wrun verify ARTIFACT…\n"
    "       wrun cache dir|stat|prune [--max SIZE]\n\n"
    "MODULE is a WebAssembly file, or - for standard input. What follows it belongs to the "
    "program.\n";

constexpr const char* bench_usage =
    "Usage: wrun bench [OPTIONS] MODULE [ARGUMENTS…]\n\n"
    "Loads and runs a program several times and says where the time goes: the first, the least "
    "and\n"
    "the median wall time of each phase, and the CPU time of all threads. Every repetition gets "
    "the\n"
    "same standard input; output is discarded unless --output keeps it.\n";

constexpr const char* bench_footer =
    "Exit code: 0, whatever the program's own was; 134 after a trap; 1 when the module cannot be\n"
    "loaded, validated or linked; 2 for wrong usage.";

constexpr const char* run_footer =
    "SIZE is a number of bytes, with K, M or G for powers of 1024.\n"
    "Nothing of the host is visible to the program unless an option grants it.\n\n"
    "Exit code: the program's own (its lowest eight bits); 134 after a trap; 124 when --timeout\n"
    "stopped it; 1 when the module cannot be loaded, validated or linked; 2 for wrong usage.\n"
    "WRUN_LOG=error|warn|info|debug chooses what wrun itself reports; WRUN_PROGRESS=MS|never "
    "after\n"
    "how many milliseconds a compilation shows on a terminal how far it is (1000).";

void describe_run(CLI::App& app, RawOptions& raw, RunOptions& options) {
    app.formatter(std::make_shared<HelpText>(run_usage));
    app.footer(run_footer);
    app.set_version_flag("--version", "wrun " WRUN_VERSION);
    describe_program(app, raw, options);
    describe_loading(app, raw, options);
    describe_timeout(app, raw,
        "Stop the program when it has run so long, as 1.5s or 500ms; compiling does not count");
    app.add_flag("--stats", options.stats, "Print times of each phase and sizes to standard error");
}

Options parse_run(const std::vector<std::string>& arguments) {
    RawOptions raw;
    RunOptions options;
    CLI::App app;
    describe_run(app, raw, options);
    if (const auto finished = read_program(app, arguments, raw, options)) return *finished;
    std::string why;
    if (!take_taint(raw, options, why)) return wrong_usage(why);
    return options;
}

Options parse_bench(const std::vector<std::string>& arguments) {
    RawOptions raw;
    BenchOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(bench_usage));
    app.footer(bench_footer);
    app.add_option("--repeat", options.repeat, "Repetitions, 5 unless told")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 10'000).description(""));
    app.add_option("--threads", options.threads, "Threads that compile; all there are unless told")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 64).description(""));
    app.add_flag("--compile-only", options.compile_only, "Do not run it");
    app.add_option("--output", options.output,
           "Write the standard output of each repetition to a file, over that of the last")
        ->type_name("FILE");
    app.add_flag("--json", options.json, "Print one JSON object, with every repetition");
    describe_program(app, raw, options.run);
    if (const auto finished = read_program(app, arguments, raw, options.run)) return *finished;
    return options;
}

Options parse_validate(const std::vector<std::string>& arguments) {
    ValidateOptions options;
    CLI::App app;
    app.formatter(
        std::make_shared<HelpText>("Usage: wrun validate MODULE…\n\nDecodes and validates modules; "
                                   "says where and why one is not "
                                   "valid.\n"));
    app.add_option("MODULE", options.modules, "WebAssembly files, or - for standard input")
        ->type_name("")
        ->required();
    if (const auto finished = read(app, arguments)) return *finished;
    return options;
}

Options parse_inspect(const std::vector<std::string>& arguments) {
    InspectOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(
        "Usage: wrun inspect [--json] MODULE\n\nPrints sections, imports, exports, sizes and the "
        "features a module needs.\n"));
    app.add_option("MODULE", options.module, "A WebAssembly file, or - for standard input")
        ->type_name("")
        ->required();
    app.add_flag("--json", options.json, "Print one JSON object");
    if (const auto finished = read(app, arguments)) return *finished;
    return options;
}

constexpr const char* objdump_usage =
    "Usage: wrun objdump [OPTIONS] MODULE\n\n"
    "Prints each function beside the machine code it becomes: where its locals live, the size of\n"
    "its frame and its code, what may trap, what it calls.\n";

constexpr const char* objdump_footer =
    "In the left column an operation, in the right the instructions made for it; an operation\n"
    "without any became part of a later one. Lines in parentheses belong to the whole function\n"
    "or lie aside of its way.\n\n"
    "Exit code: 1 when the module cannot be loaded, is not valid, or has no such function; 2 for\n"
    "wrong usage.\n";

Options parse_compile(const std::vector<std::string>& arguments) {
    CompileOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(
        "Usage: wrun compile [-o FILE] MODULE\n\nCompiles a module to a file that starts at once: "
        "`wrun run --allow-precompiled FILE`.\nIt is for this build of wrun and for CPUs like this "
        "one.\n"));
    app.add_option("MODULE", options.module, "A WebAssembly file, or - for standard input")
        ->type_name("")
        ->required();
    app.add_option("-o,--output", options.output,
           "The file to write; beside the module, as NAME.wrun, unless told")
        ->type_name("FILE");
    describe_code(app, options.compile);
    if (const auto finished = read(app, arguments)) return *finished;
    if (options.module == "-" && !options.output)
        return wrong_usage("a module from standard input has no name: say -o FILE");
    return options;
}

constexpr const char* snapshot_usage =
    "Usage: wrun snapshot [OPTIONS] -o FILE MODULE\n\n"
    "Runs the function that initialises a module and writes the module, compiled, with all that\n"
    "the function left in memory: `wrun run --allow-precompiled FILE` begins there.\n";

constexpr const char* snapshot_footer =
    "Every instance begins with what init has learned, so time, random numbers, environment,\n"
    "arguments and files are refused to it. --init-allow allows some: args, env, clock, random,\n"
    "files; the snapshot is then tainted, and `wrun run` wants --allow-tainted. Unless clock or\n"
    "random is allowed, init runs twice, and must leave the same.\n"
    "Whenever an instance begins, its export wrun_restored is called first, if it has one.\n\n"
    "Exit code: 134 when init trapped, 124 when --timeout stopped it; 1 when the module cannot be\n"
    "loaded, linked or frozen; 2 for wrong usage.\n";

/// What is granted to init without a word that it may see it is a mistake.
bool take_init_grants(const RawOptions& raw, SnapshotOptions& options, std::string& why) {
    using wasi::Access;
    const RunOptions& run = options.run;
    const std::pair<bool, Access> needed[] = {{!run.directories.empty(), Access::files},
        {!raw.variables.empty() || !raw.variable_files.empty(), Access::env},
        {!run.guest_arguments.empty() || run.argv0.has_value(), Access::args}};
    for (const auto& [is_given, kind] : needed) {
        if (!is_given || options.learns.has(kind)) continue;
        const std::string word{wasi::name(kind)};
        why = "init may not see what it is given (" + word + "): say --init-allow=" + word + " too";
        return false;
    }
    return true;
}

Options parse_snapshot(const std::vector<std::string>& arguments) {
    RawOptions raw;
    SnapshotOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(snapshot_usage));
    app.footer(snapshot_footer);
    app.add_option("MODULE", options.run.module, "A WebAssembly file, or - for standard input")
        ->type_name("")
        ->required();
    app.add_option("-o,--output", options.output, "The file to write")
        ->type_name("FILE")
        ->required();
    app.add_option("--init", options.init,
           "The export to run; wizer.initialize, wizer-initialize or _initialize unless told")
        ->type_name("EXPORT");
    each(app.add_option(
             "--init-allow", raw.kinds, "Let init learn of these, and taint the snapshot"),
        "KIND[,KIND…]");
    describe_grants(app, raw, options.run);
    each(app.add_option("--arg", options.run.guest_arguments, "Give init an argument"), "WORD");
    describe_limits(app, raw);
    describe_timeout(app, raw, "Stop init when one run of it takes so long, as 1.5s or 500ms");
    describe_code(app, options.run.compile);
    if (const auto finished = read(app, arguments)) return *finished;
    std::string why;
    const auto learns = parse_kinds(raw.kinds, why);
    if (!learns) return wrong_usage("--init-allow: " + why);
    options.learns = *learns;
    if (!take_limits(raw, options.run, why) || !take_grants(raw, options.run, why) ||
        !take_init_grants(raw, options, why))
        return wrong_usage(why);
    return options;
}

Options parse_cache(const std::vector<std::string>& arguments) {
    using Action = CacheOptions::Action;
    CacheOptions options;
    std::optional<std::string> bytes_max;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(
        "Usage: wrun cache dir|stat|prune [--max SIZE]\n\nWhere `wrun run` keeps what it has "
        "compiled (dir), how much there is (stat), and removing\nit, or what was longest not used "
        "(prune).\n"));
    app.footer(
        "WRUN_CACHE_DIR names the folder, and none when it is empty; WRUN_CACHE_SIZE says how "
        "much\nmay be there, 2G unless told.");
    const std::map<std::string, Action> actions{
        {"dir", Action::dir}, {"stat", Action::stat}, {"prune", Action::prune}};
    app.add_option("ACTION", options.action, "What to do")
        ->transform(CLI::CheckedTransformer(actions).description(""))
        ->type_name("dir|stat|prune")
        ->required();
    app.add_option("--max", bytes_max, "When pruning, leave so many bytes")->type_name("SIZE");
    if (const auto finished = read(app, arguments)) return *finished;
    if (!bytes_max) return options;
    std::string why;
    options.bytes_max = parse_size(*bytes_max, why);
    if (!options.bytes_max) return wrong_usage(why);
    return options;
}

Options parse_verify(const std::vector<std::string>& arguments) {
    VerifyOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(
        "Usage: wrun verify ARTIFACT…\n\nChecks files of `wrun compile` whole: each checksum, and "
        "all but the machine code against\nthe module inside. Says nothing about who made "
        "them.\n"));
    app.add_option("ARTIFACT", options.artifacts, "Files of `wrun compile`")
        ->type_name("")
        ->required();
    if (const auto finished = read(app, arguments)) return *finished;
    return options;
}

Options parse_objdump(const std::vector<std::string>& arguments) {
    ObjdumpOptions options;
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(objdump_usage));
    app.footer(objdump_footer);
    app.add_option("MODULE", options.module, "A WebAssembly file, or - for standard input")
        ->type_name("")
        ->required();
    app.add_option("--function", options.functions, "Only functions of this name or index")
        ->type_name("NAME|INDEX")
        ->allow_extra_args(false);
    const std::map<std::string, ObjdumpOptions::Cpu> levels{{"host", ObjdumpOptions::Cpu::host},
        {"v2", ObjdumpOptions::Cpu::v2}, {"v3", ObjdumpOptions::Cpu::v3}};
    app.add_option("--cpu", options.cpu, "Code for this machine (host), for x86-64-v2 or -v3")
        ->transform(CLI::CheckedTransformer(levels).description(""))
        ->type_name("host|v2|v3");
    app.add_option("--homes", options.homes_max, "Give so many locals of each class a register")
        ->type_name("COUNT");
    describe_code(app, options.compile);
    app.add_flag("--bytes", options.bytes, "Print the bytes of each instruction");
    app.add_flag("--plain", options.plain, "Print no offsets, so that listings can be compared");
    if (const auto finished = read(app, arguments)) return *finished;
    return options;
}

struct Command {
    std::string_view name;
    Options (*parse)(const std::vector<std::string>& arguments);
};
constexpr Command commands[] = {
    {"run", parse_run},
    {"serve", parse_serve},
    {"bench", parse_bench},
    {"validate", parse_validate},
    {"inspect", parse_inspect},
    {"objdump", parse_objdump},
    {"compile", parse_compile},
    {"verify", parse_verify},
    {"snapshot", parse_snapshot},
    {"cache", parse_cache},
};

}  // namespace

Options parse_options(int argc, const char* const* argv) {
    std::vector<std::string> arguments{argv + std::min(argc, 1), argv + argc};
    for (const Command& command : commands) {
        if (arguments.empty() || arguments[0] != command.name) continue;
        arguments.erase(arguments.begin());
        return command.parse(arguments);
    }
    return parse_run(arguments);
}

}  // namespace wrun::cli
