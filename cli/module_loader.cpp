// See module_loader.hpp.
#include "cli/module_loader.hpp"

#include <unistd.h>

#include "base/errors.hpp"
#include "cli/artifacts.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/progress.hpp"
#include "engine/artifact.hpp"

namespace wrun::cli {

std::optional<int> ModuleLoader::load_precompiled(engine::Engine& engine, os::File file) {
    if (!options_.allow_precompiled) {
        return fail(
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
    if (!module.ok()) return fail(describe_artifact_failure(options_.module, module.error()));
    module_ = std::move(module).take();
    // What was checked is what the file holds, if it did not change meanwhile.
    const auto after = os::status_of(file.number());
    if (cache && !is_checked && after.ok() && after.value() == before.value())
        note(*cache, after.value(), digest.value());
    phases_.read_ns = watch_.lap();
    return refuse_tainted();
}

/// What a snapshot's init has learned is the same wherever the snapshot runs, and no secret.
std::optional<int> ModuleLoader::refuse_tainted() const {
    const engine::SnapshotFacts* const facts = module_->snapshot();
    if (facts == nullptr) return std::nullopt;
    const wasi::AccessSet learned = learned_kinds(*facts);
    if (learned.without(options_.allow_tainted).empty()) return std::nullopt;
    return fail(printable(options_.module, 500) +
                ": this snapshot is tainted: its init could learn " + list_kinds(learned, ", ") +
                ", and what it did learn is the same in every instance (seeds, keys, times, "
                "one host's settings).\nIf that is what you want, say --allow-tainted=" +
                list_kinds(learned, ","));
}

void ModuleLoader::note(
    const engine::Cache& cache, const os::FileStatus& file, const Sha256Digest& digest) const {
    if (const Result<void> noted = cache.note(file, digest); !noted.ok())
        say(Level::info, "cannot note which module this is: " + describe(noted.error()));
}

/// The module, from wherever it is had quickest; else an exit code.
std::optional<int> ModuleLoader::load(engine::Engine& engine) {
    os::File file;
    if (options_.module != "-") {
        Result<os::File> opened = os::File::open_for_reading(options_.module);
        if (!opened.ok()) return fail(describe_failure(options_.module, opened.error()));
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

std::optional<std::vector<u8>> ModuleLoader::read_module(const os::File& file) {
    std::string why;
    auto bytes = cli::load(options_.module, file ? file.number() : STDIN_FILENO, why);
    if (!bytes) say(Level::error, why);
    phases_.read_ns = watch_.lap();
    return bytes;
}

bool ModuleLoader::take(std::shared_ptr<const engine::Module> module) {
    if (module == nullptr) return false;
    module_ = std::move(module);
    phases_.read_ns += watch_.lap();
    say(Level::info, printable(options_.module, 500) + ": compiled before");
    return true;
}

std::optional<int> ModuleLoader::load_by_cache(
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

std::optional<int> ModuleLoader::compile(engine::Engine& engine, std::vector<u8> bytes) {
    // Less is compiled sooner than a thread begins.
    constexpr u64 lazy_bytes_min = 64 * 1024;
    const auto usual = bytes.size() < lazy_bytes_min ? engine::Compilation::eager : background_;
    engine::ModuleOptions how = options_.compile;
    how.compilation = options_.compilation.value_or(usual);
    auto module = compile_visibly(engine, options_.module, std::move(bytes), how);
    if (!module.ok()) return fail(describe_failure(options_.module, module.error()));
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

void ModuleLoader::finish() {
    if (!keeper_) return;
    keeper_.reset();
    phases_.keep_ns += watch_.lap();
}

}  // namespace wrun::cli
