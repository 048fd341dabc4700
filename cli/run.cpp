// See run.hpp. Ways out that end the run are values: `Ended` carries the exit code.
#include "cli/run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>

#include "base/errors.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/report.hpp"
#include "cli/values.hpp"
#include "engine/type_match.hpp"
#include "wasi/preview1.hpp"

namespace wrun::cli {
namespace {

using engine::describe;
using engine::Extern;
using engine::FuncType;
using engine::Instance;
using engine::Outcome;
using engine::Store;
using engine::Value;

/// A standard stream that was closed when we started: its number is taken by a file that refuses
/// the guest's transfers, so that nothing we open later (a module, generated code) can get it, and
/// the guest is told that it is not there.
std::array<int, 3> claim_standard_streams() noexcept {
    std::array<int, 3> streams = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    for (int& stream : streams) {
        if (::fcntl(stream, F_GETFD) >= 0) continue;
        const int flags = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        static_cast<void>(::open("/dev/null", flags));
        stream = -1;
    }
    return streams;
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

void tell_grants(const wasi::Config& config) {
    if (!says(Level::debug)) return;
    for (const wasi::Preopen& preopen : config.preopens)
        say(Level::debug, "granted '" + printable(preopen.host_path) + "' as '" +
                              printable(preopen.guest_path) + "'" +
                              (preopen.read_only ? ", read-only" : ""));
    // Values may be secrets.
    for (const std::string& variable : config.env)
        say(Level::debug,
            "granted the variable " + printable(variable.substr(0, variable.find('='))));
}

wasi::State::Made make_state(const RunOptions& options, std::array<int, 3> streams) {
    wasi::Config config;
    config.args.push_back(options.argv0.value_or(base_name(options.module)));
    // With --invoke the words behind the module are arguments of the function.
    if (!options.invoke)
        config.args.insert(
            config.args.end(), options.guest_arguments.begin(), options.guest_arguments.end());
    config.env = options.variables;
    config.preopens = options.directories;
    config.stdio = streams;
    tell_grants(config);
    return wasi::State::make(config);
}

engine::StoreOptions store_options(const RunOptions& options, wasi::State& state) {
    engine::StoreOptions result;
    if (options.memory_bytes_max) result.memory_bytes_max = *options.memory_bytes_max;
    if (options.table_elements_max) result.table_elements_max = *options.table_elements_max;
    if (options.stack_bytes) result.stack_bytes = *options.stack_bytes;
    result.host_data = &state;
    return result;
}

/// One run of a module: from bytes to an exit code.
class Run {
public:
    Run(const RunOptions& options, Stopwatch& watch) noexcept : options_{options}, watch_{watch} {}

    [[nodiscard]] int operator()(std::array<int, 3> streams);

private:
    int fail(const std::string& text) const {
        say(Level::error, text);
        return exit_code::failure;
    }
    int fail(Error error) const { return fail(describe_failure(options_.module, error)); }
    [[nodiscard]] std::string file() const { return printable(options_.module, 500); }

    [[nodiscard]] int instantiate(Store& store, const engine::Linker& linker);
    [[nodiscard]] int enter(Store& store, Instance& instance);
    [[nodiscard]] int enter_command(Store& store, Instance& instance);
    [[nodiscard]] int invoke(Store& store, Instance& instance, const std::string& name);
    /// The exit code of an outcome that ends the run, or nothing when the guest returned.
    [[nodiscard]] std::optional<int> ended(const Outcome& outcome) const;
    [[nodiscard]] std::optional<int> call(
        Store& store, runtime::FuncRecord* func, std::span<const Value> arguments);
    [[nodiscard]] std::optional<int> call_if_exported(
        Store& store, const Instance& instance, std::string_view name);
    [[nodiscard]] int print_results() const;
    void report_stats() const;

    const RunOptions& options_;
    Stopwatch& watch_;
    Phases phases_;
    std::shared_ptr<const engine::Module> module_;
    std::vector<Value> results_;
};

std::optional<int> Run::ended(const Outcome& outcome) const {
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome)) {
        say(Level::error, file() + ": trap: " + describe_trap(*trap));
        return exit_code::trap;
    }
    const auto* const exit = std::get_if<engine::Exit>(&outcome);
    if (exit == nullptr) return std::nullopt;
    // The system keeps eight bits of an exit code, so that is what a larger one becomes.
    const u32 code = exit->status & 0xff;
    if (code != exit->status)
        say(Level::info, file() + ": proc_exit(" + std::to_string(exit->status) +
                             ") becomes exit code " + std::to_string(code));
    return static_cast<int>(code);
}

std::optional<int> Run::call(
    Store& store, runtime::FuncRecord* func, std::span<const Value> arguments) {
    const Result<Outcome> outcome = store.call(func, arguments, results_);
    if (!outcome.ok()) return fail(outcome.error());
    return ended(outcome.value());
}

/// Runs a function without parameters and results, if the module exports one by this name.
std::optional<int> Run::call_if_exported(
    Store& store, const Instance& instance, std::string_view name) {
    const std::optional<Extern> found = instance.find_export(name);
    if (!found || found->kind != ExternKind::func) return std::nullopt;
    if (!(store.type_of(found->func) == FuncType{}))
        return fail(file() + ": its export '" + std::string{name} + "' is " +
                    describe(store.type_of(found->func)) + ", which cannot be run as a program");
    return call(store, found->func, {});
}

int Run::enter_command(Store& store, Instance& instance) {
    if (instance.find_export("_start")) {
        if (const auto code = call_if_exported(store, instance, "_start")) return *code;
        return exit_code::success;
    }
    const bool initializes = instance.find_export("_initialize").has_value();
    if (const auto code = call_if_exported(store, instance, "_initialize")) return *code;
    say(Level::warn, file() + " exports no _start, so " +
                         (initializes ? "only its _initialize was run" : "nothing was run") +
                         "; call one of its functions with --invoke NAME");
    return exit_code::success;
}

int Run::print_results() const {
    std::string lines;
    for (const Value& value : results_)
        lines += print_value(value) + '\n';
    if (std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size() &&
        std::fflush(stdout) == 0)
        return exit_code::success;
    return fail(std::string{"cannot write the results: "} + std::strerror(errno));
}

int Run::invoke(Store& store, Instance& instance, const std::string& name) {
    const std::optional<Extern> found = instance.find_export(name);
    if (!found || found->kind != ExternKind::func)
        return fail(file() + ": it exports no function '" + printable(name) + "'");
    const FuncType type = store.type_of(found->func);
    const std::vector<std::string>& words = options_.guest_arguments;
    const std::string signature = printable(name) + " is " + describe(type);
    if (words.size() != type.params.size()) {
        say(Level::error, signature + ", but " + std::to_string(words.size()) + " argument" +
                              (words.size() == 1 ? " was" : "s were") + " given");
        return exit_code::usage;
    }
    std::vector<Value> arguments;
    for (std::size_t index = 0; index < words.size(); ++index) {
        const std::optional<Value> value = parse_value(type.params[index], words[index]);
        if (!value) {
            say(Level::error, signature + ", and '" + printable(words[index]) + "' is no " +
                                  wrun::name(type.params[index]));
            return exit_code::usage;
        }
        arguments.push_back(*value);
    }
    if (const auto code = call_if_exported(store, instance, "_initialize")) return *code;
    if (const auto code = call(store, found->func, arguments)) return *code;
    return print_results();
}

int Run::enter(Store& store, Instance& instance) {
    return options_.invoke ? invoke(store, instance, *options_.invoke)
                           : enter_command(store, instance);
}

int Run::instantiate(Store& store, const engine::Linker& linker) {
    if (const auto missing = linker.missing(module_->decoded()); !missing.empty())
        return fail(file() + ": " + describe_missing(module_->decoded(), missing));
    Result<Store::Instantiated> made = store.instantiate(module_, linker);
    phases_.instantiate_ns = watch_.lap();
    if (!made.ok()) {
        const std::string reason = error_class(made.error().code) == ErrorClass::unlinkable
                                       ? linker.explain(module_->decoded(), made.error())
                                       : std::string{};
        return reason.empty() ? fail(made.error()) : fail(file() + ": " + reason);
    }
    if (const auto code = ended(made.value().outcome)) return *code;
    const int code = enter(store, *made.value().instance);
    phases_.run_ns = watch_.lap();
    return code;
}

void Run::report_stats() const {
    if (options_.stats && module_) {
        const std::string text = "wrun: " + describe_stats(module_->stats(), phases_) + '\n';
        static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
    }
}

int Run::operator()(std::array<int, 3> streams) {
    // Grants come first: they cost little, and a mistake there should not wait for the compiler.
    wasi::State::Made granted = make_state(options_, streams);
    if (!granted.state) return fail(granted.error);
    phases_.start_ns = watch_.lap();

    std::string why;
    std::optional<std::vector<u8>> bytes = load(options_.module, why);
    if (!bytes) return fail(why);
    phases_.read_ns = watch_.lap();

    Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make({});
    if (!engine.ok()) return fail("cannot start: " + wrun::describe(engine.error()));
    engine::Linker linker;
    if (const Result<void> defined = wasi::define_preview1(linker); !defined.ok())
        return fail(defined.error());
    phases_.prepare_ns = watch_.lap();

    Result<std::shared_ptr<const engine::Module>> module =
        engine::Module::compile(*engine.value(), std::move(*bytes));
    if (!module.ok()) return fail(module.error());
    module_ = std::move(module).take();
    if (says(Level::info)) {
        const engine::CompileStats& stats = module_->stats();
        say(Level::info, file() + ": compiled " + std::to_string(stats.functions) + " functions, " +
                             describe_bytes(stats.code_section_bytes) + " to " +
                             describe_bytes(stats.machine_code_bytes));
    }
    static_cast<void>(watch_.lap());  // the engine has measured its phases itself

    Result<std::unique_ptr<Store>> store =
        Store::make(*engine.value(), store_options(options_, *granted.state));
    if (!store.ok()) return fail(store.error());
    const int code = instantiate(*store.value(), linker);
    report_stats();
    return code;
}

}  // namespace

int run(const RunOptions& options) {
    Stopwatch watch;
    const std::array<int, 3> streams = claim_standard_streams();
    // A guest that writes to a pipe nobody reads is told so, as any program of WASI is.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) say(Level::warn, "cannot ignore SIGPIPE");
    return Run{options, watch}(streams);
}

}  // namespace wrun::cli
