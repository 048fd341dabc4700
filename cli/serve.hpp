// `wrun serve`: a server, the application it serves, and the signals that change and end it.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

/// The exit code; everything there is to say has been said.
[[nodiscard]] int serve(const ServeOptions& options);

}  // namespace wrun::cli
