// Runs the commands of one script against the engine: one store for all its instances, which may
// import from each other and stay alive to the end, as scripts expect. A module that fails leaves
// no current instance, so that what follows fails as well instead of meeting an older module.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.hpp"
#include "engine/engine.hpp"
#include "spec-tests/script.hpp"

namespace wrun::spec {

struct Verdict {
    enum class Kind : u8 { passed, failed, skipped };
    Kind kind = Kind::passed;
    std::string
        message;  // why it failed or was skipped; of a pass, what differed without mattering
};

class Runner {
public:
    [[nodiscard]] static Result<std::unique_ptr<Runner>> make(engine::Engine& engine);

    [[nodiscard]] Verdict run(const Command& command);

private:
    using ModuleRef = std::shared_ptr<const engine::Module>;

    Runner(engine::Engine& engine, std::unique_ptr<engine::Store> store);

    Verdict run_module(const Command& command);
    Verdict run_definition(const Command& command);
    Verdict run_instance(const Command& command);
    Verdict run_register(const Command& command);
    Verdict run_action(const Command& command);
    Verdict assert_return(const Command& command);
    Verdict assert_trap(const Command& command);
    Verdict assert_exception(const Command& command);
    Verdict assert_refused(const Command& command, ErrorClass expected);
    Verdict assert_malformed_text(const Command& command);
    Verdict assert_unlinkable(const Command& command);
    Verdict assert_uninstantiable(const Command& command);

    /// Each answers "" or why it could not.
    std::string compile(const ModuleSource& source, ModuleRef& module);
    std::string instantiate(const ModuleRef& module, const std::string& name);
    std::string perform(
        const Action& action, engine::Outcome& outcome, std::vector<Observed>& results);
    std::string invoke(engine::Extern item, const Action& action, engine::Outcome& outcome,
        std::vector<Observed>& results);

    [[nodiscard]] engine::Instance* find(const std::string& name) const;

    engine::Engine& engine_;
    std::unique_ptr<engine::Store> store_;
    engine::Linker linker_;
    std::map<std::string, ModuleRef> definitions_;
    std::map<std::string, engine::Instance*> instances_;
    ModuleRef latest_definition_;
    engine::Instance* latest_instance_ = nullptr;
};

}  // namespace wrun::spec
