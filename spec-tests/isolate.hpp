// Runs a script's commands in a process of its own, so that a crash or an endless loop costs one
// script and not the run, and each script starts with an address space of its own. What became of
// each command comes back through shared memory, so nothing is lost when the process dies.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace wrun::spec {

enum class Status : u8 { not_run, passed, failed, skipped };

struct IsolatedRun {
    std::vector<Status> statuses;  // one for each command
    std::size_t last = 0;          // the command that ran last, where `problem` is about one
    std::string problem;           // how the process ended, when it did not end well
};

/// What the child process runs: begins, then does command after command. Answers whether it could
/// begin.
struct IsolatedWork {
    std::function<bool()> begin;
    std::function<Status(std::size_t)> step;
    std::function<void()> end;
};

[[nodiscard]] IsolatedRun run_isolated(
    std::size_t count, u32 timeout_seconds, const IsolatedWork& work);

}  // namespace wrun::spec
