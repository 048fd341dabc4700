// What the commands' options have in common: the parser of each is put together from these. The
// words that need more than the library's own reading are kept raw until all are there, so that a
// mistake is told in one way.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"

namespace wrun::cli {

/// The library's own layout with a first line of ours: it cannot know that the rest is the guest's.
class HelpText : public CLI::Formatter {
public:
    explicit HelpText(std::string usage) : usage_{std::move(usage)} { column_width(27); }
    std::string make_usage(const CLI::App*, std::string) const override { return usage_; }

private:
    std::string usage_;
};

struct RawOptions {
    std::vector<std::string> directories;
    std::vector<std::string> variables;
    std::vector<std::string> variable_files;
    std::optional<std::string> memory;
    std::optional<std::string> stack;
    std::optional<std::string> table;
    std::optional<std::string> timeout;
    std::optional<std::string> fuel;
    std::vector<std::string> kinds;
};

[[nodiscard]] Finished wrong_usage(const std::string& text);

/// An option that may be given several times, with one value each.
void each(CLI::Option* option, const char* type);
void describe_bounds(CLI::App& app, engine::Bounds& bounds);
/// What code a module becomes.
void describe_code(CLI::App& app, engine::ModuleOptions& options);
/// What the program is granted.
void describe_grants(CLI::App& app, RawOptions& raw, RunOptions& options);
void describe_limits(CLI::App& app, RawOptions& raw, bool is_served = false);
void describe_timeout(CLI::App& app, RawOptions& raw, const char* text);
/// What may be run at all, and from where.
void describe_loading(CLI::App& app, RawOptions& raw, RunOptions& options);
/// What the program is granted and how it is entered, the same for every command that runs one.
void describe_program(CLI::App& app, RawOptions& raw, RunOptions& options);

/// A number with or without a fraction, then ms, s, m or h.
[[nodiscard]] std::optional<u64> parse_time(
    std::string_view option, const std::string& word, std::string& why);
[[nodiscard]] bool take_limits(const RawOptions& raw, RunOptions& options, std::string& why);
[[nodiscard]] bool take_taint(const RawOptions& raw, RunOptions& options, std::string& why);
[[nodiscard]] bool take_grants(const RawOptions& raw, RunOptions& options, std::string& why);

/// Reads `arguments` (without the program's and the command's name); nothing when there is work to
/// do.
[[nodiscard]] std::optional<Finished> read(
    CLI::App& app, const std::vector<std::string>& arguments);
/// Reads the options that `app` describes, then the module and its arguments.
[[nodiscard]] std::optional<Finished> read_program(CLI::App& app,
    const std::vector<std::string>& arguments, const RawOptions& raw, RunOptions& options);

}  // namespace wrun::cli
