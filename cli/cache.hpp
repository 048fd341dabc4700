// The cache of compiled modules as the command uses it: where its folder is, `wrun cache`, and that
// a folder which cannot be used costs a warning and nothing else.
#pragma once

#include <optional>

#include "cli/options.hpp"
#include "engine/cache.hpp"

namespace wrun::cli {

/// Nothing when there is none to be had; why has been said.
[[nodiscard]] std::optional<engine::Cache> open_cache();
/// Says that something could not be kept.
void tell_not_kept(Error error);

[[nodiscard]] int cache(const CacheOptions& options);

}  // namespace wrun::cli
