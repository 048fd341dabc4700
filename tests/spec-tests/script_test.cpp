// Scripts as lists of commands: every kind, and that nothing unknown is passed over.
#include "spec-tests/script.hpp"

#include <gtest/gtest.h>

namespace wrun::spec {
namespace {

std::vector<Command> parse(const std::string& text) {
    ScriptError error;
    std::optional<std::vector<Command>> commands = parse_script(text, error);
    EXPECT_TRUE(commands.has_value()) << text << ": " << error.message;
    return commands ? std::move(*commands) : std::vector<Command>{};
}

Command parse_one(const std::string& text) {
    std::vector<Command> commands = parse(text);
    EXPECT_EQ(commands.size(), 1U) << text;
    return commands.empty() ? Command{} : std::move(commands[0]);
}

TEST(Script, KnowsEveryKind) {
    const struct {
        const char* text;
        CommandKind kind;
    } rows[] = {
        {"(module)", CommandKind::module},
        {"(module $a (func))", CommandKind::module},
        {"(module binary \"\\00asm\")", CommandKind::module},
        {"(module quote \"(func)\")", CommandKind::module},
        {"(module definition $a (func))", CommandKind::module_definition},
        {"(module definition binary \"\")", CommandKind::module_definition},
        {"(module instance $i $a)", CommandKind::module_instance},
        {"(module instance)", CommandKind::module_instance},
        {"(register \"a\")", CommandKind::register_},
        {"(register \"a\" $a)", CommandKind::register_},
        {"(invoke \"f\")", CommandKind::action},
        {"(get $a \"g\")", CommandKind::action},
        {"(assert_return (invoke \"f\"))", CommandKind::assert_return},
        {"(assert_return (get \"g\") (i32.const 1))", CommandKind::assert_return},
        {"(assert_trap (invoke \"f\") \"m\")", CommandKind::assert_trap},
        {"(assert_trap (module (start 0)) \"m\")", CommandKind::assert_uninstantiable},
        {"(assert_exhaustion (invoke \"f\") \"m\")", CommandKind::assert_exhaustion},
        {"(assert_exception (invoke \"f\"))", CommandKind::assert_exception},
        {"(assert_invalid (module) \"m\")", CommandKind::assert_invalid},
        {"(assert_invalid (module quote \"\") \"m\")", CommandKind::assert_invalid},
        {"(assert_malformed (module binary \"\") \"m\")", CommandKind::assert_malformed},
        {"(assert_malformed (module quote \"\") \"m\")", CommandKind::assert_malformed_text},
        {"(assert_malformed (module (func)) \"m\")", CommandKind::assert_malformed_text},
        {"(assert_unlinkable (module) \"m\")", CommandKind::assert_unlinkable},
        {"(assert_malformed_custom (module quote \"\") \"m\")",
            CommandKind::assert_malformed_custom},
        {"(assert_invalid_custom (module) \"m\")", CommandKind::assert_invalid_custom},
        {"(thread $t (shared (module $m)))", CommandKind::thread},
        {"(wait $t)", CommandKind::wait},
    };
    for (const auto& row : rows)
        EXPECT_EQ(name(parse_one(row.text).kind), name(row.kind)) << row.text;
}

TEST(Script, RefusesWhatItDoesNotKnow) {
    const char* const texts[] = {"(assert_retrun (invoke \"f\"))", "(assert_return)",
        "(assert_return (module))", "(assert_return (invoke f))", "(assert_return (invoke))",
        "(assert_return (invoke \"f\") 1)", "(assert_trap (invoke \"f\"))",
        "(assert_trap (invoke \"f\") m)", "(assert_exhaustion (module) \"m\")",
        "(assert_invalid (invoke \"f\") \"m\")", "(assert_invalid (module))", "(register a)",
        "(register)", "(register \"a\" \"b\")", "(module binary a)", "(module instance $a $b $c)",
        "(invoke \"f\" (i32.const x))", "module", "(assert_exception)"};
    for (const char* text : texts) {
        ScriptError error;
        EXPECT_FALSE(parse_script(text, error).has_value()) << text;
        EXPECT_NE(error.message, "") << text;
    }
}

TEST(Script, SaysWhereAMistakeIs) {
    ScriptError error;
    EXPECT_FALSE(parse_script("(module)\n  (assert_return (invoke \"f\") (i32.const x))", error));
    EXPECT_EQ(error.at, (Position{2, 31}));
    EXPECT_EQ(error.message, "not a value");
}

TEST(Script, ModuleTextIsWhatTheAssemblerReads) {
    EXPECT_EQ(parse_one("(module $a (func))").source.content, "(module $a (func))");
    EXPECT_EQ(parse_one("(module $a (func))").module, "$a");
    const Command definition = parse_one("(module definition $a (func))");
    EXPECT_EQ(definition.source.content, "(module            $a (func))");
    EXPECT_EQ(definition.module, "$a");
    EXPECT_EQ(parse_one("(func) (memory 0) ;; fields alone").source.content,
        "(module (func) (memory 0) ;; fields alone\n)");
}

TEST(Script, BinaryIsConcatenatedAndQuotesAreApart) {
    const Command binary = parse_one("(module $a binary \"\\00as\" \"m\")");
    EXPECT_EQ(binary.source.form, ModuleSource::Form::binary);
    EXPECT_EQ(binary.source.content, std::string("\0asm", 4));
    EXPECT_EQ(binary.module, "$a");
    const Command quote = parse_one("(module quote \"(func\" \")\")");
    EXPECT_EQ(quote.source.form, ModuleSource::Form::quote);
    EXPECT_EQ(quote.source.content, "(func )");
}

TEST(Script, InstanceNamesItselfThenItsModule) {
    const Command both = parse_one("(module instance $i $m)");
    EXPECT_EQ(both.module, "$i");
    EXPECT_EQ(both.definition, "$m");
    EXPECT_EQ(parse_one("(module instance $i)").definition, "");
}

TEST(Script, ActionHasModuleFieldAndArguments) {
    const Command command =
        parse_one("(assert_return (invoke $m \"f\\n\" (i32.const 1) (i64.const 2)) (f32.const 3))");
    EXPECT_EQ(command.action.kind, Action::Kind::invoke);
    EXPECT_EQ(command.action.module, "$m");
    EXPECT_EQ(command.action.field, "f\n");
    EXPECT_EQ(command.action.arguments.size(), 2U);
    EXPECT_EQ(command.expected.size(), 1U);
    EXPECT_EQ(parse_one("(get \"g\")").action.kind, Action::Kind::get);
}

TEST(Script, MessageAndLineAreKept) {
    const std::vector<Command> commands =
        parse("(module)\n(; x\n ;) (assert_trap (invoke \"f\") \"why\")");
    ASSERT_EQ(commands.size(), 2U);
    EXPECT_EQ(commands[1].text, "why");
    EXPECT_EQ(commands[1].at, (Position{3, 5}));
    EXPECT_EQ(parse_one("(register \"a\" $b)").text, "a");
    EXPECT_EQ(parse_one("(register \"a\" $b)").module, "$b");
}

}  // namespace
}  // namespace wrun::spec
