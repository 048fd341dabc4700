// See option_parts.hpp.
#include "cli/option_parts.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

#include "base/limits.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/message.hpp"

namespace wrun::cli {
namespace {

constexpr u64 stack_bytes_min = 64u << 10;
constexpr u64 stack_bytes_max = 1u << 30;

/// The words behind our options: "--" ends them, and what still looks like one is a mistake.
std::optional<std::vector<std::string>> words_after_options(const CLI::App& app, std::string& why) {
    std::vector<std::string> words = app.remaining();
    if (!words.empty() && words[0] == "--") {
        words.erase(words.begin());
    } else if (!words.empty() && words[0].size() > 1 && words[0][0] == '-') {
        why = "unknown option '" + printable(words[0]) + "'";
        return std::nullopt;
    }
    if (words.empty()) {
        why = "no module given";
        return std::nullopt;
    }
    return words;
}

void describe_epoch(CLI::App& app, bool& epoch) {
    app.add_flag("--epoch", epoch,
        "Code that asks whether it shall stop: no signal is sent, and what waits is not stopped");
}

void describe_compilation(CLI::App& app, std::optional<engine::Compilation>& compilation) {
    const std::map<std::string, engine::Compilation> words{{"eager", engine::Compilation::eager},
        {"lazy", engine::Compilation::lazy}, {"on-call", engine::Compilation::on_call}};
    app.add_option("--compilation", compilation,
           "Compile functions before the run, beside it, or only those that are called")
        ->transform(CLI::CheckedTransformer(words).description(""))
        ->type_name("eager|lazy|on-call");
}

}  // namespace

Finished wrong_usage(const std::string& text) {
    say(Level::error, text + "\nTry 'wrun --help'.");
    return {exit_code::usage};
}

void describe_bounds(CLI::App& app, engine::Bounds& bounds) {
    const std::map<std::string, engine::Bounds> words{
        {"guard", engine::Bounds::guard}, {"checked", engine::Bounds::checked}};
    app.add_option("--bounds", bounds,
           "Keep accesses inside a memory by addresses that fault (guard) or by comparing "
           "(checked)")
        ->transform(CLI::CheckedTransformer(words).description(""))
        ->type_name("guard|checked");
}

void describe_code(CLI::App& app, engine::ModuleOptions& options) {
    describe_bounds(app, options.bounds);
    describe_epoch(app, options.epoch);
    app.add_flag("--fuel", options.fuel, "Code that pays for what it does, for `wrun run --fuel`");
}

void each(CLI::Option* option, const char* type) {
    option->type_name(type)->allow_extra_args(false);
}

void describe_grants(CLI::App& app, RawOptions& raw, RunOptions& options) {
    each(app.add_option("--dir", raw.directories,
             "Grant a directory, under the name GUEST, perhaps read-only"),
        "HOST[::GUEST][:ro]");
    each(app.add_option("--env", raw.variables,
             "Set a variable of the program's environment, or pass on the one from here"),
        "NAME[=VALUE]");
    each(app.add_option("--env-file", raw.variable_files,
             "Take variables from a file of such lines; --env wins"),
        "FILE");
    app.add_option("--argv0", options.argv0, "Call the program by this name")->type_name("NAME");
}

void describe_limits(CLI::App& app, RawOptions& raw, bool is_served) {
    const auto text = [&](const char* what, const char* served) {
        return is_served ? std::string{what} + " (" + served + ")" : std::string{what};
    };
    app.add_option("--max-memory", raw.memory, text("Bytes that its memory may grow to", "128M"))
        ->type_name("SIZE");
    app.add_option("--max-stack", raw.stack, text("Bytes of the program's call stack", "512K"))
        ->type_name("SIZE");
    app.add_option(
           "--max-table", raw.table, text("Elements that its tables may have together", "100000"))
        ->type_name("COUNT");
}

void describe_timeout(CLI::App& app, RawOptions& raw, const char* text) {
    app.add_option("--timeout", raw.timeout, text)->type_name("TIME");
}

void describe_loading(CLI::App& app, RawOptions& raw, RunOptions& options) {
    app.add_flag("--allow-precompiled", options.allow_precompiled,
        "Run MODULE even if it is an artifact, and trust its machine code");
    each(app.add_option("--allow-tainted", raw.kinds,
             "Run a snapshot whose init could learn these kinds of things: args, env, clock, "
             "random, files"),
        "KIND[,KIND…]");
    app.add_flag("--no-cache", options.no_cache,
        "Neither run what was compiled before nor keep what is compiled now");
}

void describe_program(CLI::App& app, RawOptions& raw, RunOptions& options) {
    describe_grants(app, raw, options);
    app.add_option("--invoke", options.invoke,
           "Call this export with ARGUMENTS, written as its type wants them, and print its results")
        ->type_name("NAME");
    describe_limits(app, raw);
    describe_bounds(app, options.compile.bounds);
    describe_compilation(app, options.compilation);
    describe_epoch(app, options.compile.epoch);
    app.add_option("--fuel", raw.fuel,
           "Trap when the program has done so many operations, counted the same way each time")
        ->type_name("COUNT");
}

std::optional<u64> parse_time(std::string_view option, const std::string& word, std::string& why) {
    struct Unit {
        std::string_view name;
        double ns;
    };
    static constexpr Unit units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    constexpr double ns_max = 1e18;  // thirty years
    const std::size_t end = std::min(word.find_first_not_of("0123456789."), word.size());
    const std::string number = word.substr(0, end);
    const bool is_number = std::count(number.begin(), number.end(), '.') <= 1 &&
                           number.find_first_of("0123456789") != std::string::npos;
    for (const Unit& unit : units) {
        if (!is_number || word.substr(end) != unit.name) continue;
        const double ns = std::strtod(number.c_str(), nullptr) * unit.ns;
        if (ns <= ns_max) return static_cast<u64>(ns);
    }
    why = std::string{option} + " wants a time such as 1.5s, 500ms, 2m or 1h, not '" +
          printable(word, 100) + "'";
    return std::nullopt;
}

bool take_limits(const RawOptions& raw, RunOptions& options, std::string& why) {
    if (raw.timeout) {
        options.timeout_ns = parse_time("--timeout", *raw.timeout, why);
        if (!options.timeout_ns) return false;
    }
    if (raw.memory) {
        options.memory_bytes_max = parse_size(*raw.memory, why);
        if (!options.memory_bytes_max) return false;
    }
    if (raw.table) {
        options.table_elements_max = parse_size(*raw.table, why);
        if (!options.table_elements_max) return false;
        if (*options.table_elements_max > limits::table_elements_max) {
            why = "--max-table may be at most " + std::to_string(limits::table_elements_max);
            return false;
        }
    }
    if (raw.fuel) {
        options.fuel = parse_size(*raw.fuel, why);
        if (!options.fuel) return false;
        options.compile.fuel = true;
    }
    if (!raw.stack) return true;
    const std::optional<u64> stack = parse_size(*raw.stack, why);
    if (!stack) return false;
    if (*stack < stack_bytes_min || *stack > stack_bytes_max) {
        why = "--max-stack may be from 64K to 1G";
        return false;
    }
    options.stack_bytes = static_cast<u32>(*stack);
    return true;
}

bool take_taint(const RawOptions& raw, RunOptions& options, std::string& why) {
    const auto tainted = parse_kinds(raw.kinds, why);
    if (tainted) options.allow_tainted = *tainted;
    if (!tainted) why = "--allow-tainted: " + why;
    return tainted.has_value();
}

bool take_grants(const RawOptions& raw, RunOptions& options, std::string& why) {
    for (const std::string& word : raw.directories) {
        std::optional<wasi::Preopen> directory = parse_directory(word, why);
        if (!directory) return false;
        options.directories.push_back(std::move(*directory));
    }
    Variables variables;
    for (const std::string& file : raw.variable_files)
        if (!variables.add_file(file, why)) return false;
    for (const std::string& word : raw.variables)
        if (!variables.add(word, why)) return false;
    options.variables = variables.take();
    return true;
}

std::optional<Finished> read(CLI::App& app, const std::vector<std::string>& arguments) {
    std::vector<std::string> reversed{arguments.rbegin(), arguments.rend()};
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::Success& help) {
        app.exit(help);
        return Finished{exit_code::success};
    } catch (const CLI::ParseError& error) {
        return wrong_usage(printable(error.what(), 500));
    }
    return std::nullopt;
}

std::optional<Finished> read_program(CLI::App& app, const std::vector<std::string>& arguments,
    const RawOptions& raw, RunOptions& options) {
    app.prefix_command();
    if (const auto finished = read(app, arguments)) return finished;
    std::string why;
    auto words = words_after_options(app, why);
    if (!words || !take_limits(raw, options, why) || !take_grants(raw, options, why))
        return wrong_usage(why);
    options.module = (*words)[0];
    options.guest_arguments.assign(words->begin() + 1, words->end());
    return std::nullopt;
}

}  // namespace wrun::cli
