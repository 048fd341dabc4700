// Template: a module from which instances start at once. Its imports are resolved, its segments and
// start function have run one time, and all that an instance then begins with is frozen: memories
// as images that slots map, globals, tables as numbers of functions, dropped segments. Nothing in
// it is an address of an instance, so any number of slots on any thread can be bound to it.
#pragma once

#include "base/os_pages.hpp"
#include "engine/engine.hpp"
#include "runtime/memory_reset.hpp"

namespace wrun::engine {

struct TemplateOptions {
    /// Of the instance that is frozen and of every slot. `host_data` is for the start function
    /// alone: each run brings its own.
    StoreOptions store = {};
    /// Of start and init function.
    CallLimits start = {};
    /// How slots become what they were; the best way there is when not given.
    std::optional<runtime::ResetWay> reset = std::nullopt;
    /// Exports without parameters and results that run after the start function, in this order,
    /// before anything is frozen. A module from a snapshot begins with that instead of its start
    /// function.
    std::vector<std::string> init = {};
};

/// Immutable; shared between threads. Keeps its module alive.
class Template {
public:
    struct Made {
        std::shared_ptr<const Template> made;
        Outcome outcome;  // of segments, start and init function; nothing is made unless Returned
    };
    /// Imports must be functions of the host: whatever else belongs to one store. What start and
    /// init function leave must be numbers, the module's functions or null: a reference of the
    /// host's cannot be in two places. Every run calls `wrun_restored` first, if that is exported.
    [[nodiscard]] static Result<Made> make(std::shared_ptr<const Module> module,
        const Linker& linker, const TemplateOptions& options = {});
    ~Template();
    Template(const Template&) = delete;
    Template& operator=(const Template&) = delete;

    [[nodiscard]] const Module& module() const noexcept;
    /// What begins otherwise in instances of `other`, a template of the same module: the first
    /// thing, for a person ("memory 0 at 0x1000"). Empty when nothing does.
    [[nodiscard]] std::string difference(const Template& other) const;
    /// An exported function, to be called in slots of this template.
    [[nodiscard]] std::optional<FuncIndex> find_function(std::string_view name) const noexcept;

    struct State;
    [[nodiscard]] const State& state() const noexcept { return *state_; }

private:
    explicit Template(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

}  // namespace wrun::engine
