// See run.hpp.
#include "cli/run.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/module_loader.hpp"
#include "cli/program.hpp"
#include "cli/values.hpp"
#include "engine/artifact_format.hpp"
#include "wasi/preview1.hpp"

namespace wrun::cli {
namespace {

using engine::Store;
using engine::Value;

/// Ends with what is mapped as it is: the system gives it back whole, for less than one mapping
/// after the other. Returns where somebody wants to see what is left.
void end_process(int code) {
    if constexpr (has_address_sanitizer) return;
    static_cast<void>(std::fflush(nullptr));
    ::_exit(code);
}

engine::EngineOptions engine_options(const RunOptions& options) {
    engine::EngineOptions result;
    if (options.compile.epoch) result.interrupt_signal = engine::EngineOptions::no_signal;
    return result;
}

/// One run of a module: from bytes to an exit code.
class Run {
public:
    Run(const RunOptions& options, Stopwatch& watch) noexcept : options_{options}, watch_{watch} {}

    [[nodiscard]] int operator()(std::array<int, 3> streams);

private:
    int fail(Error error) const { return cli::fail(describe_failure(options_.module, error)); }

    [[nodiscard]] int run_program(Store& store, const engine::Linker& linker);
    [[nodiscard]] int print(const std::vector<Value>& results) const;
    void report_stats() const;

    const RunOptions& options_;
    Stopwatch& watch_;
    Phases phases_;
    std::unique_ptr<engine::Engine> engine_;
    ModuleLoader loader_{options_, watch_, phases_};
};

int Run::print(const std::vector<Value>& results) const {
    std::string lines;
    for (const Value& value : results)
        lines += print_value(value) + '\n';
    if (std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size() &&
        std::fflush(stdout) == 0)
        return exit_code::success;
    return cli::fail(std::string{"cannot write the results: "} + std::strerror(errno));
}

int Run::run_program(Store& store, const engine::Linker& linker) {
    Program program{options_, loader_.module()};
    const std::optional<Ended> early = program.instantiate(store, linker);
    phases_.instantiate_ns = watch_.lap();
    if (early) return early->exit_code;
    const std::optional<Ended> left = program.enter(store);
    phases_.run_ns = watch_.lap();
    if (left) return left->exit_code;
    return options_.invoke ? print(program.results()) : exit_code::success;
}

void Run::report_stats() const {
    if (options_.stats && loader_.module()) {
        const std::string text =
            "wrun: " + describe_stats(loader_.module()->stats(), phases_) + '\n';
        static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
    }
}

int Run::operator()(std::array<int, 3> streams) {
    // Grants come first: they cost little, and a mistake there should not wait for the compiler.
    wasi::State::Made granted = make_state(options_, streams);
    if (!granted.state) return cli::fail(granted.error);
    phases_.start_ns = watch_.lap();

    Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make(engine_options(options_));
    if (!engine.ok()) return cli::fail("cannot start: " + describe(engine.error()));
    engine_ = std::move(engine).take();
    engine::Linker linker;
    if (const Result<void> defined = wasi::define_preview1(linker); !defined.ok())
        return fail(defined.error());
    phases_.prepare_ns = watch_.lap();

    if (const std::optional<int> failed = loader_.load(*engine_)) return *failed;
    if (wasi::imports_unstable(loader_.module()->decoded())) {
        if (const Result<void> defined = wasi::define_unstable(linker); !defined.ok())
            return fail(defined.error());
    }
    static_cast<void>(watch_.lap());
    if (const engine::SnapshotFacts* const facts = loader_.module()->snapshot())
        granted.state->set_monotonic_from(facts->monotonic_ns);

    Result<std::unique_ptr<Store>> store =
        Store::make(*engine_, store_options(options_, *granted.state));
    if (!store.ok()) return fail(store.error());
    const int code = run_program(*store.value(), linker);
    // Who wants an end at a time does not want one when all is compiled.
    if (code != exit_code::timeout) loader_.finish();
    report_stats();
    end_process(code);
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
