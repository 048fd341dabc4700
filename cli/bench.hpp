// `wrun bench`: where the time of a module goes, phase by phase, over a number of repetitions that
// each begin with the bytes. The program's output is discarded unless a file is named for it.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

/// The exit code: that of wrun, not the program's, which is part of the report.
[[nodiscard]] int bench(const BenchOptions& options);

}  // namespace wrun::cli
