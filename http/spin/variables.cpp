// See variables.hpp.
#include "http/spin/variables.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http::spin {
namespace {

constexpr std::string_view white = " \t\r\n\f\v";

}  // namespace

std::string_view check_variable_name(std::string_view name) noexcept {
    const auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
    if (name.empty()) return "a name is empty";
    if (!is_small(name.front())) return "a name begins with a small letter";
    if (!std::ranges::all_of(
            name, [&](char c) { return is_small(c) || (c >= '0' && c <= '9') || c == '_'; }))
        return "a name has small letters, digits and \"_\" only";
    if (name.back() == '_') return "a name ends with a letter or a digit";
    if (name.find("__") != std::string_view::npos) return "a name has no two \"_\" side by side";
    return {};
}

std::optional<Template> Template::parse(std::string_view text, std::string& why) {
    Template parsed;
    parsed.source_ = text;
    while (!text.empty()) {
        const std::size_t begin = text.find("{{");
        if (begin != 0) parsed.parts_.push_back({std::string{text.substr(0, begin)}, false});
        if (begin == std::string_view::npos) break;
        const std::size_t end = text.find("}}", begin + 2);
        if (end == std::string_view::npos) {
            why = "\"{{\" without \"}}\"";
            return {};
        }
        const std::string_view name = trimmed(text.substr(begin + 2, end - begin - 2), white);
        if (const std::string_view wrong = check_variable_name(name); !wrong.empty()) {
            why = "{{ " + in_quotes(name) + " }}: " + std::string{wrong};
            return {};
        }
        parsed.parts_.push_back({std::string{name}, true});
        text.remove_prefix(end + 2);
    }
    return parsed;
}

bool Template::is_literal() const noexcept {
    return std::ranges::none_of(parts_, &Part::is_name);
}

std::string environment_name(std::string_view name) {
    std::string result = "SPIN_VARIABLE_";
    for (const char c : name)
        result += to_upper(c);
    return result;
}

Variables::Variables(std::vector<VariableDeclaration> declarations, const Environment& lookup) {
    for (VariableDeclaration& declaration : declarations) {
        Variable variable;
        if (const char* found = lookup(environment_name(declaration.name).c_str())) {
            variable.value = found;
            variable.from = "environment";
        } else if (declaration.default_value) {
            variable.value = declaration.default_value;
            variable.from = "default";
        }
        const std::string name = declaration.name;
        variable.declaration = std::move(declaration);
        variables_.emplace(name, std::move(variable));
    }
}

bool Variables::set(std::string_view word, std::string& why) {
    const std::size_t equals = word.find('=');
    // What has no "=" may be a value that went astray: it is not told.
    if (equals == std::string_view::npos) {
        why = "a variable is given as NAME=VALUE";
        return false;
    }
    const std::string_view name = word.substr(0, equals);
    const auto found = variables_.find(name);
    if (found == variables_.end()) {
        std::vector<std::string_view> known;
        for (const auto& [other, variable] : variables_)
            known.push_back(other);
        why = "the manifest declares no variable " + in_quotes(name) + suggestion(name, known);
        return false;
    }
    found->second.value = word.substr(equals + 1);
    found->second.from = "command line";
    return true;
}

void Variables::require_all(Report& report) const {
    std::string names;
    std::string_view one;
    Place place;
    for (const auto& [name, variable] : variables_) {
        if (variable.value) continue;
        if (names.empty()) {
            place = variable.declaration.place;
            one = name;
        }
        names += (names.empty() ? "" : ", ") + name;
    }
    if (names.empty()) return;
    report.error(place, "variables without a value: " + names + " (give them as --variable " +
                            std::string{one} + "=… or in the environment, " +
                            environment_name(one) + "=…)");
}

std::optional<Variables::Value> Variables::resolve(const Template& text) const {
    Value result;
    for (const Template::Part& part : text.parts()) {
        if (!part.is_name) {
            result.text += part.text;
            continue;
        }
        const auto found = variables_.find(part.text);
        if (found == variables_.end() || !found->second.value) return {};
        result.text += *found->second.value;
        result.is_secret = result.is_secret || found->second.declaration.is_secret;
    }
    return result;
}

std::vector<Variables::Shown> Variables::shown() const {
    std::vector<Shown> all;
    for (const auto& [name, variable] : variables_) {
        Shown one{name, variable.value.value_or(""), variable.from};
        if (variable.declaration.is_secret) one.value = variable.value ? "(secret)" : "";
        all.push_back(std::move(one));
    }
    return all;
}

}  // namespace wrun::http::spin
