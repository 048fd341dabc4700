// What may stand in which table of a spin.toml (fields.def), and the one pass that holds a table
// against it: unknown names, wrong types, what is refused and what is not acted on.
#pragma once

#include "http/spin/toml.hpp"

namespace wrun::http::spin {

enum class FieldTable : u8 {
    root,
    application,
    variable,
    http_trigger,
    route,
    executor,
    static_response,
    component,
    source,
    file,
    build,
    profile,
    profile_build,
    dependency,
    target,
};

enum class FieldType : u8 {
    any,
    string,
    boolean,
    integer,
    table,
    strings,     // an array of them
    string_map,  // a table of them
    tables,      // a table of tables
    files,       // an array of strings and tables
    targets,     // the same
    string_or_table,
    string_or_strings,
    boolean_or_strings,
};

enum class Verdict : u8 { acts, checks, later, tools, refuses };

struct FieldRow {
    FieldTable table;
    std::string_view name;
    FieldType type;
    Verdict verdict;
    std::string_view words;
};

[[nodiscard]] std::span<const FieldRow> field_rows() noexcept;
/// As documents write them: "component.<id>", "[[trigger.http]]", …
[[nodiscard]] std::string_view name_of(FieldTable table) noexcept;
[[nodiscard]] std::string_view name_of(FieldType type) noexcept;

/// A table of the file that has been held against fields.def. Borrows it.
class Fields {
public:
    /// `where` is the table for messages: "component.hello".
    Fields(const TomlValue& table, FieldTable kind, std::string where, Report& report);

    /// The field, when it is there and of its type.
    [[nodiscard]] const TomlValue* find(std::string_view name) const noexcept;
    /// A string's text, or "".
    [[nodiscard]] std::string text(std::string_view name) const;
    /// The same with an error when it is not there; `nullptr` also when it is of a wrong type.
    const TomlValue* require(std::string_view name);
    [[nodiscard]] Place place() const noexcept { return table_.place; }
    [[nodiscard]] const std::string& where() const noexcept { return where_; }
    [[nodiscard]] std::string where(std::string_view name) const;

private:
    const TomlValue& table_;
    std::string where_;
    Report& report_;
    std::vector<const TomlEntry*> good_;
};

}  // namespace wrun::http::spin
