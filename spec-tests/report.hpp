// Counts of a run: by script, set and kind of command, and the closing lines. What did not run has
// failed; modules and actions that went well are no result, only assertions are.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "spec-tests/isolate.hpp"
#include "spec-tests/script.hpp"
#include "spec-tests/sets.hpp"

namespace wrun::spec {

struct Tally {
    u64 passed = 0;
    u64 failed = 0;
    u64 skipped = 0;
    Tally& operator+=(const Tally& other) noexcept;
    bool operator==(const Tally&) const = default;
};

/// "1 passed, 2 failed, 3 skipped"
[[nodiscard]] std::string describe(const Tally& tally);

/// What became of the commands of one or more scripts.
struct Counts {
    std::array<Tally, command_kind_count> kinds{};
    u64 outside =
        0;  // failures that belong to no command: of reading the script, of ending the process

    void add(CommandKind kind, Status status) noexcept;
    Counts& operator+=(const Counts& other) noexcept;
    /// Assertions, all that failed and all that was skipped: steps that went well are no result.
    [[nodiscard]] Tally total() const noexcept;
};

struct ScriptReport {
    ScriptFile file;
    Counts counts;
};

/// `set,file,kind,passed,failed,skipped`, a row for each kind that occurs.
[[nodiscard]] std::string csv(const std::vector<ScriptReport>& reports);

/// A line for each set, then what was skipped, then the line of totals.
[[nodiscard]] std::string summary(const std::vector<ScriptReport>& reports);

}  // namespace wrun::spec
