// known_failures.txt: commands that fail today, each with its issue. The list may only shrink, so a
// command that is listed and passes fails the run too, and so does an entry that names no command.
//   wasm-v3/elem.wast:12 issue 7 reason in words
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace wrun::spec {

/// Of one script: why, by the line of the command.
using KnownFailures = std::map<u32, std::string>;

/// By the script's label. Nothing, and what is wrong with it in `error`, where a line has another
/// form.
[[nodiscard]] std::optional<std::map<std::string, KnownFailures>> parse_known_failures(
    std::string_view text, std::string& error);

}  // namespace wrun::spec
