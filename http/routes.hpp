// The table of routes: which pattern a request's path meets. A trie over segments, in which at each
// segment a fixed text beats a name, a name beats the trailing wildcard, and what is left over of a
// pattern that leads nowhere is tried with the next best, as Spin does it (docs/spin.md). Immutable
// once filled; a look-up allocates nothing and visits each node at most once.
//
// Paths are matched as they were sent, not decoded, and no route is reached by a spelling that
// somebody else on the way could read as the path of another route: such a path is *refused*.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

/// Why a path is refused whatever the routes are: a segment that is or decodes to "." or "..", an
/// encoded slash, a backslash, an encoded NUL, "%" without two digits, characters that no path has.
/// Nothing when it is not.
[[nodiscard]] std::optional<std::string_view> misleading(std::string_view path) noexcept;

/// Whether all that a pattern meets lies below these fixed segments; false for no pattern.
[[nodiscard]] bool is_below(std::string_view pattern, std::span<const std::string_view> segments);

/// A pattern without the wildcard at its end: "/a" of "/a/...".
[[nodiscard]] std::string_view without_wildcard(std::string_view pattern) noexcept;

class RouteTable {
public:
    /// Of one pattern; find() wants room for as many fields as the first.
    static constexpr std::size_t names_max = 32;
    static constexpr std::size_t segments_max = 64;
    static constexpr std::size_t pattern_bytes_max = 2048;
    static constexpr std::size_t routes_max = 100'000;

    RouteTable();

    struct Added {
        u32 number = 0;                   // routes count from 0 in the order they were added
        std::optional<u32> duplicate_of;  // the route that meets the same paths: nothing was added
        std::string why;                  // not empty: what is wrong with the pattern
        [[nodiscard]] bool ok() const noexcept { return !duplicate_of && why.empty(); }
    };
    /// `pattern` is "/fixed/:name/..."; a slash at its end changes nothing, and "*" is "...".
    [[nodiscard]] Added add(std::string_view pattern, std::string_view component);

    enum class Answer : u8 { found, none, refused };
    struct Found {
        Answer answer = Answer::none;
        u32 number = 0;
        /// Its views are the table's, the path's, or lie in `segments`.
        RouteMatch match;
        std::string_view why;  // refused: for the log
    };
    /// `path` is the request's, without its query. One slash at its end changes nothing but the
    /// path info of a wildcard.
    [[nodiscard]] Found find(
        std::string_view path, std::span<Field, names_max> segments) const noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return routes_.size(); }
    [[nodiscard]] std::string_view pattern(u32 number) const { return routes_[number].pattern; }

private:
    static constexpr u32 nothing = 0xffff'ffff;

    struct Node {
        std::map<std::string, u32, std::less<>> fixed;  // by decoded text
        u32 named = nothing;
        u32 route = nothing;     // ends here
        u32 wildcard = nothing;  // a route
    };
    struct Route {
        std::string pattern;
        std::string component;
        std::vector<std::string> names;
    };
    class Search;

    [[nodiscard]] u32 new_node();

    std::vector<Node> nodes_;
    std::vector<Route> routes_;
};

}  // namespace wrun::http
