// One instance of a module and what is called in it: what `wrun run` does once and `wrun bench`
// repeats. What goes wrong has been said when an `Ended` comes back. Borrows the options and the
// module; store and linker are the caller's.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "engine/engine.hpp"

namespace wrun::cli {

/// Why nothing more is to be done, as an exit code.
struct Ended {
    int exit_code = 0;
    bool by_guest = false;  // it left by proc_exit; otherwise it trapped or never ran
};

/// The three standard streams. One that was closed when we started is -1, and its number is taken
/// by a file that refuses the guest's transfers: nothing we open later (a module, generated code)
/// can get it.
[[nodiscard]] std::array<int, 3> claim_standard_streams() noexcept;

/// What the guest is granted, or why that cannot be had.
[[nodiscard]] wasi::State::Made make_state(const RunOptions& options, std::array<int, 3> streams,
    wasi::AccessSet allowed = wasi::AccessSet::all());

[[nodiscard]] engine::StoreOptions store_options(const RunOptions& options, wasi::State& state);

class Program {
public:
    Program(const RunOptions& options, const std::shared_ptr<const engine::Module>& module) noexcept
        : options_{options}, module_{module} {}

    /// Links the module, makes its instance and runs its start function. The program's time begins.
    [[nodiscard]] std::optional<Ended> instantiate(
        engine::Store& store, const engine::Linker& linker);
    /// Runs `_start` or what --invoke names; nothing when that returned.
    [[nodiscard]] std::optional<Ended> enter(engine::Store& store);
    [[nodiscard]] const std::vector<engine::Value>& results() const noexcept { return results_; }

private:
    [[nodiscard]] std::string file() const;
    [[nodiscard]] Ended fail(const std::string& text) const;
    [[nodiscard]] Ended fail(Error error) const;
    [[nodiscard]] std::optional<Ended> enter_command(engine::Store& store);
    [[nodiscard]] std::optional<Ended> invoke(engine::Store& store, const std::string& name);
    [[nodiscard]] std::optional<Ended> ended(const engine::Outcome& outcome) const;
    [[nodiscard]] std::optional<Ended> call(
        engine::Store& store, runtime::FuncRecord* func, std::span<const engine::Value> arguments);
    /// What a reactor wants called before all else, unless it began after that.
    [[nodiscard]] std::optional<Ended> initialize(engine::Store& store);
    [[nodiscard]] std::optional<Ended> call_if_exported(
        engine::Store& store, std::string_view name);

    const RunOptions& options_;
    const std::shared_ptr<const engine::Module>& module_;
    engine::CallLimits limits_;  // from instantiate() on
    engine::Instance* instance_ = nullptr;
    std::vector<engine::Value> results_;
};

}  // namespace wrun::cli
