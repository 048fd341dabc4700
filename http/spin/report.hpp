// What is wrong with a spin.toml, and what of it is not acted on: all of it, each with its place,
// so that one run tells everything. Texts never hold the value of a variable.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace wrun::http::spin {

/// In the file, both from 1; 0: the file as a whole.
struct Place {
    u32 line = 0;
    u32 column = 0;
};

struct Finding {
    bool is_error = false;
    Place place;
    std::string text;  // one line, printable (base/printable.hpp)
};

class Report {
public:
    /// As many errors are kept, and as many warnings; the rest is counted.
    static constexpr std::size_t findings_max = 100;

    void error(Place place, std::string_view text) { add(true, place, text); }
    void warn(Place place, std::string_view text) { add(false, place, text); }

    [[nodiscard]] bool has_errors() const noexcept { return errors_ != 0; }
    /// In the order of the file, as far as they are kept.
    [[nodiscard]] std::vector<Finding> findings() const;
    /// "FILE:LINE:COLUMN: error: …" and so on, a line each.
    [[nodiscard]] std::string text(std::string_view file) const;

private:
    void add(bool is_error, Place place, std::string_view text);

    std::vector<Finding> findings_;
    std::size_t errors_ = 0;
    std::size_t warnings_ = 0;
};

/// Quoted, cut at 80 bytes, control characters as \xNN: for texts about what a file holds.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The one of `known` that `word` was probably meant to be; empty when none is near.
[[nodiscard]] std::string_view nearest(
    std::string_view word, std::span<const std::string_view> known);
/// " (did you mean \"x\"?)", or nothing.
[[nodiscard]] std::string suggestion(
    std::string_view word, std::span<const std::string_view> known);

}  // namespace wrun::http::spin
