// A TOML file as plain data in the order of the file, each value and name with its place. The only
// thing that the rest of the tree sees of the TOML library, whose headers are large.
#pragma once

#include <optional>

#include "http/spin/report.hpp"

namespace wrun::http::spin {

struct TomlEntry;

struct TomlValue {
    enum class Kind : u8 { string, integer, real, boolean, date, array, table };
    Kind kind = Kind::table;
    Place place;
    std::string text;  // of a string
    i64 integer = 0;
    bool boolean = false;
    std::vector<TomlValue> items;    // of an array
    std::vector<TomlEntry> entries;  // of a table

    [[nodiscard]] bool is(Kind what) const noexcept { return kind == what; }
    [[nodiscard]] const TomlValue* find(std::string_view name) const noexcept;
};

struct TomlEntry {
    std::string name;
    Place place;
    TomlValue value;
};

/// "a string", "a date or time", …
[[nodiscard]] std::string_view name_of(TomlValue::Kind kind) noexcept;

inline constexpr std::size_t toml_bytes_max = std::size_t{1} << 20;
/// Arrays and tables within each other, and parts of a dotted name.
inline constexpr u32 toml_nesting_max = 32;
inline constexpr u32 toml_dots_max = 16;

/// Nothing, and an error in the report, when it is no TOML or beyond these bounds.
[[nodiscard]] std::optional<TomlValue> parse_toml(std::string_view text, Report& report);

}  // namespace wrun::http::spin
