// TOML as plain data with places, and what is no TOML that we take.
#include "http/spin/toml.hpp"

#include <gtest/gtest.h>

namespace wrun::test {
namespace {

using namespace http::spin;  // NOLINT(google-build-using-namespace): the words of this test

/// "LINE:COLUMN text", or "fine".
[[nodiscard]] std::string first_error(std::string_view text) {
    Report report;
    if (parse_toml(text, report)) {
        EXPECT_FALSE(report.has_errors());
        return "fine";
    }
    EXPECT_TRUE(report.has_errors());
    const Finding finding = report.findings().at(0);
    return std::to_string(finding.place.line) + ":" + std::to_string(finding.place.column) + " " +
           finding.text;
}

[[nodiscard]] std::string repeated(std::string_view text, std::size_t count) {
    std::string all;
    for (; count > 0; --count)
        all += text;
    return all;
}

TEST(SpinToml, ValuesComeInTheOrderOfTheFileWithTheirPlaces) {
    Report report;
    const auto root = parse_toml(
        "z = \"s\"\n[t]\nb = 1\na = [true, 1.5]\n  c = 2020-01-01\n[[l]]\n[[l]]\nx.y = 1\n",
        report);
    ASSERT_TRUE(root);
    using Kind = TomlValue::Kind;
    ASSERT_EQ(root->entries.size(), 3u);
    EXPECT_EQ(root->entries[0].name, "z");
    EXPECT_EQ(root->entries[0].value.text, "s");
    const TomlValue& table = root->entries[1].value;
    ASSERT_EQ(table.entries.size(), 3u);
    EXPECT_EQ(table.entries[0].name, "b");
    EXPECT_EQ(table.entries[0].value.integer, 1);
    EXPECT_EQ(table.entries[1].name, "a");
    EXPECT_TRUE(table.entries[1].value.items.at(0).boolean);
    EXPECT_TRUE(table.entries[1].value.items.at(1).is(Kind::real));
    EXPECT_TRUE(table.entries[2].value.is(Kind::date));
    EXPECT_EQ(table.entries[2].place.line, 5u);
    EXPECT_EQ(table.entries[2].place.column, 3u);
    EXPECT_EQ(table.entries[2].value.place.column, 7u);
    EXPECT_EQ(root->find("l")->items.size(), 2u);
    EXPECT_EQ(root->find("none"), nullptr);
}

TEST(SpinToml, WhatIsNoTomlSaysWhere) {
    EXPECT_EQ(first_error("a = 1\nb = \n").substr(0, 2), "2:");
    EXPECT_EQ(first_error("a = \"\xff\"\n").substr(0, 2), "1:");
    EXPECT_EQ(first_error(std::string_view{"a = 1\n\0", 7}).substr(0, 2), "2:");
    EXPECT_EQ(first_error(std::string_view{"a = \"\0\"\n", 8}).substr(0, 2), "1:");
    EXPECT_EQ(first_error("a = 1\na = 2\n").substr(0, 2), "2:");
    EXPECT_EQ(first_error("a = \"x").substr(0, 2), "1:");
    EXPECT_NE(first_error("a = 99999999999999999999"), "fine");
    EXPECT_EQ(first_error(""), "fine");
    EXPECT_EQ(first_error("\xef\xbb\xbf"
                          "a = 1\n"),
        "fine");
}

TEST(SpinToml, WhatIsHugeOrDeepIsRefused) {
    EXPECT_EQ(first_error(std::string(toml_bytes_max, '\n')), "fine");
    EXPECT_EQ(
        first_error(std::string(toml_bytes_max + 1, '\n')), "0:0 the file is larger than 1 MiB");
    EXPECT_EQ(first_error("a" + repeated(".a", 16) + " = 1"), "fine");
    EXPECT_EQ(first_error("\na" + repeated(".a", 17) + " = 1"), "2:34 a name of more than 16 dots");
    EXPECT_NE(first_error("[a" + repeated(".a", 400'000) + "]"), "fine");
    EXPECT_NE(first_error("a" + repeated(" . 'x'", 17) + " = 1"), "fine");
    EXPECT_NE(first_error("[[a" + repeated(".\"\\\"\"", 17) + "]]"), "fine");
    // Dots within strings and comments are no names.
    EXPECT_EQ(first_error("a = \"" + repeated(".", 99) + "\" # " + repeated(".", 99)), "fine");
    EXPECT_EQ(first_error("a = '''\n" + repeated("'.", 99) + "''' # '"), "fine");
    EXPECT_EQ(first_error("a = \"\"\"\\\"\"\"" + repeated("\n.", 99) + "\"\"\""), "fine");
    EXPECT_NE(first_error("a = " + repeated("[", 33) + repeated("]", 33)), "fine");
    EXPECT_NE(first_error("a = " + repeated("[", 500'000)), "fine");
    EXPECT_NE(first_error("a = " + repeated("{a=", 300'000)), "fine");
    EXPECT_EQ(first_error("a = " + repeated("[", 30) + repeated("]", 30)), "fine");
}

TEST(SpinToml, CutAnywhereItIsAnError) {
    const std::string_view whole =
        "[a.b]\nc = {d = [\"e\", '''f''', 1979-05-27T07:32:00Z, 0x1f]}\n";
    for (std::size_t length = 0; length <= whole.size(); ++length)
        (void)first_error(whole.substr(0, length));
    std::string text{whole};
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const char c : {'\0', '"', '\'', '[', '{', '.', '=', '\n', '\xff', '\\'}) {
            const char before = text[at];
            text[at] = c;
            (void)first_error(text);
            text[at] = before;
        }
    }
}

TEST(SpinReport, NamesWhatWasProbablyMeant) {
    const std::string_view known[] = {"source", "files", "environment"};
    EXPECT_EQ(nearest("sourec", known), "source");
    EXPECT_EQ(nearest("envi"
                      "roment",
                  known),
        "environment");
    EXPECT_EQ(nearest("xyz", known), "");
    EXPECT_EQ(nearest("", known), "");
    EXPECT_EQ(nearest(std::string(100'000, 'x'), known), "");
}

TEST(SpinReport, TellsInTheOrderOfTheFileAndHasAnEnd) {
    Report report;
    report.warn({3, 1}, "w…\n\x1b[31m\u202e");
    report.error({2, 9}, "e");
    EXPECT_TRUE(report.has_errors());
    EXPECT_EQ(
        report.text("f"), "f:2:9: error: e\nf:3:1: warning: w…\\x0a\\x1b[31m\\xe2\\x80\\xae\n");
    for (int more = 0; more < 150; ++more)
        report.error({9, 9}, "again");
    EXPECT_EQ(report.findings().size(), 101u);
    EXPECT_NE(report.text("f").find("f: and 51 more errors\n"), std::string::npos);
    EXPECT_EQ(in_quotes(std::string(79, 'x') + "\xc3\xa9"), "\"" + std::string(79, 'x') + "…\"");
}

}  // namespace
}  // namespace wrun::test
