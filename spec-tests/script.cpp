// Script grammar: https://github.com/WebAssembly/spec/tree/main/interpreter#scripts
#include "spec-tests/script.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wrun::spec {
namespace {

/// Goes through the items of one list. Everything fails by answering nothing and leaving a message.
class Parser {
public:
    explicit Parser(ScriptError& error) : error_{error} {}

    std::optional<std::vector<Command>> script(const Document& document) {
        std::vector<Command> commands;
        const std::vector<Node> items = document.items();
        if (!items.empty() && is_module_field(items[0])) {
            commands.push_back(inline_module(document));
            return commands;
        }
        for (const Node item : items) {
            std::optional<Command> command = this->command(item);
            if (!command) return std::nullopt;
            command->at = item.position();
            commands.push_back(std::move(*command));
        }
        return commands;
    }

private:
    std::nullopt_t fail(Node node, std::string message) {
        if (error_.message.empty()) error_ = {node.position(), std::move(message)};
        return std::nullopt;
    }

    /// A script may be the fields of one module without `(module …)` around them.
    static bool is_module_field(Node node) {
        constexpr std::array heads = {"type", "rec", "import", "func", "table", "memory", "global",
            "export", "start", "elem", "data", "tag"};
        return std::find(heads.begin(), heads.end(), node.head()) != heads.end();
    }

    static Command inline_module(const Document& document) {
        Command command;
        command.at = document.items()[0].position();
        command.source.content = "(module " + std::string{document.text()} + "\n)";
        return command;
    }

    std::optional<Command> command(Node node) {
        const std::string_view head = node.head();
        if (head == "module") return module(node);
        if (head == "register") return register_command(node);
        if (head == "invoke" || head == "get") return action_command(node);
        if (head == "assert_return") return assert_return(node);
        if (head == "assert_trap" || head == "assert_exhaustion") return assert_trap(node, head);
        if (head == "assert_exception") return assert_exception(node);
        if (head.starts_with("assert_")) return assert_refused(node, head);
        if (head == "thread" || head == "wait") return thread_command(node, head);
        return fail(node, "not a command");
    }

    // ---- modules
    // ---------------------------------------------------------------------------------

    /// `(module definition? $name? binary|quote? …)`, `(module instance $name? $definition?)`
    std::optional<Command> module(Node node) {
        const std::vector<Node> items = node.items();
        Command command;
        std::size_t next = 1;
        const auto is_next = [&](std::string_view word) {
            return next < items.size() && items[next].is_atom(word);
        };
        if (is_next("instance")) {
            command.kind = CommandKind::module_instance;
            ++next;
            if (next < items.size() && items[next].is_id()) command.module = items[next++].text();
            if (next < items.size() && items[next].is_id())
                command.definition = items[next++].text();
            if (next != items.size()) return fail(items[next], "names expected");
            return command;
        }
        std::optional<Node> definition;
        if (is_next("definition")) {
            command.kind = CommandKind::module_definition;
            definition = items[next++];
        }
        if (next < items.size() && items[next].is_id()) command.module = items[next++].text();
        if (is_next("binary") || is_next("quote")) {
            command.source.form =
                is_next("binary") ? ModuleSource::Form::binary : ModuleSource::Form::quote;
            std::optional<std::string> content = strings(items, next + 1);
            if (!content) return std::nullopt;
            command.source.content = std::move(*content);
            return command;
        }
        command.source.content = node.text();
        if (definition) {
            // The assembler does not know the word; blanks keep its columns right.
            const auto at =
                static_cast<std::size_t>(definition->text().data() - node.text().data());
            command.source.content.replace(
                at, definition->text().size(), definition->text().size(), ' ');
        }
        return command;
    }

    /// Of all strings from item `first` on. Quoted text gets a space between two of them.
    std::optional<std::string> strings(const std::vector<Node>& items, std::size_t first) {
        const bool quote = items[first - 1].is_atom("quote");
        std::string content;
        for (std::size_t i = first; i < items.size(); ++i) {
            if (!items[i].is_string()) return fail(items[i], "a string expected");
            if (quote && i > first) content += ' ';
            content += items[i].string();
        }
        return content;
    }

    // ---- actions
    // ---------------------------------------------------------------------------------

    std::optional<Action> action(Node node) {
        const std::string_view head = node.head();
        if (head != "invoke" && head != "get") return fail(node, "an action expected");
        const std::vector<Node> items = node.items();
        Action action;
        action.kind = head == "get" ? Action::Kind::get : Action::Kind::invoke;
        std::size_t next = 1;
        if (next < items.size() && items[next].is_id()) action.module = items[next++].text();
        if (next == items.size() || !items[next].is_string()) return fail(node, "no export name");
        action.field = items[next++].string();
        if (!patterns(items, next, action.arguments)) return std::nullopt;
        return action;
    }

