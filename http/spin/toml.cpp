// See toml.hpp. The library's tables are sorted by name; ours are in the order of the file.
#include "http/spin/toml.hpp"

#include <algorithm>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 32
// One of its assertions does not hold for bad input ("a = ,"), which it then refuses all the same.
// Without NDEBUG it does not make assumptions of them either, which clang would build on.
#define TOML_ASSERT(expression) static_cast<void>(0)
#undef NDEBUG
#include <toml++/toml.h>

namespace wrun::http::spin {
namespace {

static_assert(TOML_MAX_NESTED_VALUES == toml_nesting_max);

[[nodiscard]] Place place_of(const toml::source_region& source) noexcept {
    return {source.begin.line, source.begin.column};
}

[[nodiscard]] TomlValue converted(const toml::node& node) {
    using Kind = TomlValue::Kind;
    TomlValue value;
    value.place = place_of(node.source());
    if (const auto* table = node.as_table()) {
        value.kind = Kind::table;
        value.entries.reserve(table->size());
        for (const auto& [key, entry] : *table)
            value.entries.push_back(
                {std::string{key.str()}, place_of(key.source()), converted(entry)});
        std::ranges::stable_sort(value.entries, [](const TomlEntry& a, const TomlEntry& b) {
            return std::pair{a.place.line, a.place.column} <
                   std::pair{b.place.line, b.place.column};
        });
    } else if (const auto* array = node.as_array()) {
        value.kind = Kind::array;
        value.items.reserve(array->size());
        for (const auto& item : *array)
            value.items.push_back(converted(item));
    } else if (const auto* text = node.as_string()) {
        value.kind = Kind::string;
        value.text = text->get();
    } else if (const auto* integer = node.as_integer()) {
        value.kind = Kind::integer;
        value.integer = integer->get();
    } else if (const auto* boolean = node.as_boolean()) {
        value.kind = Kind::boolean;
        value.boolean = boolean->get();
    } else {
        value.kind = node.is_floating_point() ? Kind::real : Kind::date;
    }
    return value;
}

/// Where a name has more dots than we take: the library makes a table within a table of each, and
/// takes them apart by recursion.
class DotCounter {
public:
    explicit DotCounter(std::string_view text) noexcept : text_{text} {}

    [[nodiscard]] std::optional<Place> find() noexcept {
        u32 dots = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (c == '"' || c == '\'') {
                pass_string(c);
            } else {
                if (c == '.' && ++dots > toml_dots_max) return place();
                if (c == '\n' || c == '=' || c == ',' || c == '{' || c == '[' || c == ']') dots = 0;
                ++at_;
            }
        }
        return {};
    }

private:
    void pass_string(char quote) noexcept {
        const bool is_long = text_.substr(at_, 3) == std::string(3, quote);
        at_ += is_long ? 3 : 1;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\' && quote == '"') {
                ++at_;
            } else if (text_[at_] == quote) {
                if (!is_long || text_.substr(at_, 3) == std::string(3, quote)) {
                    at_ += is_long ? 3 : 1;
                    return;
                }
            } else if (text_[at_] == '\n' && !is_long) {
                return;
            }
        }
        at_ = text_.size();
    }

    [[nodiscard]] Place place() const noexcept {
        const std::string_view before = text_.substr(0, at_);
        const std::size_t line = before.rfind('\n') + 1;  // npos + 1 is 0
        return {static_cast<u32>(1 + std::ranges::count(before, '\n')),
            static_cast<u32>(1 + at_ - line)};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

const TomlValue* TomlValue::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(entries, name, &TomlEntry::name);
    return found == entries.end() ? nullptr : &found->value;
}

std::string_view name_of(TomlValue::Kind kind) noexcept {
    using Kind = TomlValue::Kind;
    switch (kind) {
        case Kind::string: return "a string";
        case Kind::integer: return "an integer";
        case Kind::real: return "a floating-point number";
        case Kind::boolean: return "a boolean";
        case Kind::date: return "a date or time";
        case Kind::array: return "an array";
        case Kind::table: return "a table";
    }
    return "a value";
}

std::optional<TomlValue> parse_toml(std::string_view text, Report& report) {
    if (text.size() > toml_bytes_max) {
        report.error({}, "the file is larger than 1 MiB");
        return {};
    }
    if (const auto place = DotCounter{text}.find()) {
        report.error(*place, "a name of more than 16 dots");
        return {};
    }
    const toml::parse_result result = toml::parse(text);
    if (!result) {
        report.error(place_of(result.error().source()), result.error().description());
        return {};
    }
    return converted(result.table());
}

}  // namespace wrun::http::spin
