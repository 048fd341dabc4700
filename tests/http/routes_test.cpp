// The table of routes: Spin's precedence, and which spellings reach nothing.
#include "http/routes.hpp"

#include <gtest/gtest.h>

#include <random>

namespace wrun::test {
namespace {

using http::Field;
using http::RouteTable;
using Names = std::array<Field, RouteTable::names_max>;

[[nodiscard]] RouteTable table_of(const std::vector<std::string>& patterns) {
    RouteTable table;
    for (const std::string& pattern : patterns) {
        const RouteTable::Added added = table.add(pattern, "of " + pattern);
        EXPECT_TRUE(added.ok()) << pattern << ": " << added.why;
    }
    return table;
}

/// "PATTERN base|path info name=value …", "none", or "refused".
[[nodiscard]] std::string ask(const RouteTable& table, std::string_view path) {
    Names names;
    const RouteTable::Found found = table.find(path, names);
    if (found.answer == RouteTable::Answer::none) return "none";
    if (found.answer == RouteTable::Answer::refused) {
        EXPECT_NE(found.why, "") << path;
        return "refused";
    }
    EXPECT_EQ(found.match.pattern, table.pattern(found.number));
    EXPECT_EQ(found.match.component, "of " + std::string{found.match.pattern});
    std::string text{found.match.pattern};
    text.append(" ").append(found.match.base).append("|").append(found.match.path_info);
    for (const Field& segment : found.match.segments)
        text.append(" ").append(segment.name).append("=").append(segment.value);
    return text;
}

TEST(Routes, TheBestPatternIsMetSegmentBySegment) {
    const RouteTable table = table_of({"/", "/...", "/one", "/one/...", "/one/two/three/...",
        "/users/:id", "/users/me", "/users/:id/edit", "/users/:name/posts/:post/...", "/a/b/...",
        "/a/:x/c", "/slash/", "/:any/deep/er"});
    const struct {
        const char* path;
        const char* answer;
    } rows[] = {
        {"/", "/ /|"},
        {"/zero", "/... |/zero"},
        {"/zero/", "/... |/zero/"},
        {"/one", "/one /one|"},
        {"/one/", "/one /one/|"},
        {"/one/two", "/one/... /one|/two"},
        {"/one/two/three", "/one/two/three/... /one/two/three|"},
        {"/one/two/three/", "/one/two/three/... /one/two/three|/"},
        {"/one/two/three/4/5/", "/one/two/three/... /one/two/three|/4/5/"},
        {"/users", "/... |/users"},
        {"/users/", "/... |/users/"},
        {"/users/7", "/users/:id /users/7| id=7"},
        {"/users/7/", "/users/:id /users/7/| id=7"},
        {"/users/me", "/users/me /users/me|"},
        {"/users/me/edit", "/users/:id/edit /users/me/edit| id=me"},
        {"/users/7/posts/8", "/users/:name/posts/:post/... /users/7/posts/8| name=7 post=8"},
        {"/users/7/posts/8/x/y",
            "/users/:name/posts/:post/... /users/7/posts/8|/x/y name=7 post=8"},
        {"/users/7/none", "/... |/users/7/none"},
        // What is fixed wins early, however little of it there is.
        {"/a/b/c", "/a/b/... /a/b|/c"},
        {"/a/z/c", "/a/:x/c /a/z/c| x=z"},
        {"/slash", "/slash/ /slash|"},
        {"/slash/", "/slash/ /slash/|"},
        {"/Users/me", "/... |/Users/me"},
        {"/one/deep/er", "/one/... /one|/deep/er"},
        {"/two/deep/er", "/:any/deep/er /two/deep/er| any=two"},
        {"/users/a%20b", "/users/:id /users/a%20b| id=a%20b"},
        {"/users/7;v=1", "/users/:id /users/7;v=1| id=7;v=1"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(ask(table, row.path), row.answer) << row.path;
}

TEST(Routes, WithoutAWildcardThereMayBeNothing) {
    const RouteTable table = table_of({"/one", "/x/:y"});
    for (const char* path : {"/", "/two", "/one/two", "/x", "/x/", "/x/y/z", "/on", "/ones"})
        EXPECT_EQ(ask(table, path), "none") << path;
    EXPECT_EQ(ask(table_of({"/..."}), "/"), "/... |/");
    EXPECT_EQ(ask(table_of({"/*"}), "/a/b"), "/* |/a/b");
    EXPECT_EQ(ask(RouteTable{}, "/"), "none");
}

TEST(Routes, NoSpellingOfAnotherPathIsRouted) {
    const RouteTable table = table_of({"/...", "/admin/...", "/public/...", "/public", "/x/:id",
        "/caf\xc3\xa9", "/with%20space", "/semi;colon", "/tilde~"});
    const struct {
        const char* path;
        const char* answer;
    } rows[] = {
        // Dot segments, however they are spelt: another one would take them out.
        {"/public/../admin", "refused"},
        {"/public/%2e%2e/admin", "refused"},
        {"/public/.%2E/admin", "refused"},
        {"/public/./x", "refused"},
        {"/public/%2e", "refused"},
        {"/..", "refused"},
        {"/public/..;/admin", "refused"},
        {"/public/%2e%2e%3bx/admin", "refused"},
        {"/public/...", "/public/... /public|/..."},
        {"/public/..x", "/public/... /public|/..x"},
        {"/public/.hidden", "/public/... /public|/.hidden"},
        // Slashes that are none, or are more than one.
        {"/public%2fx", "refused"},
        {"/x/a%2Fb", "refused"},
        {"/x/a%5cb", "refused"},
        {"/x/a\\b", "refused"},
        {"//admin", "refused"},
        {"//", "refused"},
        {"/public//x", "/public/... /public|//x"},
        {"/public/https://h/p", "/public/... /public|/https://h/p"},
        {"/public//", "refused"},
        {"/x//1", "refused"},
        {"/x/1//", "refused"},
        // A fixed segment in another spelling.
        {"/%61dmin", "refused"},
        {"/ad%6Din/x", "refused"},
        {"/tilde%7E", "refused"},
        {"/semi%3Bcolon", "refused"},
        {"/semi;colon", "/semi;colon /semi;colon|"},
        {"/caf%C3%A9", "/caf\xc3\xa9 /caf%C3%A9|"},
        {"/caf%c3%a9", "/caf\xc3\xa9 /caf%c3%a9|"},
        {"/with%20space", "/with%20space /with%20space|"},
        // What needs no other reading passes as it is.
        {"/x/%7Eme", "/x/:id /x/%7Eme| id=%7Eme"},
        {"/other%7E", "/... |/other%7E"},
        {"/ADMIN/x", "/... |/ADMIN/x"},
        // What no path has.
        {"/x/%", "refused"},
        {"/x/%2", "refused"},
        {"/x/%zz", "refused"},
        {"/x/%00", "refused"},
        {"/x/a b", "refused"},
        {"/x/\x7f", "refused"},
        {"/caf\xc3\xa9", "refused"},
        {"/x/\r\n", "refused"},
        {"", "refused"},
        {"*", "refused"},
        {"x", "refused"},
        {"http://h/x", "refused"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(ask(table, row.path), row.answer) << row.path;
    // Where only the one wildcard could be met, several slashes do not matter.
    EXPECT_EQ(ask(table_of({"/..."}), "//admin//"), "/... |//admin//");
    EXPECT_EQ(ask(table, std::string_view{"/x/\0", 4}), "refused");
}

TEST(Routes, APatternSaysWhatIsWrongWithIt) {
    const struct {
        std::string pattern;
        const char* why;
    } rows[] = {
        {"", "begins with"},
        {"x", "begins with"},
        {"...", "begins with"},
        {"/a//b", "empty segment"},
        {"//", "empty segment"},
        {"/a/.../b", "at the end only"},
        {"/a/*/b", "the last one"},
        {"/a/*.txt", "the last one"},
        {"/:", "whole segment"},
        {"/:a.txt", "whole segment"},
        {"/:a:b", "whole segment"},
        {"/:x/:x", "twice"},
        {"/:x-y/:X_Y", "twice"},
        {"/a/../b", "\"..\""},
        {"/a/%2e", "\"..\""},
        {"/a?b", "query"},
        {"/a#b", "fragment"},
        {"/a%", "hexadecimal"},
        {"/a%2", "hexadecimal"},
        {"/a%2fb", "slash"},
        {"/a%00", "NUL"},
        {"/a\\b", "backslash"},
        {"/a\nb", "control"},
        {std::string{"/a\0b", 4}, "control"},
        {"/" + std::string(2048, 'x'), "2048"},
    };
    for (const auto& row : rows) {
        RouteTable table;
        const RouteTable::Added added = table.add(row.pattern, "c");
        EXPECT_FALSE(added.ok()) << row.pattern;
        EXPECT_NE(added.why.find(row.why), std::string::npos) << row.pattern << ": " << added.why;
        EXPECT_EQ(table.size(), 0u);
    }
}

TEST(Routes, BothSidesOfEachLimit) {
    const auto segments = [](const char* each, std::size_t count) {
        std::string pattern;
        for (std::size_t at = 0; at < count; ++at)
            pattern += each + std::to_string(at);
        return pattern;
    };
    RouteTable table;
    EXPECT_TRUE(table.add(segments("/s", 64), "c").ok());
    EXPECT_TRUE(table.add(segments("/s", 64) + "/...", "c").ok());
    EXPECT_FALSE(table.add(segments("/s", 65), "c").ok());
    EXPECT_TRUE(table.add(segments("/:n", 32), "c").ok());
    EXPECT_FALSE(table.add(segments("/:n", 33), "c").ok());
    EXPECT_TRUE(table.add("/" + std::string(2047, 'x'), "c").ok());
    Names names;
    EXPECT_EQ(table.find(segments("/v", 32), names).match.segments.size(), 32u);
}

TEST(Routes, DuplicatesAreThoseThatMeetTheSamePaths) {
    RouteTable table = table_of({"/a", "/a/:x", "/b/...", "/", "/caf%C3%A9"});
    const struct {
        const char* pattern;
        u32 of;
    } rows[] = {{"/a", 0}, {"/a/", 0}, {"/%61", 0}, {"/a/:y", 1}, {"/a/:y/", 1}, {"/b/*", 2},
        {"/b/.../", 2}, {"/", 3}, {"/caf\xc3\xa9", 4}};
    for (const auto& row : rows) {
        const RouteTable::Added added = table.add(row.pattern, "c");
        EXPECT_EQ(added.duplicate_of, row.of) << row.pattern;
        EXPECT_FALSE(added.ok());
    }
    EXPECT_EQ(table.size(), 5u);
    EXPECT_TRUE(table.add("/b", "c").ok());
    EXPECT_TRUE(table.add("/...", "c").ok());
}

TEST(Routes, KnowsWhatLiesBelowASegment) {
    const std::string_view above[] = {"a", "b"};
    for (const char* below : {"/a/b/c", "/a/b/...", "/%61/b/:x", "/a/b/c/", "/a/b/*"})
        EXPECT_TRUE(http::is_below(below, above)) << below;
    for (const char* other :
        {"/a/b", "/a/b/", "/a/...", "/:a/b/c", "/a/:b/c", "/a/bc/d", "/", "a/b/c", "/a/b//"})
        EXPECT_FALSE(http::is_below(other, above)) << other;
}

// ---- beside a matcher that knows no trie -----------------------------------------------------

[[nodiscard]] std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    while (path.size() > 1) {
        const std::size_t end = std::min(path.find('/', 1), path.size());
        parts.emplace_back(path.substr(1, end - 1));
        path.remove_prefix(end);
    }
    return parts;
}

/// How well it fits, the smaller the better: a digit each segment, 0 fixed, 1 a name, 2 the
/// wildcard; nothing when it does not.
[[nodiscard]] std::optional<std::string> rank(
    const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    std::string digits;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == "...") return digits + "2";
        if (at == path.size()) return {};
        if (pattern[at][0] != ':' && pattern[at] != path[at]) return {};
        digits += pattern[at][0] == ':' ? "1" : "0";
    }
    if (path.size() > pattern.size()) return {};
    return digits;
}

TEST(Routes, RandomTablesAnswerAsAMatcherWithoutATrie) {
    std::mt19937 random{7};
    const auto below = [&random](u32 n) { return static_cast<u32>(random() % n); };
    const char* const words[] = {"a", "b", "c", "aa"};
    u32 met = 0;
    for (int round = 0; round < 400; ++round) {
        RouteTable table;
        std::vector<std::string> patterns;
        for (u32 count = 1 + below(14); count > 0; --count) {
            std::string pattern;
            for (u32 depth = below(5); depth > 0; --depth)
                pattern += below(3) == 0 ? "/:n" + std::to_string(depth)
                                         : "/" + std::string{words[below(4)]};
            if (below(3) == 0) pattern += "/...";
            if (pattern.empty() || below(8) == 0) pattern += "/";
            if (table.add(pattern, "of " + pattern).ok()) patterns.push_back(pattern);
        }
        for (int probe = 0; probe < 60; ++probe) {
            std::string path;
            for (u32 depth = below(6); depth > 0; --depth)
                path += "/" + std::string{words[below(4)]};
            if (path.empty() || below(4) == 0) path += "/";
            std::optional<u32> best;
            std::string best_rank;
            for (u32 number = 0; number < patterns.size(); ++number) {
                const auto fit = rank(split(patterns[number]), split(path));
                if (fit && (!best || *fit < best_rank)) {
                    best = number;
                    best_rank = *fit;
                }
            }
            Names names;
            const RouteTable::Found found = table.find(path, names);
            ASSERT_EQ(found.answer == RouteTable::Answer::found, best.has_value()) << path;
            if (!best) continue;
            ++met;
            ASSERT_EQ(found.number, *best)
                << path << ": " << found.match.pattern << ", not " << patterns[*best];
            ASSERT_EQ(std::string{found.match.base} + std::string{found.match.path_info}, path);
            std::size_t named = 0;
            const auto parts = split(path);
            const auto of = split(patterns[*best]);
            for (std::size_t at = 0; at < of.size(); ++at) {
                if (of[at][0] != ':') continue;
                ASSERT_LT(named, found.match.segments.size());
                ASSERT_EQ(found.match.segments[named].name, of[at].substr(1));
                ASSERT_EQ(found.match.segments[named++].value, parts[at]);
            }
            ASSERT_EQ(named, found.match.segments.size());
        }
    }
    EXPECT_GT(met, 5000u);
}

TEST(Routes, RandomBytesAreAnswered) {
    const RouteTable table = table_of({"/a/:b/...", "/a/%41%20", "/:x/y"});
    std::mt19937 random{11};
    const std::string_view alphabet = "/aAxy%2eEfF05cC.;:\\ \x80~";
    for (int round = 0; round < 50'000; ++round) {
        std::string path = "/";
        for (u32 length = static_cast<u32>(random() % 12); length > 0; --length)
            path += alphabet[random() % alphabet.size()];
        Names names;
        const RouteTable::Found found = table.find(path, names);
        if (found.answer != RouteTable::Answer::found) continue;
        // None that is met has another reading than its own.
        EXPECT_EQ(path.find("/../"), std::string::npos) << path;
        EXPECT_EQ(path.find("%2f"), std::string::npos) << path;
        EXPECT_EQ(path.find("%2e%2e/"), std::string::npos) << path;
    }
}

TEST(Routes, TenThousandAreMetEach) {
    RouteTable table;
    for (int number = 0; number < 10'000; ++number) {
        const std::string text = std::to_string(number);
        const bool named = number % 2 == 1;
        ASSERT_TRUE(table.add("/r" + text + (named ? "/:id" : "/..."), "c").ok());
    }
    Names names;
    for (u32 number = 0; number < 10'000; ++number)
        ASSERT_EQ(table.find("/r" + std::to_string(number) + "/x", names).number, number);
}

}  // namespace
}  // namespace wrun::test
