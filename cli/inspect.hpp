// `wrun inspect`: what a module is made of, without compiling it.
// For people, or as one JSON object.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int inspect(const InspectOptions& options);

}  // namespace wrun::cli
