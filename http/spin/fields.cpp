// See fields.hpp.
#include "http/spin/fields.hpp"

#include <algorithm>
#include <array>

namespace wrun::http::spin {
namespace {

using Kind = TomlValue::Kind;

constexpr std::array rows = std::to_array<FieldRow>({
#define WRUN_SPIN_FIELD(table, name, type, verdict, words) \
    {FieldTable::table, #name, FieldType::type, Verdict::verdict, words},
#include "http/spin/fields.def"
#undef WRUN_SPIN_FIELD
});

/// Whether it says anything at all: empty lists are written for completeness.
[[nodiscard]] bool says_something(const TomlValue& value) noexcept {
    switch (value.kind) {
        case Kind::string: return !value.text.empty();
        case Kind::boolean: return value.boolean;
        case Kind::array: return !value.items.empty();
        case Kind::table: return !value.entries.empty();
        default: return true;
    }
}

/// The value or the part of it that is not of the type; nothing when all is.
[[nodiscard]] const TomlValue* misfit(const TomlValue& value, FieldType type) noexcept {
    const auto all_items = [&](auto fits) -> const TomlValue* {
        if (!value.is(Kind::array)) return &value;
        const auto found = std::ranges::find_if_not(value.items, fits);
        return found == value.items.end() ? nullptr : &*found;
    };
    const auto all_entries = [&](Kind kind) -> const TomlValue* {
        if (!value.is(Kind::table)) return &value;
        const auto found = std::ranges::find_if_not(
            value.entries, [kind](const TomlEntry& entry) { return entry.value.is(kind); });
        return found == value.entries.end() ? nullptr : &found->value;
    };
    const auto one_of = [&](Kind a, Kind b) {
        return value.is(a) || value.is(b) ? nullptr : &value;
    };
    const auto is_string = [](const TomlValue& item) { return item.is(Kind::string); };
    switch (type) {
        case FieldType::any: return nullptr;
        case FieldType::string: return one_of(Kind::string, Kind::string);
        case FieldType::boolean: return one_of(Kind::boolean, Kind::boolean);
        case FieldType::integer: return one_of(Kind::integer, Kind::integer);
        case FieldType::table: return one_of(Kind::table, Kind::table);
        case FieldType::strings: return all_items(is_string);
        case FieldType::string_map: return all_entries(Kind::string);
        case FieldType::tables: return all_entries(Kind::table);
        case FieldType::files:
        case FieldType::targets:
            return all_items([](const TomlValue& item) {
                return item.is(Kind::string) || item.is(Kind::table);
            });
        case FieldType::string_or_table: return one_of(Kind::string, Kind::table);
        case FieldType::string_or_strings:
            return value.is(Kind::string) ? nullptr : all_items(is_string);
        case FieldType::boolean_or_strings:
            return value.is(Kind::boolean) ? nullptr : all_items(is_string);
    }
    return &value;
}

}  // namespace

std::span<const FieldRow> field_rows() noexcept {
    return rows;
}

std::string_view name_of(FieldTable table) noexcept {
    switch (table) {
        case FieldTable::root: return "(top)";
        case FieldTable::application: return "[application]";
        case FieldTable::variable: return "[variables] name";
        case FieldTable::http_trigger: return "[[trigger.http]]";
        case FieldTable::route: return "route";
        case FieldTable::executor: return "executor";
        case FieldTable::static_response: return "static_response";
        case FieldTable::component: return "[component.id]";
        case FieldTable::source: return "source";
        case FieldTable::file: return "files";
        case FieldTable::build: return "build";
        case FieldTable::profile: return "profile.name";
        case FieldTable::profile_build: return "profile.name.build";
        case FieldTable::dependency: return "dependencies";
        case FieldTable::target: return "targets";
    }
    return "";
}

std::string_view name_of(FieldType type) noexcept {
    switch (type) {
        case FieldType::any: return "anything";
        case FieldType::string: return "a string";
        case FieldType::boolean: return "a boolean";
        case FieldType::integer: return "an integer";
        case FieldType::table: return "a table";
        case FieldType::strings: return "an array of strings";
        case FieldType::string_map: return "a table of strings";
        case FieldType::tables: return "a table of tables";
        case FieldType::files:
        case FieldType::targets: return "an array of strings and tables";
        case FieldType::string_or_table: return "a string or a table";
        case FieldType::string_or_strings: return "a string or an array of strings";
        case FieldType::boolean_or_strings: return "a boolean or an array of strings";
    }
    return "";
}

Fields::Fields(const TomlValue& table, FieldTable kind, std::string where, Report& report)
    : table_{table}, where_{std::move(where)}, report_{report} {
    for (const TomlEntry& entry : table.entries) {
        const auto* const row = std::ranges::find_if(rows, [&](const FieldRow& candidate) {
            return candidate.table == kind && candidate.name == entry.name;
        });
        if (row == std::end(rows)) {
            std::vector<std::string_view> known;
            for (const FieldRow& other : rows)
                if (other.table == kind) known.push_back(other.name);
            report.error(entry.place, (where_.empty() ? "" : where_ + ": ") + "unknown field " +
                                          in_quotes(entry.name) + suggestion(entry.name, known));
            continue;
        }
        const std::string name = this->where(entry.name);
        if (const TomlValue* const wrong = misfit(entry.value, row->type)) {
            const bool is_part = wrong != &entry.value;
            report.error(wrong->place, name + ": expected " + std::string{name_of(row->type)} +
                                           ", found " + std::string{name_of(wrong->kind)} +
                                           (is_part ? " in it" : ""));
            continue;
        }
        good_.push_back(&entry);
        const std::string words = row->words.empty() ? "" : ": " + std::string{row->words};
        if (row->verdict == Verdict::refuses && says_something(entry.value))
            report.error(entry.place, name + words);
        if (row->verdict == Verdict::later && says_something(entry.value))
            report.warn(entry.place, name + " is not acted on" + words);
        if (row->verdict == Verdict::checks && says_something(entry.value))
            report.warn(entry.place, name + " is checked, but not used yet" + words);
    }
}

const TomlValue* Fields::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(good_, name, &TomlEntry::name);
    return found == good_.end() ? nullptr : &(*found)->value;
}

std::string Fields::text(std::string_view name) const {
    const TomlValue* const value = find(name);
    return value != nullptr ? value->text : std::string{};
}

const TomlValue* Fields::require(std::string_view name) {
    if (table_.find(name) == nullptr) report_.error(table_.place, where(name) + " is missing");
    return find(name);
}

std::string Fields::where(std::string_view name) const {
    return (where_.empty() ? "" : where_ + ".") + std::string{name};
}

}  // namespace wrun::http::spin
