// See run.hpp.
#include "cli/run.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/errors.hpp"
#include "cli/artifacts.hpp"
#include "cli/cache.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/program.hpp"
#include "cli/progress.hpp"
#include "cli/report.hpp"
#include "cli/values.hpp"
#include "engine/artifact.hpp"
#include "wasi/preview1.hpp"

namespace wrun::cli {
namespace {

using engine::Store;
using engine::Value;
using CachePtr = std::shared_ptr<const engine::Cache>;

/// Ends with what is mapped as it is: the system gives it back whole, for less than one mapping
/// after the other. Returns where somebody wants to see what is left.
void end_process(int code) {
#if !defined(__SANITIZE_ADDRESS__)
    static_cast<void>(std::fflush(nullptr));
    ::_exit(code);
#else
    static_cast<void>(code);
#endif
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

    [[nodiscard]] std::optional<int> load_module(engine::Engine& engine);
    [[nodiscard]] std::optional<int> load_precompiled(engine::Engine& engine, os::File file);
    [[nodiscard]] std::optional<int> refuse_tainted() const;
    [[nodiscard]] std::optional<int> load_by_cache(
        engine::Engine& engine, const os::File& file, const CachePtr& cache);
    [[nodiscard]] std::optional<int> compile(engine::Engine& engine, std::vector<u8> bytes);
    [[nodiscard]] std::optional<std::vector<u8>> read_module(const os::File& file);
    void note(
        const engine::Cache& cache, const os::FileStatus& file, const Sha256Digest& digest) const;
    [[nodiscard]] bool take(std::shared_ptr<const engine::Module> module);
    [[nodiscard]] int run_program(Store& store, const engine::Linker& linker);
    [[nodiscard]] int print(const std::vector<Value>& results) const;
    void report_stats() const;

    const RunOptions& options_;
    Stopwatch& watch_;
    Phases phases_;
    std::unique_ptr<engine::Engine> engine_;
    std::shared_ptr<const engine::Module> module_;
    engine::Compilation background_ = engine::Compilation::lazy;
    std::optional<Keeper> keeper_;
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

std::optional<int> Run::load_precompiled(engine::Engine& engine, os::File file) {
    if (!options_.allow_precompiled) {
        return cli::fail(
            printable(options_.module, 500) +
            ": this is compiled already: machine code, which no sandbox holds if somebody else "
            "made or changed it.\nRun the WebAssembly file that it was made from, or, if you trust "
            "it as you trust a program, say --allow-precompiled");
    }
    const auto before = os::status_of(file.number());
    const auto digest = engine::claimed_wasm_digest(file);
    std::optional<engine::Cache> cache;
    if (!options_.no_cache && before.ok() && digest.ok()) cache = open_cache();
    const bool is_checked = cache && cache->noted(before.value()) == digest.value();
    const auto load = is_checked ? engine::load_checked_artifact : engine::load_foreign_artifact;
    auto module = load(engine, file.copy(), options_.compile);
    if (!module.ok()) return cli::fail(describe_artifact_failure(options_.module, module.error()));
    module_ = std::move(module).take();
    // What was checked is what the file holds, if it did not change meanwhile.
    const auto after = os::status_of(file.number());
    if (cache && !is_checked && after.ok() && after.value() == before.value())
        note(*cache, after.value(), digest.value());
    phases_.read_ns = watch_.lap();
    return refuse_tainted();
}

/// What a snapshot's init has learned is the same wherever the snapshot runs, and no secret.
std::optional<int> Run::refuse_tainted() const {
    const engine::SnapshotFacts* const facts = module_->snapshot();
    if (facts == nullptr) return std::nullopt;
    const wasi::AccessSet learned = learned_kinds(*facts);
    if (learned.without(options_.allow_tainted).empty()) return std::nullopt;
    return cli::fail(printable(options_.module, 500) +
                     ": this snapshot is tainted: its init could learn " +
                     list_kinds(learned, ", ") +
                     ", and what it did learn is the same in every instance (seeds, keys, times, "
                     "one host's settings).\nIf that is what you want, say --allow-tainted=" +
                     list_kinds(learned, ","));
}

void Run::note(
    const engine::Cache& cache, const os::FileStatus& file, const Sha256Digest& digest) const {
    if (const Result<void> noted = cache.note(file, digest); !noted.ok())
        say(Level::info, "cannot note which module this is: " + describe(noted.error()));
}

/// The module, from wherever it is had quickest; else an exit code.
std::optional<int> Run::load_module(engine::Engine& engine) {
    os::File file;
    if (options_.module != "-") {
        Result<os::File> opened = os::File::open_for_reading(options_.module);
        if (!opened.ok()) return cli::fail(describe_failure(options_.module, opened.error()));
        file = std::move(opened).take();
        if (holds_artifact(file)) return load_precompiled(engine, std::move(file));
    }
    if (!options_.no_cache) {
        if (std::optional<engine::Cache> cache = open_cache())
            return load_by_cache(
                engine, file, std::make_shared<const engine::Cache>(std::move(*cache)));
    }
    auto bytes = read_module(file);
    return bytes ? compile(engine, std::move(*bytes)) : exit_code::failure;
}

std::optional<std::vector<u8>> Run::read_module(const os::File& file) {
    std::string why;
    auto bytes = load(options_.module, file ? file.number() : STDIN_FILENO, why);
    if (!bytes) say(Level::error, why);
    phases_.read_ns = watch_.lap();
    return bytes;
}

bool Run::take(std::shared_ptr<const engine::Module> module) {
    if (module == nullptr) return false;
    module_ = std::move(module);
    phases_.read_ns += watch_.lap();
    say(Level::info, printable(options_.module, 500) + ": compiled before");
    return true;
}

std::optional<int> Run::load_by_cache(
    engine::Engine& engine, const os::File& file, const CachePtr& cache) {
    const engine::ModuleOptions& how = options_.compile;
    const auto before = os::status_of(file.number());
    const bool may_be_noted = before.ok() && before.value().is_regular;
    if (may_be_noted && take(cache->find(engine, how, before.value()))) return std::nullopt;
    auto bytes = read_module(file);
    if (!bytes) return exit_code::failure;
    const Sha256Digest digest = Sha256::of(*bytes);
    if (!take(cache->find(engine, how, digest))) {
        background_ = engine::Compilation::on_call;  // the keeper is the background
        if (const auto failed = compile(engine, std::move(*bytes))) return failed;
        keeper_.emplace(cache, module_, digest);
        phases_.keep_ns = watch_.lap();
    }
    // What was read is what the file holds, if it did not change meanwhile.
    const auto after = os::status_of(file.number());
    if (may_be_noted && after.ok() && after.value() == before.value())
        note(*cache, after.value(), digest);
    return std::nullopt;
}

std::optional<int> Run::compile(engine::Engine& engine, std::vector<u8> bytes) {
    // Less is compiled sooner than a thread begins.
    constexpr u64 lazy_bytes_min = 64 * 1024;
    const auto usual = bytes.size() < lazy_bytes_min ? engine::Compilation::eager : background_;
    engine::ModuleOptions how = options_.compile;
    how.compilation = options_.compilation.value_or(usual);
    auto module = compile_visibly(engine, options_.module, std::move(bytes), how);
    if (!module.ok()) return fail(module.error());
    module_ = std::move(module).take();
    static_cast<void>(watch_.lap());  // the engine has measured its phases itself
    if (says(Level::info)) {
        const engine::CompileStats& stats = module_->stats();
        const std::string what = std::to_string(stats.functions) + " functions, " +
                                 describe_bytes(stats.code_section_bytes);
        const std::string name = printable(options_.module, 500);
        // Of a lazy module there is no code yet that could be counted.
        say(Level::info,
            stats.machine_code_bytes == 0
                ? name + ": validated " + what
                : name + ": compiled " + what + " to " + describe_bytes(stats.machine_code_bytes));
    }
    return std::nullopt;
}

int Run::run_program(Store& store, const engine::Linker& linker) {
    Program program{options_, module_};
    const std::optional<Ended> early = program.instantiate(store, linker);
    phases_.instantiate_ns = watch_.lap();
    if (early) return early->exit_code;
    const std::optional<Ended> left = program.enter(store);
    phases_.run_ns = watch_.lap();
    if (left) return left->exit_code;
    return options_.invoke ? print(program.results()) : exit_code::success;
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
    if (!granted.state) return cli::fail(granted.error);
    phases_.start_ns = watch_.lap();

    Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make(engine_options(options_));
    if (!engine.ok()) return cli::fail("cannot start: " + describe(engine.error()));
    engine_ = std::move(engine).take();
    engine::Linker linker;
    if (const Result<void> defined = wasi::define_preview1(linker); !defined.ok())
        return fail(defined.error());
    phases_.prepare_ns = watch_.lap();

    if (const std::optional<int> failed = load_module(*engine_)) return *failed;
    static_cast<void>(watch_.lap());
    if (const engine::SnapshotFacts* const facts = module_->snapshot())
        granted.state->set_monotonic_from(facts->monotonic_ns);

    Result<std::unique_ptr<Store>> store =
        Store::make(*engine_, store_options(options_, *granted.state));
    if (!store.ok()) return fail(store.error());
    const int code = run_program(*store.value(), linker);
    // Who wants an end at a time does not want one when all is compiled.
    if (keeper_ && code != exit_code::timeout) {
        keeper_.reset();
        phases_.keep_ns += watch_.lap();
    }
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
