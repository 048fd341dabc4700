// `wrun compile` and `wrun verify`: a module as a file of machine code, and whether such a file is
// whole. Running one is `wrun run --allow-precompiled` (cli/run.cpp).
#pragma once

#include <optional>

#include "base/os_file.hpp"
#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int compile(const CompileOptions& options);
[[nodiscard]] int verify(const VerifyOptions& options);

/// The file, if it begins as an artifact does; whoever opens other files says what is wrong.
[[nodiscard]] std::optional<os::File> open_artifact(const std::string& path);

}  // namespace wrun::cli
