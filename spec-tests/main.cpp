// wrun-spec: runs official test scripts against the engine. See options.cpp for its command line.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.hpp"
#include "spec-tests/isolate.hpp"
#include "spec-tests/known_failures.hpp"
#include "spec-tests/options.hpp"
#include "spec-tests/report.hpp"
#include "spec-tests/runner.hpp"
#include "spec-tests/script.hpp"
#include "tests/support/wat.hpp"

namespace wrun::spec {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

void print_line(const std::string& place, std::string_view kind, const std::string& message) {
    std::printf("%s: %.*s: %s\n", place.c_str(), static_cast<int>(kind.size()), kind.data(),
        message.c_str());
}

/// One script, from its text to its counts. Prints a line for each failure.
class ScriptJob {
public:
    ScriptJob(const ScriptFile& file, const KnownFailures& known, const Options& options)
        : file_{file}, known_{known}, options_{options} {}

    Counts run() {
        if (!read()) return counts_;
        if (options_.list) {
            for (const Command& command : commands_)
                counts_.add(command.kind, Status::skipped);
            return counts_;
        }
        const IsolatedWork work{[this] { return begin(); },
            [this](std::size_t i) { return step(commands_[i]); }, [this] { end(); }};
        const IsolatedRun run = run_isolated(commands_.size(), options_.timeout_seconds, work);
        if (!run.problem.empty()) report_problem(run);
        for (std::size_t i = 0; i < commands_.size(); ++i)
            counts_.add(commands_[i].kind, run.statuses[i]);
        check_known(run);
        return counts_;
    }

    /// Failures that known_failures.txt does not list, and entries there that are wrong.
    [[nodiscard]] u64 unexpected() const noexcept { return unexpected_; }

private:
    [[nodiscard]] std::string place(const Command& command) const {
        return file_.label + ':' + std::to_string(command.at.line);
    }
    [[nodiscard]] const std::string* known(const Command& command) const {
        const auto found = known_.find(command.at.line);
        return found == known_.end() ? nullptr : &found->second;
    }

    void fail_outside(const std::string& at, const std::string& message) {
        print_line(at, "script", message);
        ++counts_.outside;
        ++unexpected_;
    }

    bool read() {
        std::optional<std::string> text = read_file(file_.path);
        if (!text) {
            fail_outside(file_.label, "cannot be read: " + file_.path);
            return false;
        }
        ScriptError error;
        std::optional<std::vector<Command>> commands = parse_script(std::move(*text), error);
        if (!commands) {
            fail_outside(file_.label + ':' + std::to_string(error.at.line) + ':' +
                             std::to_string(error.at.column),
                error.message);
            return false;
        }
        commands_ = std::move(*commands);
        return true;
    }

    // In the child process.

    bool begin() {
        Result<std::unique_ptr<engine::Engine>> engine =
            engine::Engine::make({.integer_homes_max = options_.homes_max,
                .float_homes_max = options_.homes_max,
                .stress = options_.stress,
                .bounds = options_.bounds,
                .compilation = options_.compilation});
        if (!engine.ok()) return refuse("no engine", engine.error());
        engine_ = std::move(engine).take();
        Result<std::unique_ptr<Runner>> runner = Runner::make(*engine_);
        if (!runner.ok()) return refuse("no store", runner.error());
        runner_ = std::move(runner).take();
        return true;
    }

    bool refuse(const char* what, Error error) {
        print_line(file_.label, "script", std::string{what} + ": " + describe(error));
        return false;
    }

    Status step(const Command& command) {
        const Verdict verdict = runner_->run(command);
        const std::string* why = known(command);
        if (verdict.kind == Verdict::Kind::failed) {
            if (why == nullptr) {
                print_line(place(command), name(command.kind), verdict.message);
            } else if (options_.verbose) {
                print_line(place(command), "known failure", "issue " + *why);
            }
            return Status::failed;
        }
        if (options_.verbose && !verdict.message.empty())
            print_line(place(command), name(command.kind), "note: " + verdict.message);
        return verdict.kind == Verdict::Kind::passed ? Status::passed : Status::skipped;
    }

    void end() {
        runner_.reset();
        engine_.reset();
    }

    // In the parent.

