// The wrun command: reads its words and hands them on. Exceptions end here; only the argument
// parser and the standard library throw any.
#include <cstdio>
#include <exception>

#include "cli/artifacts.hpp"
#include "cli/bench.hpp"
#include "cli/cache.hpp"
#include "cli/exit_code.hpp"
#include "cli/inspect.hpp"
#include "cli/message.hpp"
#include "cli/objdump.hpp"
#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/serve.hpp"
#include "cli/snapshot.hpp"
#include "cli/validate.hpp"

namespace wrun::cli {
namespace {

int dispatch(const Options& options) {
    if (const auto* const chosen = std::get_if<RunOptions>(&options)) return run(*chosen);
    if (const auto* const chosen = std::get_if<ServeOptions>(&options)) return serve(*chosen);
    if (const auto* const chosen = std::get_if<BenchOptions>(&options)) return bench(*chosen);
    if (const auto* const chosen = std::get_if<ValidateOptions>(&options)) return validate(*chosen);
    if (const auto* const chosen = std::get_if<InspectOptions>(&options)) return inspect(*chosen);
    if (const auto* const chosen = std::get_if<ObjdumpOptions>(&options)) return objdump(*chosen);
    if (const auto* const chosen = std::get_if<CompileOptions>(&options)) return compile(*chosen);
    if (const auto* const chosen = std::get_if<VerifyOptions>(&options)) return verify(*chosen);
    if (const auto* const chosen = std::get_if<SnapshotOptions>(&options)) return snapshot(*chosen);
    if (const auto* const chosen = std::get_if<CacheOptions>(&options)) return cache(*chosen);
    return std::get<Finished>(options).exit_code;
}

}  // namespace
}  // namespace wrun::cli

int main(int argc, char** argv) {
    using namespace wrun::cli;
    try {
        set_level_from_environment();
        return dispatch(parse_options(argc, argv));
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "wrun: %s\n", error.what()));
        return exit_code::failure;
    }
}
