// See snapshot.hpp.
#include "cli/snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/errors.hpp"
#include "cli/artifacts.hpp"
#include "cli/drain.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/program.hpp"
#include "cli/progress.hpp"
#include "cli/report.hpp"
#include "engine/artifact.hpp"
#include "engine/template.hpp"
#include "wasi/preview1.hpp"

namespace wrun::cli {
namespace {

using engine::Template;
using wasi::Access;

/// Names that other tools for this have made known, in the order in which they are looked for.
constexpr std::array<std::string_view, 3> init_names = {
    "wizer.initialize", "wizer-initialize", "_initialize"};
/// What a module without `_start` exports to be called before anything else of it.
constexpr std::string_view reactor_init = "_initialize";

class Snapshotting {
public:
    Snapshotting(const SnapshotOptions& options, std::array<int, 3> streams) noexcept
        : options_{options}, streams_{streams} {}
    [[nodiscard]] int operator()();

private:
    /// One run of the init functions.
    struct Frozen {
        std::shared_ptr<const Template> made;
        u64 monotonic_ns = 0;  // when it ended, as its guest would have seen it
    };

    [[nodiscard]] std::string file() const { return printable(options_.run.module, 500); }
    int fail(const std::string& text) {
        exit_code_ = cli::fail(file() + ": " + text);
        return exit_code_;
    }
    [[nodiscard]] const Export* find_function(std::string_view name) const;
    [[nodiscard]] bool choose_init();
    [[nodiscard]] bool check_imports(const engine::Linker& linker);
    /// With its output shown, or discarded.
    [[nodiscard]] std::optional<Frozen> freeze(const engine::Linker& linker, bool is_shown);
    [[nodiscard]] bool has_returned(const engine::Outcome& outcome, const wasi::State& state);
    [[nodiscard]] int write(const Frozen& frozen);

