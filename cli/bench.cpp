// See bench.hpp. The program sees the same standard input in every repetition: a file is rewound,
// anything else is read to its end once and kept in memory.
#include "cli/bench.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/errors.hpp"
#include "base/os_file.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/program.hpp"
#include "cli/report.hpp"
#include "cli/samples.hpp"
#include "cli/values.hpp"
#include "wasi/preview1.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::cli {
namespace {

using engine::Store;
using wasi::uninterrupted;

u64 process_cpu_ns() noexcept {
    timespec now{};
    static_cast<void>(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

/// Wall and CPU time since it was made or last asked.
class TwoClocks {
public:
    void lap(Samples& samples) {
        samples.wall_ns.push_back(wall_.lap());
        const u64 now = process_cpu_ns();
        samples.cpu_ns.push_back(now - cpu_ns_);
        cpu_ns_ = now;
    }

private:
    Stopwatch wall_;
    u64 cpu_ns_ = process_cpu_ns();
};

// ---- streams -----------------------------------------------------------------------------------

/// What is behind the program's standard streams, made ready anew for each repetition.
class Streams {
public:
    /// False, with the reason, when one cannot be had.
    [[nodiscard]] bool open(const BenchOptions& options, std::string& why);
    [[nodiscard]] bool rewind(std::string& why) const;
    [[nodiscard]] std::array<int, 3> numbers() const noexcept {
        return {input_.number(), output_ ? output_.number() : nowhere_.number(), nowhere_.number()};
    }

private:
    [[nodiscard]] bool open_input(bool is_module, std::string& why);
    [[nodiscard]] bool keep_input() const;

    os::File input_;
    os::File output_;  // absent when the output is discarded
    os::File nowhere_;
};

os::File open_file(const char* path, int flags) {
    return os::File{uninterrupted([&] { return ::open(path, flags | O_CLOEXEC, 0666); })};
}

/// Copies standard input to where it can be read again.
bool Streams::keep_input() const {
    std::array<char, 65536> piece;
    for (;;) {
        const ssize_t got =
            uninterrupted([&] { return ::read(STDIN_FILENO, piece.data(), piece.size()); });
        if (got <= 0) return got == 0;
        for (ssize_t put = 0; put < got;) {
            const ssize_t written = uninterrupted([&] {
                return ::write(
                    input_.number(), piece.data() + put, static_cast<std::size_t>(got - put));
            });
            if (written < 0) return false;
            put += written;
        }
    }
}

bool Streams::open_input(bool is_module, std::string& why) {
    struct stat status {};
    // Nobody wants to type the same lines in every repetition.
    if (is_module || ::fstat(STDIN_FILENO, &status) != 0 || ::isatty(STDIN_FILENO) != 0) {
        input_ = open_file("/dev/null", O_RDONLY);
    } else if (S_ISREG(status.st_mode)) {
        input_ = os::File{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)};
    } else {
        input_ = os::File{::memfd_create("standard input", MFD_CLOEXEC)};
        if (input_ && keep_input()) return true;
        why = std::string{"cannot keep standard input: "} + std::strerror(errno);
        return false;
    }
    if (input_) return true;
    why = std::string{"cannot open standard input: "} + std::strerror(errno);
    return false;
}

bool Streams::open(const BenchOptions& options, std::string& why) {
    nowhere_ = open_file("/dev/null", O_WRONLY);
    if (!nowhere_) {
        why = std::string{"/dev/null: "} + std::strerror(errno);
        return false;
    }
    if (options.output) {
        output_ = open_file(options.output->c_str(), O_WRONLY | O_CREAT | O_TRUNC);
        if (!output_) {
            why = printable(*options.output, 500) + ": " + std::strerror(errno);
            return false;
        }
    }
    return open_input(options.run.module == "-", why);
}

bool Streams::rewind(std::string& why) const {
    struct stat status {};
    // What is no file, such as a null device, has no position.
    const auto to_begin = [&](const os::File& file) {
        return ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode) ||
               ::lseek(file.number(), 0, SEEK_SET) == 0;
    };
    if (!to_begin(input_)) {
        why = std::string{"cannot rewind standard input: "} + std::strerror(errno);
        return false;
    }
    if (!output_ ||
        (to_begin(output_) && (!S_ISREG(status.st_mode) || ::ftruncate(output_.number(), 0) == 0)))
        return true;
    why = std::string{"cannot empty the output: "} + std::strerror(errno);
    return false;
}

// ---- repetitions -------------------------------------------------------------------------------

class Bench {
public:
    Bench(const BenchOptions& options, engine::Engine& engine, const engine::Linker& linker,
        const Streams& streams) noexcept
        : options_{options}, engine_{engine}, linker_{linker}, streams_{streams} {}

