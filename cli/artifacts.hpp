// `wrun compile` and `wrun verify`: a module as a file of machine code, and whether such a file is
// whole. Running one is `wrun run --allow-precompiled` (cli/run.cpp).
#pragma once

#include "base/os_file.hpp"
#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int compile(const CompileOptions& options);
[[nodiscard]] int verify(const VerifyOptions& options);

/// Whether an open file begins as an artifact does.
[[nodiscard]] bool holds_artifact(const os::File& file) noexcept;

}  // namespace wrun::cli
