// See artifacts.hpp.
#include "cli/artifacts.hpp"

#include <cstring>

#include "base/errors.hpp"
#include "base/os_folder.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/progress.hpp"
#include "cli/report.hpp"
#include "engine/artifact.hpp"

namespace wrun::cli {
namespace {

std::string failure(const std::string& path, Error error) {
    if (error.code == ErrorCode::io)
        return printable(path, 500) + ": " + std::strerror(error.detail);
    return describe_failure(path, error);
}

/// `prog.wasm` → `prog.wrun`
std::string default_output(const std::string& module) {
    const std::string_view ending = ".wasm";
    const bool ends = std::string_view{module}.ends_with(ending);
    return (ends ? module.substr(0, module.size() - ending.size()) : module) + ".wrun";
}

/// All of it or nothing: whoever runs the former file keeps it.
Result<void> replace(const std::string& path, const engine::ArtifactBytes& artifact) {
    const std::size_t slash = path.rfind('/');
    const std::string folder_path = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const os::Folder folder = WRUN_TRY(os::Folder::open(folder_path));
    const std::string temporary = "." + name + "." + std::to_string(os::process_number()) + ".tmp";
    const os::File file = WRUN_TRY(folder.create(temporary, 0666));
    Result<void> done = artifact.write_to(file.number());
    if (done.ok()) done = folder.rename(temporary, name);
    if (!done.ok()) static_cast<void>(folder.remove(temporary));
    return done;
}

}  // namespace

int compile(const CompileOptions& options) {
    std::string why;
    std::optional<std::vector<u8>> bytes = load(options.module, why);
    if (!bytes) return fail(why);
    const Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make({});
    if (!engine.ok()) return fail("cannot start: " + describe(engine.error()));
    const auto module =
        compile_visibly(*engine.value(), options.module, std::move(*bytes), options.compile);
    if (!module.ok()) return fail(failure(options.module, module.error()));
    const engine::ArtifactBytes artifact{*module.value()};
    const std::string output = options.output.value_or(default_output(options.module));
    const Result<void> written = replace(output, artifact);
    if (!written.ok()) return fail(failure(output, written.error()));
    say(Level::info, printable(output, 500) + ": " + describe_bytes(artifact.header().file_bytes));
    return exit_code::success;
}

int verify(const VerifyOptions& options) {
    int code = exit_code::success;
    for (const std::string& path : options.artifacts) {
        Result<os::File> file = os::File::open_for_reading(path);
        const Result<void> checked = file.ok() ? engine::verify_artifact(std::move(file).take())
                                               : Result<void>{file.error()};
        if (checked.ok()) {
            say(Level::info, printable(path, 500) + ": whole");
            continue;
        }
        say(Level::error, failure(path, checked.error()));
        code = exit_code::failure;
    }
    return code;
}

bool holds_artifact(const os::File& file) noexcept {
    std::array<u8, engine::artifact_magic.size()> begin{};
    return os::read_at(file.number(), 0, begin).ok() && engine::is_artifact(begin);
}

}  // namespace wrun::cli
