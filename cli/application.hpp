// What `wrun serve` serves: the module or the spin.toml of the options as a router, made whole or
// not at all. Made again, beside the one that serves, when files change.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "http/router.hpp"

namespace wrun::cli {

struct Application {
    std::string name;
    /// Keeps all it needs.
    std::shared_ptr<const http::Router> router;
    std::vector<std::string> files;  // that it was made from: what to watch
};

/// Nothing when something is wrong; that has been said.
[[nodiscard]] std::optional<Application> make_application(
    engine::Engine& engine, const ServeOptions& options);

}  // namespace wrun::cli