    void report_problem(const IsolatedRun& run) {
        if (run.last >= commands_.size()) {
            fail_outside(file_.label, run.problem);
            return;
        }
        const Command& command = commands_[run.last];
        print_line(place(command), name(command.kind),
            run.problem + "; " + std::to_string(commands_.size() - run.last - 1) +
                " commands behind it did not run");
    }

    void check_known(const IsolatedRun& run) {
        std::map<u32, bool> passes;  // of listed lines: all that stands there passes
        for (std::size_t i = 0; i < commands_.size(); ++i) {
            const bool failed =
                run.statuses[i] == Status::failed || run.statuses[i] == Status::not_run;
            if (known(commands_[i]) != nullptr) {
                const auto entry = passes.emplace(commands_[i].at.line, true).first;
                entry->second = entry->second && !failed;
            } else if (failed) {
                ++unexpected_;
            }
        }
        for (const auto& [line, why] : known_) {
            const auto entry = passes.find(line);
            if (entry != passes.end() && !entry->second) continue;
            fail_outside(file_.label + ':' + std::to_string(line),
                entry == passes.end()
                    ? "listed as a known failure, but no command stands here"
                    : "passes now; take it out of the known failures (issue " + why + ")");
        }
    }

    const ScriptFile& file_;
    const KnownFailures& known_;
    const Options& options_;
    std::vector<Command> commands_;
    Counts counts_;
    u64 unexpected_ = 0;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<Runner> runner_;
};

int usage_error(const std::string& message) {
    std::fprintf(stderr, "wrun-spec: %s\n%.*s", message.c_str(), static_cast<int>(usage.size()),
        usage.data());
    return exit_usage;
}

int fail(const std::string& message) {
    std::fprintf(stderr, "wrun-spec: %s\n", message.c_str());
    return exit_failed;
}

void print_list(const ScriptReport& report) {
    std::string text = report.file.label + ':';
    for (std::size_t i = 0; i < command_kind_count; ++i)
        if (report.counts.kinds[i].skipped > 0)
            text += ' ' + std::string{name(static_cast<CommandKind>(i))} + ' ' +
                    std::to_string(report.counts.kinds[i].skipped);
    std::printf("%s\n", text.c_str());
}

int run_scripts(const Options& options, const std::vector<ScriptFile>& scripts,
    const std::map<std::string, KnownFailures>& known) {
    const KnownFailures none;
    std::vector<ScriptReport> reports;
    u64 unexpected = 0;
    for (const ScriptFile& script : scripts) {
        const auto listed = known.find(script.label);
        ScriptJob job{
            script, listed == known.end() || options.list ? none : listed->second, options};
        reports.push_back({script, job.run()});
        unexpected += job.unexpected();
        if (options.list) {
            print_list(reports.back());
        } else {
            const std::string counts = describe(reports.back().counts.total());
            std::printf("%s: %s\n", script.label.c_str(), counts.c_str());
        }
    }
    if (!options.csv.empty()) {
        std::ofstream file{options.csv, std::ios::binary};
        file << csv(reports);
        if (!file.flush()) return fail("cannot write " + options.csv);
    }
    std::fputs(summary(reports).c_str(), stdout);
    return unexpected > 0 ? exit_failed : 0;
}

int run(const std::vector<std::string>& words) {
    std::string error;
    const std::optional<Options> options = parse_options(words, error);
    if (!options) return usage_error(error);
    if (options->help) {
        std::fputs(usage.data(), stdout);
        return 0;
    }
    const std::optional<std::vector<ScriptFile>> scripts =
        select_scripts(*options, data_folders(), error);
    if (!scripts) return usage_error(error);

    const std::string list =
        options->known.empty() ? WRUN_SPEC_SOURCE_DIR "/known_failures.txt" : options->known;
    const std::optional<std::string> text = read_file(list);
    if (!text) return fail("cannot read " + list);
    const auto known = parse_known_failures(*text, error);
    if (!known) return fail(error);
    // Opened before any script's process is made, so that they all share it.
    if (!options->list && !wat::available()) return fail(wat::unavailable_reason());
    return run_scripts(*options, *scripts, *known);
}

}  // namespace
}  // namespace wrun::spec

int main(int argc, char** argv) {
    // A process that dies must not take lines with it.
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
    return wrun::spec::run(std::vector<std::string>(argv + 1, argv + argc));
}
