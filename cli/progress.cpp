// See progress.hpp.
#include "cli/progress.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "cli/message.hpp"

namespace wrun::cli {
namespace {

using std::chrono::milliseconds;

/// Nobody waits a second for less, and a thread costs as much as compiling some kilobytes.
constexpr u64 module_bytes_min = 1 << 20;
constexpr milliseconds usual_delay{1000};
constexpr milliseconds step{100};
constexpr const char* over_the_line = "\r\x1b[K";

/// Nothing: never.
std::optional<milliseconds> wanted_delay() {
    const char* const word = std::getenv("WRUN_PROGRESS");
    if (word == nullptr || *word == 0) return usual_delay;
    const std::string_view text{word};
    if (text == "never") return std::nullopt;
    u32 delay = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), delay);
    if (error == std::errc{} && end == text.data() + text.size()) return milliseconds{delay};
    say(Level::warn,
        "WRUN_PROGRESS is '" + printable(text) + "'; it may be a number of milliseconds, or never");
    return usual_delay;
}

bool is_terminal() {
    const char* const kind = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::string_view{kind} != "dumb";
}

void write_to_terminal(const std::string& text) {
    // Where it cannot be shown it is not missed.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Result<std::shared_ptr<const engine::Module>> compile_visibly(engine::Engine& engine,
    const std::string& path, std::vector<u8> bytes, engine::ModuleOptions options) {
    Progress progress{printable(path, 60), bytes.size()};
    options.progress = progress.counters();
    return engine::Module::compile(engine, std::move(bytes), options);
}

Progress::Progress(std::string file, u64 module_bytes) : file_{std::move(file)} {
    if (module_bytes < module_bytes_min || !says(Level::warn) || !is_terminal()) return;
    const auto delay = wanted_delay();
    if (!delay) return;
    delay_ = *delay;
    // Without a delay there is a line, however soon all is compiled.
    if (delay_ == milliseconds{0}) show_line();
    shower_ = std::thread{[this] { show(); }};
}

Progress::~Progress() {
    if (!shower_.joinable()) return;
    {
        const std::lock_guard guard{lock_};
        is_done_ = true;
    }
    done_comes_.notify_one();
    shower_.join();
}

void Progress::show() {
    std::unique_lock guard{lock_};
    for (milliseconds wait = delay_;
         !done_comes_.wait_for(guard, wait, [this] { return is_done_; }); wait = step) {
        show_line();
    }
    if (is_shown_) write_to_terminal(over_the_line);
}

void Progress::show_line() {
    const u64 total = std::max<u64>(counters_.total_bytes, 1);
    const u64 percent = std::min<u64>(counters_.bytes * 100 / total, 100);
    write_to_terminal(
        over_the_line + ("wrun: compiling " + file_) + " … " + std::to_string(percent) + " %");
    is_shown_ = true;
}

}  // namespace wrun::cli
