// docs/artifact.md draws the format; here the drawing is made from the code and compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "engine/artifact_format.hpp"

namespace wrun::test {
namespace {

using engine::ArtifactHeader;

std::string document() {
    std::ifstream file{std::string{WRUN_SOURCE_DIR} + "/docs/artifact.md"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The lines of the block behind a mark.
std::vector<std::string> block(const std::string& mark) {
    const std::string text = document();
    const std::string begin = "<!-- " + mark + " -->\n```text\n";
    const std::size_t at = text.find(begin);
    EXPECT_NE(at, std::string::npos) << mark;
    if (at == std::string::npos) return {};
    const std::size_t from = at + begin.size();
    std::istringstream lines{text.substr(from, text.find("```", from) - from)};
    std::vector<std::string> result;
    for (std::string line; std::getline(lines, line);)
        result.push_back(line);
    return result;
}

template <class... Values>
std::string line(const char* format, Values... values) {
    char text[100];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

/// The fields that a block draws. What one means is said in words behind its name.
std::vector<std::string> fields(const std::string& mark) {
    std::vector<std::string> drawn;
    for (const std::string& row : block(mark))
        drawn.push_back(row.substr(0, row.find(' ', 11)));
    return drawn;
}

#define FIELD_OF(type, name)                                                                  \
    wanted.push_back(line("%4zu %4zu  %s", offsetof(type, name), sizeof(type::name), #name)); \
    EXPECT_EQ(offsetof(type, name), end) << "a field is missing before " #name;               \
    end = offsetof(type, name) + sizeof(type::name);

TEST(ArtifactDrawing, OfTheHeaderIsTheHeader) {
    std::vector<std::string> wanted;
    u64 end = 0;
#define FIELD(name) FIELD_OF(ArtifactHeader, name)
    FIELD(magic)
    FIELD(version)
    FIELD(machine)
    FIELD(file_bytes)
    FIELD(cpu_features)
    FIELD(build_id)
    FIELD(configuration)
    FIELD(wasm_digest)
    FIELD(layout)
    FIELD(imported_function_count)
    FIELD(imported_table_count)
    FIELD(imported_memory_count)
    FIELD(imported_global_count)
    FIELD(code_begin)
    FIELD(code_end)
    FIELD(start_function)
    FIELD(data_count)
    FIELD(name)
    FIELD(has_image)
    FIELD(checked_end)
    FIELD(checked_sum)
    FIELD(sections)
#undef FIELD
    EXPECT_EQ(end, sizeof(ArtifactHeader));
    EXPECT_EQ(fields("header"), wanted);
}

TEST(ArtifactDrawing, OfTheConfigurationIsTheConfiguration) {
    std::vector<std::string> wanted;
    u64 end = 0;
#define FIELD(name) FIELD_OF(engine::ArtifactConfiguration, name)
    FIELD(features)
    FIELD(bounds)
    FIELD(integer_homes_max)
    FIELD(float_homes_max)
    FIELD(stress)
    FIELD(epoch)
    FIELD(fuel)
    FIELD(reserved)
#undef FIELD
    EXPECT_EQ(end, sizeof(engine::ArtifactConfiguration));
    EXPECT_EQ(fields("configuration"), wanted);
    EXPECT_EQ(to_underlying(runtime::Bounds::guard), 0);
    EXPECT_EQ(to_underlying(runtime::Bounds::checked), 1);
}

TEST(ArtifactDrawing, OfTheSectionsIsTheTable) {
    using namespace engine;  // the table names types of it
    std::vector<std::string> wanted;
#define WRUN_SECTION(name, item, place) \
    wanted.push_back(line("%-17s %4zu  %s", #name, sizeof(item), #place));
#include "engine/artifact_sections.def"
#undef WRUN_SECTION
    EXPECT_EQ(block("sections"), wanted);
}

TEST(ArtifactDrawing, OfNumbersIsTheCode) {
    const std::string text = document();
    EXPECT_THAT(text, testing::HasSubstr("version                    " +
                                         std::to_string(engine::artifact_version) + "\n"));
    EXPECT_THAT(text, testing::HasSubstr("machine                    " +
                                         std::to_string(engine::artifact_machine_x64) + ":"));
    EXPECT_EQ(std::string(engine::artifact_magic.begin(), engine::artifact_magic.end()),
        "\x93wrun\r\n\x1a");
    EXPECT_THAT(text, testing::HasSubstr("0        header           " +
                                         std::to_string(engine::artifact_header_bytes) + " bytes"));
    EXPECT_EQ(engine::artifact_header_sum_offset, engine::artifact_header_bytes - 8);
    EXPECT_EQ(engine::artifact_start_alignment, 16u);
}

}  // namespace
}  // namespace wrun::test
