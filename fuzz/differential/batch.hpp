// Many modules through both engines, in child processes: whatever an engine does to its process, a
// crash or an endless loop, is the finding of one module and the others go on. A child takes module
// after module; when it dies, the next begins with the module behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fuzz/differential/transcript.hpp"

namespace wrun::differ {

struct Input {
    std::string name;
    std::vector<u8> wasm;
    std::string problem;  // why there are no bytes; empty when there are
};

/// Gives modules by number. Called in child processes: what must outlive a child lies outside it.
class Source {
public:
    virtual ~Source() = default;
    /// False when there is none of this number nor of a later one.
    [[nodiscard]] virtual bool get(u64 number, Input& input) = 0;
};

/// .wasm files, .wat files and folders of them, each path a module.
[[nodiscard]] std::unique_ptr<Source> make_file_source(const std::vector<std::string>& paths);
/// Paths from standard input, a line each, taken when they come.
[[nodiscard]] std::unique_ptr<Source> make_stdin_source();
/// `count` modules of pressure/module.hpp from number `first` on.
[[nodiscard]] std::unique_ptr<Source> make_pressure_source(u64 seed, u64 first, u64 count);

struct BatchOptions {
    std::vector<u32> homes = {16};
    codegen::StressModes stress;
    runtime::Bounds bounds = runtime::Bounds::guard;
    ObserveOptions observe;
    u32 timeout_seconds = 20;  // for one module in all engines
    bool keep_going = false;   // behind a difference
    bool say_each = false;     // one line for each module, not for differences alone
    bool trace = false;        // print every event of every engine
    std::string save_folder;   // where modules that differ are kept, if anywhere
};

struct BatchCounts {
    u64 modules = 0;
    u64 differences = 0;
    u64 skipped = 0;
};

[[nodiscard]] BatchCounts run_batch(Source& source, const BatchOptions& options);

}  // namespace wrun::differ
