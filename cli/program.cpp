// See program.hpp.
#include "cli/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/errors.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/report.hpp"
#include "cli/values.hpp"
#include "engine/type_match.hpp"

namespace wrun::cli {

using engine::describe;
using engine::Extern;
using engine::FuncType;
using engine::Outcome;
using engine::Store;
using engine::Value;

namespace {

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

}  // namespace

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

wasi::State::Made make_state(
    const RunOptions& options, std::array<int, 3> streams, wasi::AccessSet allowed) {
    wasi::Config config;
    config.args.push_back(options.argv0.value_or(base_name(options.module)));
    // With --invoke the words behind the module are arguments of the function.
    if (!options.invoke)
        config.args.insert(
            config.args.end(), options.guest_arguments.begin(), options.guest_arguments.end());
    config.env = options.variables;
    config.preopens = options.directories;
    config.stdio = streams;
    config.allowed = allowed;
    tell_grants(config);
    return wasi::State::make(config);
}

engine::StoreOptions store_options(const RunOptions& options, wasi::State& state) {
    engine::StoreOptions result;
    if (options.memory_bytes_max) result.memory_bytes_max = *options.memory_bytes_max;
    if (options.table_elements_max) result.table_elements_max = *options.table_elements_max;
    if (options.stack_bytes) result.stack_bytes = *options.stack_bytes;
    if (options.fuel) result.fuel = *options.fuel;
    result.host_data = &state;
    return result;
}

std::string Program::file() const {
    return printable(options_.module, 500);
}

Ended Program::fail(const std::string& text) const {
    return {cli::fail(text)};
}

Ended Program::fail(Error error) const {
    return fail(describe_failure(options_.module, error));
}

std::optional<Ended> Program::ended(const Outcome& outcome) const {
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome)) {
        const bool is_late = trap->code == runtime::TrapCode::deadline;
        say(Level::error,
            file() + (is_late ? ": stopped by --timeout: " : ": trap: ") + describe_trap(*trap));
        return Ended{is_late ? exit_code::timeout : exit_code::trap};
    }
    const auto* const exit = std::get_if<engine::Exit>(&outcome);
    if (exit == nullptr) return std::nullopt;
    // The system keeps eight bits of an exit code, so that is what a larger one becomes.
    const u32 code = exit->status & 0xff;
    if (code != exit->status)
        say(Level::info, file() + ": proc_exit(" + std::to_string(exit->status) +
                             ") becomes exit code " + std::to_string(code));
    return Ended{static_cast<int>(code), true};
}

std::optional<Ended> Program::call(
    Store& store, runtime::FuncRecord* func, std::span<const Value> arguments) {
    const Result<Outcome> outcome = store.call(func, arguments, results_, limits_);
    if (!outcome.ok()) return fail(outcome.error());
    return ended(outcome.value());
}

/// Runs a function without parameters and results, if the module exports one by this name.
std::optional<Ended> Program::call_if_exported(Store& store, std::string_view name) {
    const std::optional<Extern> found = instance_->find_export(name);
    if (!found || found->kind != ExternKind::func) return std::nullopt;
    if (!(store.type_of(found->func) == FuncType{}))
        return fail(file() + ": its export '" + std::string{name} + "' is " +
                    describe(store.type_of(found->func)) + ", which cannot be run as a program");
    return call(store, found->func, {});
}

std::optional<Ended> Program::initialize(Store& store) {
    if (module_->snapshot() != nullptr) return std::nullopt;
    return call_if_exported(store, "_initialize");
}

std::optional<Ended> Program::enter_command(Store& store) {
    if (instance_->find_export("_start")) return call_if_exported(store, "_start");
    const bool initializes =
        instance_->find_export("_initialize").has_value() && module_->snapshot() == nullptr;
    if (const auto left = initialize(store)) return left;
    say(Level::warn, file() + " exports no _start, so " +
                         (initializes ? "only its _initialize was run" : "nothing was run") +
                         "; call one of its functions with --invoke NAME");
    return std::nullopt;
}

std::optional<Ended> Program::invoke(Store& store, const std::string& name) {
    const std::optional<Extern> found = instance_->find_export(name);
    if (!found || found->kind != ExternKind::func)
        return fail(file() + ": it exports no function '" + printable(name) + "'");
    const FuncType type = store.type_of(found->func);
    const std::vector<std::string>& words = options_.guest_arguments;
    const std::string signature = printable(name) + " is " + describe(type);
    if (words.size() != type.params.size()) {
        say(Level::error, signature + ", but " + std::to_string(words.size()) + " argument" +
                              (words.size() == 1 ? " was" : "s were") + " given");
        return Ended{exit_code::usage};
    }
    std::vector<Value> arguments;
    for (std::size_t index = 0; index < words.size(); ++index) {
        const std::optional<Value> value = parse_value(type.params[index], words[index]);
        if (!value) {
            say(Level::error, signature + ", and '" + printable(words[index]) + "' is no " +
                                  wrun::name(type.params[index]));
            return Ended{exit_code::usage};
        }
        arguments.push_back(*value);
    }
    if (const auto left = initialize(store)) return left;
    return call(store, found->func, arguments);
}

std::optional<Ended> Program::enter(Store& store) {
    return options_.invoke ? invoke(store, *options_.invoke) : enter_command(store);
}

std::optional<Ended> Program::instantiate(Store& store, const engine::Linker& linker) {
    if (const auto missing = linker.missing(module_->decoded()); !missing.empty())
        return fail(file() + ": " + describe_missing(module_->decoded(), missing));
    if (options_.timeout_ns) limits_ = engine::CallLimits::within(*options_.timeout_ns);
    Result<Store::Instantiated> made = store.instantiate(module_, linker, limits_);
    if (!made.ok()) {
        const std::string reason = error_class(made.error().code) == ErrorClass::unlinkable
                                       ? linker.explain(module_->decoded(), made.error())
                                       : std::string{};
        return reason.empty() ? fail(made.error()) : fail(file() + ": " + reason);
    }
    instance_ = made.value().instance;
    return ended(made.value().outcome);
}

}  // namespace wrun::cli
