// See runner.hpp.
#include "spec-tests/runner.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/errors.hpp"
#include "spec-tests/assemble.hpp"
#include "spec-tests/spectest.hpp"

namespace wrun::spec {
namespace {

Verdict passed(std::string note = {}) {
    return {Verdict::Kind::passed, std::move(note)};
}

Verdict failed(std::string message) {
    return {Verdict::Kind::failed, std::move(message)};
}

Verdict skipped(std::string message) {
    return {Verdict::Kind::skipped, std::move(message)};
}

/// "" is the answer of what went well.
Verdict verdict(std::string problem) {
    return problem.empty() ? passed() : failed(std::move(problem));
}

std::string refusal(Error error) {
    const std::string kind{name(error_class(error.code))};
    const std::string text = describe(error);
    return text.starts_with(kind) ? text : kind + ": " + text;
}

std::string describe(const engine::Outcome& outcome) {
    if (const auto* trap = std::get_if<engine::Trap>(&outcome)) {
        std::string text = "trap: " + std::string{trap->message()};
        if (!trap->detail.empty()) text += " (" + trap->detail + ')';
        return text;
    }
    if (const auto* exit = std::get_if<engine::Exit>(&outcome))
        return "exit with status " + std::to_string(exit->status);
    return "a return";
}

std::string describe(const std::vector<Observed>& values) {
    std::string text;
    for (const Observed& value : values)
        text += (text.empty() ? "" : ", ") + describe(value);
    return text.empty() ? "nothing" : text;
}

std::string describe(const std::vector<Pattern>& patterns) {
    std::string text;
    for (const Pattern& pattern : patterns)
        text += (text.empty() ? "" : ", ") + describe(pattern);
    return text.empty() ? "nothing" : text;
}

/// Scripts shorten messages, and sometimes lengthen them ("uninitialized element 7").
bool same_message(std::string_view expected, std::string_view actual) {
    return !actual.empty() && (actual.starts_with(expected) || expected.starts_with(actual));
}

std::string check_trap(const engine::Outcome& outcome, const std::string& expected) {
    const auto* trap = std::get_if<engine::Trap>(&outcome);
    if (trap != nullptr && same_message(expected, trap->message())) return {};
    return "expected trap: " + expected + ", got " + describe(outcome);
}

}  // namespace

Runner::Runner(engine::Engine& engine, std::unique_ptr<engine::Store> store)
    : engine_{engine}, store_{std::move(store)} {}

Result<std::unique_ptr<Runner>> Runner::make(engine::Engine& engine) {
    std::unique_ptr<engine::Store> store = WRUN_TRY(engine::Store::make(engine));
    std::unique_ptr<Runner> runner{new Runner{engine, std::move(store)}};
    WRUN_TRY(define_spectest(*runner->store_, runner->linker_));
    return runner;
}

Verdict Runner::run(const Command& command) {
    switch (command.kind) {
        case CommandKind::module: return run_module(command);
        case CommandKind::module_definition: return run_definition(command);
        case CommandKind::module_instance: return run_instance(command);
        case CommandKind::register_: return run_register(command);
        case CommandKind::action: return run_action(command);
        case CommandKind::assert_return: return assert_return(command);
        case CommandKind::assert_trap:
        case CommandKind::assert_exhaustion: return assert_trap(command);
        case CommandKind::assert_exception: return assert_exception(command);
        case CommandKind::assert_invalid: return assert_refused(command, ErrorClass::invalid);
        case CommandKind::assert_malformed: return assert_refused(command, ErrorClass::malformed);
        case CommandKind::assert_unlinkable: return assert_unlinkable(command);
        case CommandKind::assert_uninstantiable: return assert_uninstantiable(command);
        case CommandKind::assert_malformed_text: return assert_malformed_text(command);
        case CommandKind::assert_malformed_custom:
        case CommandKind::assert_invalid_custom: return skipped("wrun does not read annotations");
        case CommandKind::thread:
        case CommandKind::wait: break;
    }
    // TODO(threads): run them once stores can be used by several threads.
    return skipped("threads of a script are not run");
}

// ---- modules and instances -------------------------------------------------------------------

std::string Runner::compile(const ModuleSource& source, ModuleRef& module) {
    std::string error;
    std::optional<std::vector<u8>> bytes = assemble(source, error);
    if (!bytes) return "cannot be assembled: " + error;
    Result<ModuleRef> compiled = engine::Module::compile(engine_, std::move(*bytes));
    if (!compiled.ok()) return "expected a valid module, refused as " + refusal(compiled.error());
    module = std::move(compiled).take();
    return {};
}

std::string Runner::instantiate(const ModuleRef& module, const std::string& name) {
    const Result<engine::Store::Instantiated> made = store_->instantiate(module, linker_);
    if (!made.ok()) {
        const Error error = made.error();
        return "expected an instance, refused as " + refusal(error) + " " +
               linker_.explain(module->decoded(), error);
    }
    if (!std::holds_alternative<engine::Returned>(made.value().outcome))
        return "expected an instance, got " + describe(made.value().outcome);
    latest_instance_ = made.value().instance;
    if (!name.empty()) instances_[name] = latest_instance_;
    return {};
}

Verdict Runner::run_definition(const Command& command) {
    latest_definition_ = nullptr;
    definitions_.erase(command.module);
    std::string problem = compile(command.source, latest_definition_);
    if (problem.empty() && !command.module.empty())
        definitions_[command.module] = latest_definition_;
    return verdict(std::move(problem));
}

Verdict Runner::run_module(const Command& command) {
    latest_instance_ = nullptr;
    instances_.erase(command.module);
    Verdict defined = run_definition(command);
    if (defined.kind != Verdict::Kind::passed) return defined;
    return verdict(instantiate(latest_definition_, command.module));
}

Verdict Runner::run_instance(const Command& command) {
    latest_instance_ = nullptr;
    instances_.erase(command.module);
    ModuleRef module = latest_definition_;
    if (!command.definition.empty()) {
        const auto found = definitions_.find(command.definition);
        module = found == definitions_.end() ? nullptr : found->second;
    }
    if (!module) return failed("there is no such module; its definition failed");
    return verdict(instantiate(module, command.module));
}

Verdict Runner::run_register(const Command& command) {
    const engine::Instance* instance = find(command.module);
    if (instance == nullptr) return failed("there is no such instance; its module failed");
    linker_.define_instance(command.text, *instance);
    return passed();
}

engine::Instance* Runner::find(const std::string& name) const {
    if (name.empty()) return latest_instance_;
    const auto found = instances_.find(name);
    return found == instances_.end() ? nullptr : found->second;
}

// ---- actions ---------------------------------------------------------------------------------

std::string Runner::perform(
    const Action& action, engine::Outcome& outcome, std::vector<Observed>& results) {
    const engine::Instance* instance = find(action.module);
    if (instance == nullptr) return "there is no such instance; its module failed";
    const std::optional<engine::Extern> item = instance->find_export(action.field);
    if (!item) return "no export of this name: " + action.field;
    if (action.kind == Action::Kind::invoke) return invoke(*item, action, outcome, results);
    if (item->kind != ExternKind::global) return "the export is no global: " + action.field;
    outcome = engine::Returned{};
    results = {{engine::Store::type_of(item->global).type, engine::Store::get(item->global)}};
    return {};
}

std::string Runner::invoke(engine::Extern item, const Action& action, engine::Outcome& outcome,
    std::vector<Observed>& results) {
    if (item.kind != ExternKind::func) return "the export is no function: " + action.field;
    const engine::FuncType type = store_->type_of(item.func);
    std::vector<engine::Value> arguments;
    if (type.params.size() != action.arguments.size())
        return "the function takes " + std::to_string(type.params.size()) + " arguments";
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const std::optional<Observed> value = argument(action.arguments[i], type.params[i]);
        if (!value)
            return describe(action.arguments[i]) + " is no argument for " + name(type.params[i]);
        // TODO(simd): pass both halves once engine::Value holds 128 bits.
        if (value->type == type_v128) return "v128 values cannot be passed yet";
        arguments.push_back({value->type, value->low});
    }
    std::vector<engine::Value> values;
    const Result<engine::Outcome> called = store_->call(item.func, arguments, values);
    if (!called.ok()) return "the call was refused as " + refusal(called.error());
    outcome = called.value();
    for (const engine::Value& value : values)
        results.push_back({value.type, value.bits});
    return {};
}

