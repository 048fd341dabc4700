// The words of options that take more than a number: directories, variables, sizes. Each answers
// nothing and leaves the reason in `why` when the word is wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/state.hpp"

namespace wrun::cli {

/// HOST::GUEST, HOST::GUEST:ro, HOST (under its own name), HOST:ro; ":rw" says what goes without
/// saying.
[[nodiscard]] std::optional<wasi::Preopen> parse_directory(
    const std::string& word, std::string& why);

/// Digits with K, M or G (times 1024 each; "KiB" and "KB" mean the same).
[[nodiscard]] std::optional<u64> parse_size(const std::string& word, std::string& why);

/// What is allowed or refused by name (wasi/access.hpp); each word may hold several, with commas.
[[nodiscard]] std::optional<wasi::AccessSet> parse_kinds(
    const std::vector<std::string>& words, std::string& why);
[[nodiscard]] std::string list_kinds(wasi::AccessSet kinds, std::string_view separator);

/// The guest's environment, each name once; a later value replaces an earlier one in its place.
class Variables {
public:
    /// NAME=value, or NAME for the value it has here.
    [[nodiscard]] bool add(const std::string& word, std::string& why);
    /// A file of such lines. Empty lines and lines that begin with # are passed over, nothing is
    /// unquoted or expanded, a carriage return at the end of a line is dropped.
    [[nodiscard]] bool add_file(const std::string& path, std::string& why);
    [[nodiscard]] std::vector<std::string> take() { return std::move(list_); }

private:
    std::vector<std::string> list_;
};

}  // namespace wrun::cli
