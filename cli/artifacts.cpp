// See artifacts.hpp.
#include "cli/artifacts.hpp"

#include "base/errors.hpp"
#include "base/os_folder.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/progress.hpp"
#include "cli/report.hpp"
#include "engine/artifact.hpp"

namespace wrun::cli {
namespace {

/// `prog.wasm` → `prog.wrun`
std::string default_output(const std::string& module) {
    const std::string_view ending = ".wasm";
    const bool ends = std::string_view{module}.ends_with(ending);
    return (ends ? module.substr(0, module.size() - ending.size()) : module) + ".wrun";
}

void tell_taint(const std::string& path, os::File file) {
    const auto outline = engine::outline_artifact(std::move(file));
    if (!outline.ok() || !outline.value().snapshot) return;
    const wasi::AccessSet kinds = learned_kinds(*outline.value().snapshot);
    if (!kinds.empty())
        say(Level::warn,
            printable(path, 500) + ": tainted: its init could learn " + list_kinds(kinds, ", "));
}

}  // namespace

std::string describe_artifact_failure(const std::string& path, Error error) {
    const std::string_view section = engine::damaged_section(error);
    return describe_failure(path, error) +
           (section.empty() ? ""
                            : " (the damage is in its section '" + std::string{section} + "')");
}

wasi::AccessSet learned_kinds(const engine::SnapshotFacts& facts) noexcept {
    return wasi::AccessSet::from_bits(facts.learned);
}

Result<void> write_artifact(const std::string& path, const engine::ArtifactBytes& artifact) {
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

int compile(const CompileOptions& options) {
    std::string why;
    std::optional<std::vector<u8>> bytes = load(options.module, why);
    if (!bytes) return fail(why);
    const Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make({});
    if (!engine.ok()) return fail("cannot start: " + describe(engine.error()));
    const auto module =
        compile_visibly(*engine.value(), options.module, std::move(*bytes), options.compile);
    if (!module.ok()) return fail(describe_artifact_failure(options.module, module.error()));
    const engine::ArtifactBytes artifact{*module.value()};
    const std::string output = options.output.value_or(default_output(options.module));
    const Result<void> written = write_artifact(output, artifact);
    if (!written.ok()) return fail(describe_artifact_failure(output, written.error()));
    say(Level::info, printable(output, 500) + ": " + describe_bytes(artifact.header().file_bytes));
    return exit_code::success;
}

int verify(const VerifyOptions& options) {
    int code = exit_code::success;
    for (const std::string& path : options.artifacts) {
        Result<os::File> file = os::File::open_for_reading(path);
        const Result<void> checked =
            file.ok() ? engine::verify_artifact(file.value().copy()) : Result<void>{file.error()};
        if (checked.ok()) {
            say(Level::info, printable(path, 500) + ": whole");
            tell_taint(path, std::move(file).take());
            continue;
        }
        say(Level::error, describe_artifact_failure(path, checked.error()));
        code = exit_code::failure;
    }
    return code;
}

bool holds_artifact(const os::File& file) noexcept {
    std::array<u8, engine::artifact_magic.size()> begin{};
    return os::read_at(file.number(), 0, begin).ok() && engine::is_artifact(begin);
}

}  // namespace wrun::cli