Verdict Runner::run_action(const Command& command) {
    engine::Outcome outcome;
    std::vector<Observed> results;
    std::string problem = perform(command.action, outcome, results);
    if (problem.empty() && !std::holds_alternative<engine::Returned>(outcome))
        problem = "expected a return, got " + describe(outcome);
    return verdict(std::move(problem));
}

Verdict Runner::assert_return(const Command& command) {
    engine::Outcome outcome;
    std::vector<Observed> results;
    std::string problem = perform(command.action, outcome, results);
    if (!problem.empty()) return failed(std::move(problem));
    if (!std::holds_alternative<engine::Returned>(outcome))
        return failed("expected " + describe(command.expected) + ", got " + describe(outcome));
    const bool equal = std::equal(
        command.expected.begin(), command.expected.end(), results.begin(), results.end(), matches);
    if (equal) return passed();
    return failed("expected " + describe(command.expected) + ", got " + describe(results));
}

Verdict Runner::assert_trap(const Command& command) {
    engine::Outcome outcome;
    std::vector<Observed> results;
    std::string problem = perform(command.action, outcome, results);
    if (problem.empty()) problem = check_trap(outcome, command.text);
    return verdict(std::move(problem));
}

Verdict Runner::assert_exception(const Command& command) {
    engine::Outcome outcome;
    std::vector<Observed> results;
    std::string problem = perform(command.action, outcome, results);
    if (!problem.empty()) return failed(std::move(problem));
    // TODO(exceptions): accept an uncaught exception once the engine has such an outcome.
    return failed("expected an exception, got " + describe(outcome));
}

