// The command line as data. What follows the module belongs to the guest, even where it looks like
// an option of ours; a file that is named like a command is reached by `wrun run ./validate`.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/engine.hpp"
#include "http/operations/access_log.hpp"
#include "http/server/options.hpp"
#include "wasi/state.hpp"

namespace wrun::cli {

struct RunOptions {
    std::string module;  // a path, or "-" for standard input
    std::vector<std::string> guest_arguments;
    std::vector<wasi::Preopen> directories;
    std::vector<std::string> variables;  // "NAME=value", each name once
    std::optional<std::string> argv0;
    std::optional<std::string> invoke;
    std::optional<u64> memory_bytes_max;
    std::optional<u64> table_elements_max;
    std::optional<u32> stack_bytes;
    std::optional<u64> timeout_ns;
    std::optional<u64> fuel;
    engine::ModuleOptions compile;
    std::optional<engine::Compilation> compilation;  // the command's own choice unless told
    bool stats = false;
    bool allow_precompiled = false;  // the module may be an artifact
    wasi::AccessSet allow_tainted;   // of what its init may have learned
    bool no_cache = false;
};

struct CompileOptions {
    std::string module;
    std::optional<std::string> output;  // beside the module unless told
    engine::ModuleOptions compile;
};

struct VerifyOptions {
    std::vector<std::string> artifacts;
};

struct SnapshotOptions {
    RunOptions run;  // the module and what its init is granted
    std::string output;
    std::optional<std::string> init;
    wasi::AccessSet learns;  // what init may learn of the world
};

struct CacheOptions {
    enum class Action : u8 { dir, stat, prune };
    Action action = Action::stat;
    std::optional<u64> bytes_max;  // to leave when pruning; nothing unless told
};

struct BenchOptions {
    RunOptions run;  // the module and what it is granted
    u32 repeat = 5;
    u32 threads = 0;                    // that compile; 0: as many as the process may use
    std::optional<std::string> output;  // where the program's standard output goes
    bool compile_only = false;
    bool json = false;
};

struct ServeOptions {
    RunOptions run;  // the module, if there is no manifest, and what handlers are granted
    std::optional<std::string> manifest;
    std::vector<std::string> manifest_variables;  // "name=value"
    http::ServerOptions server;                   // without endpoints where sockets are handed over
    std::optional<http::Endpoint> admin;
    std::optional<std::string> log_file;  // standard error unless told
    http::LogOptions log;
    std::string config;    // for http-wasm's get_config
    std::string upstream;  // the URL of its next; 404 without
    u64 guests_memory_bytes_max = u64{16} << 30;
    u64 drain_ns = u64{10'000'000'000};
    u32 route_in_flight_max = 0;  // 0: as many as the server
    u32 reuse = 1;
    bool has_address = false;  // told, by --addr or PORT
    bool watch = false;
    bool check_config = false;
};

struct ValidateOptions {
    std::vector<std::string> modules;
};

struct InspectOptions {
    std::string module;
    bool json = false;
};

struct ObjdumpOptions {
    enum class Cpu : u8 { host, v2, v3 };
    std::string module;
    std::vector<std::string> functions;  // names or indices; none: all
    Cpu cpu = Cpu::host;
    std::optional<u32> homes_max;
    engine::ModuleOptions compile;
    bool plain = false;
    bool bytes = false;
};

/// Nothing to do any more: help and version were asked for, or the usage was wrong. What there was
/// to say has been said.
struct Finished {
    int exit_code = 0;
};

using Options =
    std::variant<RunOptions, ServeOptions, BenchOptions, ValidateOptions, InspectOptions,
        ObjdumpOptions, CompileOptions, VerifyOptions, SnapshotOptions, CacheOptions, Finished>;

[[nodiscard]] Options parse_options(int argc, const char* const* argv);
/// Of `wrun serve`; without the command's name.
[[nodiscard]] Options parse_serve(const std::vector<std::string>& arguments);

}  // namespace wrun::cli
