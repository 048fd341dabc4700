// See known_failures.hpp.
#include "spec-tests/known_failures.hpp"

#include "spec-tests/numbers.hpp"

namespace wrun::spec {
namespace {

/// Takes the text up to `end` off the front, and `end` as well.
std::string_view take_until(std::string_view& text, std::string_view end) {
    const std::size_t at = text.find(end);
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
    return taken;
}

}  // namespace

std::optional<std::map<std::string, KnownFailures>> parse_known_failures(
    std::string_view text, std::string& error) {
    std::map<std::string, KnownFailures> all;
    u32 number = 0;
    while (!text.empty()) {
        const std::string_view whole = take_until(text, "\n");
        ++number;
        if (whole.empty() || whole.starts_with('#')) continue;
        std::string_view rest = whole;
        const std::string_view label = take_until(rest, ":");
        const std::optional<u64> line = parse_integer(take_until(rest, " issue "), 32);
        const std::string_view why = rest;
        const std::optional<u64> issue = parse_integer(take_until(rest, " "), 32);
        const bool fits = label.ends_with(".wast") && line && *line > 0 && issue && !rest.empty();
        if (!fits || !all[std::string{label}].emplace(static_cast<u32>(*line), why).second) {
            error = "known failures, line " + std::to_string(number) + ": " +
                    (fits ? "listed twice" : "not `SET/FILE.wast:LINE issue N REASON`");
            return std::nullopt;
        }
    }
    return all;
}

}  // namespace wrun::spec
