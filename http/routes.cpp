// See routes.hpp.
#include "http/routes.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http {
namespace {

/// RFC 3986: what stands in a segment as it is.
[[nodiscard]] constexpr bool is_plain(u8 c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && std::string_view{"-._~!$&'()*+,;=:@"}.find(static_cast<char>(c)) !=
                          std::string_view::npos);
}

/// The segment's bytes one after the other, decoded; it has been checked that they can be.
class Decoder {
public:
    explicit Decoder(std::string_view segment) noexcept : rest_{segment} {}
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] u8 next() noexcept {
        if (rest_[0] != '%') {
            const u8 c = static_cast<u8>(rest_[0]);
            rest_.remove_prefix(1);
            return c;
        }
        const u8 c = static_cast<u8>(hex_value(rest_[1]) * 16 + hex_value(rest_[2]));
        rest_.remove_prefix(3);
        needless_ = needless_ || is_plain(c);
        return c;
    }
    /// Whether a byte was encoded that could have stood there as it is.
    [[nodiscard]] bool needless() const noexcept { return needless_; }

private:
    std::string_view rest_;
    bool needless_ = false;
};

/// A segment as sent, which compares with decoded ones.
struct Sent {
    std::string_view segment;

    [[nodiscard]] int compare(std::string_view decoded) const noexcept {
        Decoder bytes{segment};
        for (const char c : decoded) {
            if (bytes.at_end()) return -1;
            const int difference = int{bytes.next()} - int{static_cast<u8>(c)};
            if (difference != 0) return difference;
        }
        return bytes.at_end() ? 0 : 1;
    }
    friend bool operator<(const Sent& a, const std::string& b) noexcept { return a.compare(b) < 0; }
    friend bool operator<(const std::string& a, const Sent& b) noexcept { return b.compare(a) > 0; }
};

/// "." and ".." in any spelling, also with the parameters that some servers cut off (";x").
[[nodiscard]] bool is_dot_segment(std::string_view segment) noexcept {
    u32 dots = 0;
    for (Decoder bytes{segment}; !bytes.at_end();) {
        const u8 c = bytes.next();
        if (c == ';') break;
        if (c != '.' || ++dots > 2) return false;
    }
    return dots > 0;
}

/// Names become those of fields and variables, which take "-" and "_" for the same.
[[nodiscard]] bool is_same_segment_name(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
        [](char left, char right) { return to_folded(left) == to_folded(right); });
}

struct Parsed {
    struct Segment {
        std::string text;  // decoded; or the name
        bool is_name = false;
    };
    std::vector<Segment> segments;
    bool wildcard = false;
    std::string why;
};

/// One that is neither the wildcard nor empty.
[[nodiscard]] std::string parse_segment(std::string_view text, Parsed& to) {
    if (text.front() == '*') return "\"*\" stands for a whole segment, the last one";
    if (text.front() != ':') {
        if (is_dot_segment(text)) return "no request has a segment \".\" or \"..\"";
        std::string decoded;
        for (Decoder bytes{text}; !bytes.at_end();)
            decoded += static_cast<char>(bytes.next());
        to.segments.push_back({std::move(decoded), false});
        return {};
    }
    const std::string_view name = text.substr(1);
    const bool is_word = std::ranges::all_of(name, [](char c) {
        const char folded = to_folded(c);
        return (c >= '0' && c <= '9') || (folded >= 'a' && folded <= 'z') || folded == '-';
    });
    if (name.empty() || !is_word)
        return "\":name\" stands for a whole segment; a name has letters, digits, \"_\" and \"-\"";
    std::size_t names = 0;
    for (const Parsed::Segment& other : to.segments) {
        if (!other.is_name) continue;
        ++names;
        if (is_same_segment_name(other.text, name))
            return "\":" + std::string{name} + "\" is there twice";
    }
    if (names == RouteTable::names_max) return "too many \":name\" segments";
    to.segments.push_back({std::string{name}, true});
    return {};
}

