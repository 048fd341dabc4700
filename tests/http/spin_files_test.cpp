// A component's files as folders for its guests: patterns, placements, and nothing from outside.
#include "http/spin/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace wrun::test {
namespace {

using namespace http::spin;  // NOLINT(google-build-using-namespace): the words of this test
using testing::HasSubstr;
namespace fs = std::filesystem;

class SpinFiles : public testing::Test {
protected:
    SpinFiles() {
        std::string name = (fs::temp_directory_path() / "wrun-test-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        base_ = name;
        fs::create_directories(base_ + "/app");
        fs::create_directories(base_ + "/tmp");
        for (const char* path : {"a.txt", "b.md", ".hidden", "d/one.txt", "d/two.md",
                 "d/e/three.txt", "d/e/f/four.txt", "other/x", "br[1].txt"})
            write("app/" + std::string{path});
        write("secret");
        fs::create_directory_symlink("..", base_ + "/app/d/up");
        fs::create_symlink("../a.txt", base_ + "/app/d/inside.txt");
    }
    ~SpinFiles() override { fs::remove_all(base_); }

    void write(const std::string& path) const {
        fs::create_directories(fs::path{base_ + "/" + path}.parent_path());
        std::ofstream{base_ + "/" + path} << "of " << path;
    }

    /// "GUEST: file file …; …" of what is mounted, or what is told.
    [[nodiscard]] std::string mounted(const std::vector<FileEntry>& entries,
        const std::vector<std::string>& excluded = {}, FileLimits limits = {}) {
        Component component;
        component.id = "c";
        component.files = entries;
        component.exclude_files = excluded;
        Report report;
        std::string copies;
        std::string result;
        {
            const MountedFiles files =
                MountedFiles::make(component, base_ + "/app", base_ + "/tmp", report, limits);
            copies = files.copies();
            for (const MountedFiles::Mount& mount : files.mounts()) {
                result += mount.guest_path + (copies.empty() ? " direct:" : ":");
                const fs::path root =
                    fs::read_symlink("/proc/self/fd/" + std::to_string(mount.folder.number()));
                std::set<std::string> names;
                for (const auto& entry : fs::recursive_directory_iterator{root})
                    if (entry.is_regular_file())
                        names.insert(entry.path().lexically_relative(root).string());
                for (const std::string& name : names)
                    result += " " + name;
                result += ";";
            }
        }
        // The copies are gone with their owner.
        EXPECT_TRUE(fs::is_empty(base_ + "/tmp"));
        return report.has_errors() ? report.text("f") : result;
    }

    std::string base_;
};

[[nodiscard]] FileEntry pattern(const std::string& text) {
    return {text, {}, {1, 1}};
}
[[nodiscard]] FileEntry placed(const std::string& source, const std::string& destination) {
    return {source, destination, {1, 1}};
}

TEST_F(SpinFiles, PatternsAndPlacements) {
    const struct {
        std::vector<FileEntry> entries;
        std::vector<std::string> excluded;
        const char* mounts;
    } rows[] = {
        {{}, {}, ""},
        {{pattern("a.txt")}, {}, "/: a.txt;"},
        {{pattern("*.txt")}, {}, "/: a.txt br[1].txt;"},
        {{pattern("./*.txt")}, {}, "/: a.txt br[1].txt;"},
        {{pattern("*")}, {}, "/: .hidden a.txt b.md br[1].txt;"},
        {{pattern("d/*")}, {}, "/: d/inside.txt d/one.txt d/two.md;"},
        {{pattern("d/**/*.txt")}, {}, "/: d/e/f/four.txt d/e/three.txt d/inside.txt d/one.txt;"},
        {{pattern("d/**")}, {}, "/: d/e/f/four.txt d/e/three.txt d/inside.txt d/one.txt d/two.md;"},
        {{pattern("**/f*/**/*")}, {}, "/: d/e/f/four.txt;"},
        {{pattern("br[1].txt")}, {}, "/: br[1].txt;"},
        {{pattern("[ab].*")}, {}, "/: a.txt b.md;"},
        {{pattern("d")}, {}, "/d direct: e/f/four.txt e/three.txt inside.txt one.txt two.md;"},
        {{pattern("d")}, {"**/*.md"}, "/: d/e/f/four.txt d/e/three.txt d/inside.txt d/one.txt;"},
        {{pattern("d")}, {"d/e/*"}, "/: d/inside.txt d/one.txt d/two.md;"},
        {{pattern("*")}, {"*.txt", ".hidden"}, "/: b.md;"},
        {{placed("d/e", "/x/y")}, {}, "/x/y direct: f/four.txt three.txt;"},
        {{placed("other", "/")}, {}, "/ direct: x;"},
        {{placed("d/e", "/x"), placed("other", "/y")}, {},
            "/x direct: f/four.txt three.txt;/y direct: x;"},
        {{placed("d/e", "/x"), placed("other", "/x/y")}, {}, "/: x/f/four.txt x/three.txt x/y/x;"},
        {{placed("d/e", "/"), placed("other", "/")}, {}, "/: f/four.txt three.txt x;"},
        {{placed("a.txt", "/q/b.txt"), placed("d/e", "e")}, {},
            "/: e/f/four.txt e/three.txt q/b.txt;"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(mounted(row.entries, row.excluded), row.mounts);
}

TEST_F(SpinFiles, NothingOutsideIsTaken) {
    fs::create_symlink("../../secret", base_ + "/app/other/link.txt");
    fs::create_directory_symlink("../..", base_ + "/app/out");
    fs::create_symlink("nowhere", base_ + "/app/dangling");
    const struct {
        FileEntry entry;
        const char* told;
    } rows[] = {
        {pattern("../secret"), "is not within"},
        {pattern("d/../../secret"), "is not within"},
        {pattern("/etc/passwd"), "is not within"},
        {placed("/etc", "/x"), "is not within"},
        {placed("../app", "/x"), "is not within"},
        {pattern("out"), "leads out of"},
        {pattern("out/secret"), "leads out of"},
        {placed("out", "/x"), "leads out of"},
        {pattern("other/*"), "\"other/link.txt\" leads out of"},
        {pattern("dangling"), "does not exist"},
        {pattern("dang*"), "is a link that leads nowhere"},
        {placed("a.txt", "../x"), "a destination with \"..\""},
        {placed("a.txt", "/"), "names no file"},
        {placed("a.txt", "x/"), "names no file"},
        {pattern("none.txt"), "does not exist"},
        {pattern("none/*"), "no file fits"},
        {placed("*.txt", "/x"), "does not exist"},
        {pattern("/proc/self/root/etc/passwd"), "is not within"},
    };
    for (const auto& row : rows) {
        EXPECT_THAT(mounted({row.entry}), HasSubstr(row.told)) << row.entry.source;
        EXPECT_THAT(mounted({row.entry}), HasSubstr("f:1:1: error: component.c.files: "));
    }
}

TEST_F(SpinFiles, LinksInCirclesAndWhatIsNoFileArePassedOver) {
    ASSERT_EQ(::mkfifo((base_ + "/app/other/fifo").c_str(), 0600), 0);
    fs::create_directory_symlink(".", base_ + "/app/other/self");
    fs::create_symlink("loop", base_ + "/app/loop");
    EXPECT_EQ(mounted({pattern("other/**/*")}), "/: other/x;");
    EXPECT_THAT(mounted({pattern("loop")}), HasSubstr("does not exist"));
    EXPECT_THAT(mounted({pattern("other/fifo")}), HasSubstr("neither a file nor a folder"));
}

TEST_F(SpinFiles, BothSidesOfTheLimits) {
    EXPECT_EQ(mounted({pattern("[ab].*")}, {}, {2, 1000}), "/: a.txt b.md;");
    EXPECT_THAT(mounted({pattern("[ab].*")}, {}, {1, 1000}), HasSubstr("more than 1 files"));
    // "of app/a.txt" and "of app/b.md".
    EXPECT_EQ(mounted({pattern("[ab].*")}, {}, {9, 23}), "/: a.txt b.md;");
    EXPECT_THAT(mounted({pattern("[ab].*")}, {}, {9, 22}), HasSubstr("more than 22 bytes"));
    std::string deep = "app/deep";
    for (int level = 0; level < 70; ++level)
        deep += "/d";
    write(deep + "/x");
    EXPECT_THAT(mounted({pattern("deep/**/x")}), HasSubstr("nested deeper than 64"));
}

TEST_F(SpinFiles, CopiesAreWholeAndForNobodyElse) {
    Component component;
    component.id = "c";
    component.files = {pattern("a.txt")};
    Report report;
    const MountedFiles files =
        MountedFiles::make(component, base_ + "/app", base_ + "/tmp", report);
    std::string text;
    std::getline(std::ifstream{files.copies() + "/a.txt"}, text);
    EXPECT_EQ(text, "of app/a.txt");
    EXPECT_EQ(fs::status(files.copies()).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(files.copies() + "/a.txt").permissions(), fs::perms::owner_read);
    // What is changed later is not seen before the next reload.
    std::ofstream{base_ + "/app/a.txt"} << "changed";
    std::getline(std::ifstream{files.copies() + "/a.txt"}, text);
    EXPECT_EQ(text, "of app/a.txt");
    Report refused;
    const MountedFiles none = MountedFiles::make(component, base_ + "/app", base_ + "/no", refused);
    EXPECT_THAT(refused.text("f"), HasSubstr("cannot make a folder in"));
}

TEST(SpinPatterns, FitOrNot) {
    const struct {
        const char* pattern;
        const char* text;
        bool fits;
    } rows[] = {{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true},
        {"a*c", "abc", true}, {"a*c", "abcd", false}, {"*a*b*", "xaybz", true},
        {"a?c", "abc", true}, {"a?c", "ac", false}, {"[a-c]x", "bx", true},
        {"[!a-c]x", "bx", false}, {"[!a-c]x", "dx", true}, {"[]]x", "]x", true}, {"[x", "[x", true},
        {"[x", "x", false}, {"a[-b]", "a-", true}, {"**", "a/b", true}, {"a", "A", false},
        {"\\*", "\\x", true}};
    for (const auto& row : rows)
        EXPECT_EQ(fits_pattern(row.pattern, row.text), row.fits) << row.pattern << " " << row.text;
    // No pattern takes more than its length times the text's.
    std::string stars;
    for (int star = 0; star < 200; ++star)
        stars += "*a";
    EXPECT_FALSE(fits_pattern(stars + "b", std::string(4000, 'a')));
}

}  // namespace
}  // namespace wrun::test
