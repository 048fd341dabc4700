// docs/spin.md has the table of fields that the code has, and an example that is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "http/spin/fields.hpp"
#include "http/spin/manifest.hpp"

namespace wrun::test {
namespace {

using namespace http::spin;  // NOLINT(google-build-using-namespace): the words of this test

[[nodiscard]] std::string document() {
    std::stringstream text;
    text << std::ifstream{WRUN_SOURCE_DIR "/docs/spin.md"}.rdbuf();
    return text.str();
}

[[nodiscard]] std::string_view words_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::acts: return "acted on";
        case Verdict::checks: return "checked, warned about";
        case Verdict::later: return "warned about";
        case Verdict::tools: return "for other tools";
        case Verdict::refuses: return "refused";
    }
    return "";
}

TEST(SpinDocument, HasTheTableOfTheCode) {
    std::string expected = "| table | field | here | |\n|---|---|---|---|\n";
    for (const FieldRow& row : field_rows())
        expected.append("| `")
            .append(name_of(row.table))
            .append("` | `")
            .append(row.name)
            .append("` | ")
            .append(words_of(row.verdict))
            .append(" | ")
            .append(row.words)
            .append(" |\n");
    const std::string text = document();
    const std::size_t begin = text.find("| table | field |");
    ASSERT_NE(begin, std::string::npos);
    EXPECT_EQ(text.substr(begin), expected);
}

TEST(SpinDocument, HasAnExampleThatIsRead) {
    const std::string text = document();
    const std::size_t begin = text.find("```toml\n") + 8;
    Report report;
    const Manifest manifest =
        read_manifest(text.substr(begin, text.find("```", begin) - begin), report);
    EXPECT_EQ(report.text("f"), "");
    EXPECT_EQ(manifest.triggers.size(), 2u);
}

}  // namespace
}  // namespace wrun::test
