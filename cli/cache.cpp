// See cache.hpp.
#include "cli/cache.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/errors.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/message.hpp"
#include "cli/report.hpp"

namespace wrun::cli {
namespace {

constexpr u64 bytes_max_default = u64{2} << 30;

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

struct Place {
    std::string parent;  // made where it is missing, if it is said
    std::string path;    // empty: there is no cache
};

Place place() {
    if (const char* const chosen = std::getenv("WRUN_CACHE_DIR")) {
        std::string path = chosen;
        // A slash at the end would have a link of this name followed.
        while (path.size() > 1 && path.back() == '/')
            path.pop_back();
        return {{}, path};
    }
    const std::string caches = variable("XDG_CACHE_HOME");
    if (caches.starts_with('/')) return {caches, caches + "/wrun"};
    const std::string home = variable("HOME");
    if (!home.starts_with('/')) return {};
    return {home + "/.cache", home + "/.cache/wrun"};
}

u64 bytes_max() {
    const std::string said = variable("WRUN_CACHE_SIZE");
    if (said.empty()) return bytes_max_default;
    std::string why;
    const std::optional<u64> bytes = parse_size(said, why);
    if (bytes) return *bytes;
    say_once(Level::warn, "WRUN_CACHE_SIZE: " + why);
    return bytes_max_default;
}

Result<engine::Cache> open(const Place& where) {
    if (!where.parent.empty()) static_cast<void>(os::Folder::make(where.parent));
    return engine::Cache::open(where.path, bytes_max());
}

int print(const std::string& text) {
    if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0)
        return exit_code::success;
    return fail(std::string{"cannot write: "} + std::strerror(errno));
}

/// Says that something could not be kept.
void tell_not_kept(Error error) {
    say_once(Level::warn, "the compiled module is not kept: '" + printable(place().path, 500) +
                              "': " + describe(error) + " (--no-cache does not try)");
}

}  // namespace

std::optional<engine::Cache> open_cache() {
    const Place where = place();
    if (where.path.empty()) return std::nullopt;
    Result<engine::Cache> cache = open(where);
    if (cache.ok()) return std::move(cache).take();
    say_once(Level::warn, "compiled modules are not kept: cannot use the folder '" +
                              printable(where.path, 500) + "': " + describe(cache.error()) +
                              " (WRUN_CACHE_DIR names another, --no-cache asks for none)");
    return std::nullopt;
}

Keeper::Keeper(std::shared_ptr<const engine::Cache> cache,
    std::shared_ptr<const engine::Module> module, const Sha256Digest& digest)
    : cache_{std::move(cache)}, module_{std::move(module)}, digest_{digest} {
    const auto body = [](void* self) {
        os::run_in_background();
        static_cast<Keeper*>(self)->keep();
    };
    if (!module_->is_complete() && thread_.start(body, this)) return;
    keep();
}

Keeper::~Keeper() {
    // Two are quicker; what one cannot compile the keeper cannot either, and says so.
    static_cast<void>(module_->complete());
    thread_.join();
    if (!kept_.ok()) tell_not_kept(kept_.error());
}

int cache(const CacheOptions& options) {
    const Place where = place();
    if (where.path.empty())
        return fail(
            "there is no cache: WRUN_CACHE_DIR is empty, or neither XDG_CACHE_HOME nor "
            "HOME says where");
    if (options.action == CacheOptions::Action::dir) return print(where.path + "\n");
    Result<engine::Cache> opened = open(where);
    if (!opened.ok())
        return fail("'" + printable(where.path, 500) + "': " + describe(opened.error()));
    const engine::Cache& kept = opened.value();
    if (options.action == CacheOptions::Action::prune) {
        const Result<void> pruned = kept.prune(options.bytes_max.value_or(0));
        if (!pruned.ok())
            return fail("'" + printable(where.path, 500) + "': " + describe(pruned.error()));
    }
    const auto contents = kept.contents();
    if (!contents.ok())
        return fail("'" + printable(where.path, 500) + "': " + describe(contents.error()));
    return print("folder   " + where.path + "\nmodules  " +
                 std::to_string(contents.value().modules) + "\nsize     " +
                 describe_bytes(contents.value().bytes) + " of " + describe_bytes(bytes_max()) +
                 "\n");
}

}  // namespace wrun::cli