    const SnapshotOptions& options_;
    std::array<int, 3> streams_;
    std::shared_ptr<const engine::Module> module_;
    std::vector<std::string> init_;
    int exit_code_ = exit_code::failure;
};

const Export* Snapshotting::find_function(std::string_view name) const {
    const Module& decoded = module_->decoded();
    const auto found = std::find_if(decoded.exports.begin(), decoded.exports.end(),
        [&](const Export& item) { return decoded.text(item.field) == name; });
    const bool is_function = found != decoded.exports.end() && found->kind == ExternKind::func;
    return is_function ? found : nullptr;
}

bool Snapshotting::choose_init() {
    const Export* chosen = nullptr;
    if (options_.init) {
        chosen = find_function(*options_.init);
        if (chosen == nullptr) {
            fail("it exports no function '" + printable(*options_.init) + "'");
            return false;
        }
    }
    for (const std::string_view name : init_names)
        if (chosen == nullptr) chosen = find_function(name);
    if (chosen == nullptr) {
        fail(
            "it exports none of wizer.initialize, wizer-initialize and _initialize: say which "
            "function initialises it with --init NAME");
        return false;
    }
    const Module& decoded = module_->decoded();
    const std::string name{decoded.text(chosen->field)};
    // What a reactor wants to be called first, whatever else initialises it.
    if (name != reactor_init && find_function(reactor_init) != nullptr)
        init_.emplace_back(reactor_init);
    init_.push_back(name);
    for (const std::string& each : init_) {
        Import same;
        same.kind = ExternKind::func;
        same.index = find_function(each)->index;
        const TypeIndex type = decoded.functions[same.index];
        if (decoded.params(type).empty() && decoded.results(type).empty()) continue;
        fail("its export '" + printable(each) + "' is " + describe_import(decoded, same) +
             ", and only a function without parameters and results can initialise it");
        return false;
    }
    return true;
}

bool Snapshotting::check_imports(const engine::Linker& linker) {
    const auto missing = linker.missing(module_->decoded());
    if (missing.empty()) return true;
    fail(describe_missing(module_->decoded(), missing));
    return false;
}

bool Snapshotting::has_returned(const engine::Outcome& outcome, const wasi::State& state) {
    if (const auto* const exit = std::get_if<engine::Exit>(&outcome)) {
        fail("its init called proc_exit(" + std::to_string(exit->status) +
             "), so there is nothing to begin from: it must return");
        return false;
    }
    const auto* const trap = std::get_if<engine::Trap>(&outcome);
    if (trap == nullptr) return true;
    const bool is_late = trap->code == runtime::TrapCode::deadline;
    std::string text = (is_late ? "its init was stopped by --timeout: " : "its init trapped: ") +
                       describe_trap(*trap);
    if (const auto kind = state.refused()) {
        const std::string word{wasi::name(*kind)};
        text += "\nIf every instance may begin with the same answer, say --init-allow=" + word +
                "; the snapshot is then tainted, and whoever runs it has to allow that";
    }
    fail(text);
    exit_code_ = is_late ? exit_code::timeout : exit_code::trap;
    return false;
}

std::optional<Snapshotting::Frozen> Snapshotting::freeze(
    const engine::Linker& linker, bool is_shown) {
    auto output = Drain::open(is_shown ? streams_[STDOUT_FILENO] : -1);
    auto errors = Drain::open(is_shown ? streams_[STDERR_FILENO] : -1);
    const os::File input{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!output || !errors || !input) {
        fail("cannot open streams for its init");
        return std::nullopt;
    }
    wasi::AccessSet allowed = options_.learns;
    allowed.add(Access::none);
    wasi::State::Made granted =
        make_state(options_.run, {input.number(), output->number(), errors->number()}, allowed);
    if (!granted.state) {
        exit_code_ = cli::fail(granted.error);
        return std::nullopt;
    }
    engine::TemplateOptions how;
    how.store = store_options(options_.run, *granted.state);
    how.init = init_;
    if (options_.run.timeout_ns) how.start = engine::CallLimits::within(*options_.run.timeout_ns);
    auto made = Template::make(module_, linker, how);
    const u64 monotonic_ns = granted.state->monotonic_ns();
    std::string why;
    const std::optional<u32> changed = granted.state->find_changed_descriptor(why);
    const u64 written = output->close();
    errors->close();
    if (!made.ok()) {
        const std::string reason = error_class(made.error().code) == ErrorClass::unlinkable
                                       ? linker.explain(module_->decoded(), made.error())
                                       : std::string{};
        fail(reason.empty() ? describe(made.error()) : reason);
        return std::nullopt;
    }
    if (!has_returned(made.value().outcome, *granted.state)) return std::nullopt;
    // Instances will have what is granted to them then, as it is granted.
    if (changed || !why.empty()) {
        fail(changed ? "its init left descriptor " + std::to_string(*changed) +
                           " otherwise than it was granted (opened, closed or changed), and a "
                           "snapshot holds no files: init must close what it opens, and no more"
                     : why);
        return std::nullopt;
    }
    if (is_shown && written != 0)
        say(Level::warn, file() + ": its init wrote " + describe_bytes(written) +
                             " to standard output; no instance will write that again");
    return Frozen{std::move(made).take().made, monotonic_ns};
}

int Snapshotting::write(const Frozen& frozen) {
    // Whoever could not read the clock has seen no time that must not come again.
    const bool knows_time = options_.learns.has(Access::clock);
    const auto taken = engine::Snapshot::take(
        *frozen.made, options_.learns.bits(), knows_time ? frozen.monotonic_ns : 0);
    if (!taken.ok()) return fail(describe(taken.error()));
    const engine::ArtifactBytes artifact{*module_, taken.value().view()};
    const Result<void> written = write_artifact(options_.output, artifact);
    if (!written.ok())
        return cli::fail(describe_artifact_failure(options_.output, written.error()));
    const std::string output = printable(options_.output, 500);
    if (!options_.learns.empty())
        say(Level::warn, output + " is tainted: its init could learn " +
                             list_kinds(options_.learns, ", ") +
                             ", and what it did learn is the same in every instance");
    say(Level::info, output + ": begins after " + printable(init_.back()) + ", with " +
                         describe_bytes(taken.value().pages.size()) + " of memory");
    return exit_code::success;
}

int Snapshotting::operator()() {
    std::string why;
    std::optional<std::vector<u8>> bytes = load(options_.run.module, why);
    if (!bytes) return cli::fail(why);
    const Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make({});
    if (!engine.ok()) return cli::fail("cannot start: " + describe(engine.error()));
    engine::Linker linker;
    if (const Result<void> defined = wasi::define_preview1(linker); !defined.ok())
        return fail(describe(defined.error()));
    auto module = compile_visibly(
        *engine.value(), options_.run.module, std::move(*bytes), options_.run.compile);
    if (!module.ok()) return cli::fail(describe_failure(options_.run.module, module.error()));
    module_ = std::move(module).take();
    if (wasi::imports_unstable(module_->decoded())) {
        if (const Result<void> defined = wasi::define_unstable(linker); !defined.ok())
            return fail(describe(defined.error()));
    }
    if (!choose_init() || !check_imports(linker)) return exit_code_;

    const std::optional<Frozen> first = freeze(linker, true);
    if (!first) return exit_code_;
    // Only what differs from run to run by right need not be the same twice.
    if (!options_.learns.has(Access::clock) && !options_.learns.has(Access::random)) {
        const std::optional<Frozen> second = freeze(linker, false);
        if (!second) return exit_code_;
        const std::string difference = first->made->difference(*second->made);
        if (!difference.empty())
            return fail("its init leaves something else each time: a second run differs in " +
                        difference +
                        ". Instances may only begin with what follows from the module and what "
                        "init is given: find what it read there, and let it be the same twice");
    }
    return write(*first);
}

}  // namespace

int snapshot(const SnapshotOptions& options) {
    const std::array<int, 3> streams = claim_standard_streams();
    // Our own output may be a pipe that nobody reads.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) say(Level::warn, "cannot ignore SIGPIPE");
    return Snapshotting{options, streams}();
}

}  // namespace wrun::cli