[[nodiscard]] Parsed parse(std::string_view pattern) {
    Parsed parsed;
    if (pattern.empty() || pattern.front() != '/') {
        parsed.why = "a route begins with \"/\"";
        return parsed;
    }
    if (pattern.size() > RouteTable::pattern_bytes_max) {
        parsed.why = "longer than 2048 bytes";
        return parsed;
    }
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        const u8 c = static_cast<u8>(pattern[at]);
        if (c < 0x20 || c == 0x7f) {
            parsed.why = "a control character";
        } else if (c == '?' || c == '#') {
            parsed.why = "a route has neither query nor fragment";
        } else if (c == '\\') {
            parsed.why = "a backslash: no request that has one is routed";
        } else if (c == '%') {
            const bool is_encoded = at + 2 < pattern.size() && hex_value(pattern[at + 1]) >= 0 &&
                                    hex_value(pattern[at + 2]) >= 0;
            const int byte =
                is_encoded ? hex_value(pattern[at + 1]) * 16 + hex_value(pattern[at + 2]) : -1;
            if (byte < 0) parsed.why = "\"%\" without two hexadecimal digits";
            if (byte == 0 || byte == '/' || byte == '\\')
                parsed.why =
                    "an encoded slash, backslash or NUL: no request that has one is routed";
        }
        if (!parsed.why.empty()) return parsed;
    }
    if (pattern.back() == '/') pattern.remove_suffix(1);
    while (!pattern.empty()) {
        const std::size_t end = std::min(pattern.find('/', 1), pattern.size());
        const std::string_view text = pattern.substr(1, end - 1);
        pattern.remove_prefix(end);
        if (text == "..." || (text == "*" && pattern.empty())) {
            parsed.wildcard = true;
            if (!pattern.empty()) parsed.why = "\"...\" stands at the end only";
            break;
        }
        if (parsed.segments.size() == RouteTable::segments_max)
            parsed.why = "more than 64 segments";
        else
            parsed.why = text.empty() ? "an empty segment" : parse_segment(text, parsed);
        if (!parsed.why.empty()) break;
    }
    return parsed;
}

}  // namespace

std::optional<std::string_view> misleading(std::string_view path) noexcept {
    if (path.empty() || path.front() != '/') return "a path begins with \"/\"";
    for (std::size_t at = 0; at < path.size(); ++at) {
        const u8 c = static_cast<u8>(path[at]);
        if (c <= 0x20 || c >= 0x7f) return "a character that no path has";
        if (c == '\\') return "a backslash";
        if (c != '%') continue;
        if (path.size() - at < 3 || hex_value(path[at + 1]) < 0 || hex_value(path[at + 2]) < 0)
            return "\"%\" without two hexadecimal digits";
        const int byte = hex_value(path[at + 1]) * 16 + hex_value(path[at + 2]);
        if (byte == '/' || byte == '\\') return "an encoded slash or backslash";
        if (byte == 0) return "an encoded NUL";
    }
    for (std::size_t begin = 1; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (is_dot_segment(path.substr(begin, end - begin))) return "a segment \".\" or \"..\"";
        begin = end + 1;
    }
    return {};
}

std::string_view without_wildcard(std::string_view pattern) noexcept {
    for (const std::string_view wildcard : {"/...", "/*"})
        if (pattern.ends_with(wildcard)) return pattern.substr(0, pattern.size() - wildcard.size());
    return pattern;
}

bool is_below(std::string_view pattern, std::span<const std::string_view> segments) {
    const Parsed parsed = parse(pattern);
    const std::size_t count = parsed.segments.size() + (parsed.wildcard ? 1 : 0);
    return parsed.why.empty() && parsed.segments.size() >= segments.size() &&
           count > segments.size() &&
           std::equal(segments.begin(), segments.end(), parsed.segments.begin(),
               [](std::string_view fixed, const Parsed::Segment& segment) {
                   return !segment.is_name && segment.text == fixed;
               });
}

RouteTable::RouteTable() {
    (void)new_node();
}

u32 RouteTable::new_node() {
    nodes_.emplace_back();
    return static_cast<u32>(nodes_.size() - 1);
}