    /// An exit code when it cannot go on.
    [[nodiscard]] std::optional<int> repeat_once(const std::vector<u8>& bytes);
    [[nodiscard]] const Measured& measured() const noexcept { return measured_; }

private:
    [[nodiscard]] Result<void> validate(const std::vector<u8>& bytes);
    [[nodiscard]] Result<void> load(const std::vector<u8>& bytes);
    [[nodiscard]] std::optional<int> run();
    [[nodiscard]] bool has_something_to_run() const;

    const BenchOptions& options_;
    engine::Engine& engine_;
    const engine::Linker& linker_;
    const Streams& streams_;
    std::shared_ptr<const engine::Module> module_;
    Measured measured_;
};

Result<void> Bench::validate(const std::vector<u8>& bytes) {
    engine::CompileStats stats;
    const u64 begin_ns = process_cpu_ns();
    WRUN_TRY(engine::Module::validate(engine_, bytes, &stats));
    measured_.validate.cpu_ns.push_back(process_cpu_ns() - begin_ns);
    measured_.validate.wall_ns.push_back(stats.validate_ns);
    return {};
}

Result<void> Bench::load(const std::vector<u8>& bytes) {
    std::vector<u8> copy = bytes;
    TwoClocks clocks;
    engine::ModuleOptions how = options_.run.compile;
    how.compilation = options_.run.compilation.value_or(engine::Compilation::eager);
    module_ = WRUN_TRY(engine::Module::compile(engine_, std::move(copy), how));
    clocks.lap(measured_.load);
    const engine::CompileStats& stats = measured_.stats = module_->stats();
    measured_.decode.wall_ns.push_back(stats.decode_ns);
    measured_.compile.wall_ns.push_back(stats.compile_ns);
    measured_.link.wall_ns.push_back(stats.link_ns);
    measured_.publish.wall_ns.push_back(stats.publish_ns);
    return {};
}

bool Bench::has_something_to_run() const {
    if (options_.run.invoke) return true;
    const Module& module = module_->decoded();
    for (const Export& item : module.exports) {
        const std::string_view name = module.text(item.field);
        if (item.kind == ExternKind::func && (name == "_start" || name == "_initialize"))
            return true;
    }
    return false;
}

std::optional<int> Bench::run() {
    if (!has_something_to_run())
        return fail(printable(options_.run.module, 500) +
                    ": it exports no _start; name a function with --invoke NAME, or measure "
                    "without running it with --compile-only");
    std::string why;
    if (!streams_.rewind(why)) return fail(why);
    const wasi::State::Made granted = make_state(options_.run, streams_.numbers());
    if (!granted.state) return fail(granted.error);
    TwoClocks clocks;
    const Result<std::unique_ptr<Store>> store =
        Store::make(engine_, store_options(options_.run, *granted.state));
    if (!store.ok()) return fail(describe_failure(options_.run.module, store.error()));
    Program program{options_.run, module_};
    std::optional<Ended> left = program.instantiate(*store.value(), linker_);
    clocks.lap(measured_.instantiate);
    if (!left) left = program.enter(*store.value());
    clocks.lap(measured_.run);
    if (left && !left->by_guest) return left->exit_code;
    measured_.guest_exit_code = left ? left->exit_code : 0;
    measured_.results.clear();
    for (const engine::Value& value : program.results())
        measured_.results.push_back(print_value(value));
    return std::nullopt;
}

std::optional<int> Bench::repeat_once(const std::vector<u8>& bytes) {
    Result<void> done = validate(bytes);
    if (done.ok()) done = load(bytes);
    if (!done.ok()) return fail(describe_failure(options_.run.module, done.error()));
    const std::optional<int> code = options_.compile_only ? std::nullopt : run();
    module_.reset();
    return code;
}

int print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
        return exit_code::success;
    return fail(std::string{"cannot write the report: "} + std::strerror(errno));
}

}  // namespace

int bench(const BenchOptions& options) {
    static_cast<void>(claim_standard_streams());
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) say(Level::warn, "cannot ignore SIGPIPE");
    std::string why;
    const std::optional<std::vector<u8>> bytes = load(options.run.module, why);
    if (!bytes) return fail(why);
    Streams streams;
    if (!options.compile_only && !streams.open(options, why)) return fail(why);

    engine::EngineOptions engine_options;
    engine_options.compile_threads = options.threads;
    const Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::make(engine_options);
    if (!engine.ok()) return fail("cannot start: " + describe(engine.error()));
    engine::Linker linker;
    Result<void> defined = wasi::define_preview1(linker);
    if (defined.ok()) defined = wasi::define_unstable(linker);
    if (!defined.ok()) return fail(describe_failure(options.run.module, defined.error()));

    Bench bench{options, *engine.value(), linker, streams};
    for (u32 repetition = 0; repetition < options.repeat; ++repetition)
        if (const auto code = bench.repeat_once(*bytes)) return *code;
    return print(options.json ? samples_as_json(options, bench.measured())
                              : describe_samples(options, bench.measured()));
}

}  // namespace wrun::cli
