// The reader of S-expressions: what it keeps, what it leaves out, and where it says a mistake is.
#include "spec-tests/sexpr.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wrun::spec {
namespace {

Document read(std::string text) {
    ScriptError error;
    std::optional<Document> document = Document::read(std::move(text), error);
    EXPECT_TRUE(document.has_value()) << error.message;
    return document ? std::move(*document) : Document{};
}

/// The items as a list with single spaces, strings decoded in angle brackets.
std::string shape(const std::vector<Node>& items) {
    std::string text;
    for (const Node item : items) {
        if (!text.empty()) text += ' ';
        if (item.is_list()) text += '(' + shape(item.items()) + ')';
        if (item.is_string()) text += '<' + item.string() + '>';
        if (item.is_atom()) text += item.text();
    }
    return text;
}

std::string shape_of(std::string text) {
    return shape(read(std::move(text)).items());
}

struct Row {
    const char* text;
    const char* shape;
};

TEST(Sexpr, Reads) {
    const Row rows[] = {
        {"", ""},
        {" \t\r\n", ""},
        {"(a)", "(a)"},
        {"(a)(b)", "(a) (b)"},
        {"(a(b c)d)", "(a (b c) d)"},
        {"()", "()"},
        {"(a \"b\" 1 -2.5e+3)", "(a <b> 1 -2.5e+3)"},
        {"a;; (b\nc", "a c"},
        {"a;; (b\rc", "a c"},
        {"a(;b;)c", "a c"},
        {"a(;(;b;);)c", "a c"},
        {"a(;;;)c", "a c"},
        {"a(; \" ;)c", "a c"},
        {"a(;);)c", "a c"},
        {"a ;;", "a"},
        {"(a (@x (b) \")\" (;);)) c)", "(a c)"},
        {"(@x)(a)(@y (@z))", "(a)"},
        {"(a @x)", "(a @x)"},
        {"( @x)", "(@x)"},
        {"($\"a b\" c)", "($\"a b\" c)"},
        {"\"(;\"", "<(;>"},
        {"\";;\" a", "<;;> a"},
    };
    for (const Row& row : rows)
        EXPECT_EQ(shape_of(row.text), row.shape) << row.text;
}

TEST(Sexpr, DecodesStrings) {
    const Row rows[] = {
        {R"("")", ""},
        {R"("\"")", "\""},
        {R"("\\")", "\\"},
        {R"("\'\t\n\r")", "'\t\n\r"},
        {R"("\41\7a\C3\a9")", "Az\xc3\xa9"},
        {R"("\u{41}\u{e9}\u{20AC}\u{1f6_00}")", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"\xc3\xa9\"", "\xc3\xa9"},
        {R"("a\\41")", "a\\41"},
    };
    for (const Row& row : rows) {
        const Document document = read(row.text);
        ASSERT_EQ(document.items().size(), 1U) << row.text;
        EXPECT_EQ(document.items()[0].string(), row.shape) << row.text;
    }
    EXPECT_EQ(read(R"("\00a")").items()[0].string(), std::string("\0a", 2));
}

TEST(Sexpr, KnowsPositions) {
    const Document document = read("a\n (b\r\n\t\"c\")\nd");
    const std::vector<Node> items = document.items();
    ASSERT_EQ(items.size(), 3U);
    EXPECT_EQ(items[0].position(), (Position{1, 1}));
    EXPECT_EQ(items[1].position(), (Position{2, 2}));
    EXPECT_EQ(items[1].items()[1].position(), (Position{3, 2}));
    EXPECT_EQ(items[2].position(), (Position{4, 1}));
    EXPECT_EQ(items[1].text(), "(b\r\n\t\"c\")");
}

TEST(Sexpr, HeadIsTheFirstAtom) {
    EXPECT_EQ(read("(module $a)").items()[0].head(), "module");
    EXPECT_EQ(read("((module))").items()[0].head(), "");
    EXPECT_EQ(read("(\"module\")").items()[0].head(), "");
    EXPECT_EQ(read("()").items()[0].head(), "");
    EXPECT_EQ(read("module").items()[0].head(), "");
}

TEST(Sexpr, RefusesWhatDoesNotClose) {
    struct Mistake {
        const char* text;
        const char* message;
        Position at;
    };
    const Mistake mistakes[] = {
        {"(a\n (b", "unclosed parenthesis", {2, 2}},
        {"a)", "a parenthesis too many", {1, 2}},
        {"a\n(; (; ;)", "unclosed comment", {2, 1}},
        {"  \"abc", "unclosed string", {1, 3}},
        {"\"abc\n\"", "unclosed string", {1, 1}},
        {"\"abc\\", "unclosed string", {1, 1}},
        {"(a (@b (c))", "unclosed parenthesis", {1, 1}},
        {"(a (@b (c)", "unclosed annotation", {1, 4}},
    };
    for (const Mistake& mistake : mistakes) {
        ScriptError error;
        EXPECT_FALSE(Document::read(mistake.text, error).has_value()) << mistake.text;
        EXPECT_EQ(error.message, mistake.message) << mistake.text;
        EXPECT_EQ(error.at, mistake.at) << mistake.text;
    }
}

TEST(Sexpr, DepthCostsNoStack) {
    const std::size_t depth = 1'000'000;
    const Document document = read(std::string(depth, '(') + std::string(depth, ')'));
    EXPECT_EQ(document.items().size(), 1U);
}

TEST(EscapeNonAscii, KeepsAsciiAsItIs) {
    const std::string text = "(module ;; \"c\n (data \"\\ff\") (; x ;))";
    EXPECT_EQ(escape_non_ascii(text), text);
}

TEST(EscapeNonAscii, EscapesStringsAndBlanksComments) {
    EXPECT_EQ(escape_non_ascii("(a \"x\xc3\xa9\") ;; \xc3\xa9\n(; \xe2\x80\xae ;)b"),
        "(a \"x\\c3\\a9\") ;;   \n(;     ;)b");
}

TEST(EscapeNonAscii, ReachesStringsInsideAtomsAndAnnotations) {
    EXPECT_EQ(
        escape_non_ascii("$\"\xc3\xa9\" (@a \"\xc3\xa9\")"), "$\"\\c3\\a9\" (@a \"\\c3\\a9\")");
}

TEST(EscapeNonAscii, LeavesWhatIsNoTokenToTheAssembler) {
    EXPECT_EQ(escape_non_ascii("(a \xc3\xa9 \"\xc3"), "(a \xc3\xa9 \"\xc3");
}

}  // namespace
}  // namespace wrun::spec