RouteTable::Added RouteTable::add(std::string_view pattern, std::string_view component) {
    Parsed parsed = parse(pattern);
    if (parsed.why.empty() && routes_.size() == routes_max) parsed.why = "too many routes";
    if (!parsed.why.empty()) return {0, {}, std::move(parsed.why)};

    u32 at = 0;
    std::vector<std::string> names;
    for (Parsed::Segment& segment : parsed.segments) {
        // nodes_ may move when one is made.
        u32 next = nothing;
        if (segment.is_name) {
            next = nodes_[at].named;
            if (next == nothing) {
                next = new_node();
                nodes_[at].named = next;
            }
            names.push_back(std::move(segment.text));
        } else {
            const auto found = nodes_[at].fixed.find(segment.text);
            if (found != nodes_[at].fixed.end()) {
                next = found->second;
            } else {
                next = new_node();
                nodes_[at].fixed.emplace(std::move(segment.text), next);
            }
        }
        at = next;
    }
    u32& place = parsed.wildcard ? nodes_[at].wildcard : nodes_[at].route;
    if (place != nothing) return {0, place, {}};
    place = static_cast<u32>(routes_.size());
    routes_.push_back({std::string{pattern}, std::string{component}, std::move(names)});
    return {place, {}, {}};
}

/// One look-up: depth first, best first. Where it stands is a slash or the end of the path.
class RouteTable::Search {
public:
    Search(const RouteTable& table, std::string_view path, std::span<Field, names_max> segments)
        : table_{table},
          path_{path},
          segments_{segments},
          end_{path.size() - (path.back() == '/' ? 1 : 0)} {}

    [[nodiscard]] Found run() noexcept {
        visit(0, 0, 0);
        return found_;
    }

private:
    /// Whether the search is over.
    bool visit(u32 number, std::size_t at, std::size_t names) noexcept {
        const Node& node = table_.nodes_[number];
        if (at == end_) {
            if (node.route != nothing) return meet(node.route, path_.size(), names);
            return node.wildcard != nothing && meet(node.wildcard, at, names);
        }
        const std::size_t next = std::min(path_.find('/', at + 1), end_);
        const std::string_view segment = path_.substr(at + 1, next - at - 1);
        if (segment.empty()) {
            if (is_merged_elsewhere(node, at)) return refuse("an empty segment");
        } else {
            const auto fixed = node.fixed.find(Sent{segment});
            if (fixed != node.fixed.end()) {
                if (is_needlessly_encoded(segment))
                    return refuse("a fixed segment in another spelling");
                if (visit(fixed->second, next, names)) return true;
            }
            if (node.named != nothing) {
                segments_[names].value = segment;
                if (visit(node.named, next, names + 1)) return true;
            }
        }
        return node.wildcard != nothing && meet(node.wildcard, at, names);
    }

    /// Whether who takes several slashes for one would come to another route.
    [[nodiscard]] bool is_merged_elsewhere(const Node& node, std::size_t at) const noexcept {
        if (!node.fixed.empty() || node.named != nothing) return true;
        return node.route != nothing && path_.find_first_not_of('/', at) == std::string_view::npos;
    }

    [[nodiscard]] static bool is_needlessly_encoded(std::string_view segment) noexcept {
        Decoder bytes{segment};
        while (!bytes.at_end())
            (void)bytes.next();
        return bytes.needless();
    }

    bool meet(u32 number, std::size_t base_bytes, std::size_t names) noexcept {
        const Route& route = table_.routes_[number];
        for (std::size_t name = 0; name < names; ++name)
            segments_[name].name = route.names[name];
        found_ = {.answer = Answer::found,
            .number = number,
            .match = {.pattern = route.pattern,
                .base = path_.substr(0, base_bytes),
                .path_info = path_.substr(base_bytes),
                .segments = segments_.first(names),
                .component = route.component},
            .why = {}};
        return true;
    }

    bool refuse(std::string_view why) noexcept {
        found_ = {.answer = Answer::refused, .number = 0, .match = {}, .why = why};
        return true;
    }

    const RouteTable& table_;
    std::string_view path_;
    std::span<Field, names_max> segments_;
    std::size_t end_;
    Found found_;
};

RouteTable::Found RouteTable::find(
    std::string_view path, std::span<Field, names_max> segments) const noexcept {
    if (const auto why = misleading(path))
        return {.answer = Answer::refused, .number = 0, .match = {}, .why = *why};
    return Search{*this, path, segments}.run();
}

}  // namespace wrun::http
