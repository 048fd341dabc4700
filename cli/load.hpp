// A module's bytes from a path or standard input, and what is wrong when there are none: said in
// words that name the file and the remedy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace wrun::cli {

/// Nothing, with the reason in `why` (which names the file), when it cannot be read or is no module
/// at all.
[[nodiscard]] std::optional<std::vector<u8>> load(const std::string& path, std::string& why);
/// Likewise of a file that is open already, from its begin.
[[nodiscard]] std::optional<std::vector<u8>> load(
    const std::string& path, int file, std::string& why);

/// "prog.wasm: unexpected end (at byte 17)".
[[nodiscard]] std::string describe_failure(const std::string& path, Error error);

}  // namespace wrun::cli
