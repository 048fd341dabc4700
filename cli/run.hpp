// `wrun run`: one module, one instance, one call.
// The guest gets what the options grant and nothing else.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

/// The exit code; everything there is to say has been said.
[[nodiscard]] int run(const RunOptions& options);

}  // namespace wrun::cli