    bool patterns(const std::vector<Node>& items, std::size_t first, std::vector<Pattern>& to) {
        for (std::size_t i = first; i < items.size(); ++i) {
            std::optional<Pattern> pattern = parse_pattern(items[i]);
            if (!pattern) {
                fail(items[i], "not a value");
                return false;
            }
            to.push_back(std::move(*pattern));
        }
        return true;
    }

    std::optional<Command> action_command(Node node) {
        std::optional<Action> action = this->action(node);
        if (!action) return std::nullopt;
        Command command;
        command.kind = CommandKind::action;
        command.action = std::move(*action);
        return command;
    }

    std::optional<Command> register_command(Node node) {
        const std::vector<Node> items = node.items();
        const bool named = items.size() == 3 && items[2].is_id();
        if ((items.size() != 2 && !named) || !items[1].is_string())
            return fail(node, "register: a string and at most one name expected");
        Command command;
        command.kind = CommandKind::register_;
        command.text = items[1].string();
        if (named) command.module = items[2].text();
        return command;
    }

    // ---- assertions
    // ------------------------------------------------------------------------------

    std::optional<Command> assert_return(Node node) {
        const std::vector<Node> items = node.items();
        if (items.size() < 2) return fail(node, "an action expected");
        std::optional<Command> command = action_command(items[1]);
        if (!command || !patterns(items, 2, command->expected)) return std::nullopt;
        command->kind = CommandKind::assert_return;
        return command;
    }

    /// Of an action, or of a module whose instantiation traps.
    std::optional<Command> assert_trap(Node node, std::string_view head) {
        const std::vector<Node> items = node.items();
        if (items.size() != 3 || !items[2].is_string())
            return fail(node, "an action or a module, and a message expected");
        const bool of_module = items[1].head() == "module" && head == "assert_trap";
        std::optional<Command> command = of_module ? module(items[1]) : action_command(items[1]);
        if (!command) return std::nullopt;
        command->kind = of_module               ? CommandKind::assert_uninstantiable
                        : head == "assert_trap" ? CommandKind::assert_trap
                                                : CommandKind::assert_exhaustion;
        command->text = items[2].string();
        return command;
    }

    std::optional<Command> assert_exception(Node node) {
        const std::vector<Node> items = node.items();
        if (items.size() != 2) return fail(node, "an action expected");
        std::optional<Command> command = action_command(items[1]);
        if (command) command->kind = CommandKind::assert_exception;
        return command;
    }

    /// `(assert_invalid (module …) "message")` and its like.
    std::optional<Command> assert_refused(Node node, std::string_view head) {
        constexpr std::array kinds = {CommandKind::assert_invalid, CommandKind::assert_malformed,
            CommandKind::assert_unlinkable, CommandKind::assert_malformed_custom,
            CommandKind::assert_invalid_custom};
        const auto kind = std::find_if(kinds.begin(), kinds.end(),
            [&](CommandKind candidate) { return name(candidate) == head; });
        if (kind == kinds.end()) return fail(node, "not a command");
        const std::vector<Node> items = node.items();
        if (items.size() != 3 || items[1].head() != "module" || !items[2].is_string())
            return fail(node, "a module and a message expected");
        std::optional<Command> command = module(items[1]);
        if (!command) return std::nullopt;
        command->kind = *kind;
        if (*kind == CommandKind::assert_malformed &&
            command->source.form != ModuleSource::Form::binary)
            command->kind = CommandKind::assert_malformed_text;
        command->text = items[2].string();
        return command;
    }

    static Command thread_command(Node, std::string_view head) {
        Command command;
        command.kind = head == "thread" ? CommandKind::thread : CommandKind::wait;
        return command;
    }

    ScriptError& error_;
};

}  // namespace

std::string_view name(CommandKind kind) noexcept {
    switch (kind) {
#define WRUN_COMMAND(name, counted, word) \
    case CommandKind::name: return word;
#include "spec-tests/commands.def"
#undef WRUN_COMMAND
    }
    return "unknown";
}

CountedAs counted_as(CommandKind kind) noexcept {
    switch (kind) {
#define WRUN_COMMAND(name, counted, word) \
    case CommandKind::name: return CountedAs::counted;
#include "spec-tests/commands.def"
#undef WRUN_COMMAND
    }
    return CountedAs::other;
}

std::optional<std::vector<Command>> parse_script(std::string text, ScriptError& error) {
    const std::optional<Document> document = Document::read(std::move(text), error);
    if (!document) return std::nullopt;
    return Parser{error}.script(*document);
}

}  // namespace wrun::spec
