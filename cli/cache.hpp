// The cache of compiled modules as the command uses it: where its folder is, `wrun cache`, and that
// a folder which cannot be used costs a warning and nothing else.
#pragma once

#include <memory>
#include <optional>

#include "base/os_thread.hpp"
#include "cli/options.hpp"
#include "engine/cache.hpp"

namespace wrun::cli {

/// Nothing when there is none to be had; why has been said.
[[nodiscard]] std::optional<engine::Cache> open_cache();
/// Keeps a module: at once if all of it is compiled, else in a thread that compiles it while it
/// runs, if one can be had. Its end helps with what is left; what goes wrong is said.
class Keeper {
public:
    Keeper(std::shared_ptr<const engine::Cache> cache, std::shared_ptr<const engine::Module> module,
        const Sha256Digest& digest);
    ~Keeper();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

private:
    void keep() { kept_ = cache_->keep(*module_, digest_); }

    std::shared_ptr<const engine::Cache> cache_;
    std::shared_ptr<const engine::Module> module_;
    Sha256Digest digest_;
    Result<void> kept_;
    os::Thread thread_;
};

[[nodiscard]] int cache(const CacheOptions& options);

}  // namespace wrun::cli
