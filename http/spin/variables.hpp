// The variables of a spin.toml: `{{ name }}` templates, and where values come from: the command
// line, then the environment (SPIN_VARIABLE_NAME), then the default. A secret's value goes to
// guests only: no text about variables, for people or for the status page, ever holds it.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "http/spin/report.hpp"

namespace wrun::http::spin {

/// What is wrong with the name of a variable: small letters first, then digits and single
/// underscores too, a letter or digit last. Empty: nothing.
[[nodiscard]] std::string_view check_variable_name(std::string_view name) noexcept;

/// A text with `{{ name }}` in it. There is no escape: "{{" always begins a name, "}}" alone is
/// text, and what a name stands for is not looked at again.
class Template {
public:
    struct Part {
        std::string text;
        bool is_name = false;
    };

    /// Nothing, and the reason in `why`, when a name is wrong or does not end.
    [[nodiscard]] static std::optional<Template> parse(std::string_view text, std::string& why);

    [[nodiscard]] const std::vector<Part>& parts() const noexcept { return parts_; }
    [[nodiscard]] bool is_literal() const noexcept;
    /// As it was written, for messages.
    [[nodiscard]] const std::string& source() const noexcept { return source_; }

private:
    std::string source_;
    std::vector<Part> parts_;
};

struct VariableDeclaration {
    std::string name;
    Place place;
    std::optional<std::string> default_value;  // none: it must be given
    bool is_secret = false;
};

class Variables {
public:
    /// getenv(3), or a test's.
    using Environment = std::function<const char*(const char*)>;

    explicit Variables(std::vector<VariableDeclaration> declarations, const Environment& lookup);

    /// NAME=VALUE of the command line; false with the reason in `why`, which does not tell the
    /// value.
    [[nodiscard]] bool set(std::string_view word, std::string& why);

    /// One error that names all variables without a value, and how to give it.
    void require_all(Report& report) const;

    struct Value {
        std::string text;
        bool is_secret = false;  // holds a secret: not to be shown
    };
    /// Nothing when a variable in it is not declared or has no value.
    [[nodiscard]] std::optional<Value> resolve(const Template& text) const;

    struct Shown {
        std::string name;
        std::string value;      // "(secret)" for one
        std::string_view from;  // "command line", "environment", "default" or "nothing"
    };
    [[nodiscard]] std::vector<Shown> shown() const;

private:
    struct Variable {
        VariableDeclaration declaration;
        std::optional<std::string> value;
        std::string_view from = "nothing";
    };
    std::map<std::string, Variable, std::less<>> variables_;
};

/// "SPIN_VARIABLE_NAME".
[[nodiscard]] std::string environment_name(std::string_view name);

}  // namespace wrun::http::spin
