// What was measured: for each phase one wall time and perhaps one CPU time per repetition, in
// order, and how that is written for people and for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "engine/engine.hpp"

namespace wrun::cli {

/// Of one phase, over all repetitions. CPU time is that of the whole process, all threads.
struct Samples {
    std::vector<u64> wall_ns;
    std::vector<u64> cpu_ns;  // empty for phases inside of others
};

struct Measured {
    Samples validate;  // bodies alone, by a walk of its own
    Samples decode, compile, link, publish;
    Samples load;  // from bytes to a module: the four above and what is between them
    Samples instantiate, run;
    engine::CompileStats stats;
    std::vector<std::string> results;  // of --invoke
    std::optional<int> guest_exit_code;
};

/// Of an even number the mean of the two in the middle; of none 0.
[[nodiscard]] u64 median(std::vector<u64> values);

[[nodiscard]] std::string describe_samples(const BenchOptions& options, const Measured& measured);
[[nodiscard]] std::string samples_as_json(const BenchOptions& options, const Measured& measured);

}  // namespace wrun::cli
