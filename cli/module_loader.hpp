// A module from wherever it is had quickest: an artifact, the cache, or compiled now and then kept.
// What `wrun run` and `wrun serve` do before anything runs. What goes wrong has been said when
// there is none.
#pragma once

#include <optional>

#include "cli/cache.hpp"
#include "cli/report.hpp"

namespace wrun::cli {

class ModuleLoader {
public:
    /// Borrows them. `phases` gets what reading and keeping took.
    ModuleLoader(const RunOptions& options, Stopwatch& watch, Phases& phases) noexcept
        : options_{options}, watch_{watch}, phases_{phases} {}

    /// The module that the options name; or an exit code.
    [[nodiscard]] std::optional<int> load(engine::Engine& engine);
    [[nodiscard]] const std::shared_ptr<const engine::Module>& module() const noexcept {
        return module_;
    }
    /// Waits until what was compiled now is kept, if anything is.
    void finish();

private:
    using CachePtr = std::shared_ptr<const engine::Cache>;

    [[nodiscard]] std::optional<int> load_precompiled(engine::Engine& engine, os::File file);
    [[nodiscard]] std::optional<int> refuse_tainted() const;
    [[nodiscard]] std::optional<int> load_by_cache(
        engine::Engine& engine, const os::File& file, const CachePtr& cache);
    [[nodiscard]] std::optional<int> compile(engine::Engine& engine, std::vector<u8> bytes);
    [[nodiscard]] std::optional<std::vector<u8>> read_module(const os::File& file);
    void note(
        const engine::Cache& cache, const os::FileStatus& file, const Sha256Digest& digest) const;
    [[nodiscard]] bool take(std::shared_ptr<const engine::Module> module);

    const RunOptions& options_;
    Stopwatch& watch_;
    Phases& phases_;
    std::shared_ptr<const engine::Module> module_;
    engine::Compilation background_ = engine::Compilation::lazy;
    std::optional<Keeper> keeper_;
};

}  // namespace wrun::cli
