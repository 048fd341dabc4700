// `wrun snapshot`: runs a module's init function, twice, and writes the module with what it left as
// an artifact whose instances begin there (docs/snapshot.md).
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int snapshot(const SnapshotOptions& options);

}  // namespace wrun::cli
