// Functions of a module whose bodies are valid, compiled when they are first called and, meanwhile,
// by threads in the background. Whoever needs a function compiles it, even if another thread is
// about to: nobody waits, and what comes second is thrown away. A function's code differs from that
// of an eager compilation only in where it lies and in the distances of its calls.
//
// Borrows the module. Ends its threads when it dies; no code of it may run then.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/os_thread.hpp"
#include "engine/pipeline.hpp"
#include "runtime/lazy_code.hpp"

namespace wrun::engine {

class LazyCompiler {
public:
    /// Fails where the system has no room for code that comes in pieces.
    [[nodiscard]] static Result<std::unique_ptr<LazyCompiler>> make(const wrun::Module& module,
        const runtime::ContextLayout& layout, const PipelineOptions& options);
    ~LazyCompiler();
    LazyCompiler(const LazyCompiler&) = delete;
    LazyCompiler& operator=(const LazyCompiler&) = delete;

    [[nodiscard]] const runtime::LazyCode& code() const noexcept { return *code_; }
    /// As many threads as there are CPUs beside the caller's, at least one, of low priority. Once.
    void start_background();
    /// Compiles what is left, beside the threads in the background. From any thread.
    [[nodiscard]] Result<void> finish();
    /// All functions' code, once finished, as an eager compilation lays it out.
    [[nodiscard]] Result<ImageWriter> lay_out() const;

private:
    struct Tools;
    struct Unit;
    using ToolsPtr = std::unique_ptr<Tools>;

    LazyCompiler(const wrun::Module& module, const runtime::ContextLayout& layout,
        const PipelineOptions& options);
    [[nodiscard]] ToolsPtr take_tools();
    void put_tools(ToolsPtr tools);
    [[nodiscard]] bool has_code(u32 function) const noexcept {
        return code_->unit_of(function) != nullptr;
    }
    [[nodiscard]] Result<void> compile(u32 function);
    void compile_batches();
    void compile_batch(Tools& tools, u32 begin, u32 end);
    [[nodiscard]] Result<void> add(Tools& tools, u32 first);
    void append(u32 function, Batch& batch) const;
    static runtime::HelperResult compile_called(void* self, u32 function);

    const wrun::Module& module_;
    const runtime::ContextLayout layout_;
    const PipelineOptions options_;
    const std::vector<u32> starts_;             // of batches, and the end
    std::vector<std::unique_ptr<Unit>> units_;  // under LazyCode's lock; `code_` borrows them
    std::unique_ptr<runtime::LazyCode> code_;
    std::atomic<u32> next_batch_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::vector<ToolsPtr> idle_tools_;  // under LazyCode's lock

    u32 started_generation_ = 0;  // LazyCode::fork_generation() when the threads began
    u32 thread_count_ = 0;
    std::unique_ptr<os::Thread[]> threads_;
};

}  // namespace wrun::engine
