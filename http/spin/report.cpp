// See report.hpp.
#include "http/spin/report.hpp"

#include <algorithm>
#include <numeric>

#include "base/printable.hpp"

namespace wrun::http::spin {
namespace {

/// Of whatever length.
[[nodiscard]] std::string shown(std::string_view text) {
    return printable(text, ~std::size_t{0});
}

/// How many insertions, removals and replacements make one of the other.
[[nodiscard]] std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

void Report::add(bool is_error, Place place, std::string_view text) {
    std::size_t& count = is_error ? errors_ : warnings_;
    if (count++ < findings_max) findings_.push_back({is_error, place, shown(text)});
}

std::vector<Finding> Report::findings() const {
    std::vector<Finding> sorted = findings_;
    std::ranges::stable_sort(sorted, [](const Finding& a, const Finding& b) {
        return std::pair{a.place.line, a.place.column} < std::pair{b.place.line, b.place.column};
    });
    return sorted;
}

std::string Report::text(std::string_view file) const {
    std::string text;
    for (const Finding& finding : findings()) {
        text += file;
        if (finding.place.line != 0)
            text += ":" + std::to_string(finding.place.line) + ":" +
                    std::to_string(finding.place.column);
        text += finding.is_error ? ": error: " : ": warning: ";
        text += finding.text + "\n";
    }
    const auto rest = [&](std::size_t count, std::string_view what) {
        if (count > findings_max)
            text.append(file)
                .append(": and ")
                .append(std::to_string(count - findings_max))
                .append(" more ")
                .append(what)
                .append("\n");
    };
    rest(errors_, "errors");
    rest(warnings_, "warnings");
    return text;
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t bytes_max = 80;
    std::string cut{text.substr(0, bytes_max)};
    // Not in the middle of a character.
    if (text.size() > bytes_max) {
        while (!cut.empty() && (static_cast<u8>(text[cut.size()]) & 0xc0) == 0x80)
            cut.pop_back();
        cut += "…";
    }
    return "\"" + shown(cut) + "\"";
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    // Many names are compared in vain, and by whoever has written many.
    if (word.size() > 64 || known.size() > 1000) return {};
    std::string_view best;
    std::size_t best_distance = word.size() < 4 ? 2 : 3;  // this is too far
    for (const std::string_view name : known) {
        const std::size_t far = distance(word, name);
        if (far >= best_distance) continue;
        best = name;
        best_distance = far;
    }
    return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view name = nearest(word, known);
    return name.empty() ? std::string{} : " (did you mean \"" + std::string{name} + "\"?)";
}

}  // namespace wrun::http::spin
