// See validate.hpp.
#include "cli/validate.hpp"

#include "base/errors.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "engine/engine.hpp"

namespace wrun::cli {

int validate(const ValidateOptions& options) {
    const Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make({});
    if (!engine.ok()) {
        say(Level::error, "cannot start: " + describe(engine.error()));
        return exit_code::failure;
    }
    int code = exit_code::success;
    for (const std::string& path : options.modules) {
        std::string why;
        const std::optional<std::vector<u8>> bytes = load(path, why);
        if (bytes) {
            const Result<void> checked = engine::Module::validate(*engine.value(), *bytes);
            if (checked.ok()) {
                say(Level::info, printable(path, 500) + ": valid");
                continue;
            }
            why = describe_failure(path, checked.error());
        }
        say(Level::error, why);
        code = exit_code::failure;
    }
    return code;
}

}  // namespace wrun::cli
