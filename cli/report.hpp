// What is said about a module that does not link, about a guest that trapped,
// and where the time went.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/engine.hpp"

namespace wrun::cli {

/// The trap's message and its backtrace, one line for each frame.
[[nodiscard]] std::string describe_trap(const engine::Trap& trap);

/// Every missing import with its type, one a line.
[[nodiscard]] std::string describe_missing(
    const Module& module, const std::vector<const Import*>& missing);
/// Its type in the words of the text format.
[[nodiscard]] std::string describe_import(const Module& module, const Import& import);

/// "1.2 MB", "340 B".
[[nodiscard]] std::string describe_bytes(u64 bytes);

/// Wall time of the phases that are not the engine's own to measure.
struct Phases {
    u64 start_ns = 0;
    u64 read_ns = 0;
    u64 prepare_ns = 0;  // engine, linker and what is granted
    u64 keep_ns = 0;     // in the cache
    u64 instantiate_ns = 0;
    u64 run_ns = 0;
};
[[nodiscard]] std::string describe_stats(const engine::CompileStats& stats, const Phases& phases);

/// Nanoseconds since it was made or last asked.
class Stopwatch {
public:
    [[nodiscard]] u64 lap() noexcept {
        const auto now = std::chrono::steady_clock::now();
        const auto passed = now - std::exchange(last_, now);
        return static_cast<u64>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
    }

private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace wrun::cli
