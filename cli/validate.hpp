// `wrun validate`: each module is decoded and checked whole, bodies included.
// Those that are wrong are named with the byte that is to blame.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int validate(const ValidateOptions& options);

}  // namespace wrun::cli
