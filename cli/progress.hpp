// How far a long compilation is, on a terminal that is standard error: one line that is written
// over itself and gone at the end. Shown from one second on, or after as many milliseconds as
// WRUN_PROGRESS says; "never" is possible.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "engine/engine.hpp"

namespace wrun::cli {

/// Module::compile of what `path` holds, with its progress.
[[nodiscard]] Result<std::shared_ptr<const engine::Module>> compile_visibly(engine::Engine& engine,
    const std::string& path, std::vector<u8> bytes, engine::ModuleOptions options);

class Progress {
public:
    /// For a module of so many bytes; `file` as it is to be shown.
    Progress(std::string file, u64 module_bytes);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// For ModuleOptions.
    [[nodiscard]] engine::CompileProgress* counters() noexcept { return &counters_; }

private:
    void show();
    void show_line();

    std::string file_;
    engine::CompileProgress counters_;
    std::chrono::milliseconds delay_;
    std::mutex lock_;
    std::condition_variable done_comes_;
    bool is_done_ = false;
    bool is_shown_ = false;
    std::thread shower_;
};

}  // namespace wrun::cli