// ---- modules that must be refused ------------------------------------------------------------

Verdict Runner::assert_refused(const Command& command, ErrorClass expected) {
    const std::string wanted = std::string{name(expected)} + ": " + command.text;
    std::string problem;
    const std::optional<std::vector<u8>> bytes = assemble(command.source, problem);
    if (!bytes) return failed("cannot be assembled: " + problem);
    const Result<void> valid = engine::Module::validate(engine_, *bytes);
    if (valid.ok()) return failed("expected " + wanted + ", but it is accepted");
    const Error error = valid.error();
    std::string both = "expected " + wanted + ", refused as " + refusal(error);
    if (error_class(error.code) != expected) return failed(std::move(both));
    return passed(same_message(command.text, message(error.code)) ? "" : std::move(both));
}

Verdict Runner::assert_malformed_text(const Command& command) {
    std::string error;
    const std::optional<std::vector<u8>> bytes = assemble(command.source, error);
    if (!bytes) return skipped("malformed as text only");
    // The assembler takes more than the specification's text format; the bytes it made say nothing
    // about us.
    return skipped("malformed as text only, though the assembler accepts it");
}

Verdict Runner::assert_unlinkable(const Command& command) {
    ModuleRef module;
    std::string problem = compile(command.source, module);
    if (!problem.empty()) return failed(std::move(problem));
    const Result<engine::Store::Instantiated> made = store_->instantiate(module, linker_);
    if (made.ok())
        return failed("expected unlinkable: " + command.text + ", but it was instantiated");
    const Error error = made.error();
    std::string both = "expected unlinkable: " + command.text + ", refused as " + refusal(error);
    if (error_class(error.code) != ErrorClass::unlinkable) return failed(std::move(both));
    return passed(same_message(command.text, message(error.code)) ? "" : std::move(both));
}

Verdict Runner::assert_uninstantiable(const Command& command) {
    ModuleRef module;
    std::string problem = compile(command.source, module);
    if (!problem.empty()) return failed(std::move(problem));
    const Result<engine::Store::Instantiated> made = store_->instantiate(module, linker_);
    if (!made.ok())
        return failed("expected trap: " + command.text + ", refused as " + refusal(made.error()));
    return verdict(check_trap(made.value().outcome, command.text));
}

}  // namespace wrun::spec
