// A script as a list of commands, each decoded to plain data before anything runs, so that a
// command the runner does not know is an error of the whole file and never silently left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec-tests/sexpr.hpp"
#include "spec-tests/values.hpp"

namespace wrun::spec {

enum class CommandKind : u8 {
#define WRUN_COMMAND(name, counted, word) name,
#include "spec-tests/commands.def"
#undef WRUN_COMMAND
};

inline constexpr std::size_t command_kind_count = 0
#define WRUN_COMMAND(name, counted, word) +1
#include "spec-tests/commands.def"
#undef WRUN_COMMAND
    ;

enum class CountedAs : u8 { assertion, step, text, other };

/// "assert_return", … as reports write it.
[[nodiscard]] std::string_view name(CommandKind kind) noexcept;
[[nodiscard]] CountedAs counted_as(CommandKind kind) noexcept;

/// A module in a script: WAT text to be assembled (written out, or quoted), or bytes.
struct ModuleSource {
    enum class Form : u8 { text, quote, binary };
    Form form = Form::text;
    std::string content;
};

/// `(invoke $M "f" …)` or `(get $M "g")`. An empty module name is the latest module.
struct Action {
    enum class Kind : u8 { invoke, get };
    Kind kind = Kind::invoke;
    std::string module;
    std::string field;
    std::vector<Pattern> arguments;
};

struct Command {
    CommandKind kind{};
    Position at;
    std::string
        module;  // the name a module command gives, or that `register` asks for; may be empty
    std::string definition;  // of module_instance: what it is an instance of; may be empty
    ModuleSource source;
    Action action;
    std::vector<Pattern> expected;
    std::string text;  // the message an assertion expects, or the name `register` gives
};

/// The commands of a script, or where the first one stands that is none.
[[nodiscard]] std::optional<std::vector<Command>> parse_script(
    std::string text, ScriptError& error);

}  // namespace wrun::spec
