// The parallel loop over functions, then layout and linking of what it made.
#include "engine/pipeline.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>
#include <vector>

#include "base/limits.hpp"
#include "base/os_thread.hpp"
#include "validator/validate.hpp"

namespace wrun::engine {

namespace {

using runtime::FunctionCode;
using runtime::TrapRow;

/// Bytes of wasm that a thread takes at once: enough that the shared counter does not matter, few
/// enough that threads end together.
constexpr u64 batch_bytes = 32 * 1024;
/// Functions that are validated before they are compiled: each of the two walks finds its code in
/// the instruction cache for all but the first of them, and the functions are still in the others.
constexpr u32 group_functions = 8;
/// Below this much code for each, a thread costs more than it gives.
constexpr u64 thread_bytes_min = 64 * 1024;
constexpr u32 threads_max = 64;
/// Where a batch's code begins in the image: no compiler aligns to more.
constexpr u64 batch_alignment = 64;

/// What the workers share. Batches are taken in ascending order, so every function below a failing
/// one is in a batch that somebody finishes.
class Work {
public:
    Work(const wrun::Module& module, CompileProgress* progress)
        : module_{module}, progress_{progress}, starts_{batch_starts(module)} {
        for (const auto& body : module.bodies)
            total_bytes_ += body.size();
        if (progress_ != nullptr) progress_->total_bytes = total_bytes_;
    }

    [[nodiscard]] const wrun::Module& module() const noexcept { return module_; }
    [[nodiscard]] u64 total_bytes() const noexcept { return total_bytes_; }
    [[nodiscard]] u32 batch_count() const noexcept { return static_cast<u32>(starts_.size() - 1); }
    [[nodiscard]] u32 batch_start(u32 batch) const noexcept { return starts_[batch]; }
    /// batch_count() when there is nothing left.
    [[nodiscard]] u32 take_batch() noexcept {
        return std::min(next_.fetch_add(1, std::memory_order_relaxed), batch_count());
    }
    void tell_done(u32 batch) noexcept {
        if (progress_ == nullptr) return;
        u64 bytes = 0;
        for (u32 function = batch_start(batch); function < batch_start(batch + 1); ++function)
            bytes += module_.bodies[function].size();
        progress_->bytes.fetch_add(bytes, std::memory_order_relaxed);
    }
    /// Whether `function` comes before everything that has failed so far.
    [[nodiscard]] bool is_wanted(u32 function) const noexcept {
        return function < failed_.load(std::memory_order_relaxed);
    }
    void fail(u32 function, Error error) {
        const std::lock_guard guard{lock_};
        if (!is_wanted(function)) return;
        failed_.store(function, std::memory_order_relaxed);
        error_ = error;
    }
    /// Counts machine code; false when the module has made more than its size allows.
    [[nodiscard]] bool has_room_for(u64 code_bytes) noexcept {
        const u64 room = u64{limits::code_bytes_per_wasm_byte_max} * module_.bytes.size() +
                         limits::code_bytes_free;
        return code_bytes_.fetch_add(code_bytes, std::memory_order_relaxed) + code_bytes <= room;
    }
    [[nodiscard]] Result<void> outcome() const noexcept { return error_; }

private:
    const wrun::Module& module_;
    CompileProgress* progress_;
    std::vector<u32> starts_;  // of batches, and the end
    u64 total_bytes_ = 0;
    std::atomic<u32> next_ = 0;
    std::atomic<u32> failed_ = ~0u;
    std::atomic<u64> code_bytes_ = 0;
    std::mutex lock_;
    Result<void> error_;
};

/// One thread's tools and what it made.
class Worker {
public:
    Worker(Work& work, FeatureSet features) : work_{work}, validator_{work.module(), features} {}

    void also_compile(
        const runtime::ContextLayout& layout, const codegen::CompileOptions& options) {
        compiler_ = std::make_unique<codegen::FunctionCompiler>(work_.module(), layout, options);
    }
    void run() {
        for (u32 batch = work_.take_batch(); batch < work_.batch_count();
             batch = work_.take_batch()) {
            if (!run_batch(batch)) return;
        }
    }
    [[nodiscard]] std::vector<Batch>& batches() noexcept { return batches_; }

private:
    [[nodiscard]] bool run_batch(u32 number) {
        const u32 begin = work_.batch_start(number);
        const u32 end = work_.batch_start(number + 1);
        for (u32 first = begin; first < end; first += group_functions) {
            if (!run_group(first, std::min(first + group_functions, end))) return false;
        }
        if (compiler_) keep(begin);
        work_.tell_done(number);
        return true;
    }
    /// Validates a few functions, then compiles them. What fails first in the module is reported,
    /// so those before an invalid function are compiled all the same.
    [[nodiscard]] bool run_group(u32 begin, u32 end) {
        Result<void> done;
        u32 valid = begin;
        for (; valid < end && done.ok(); ++valid) {
            if (!work_.is_wanted(valid)) return false;
            done = validator_.validate(index_of(valid), summaries_[valid - begin]);
        }
        if (!done.ok()) --valid;
        for (u32 function = begin; compiler_ && function < valid; ++function) {
            if (!work_.is_wanted(function)) return false;
            const auto compiled = compile(function, summaries_[function - begin]);
            if (!compiled.ok()) {
                work_.fail(function, compiled.error());
                return false;
            }
        }
        if (!done.ok()) work_.fail(valid, done.error());
        return done.ok();
    }
    [[nodiscard]] Result<void> compile(u32 function, const FunctionSummary& summary) {
        const FuncIndex index = index_of(function);
        const std::size_t before = compiler_->chunk().code.size();
        WRUN_TRY(compiler_->compile(index, summary));
        if (!work_.has_room_for(compiler_->chunk().code.size() - before)) {
            return Error{ErrorCode::code_too_large, 0, work_.module().body(index).begin};
        }
        return {};
    }
    [[nodiscard]] FuncIndex index_of(u32 function) const noexcept {
        return FuncIndex{work_.module().imported_function_count + function};
    }
    /// Takes what the compiler has and leaves it empty, its memory warm for the next batch.
    void keep(u32 first_function) {
        batches_.push_back(take_batch(first_function, compiler_->chunk()));
        compiler_->clear();
    }

    Work& work_;
    FunctionValidator validator_;
    std::unique_ptr<codegen::FunctionCompiler> compiler_;  // absent when only validating
    std::array<FunctionSummary, group_functions> summaries_;
    std::vector<Batch> batches_;
};

[[nodiscard]] u32 worker_count(const Work& work, u32 wanted) noexcept {
    return engine::worker_count(work.total_bytes(), work.batch_count(), wanted);
}

/// Runs all workers to their end, the first one here. A thread that cannot be had is not missed:
/// the others take its batches.
void run_workers(std::deque<Worker>& workers) {
    const std::unique_ptr<os::Thread[]> threads{new os::Thread[workers.size()]};
    const auto body = [](void* worker) { static_cast<Worker*>(worker)->run(); };
    for (std::size_t i = 1; i < workers.size(); ++i) {
        if (!threads[i].start(body, &workers[i])) break;
    }
    workers.front().run();
    for (std::size_t i = 1; i < workers.size(); ++i)
        threads[i].join();
}

// ---- layout and linking ------------------------------------------------------------------------

[[nodiscard]] std::vector<Batch> all_batches(std::deque<Worker>& workers) {
    std::vector<Batch> all;
    for (Worker& worker : workers) {
        std::move(worker.batches().begin(), worker.batches().end(), std::back_inserter(all));
    }
    return all;
}

/// Gives each batch its place and says how large everything is.
[[nodiscard]] Result<ImageLayout> place_batches(std::vector<Batch>& batches) {
    // Code offsets are 31 bits: a rel32 must reach from any place to any other.
    constexpr u64 code_bytes_max = 0x7fff'0000;
    u64 offset = 0;
    ImageLayout layout;
    for (Batch& batch : batches) {
        offset = (offset + batch_alignment - 1) & ~(batch_alignment - 1);
        batch.image_offset = static_cast<u32>(offset);
        offset += batch.code.size();
        if (offset > code_bytes_max) return Error{ErrorCode::code_too_large};
        layout.function_count += static_cast<u32>(batch.functions.size());
        layout.row_count += static_cast<u32>(batch.rows.size());
    }
    layout.code_bytes = static_cast<u32>(offset);
    return layout;
}

/// Makes a batch's tables count from the image's begin, where all functions' entries are wanted.
void rebase_batch(Batch& batch, std::span<u32> entries) {
    auto entry = entries.begin() + batch.first_function;
    for (FunctionCode& function : batch.functions) {
        function.code_begin += batch.image_offset;
        function.code_end += batch.image_offset;
        *entry++ = function.code_begin;
    }
    for (TrapRow& row : batch.rows)
        row.code_offset += batch.image_offset;
}

/// Fills in the rel32 of every direct call of a batch.
void link_batch(Batch& batch, std::span<const u32> entries, const wrun::Module& module) {
    for (const codegen::CallFixup& call : batch.calls) {
        const u32 callee = call.callee.value - module.imported_function_count;
        WRUN_CHECK(callee < entries.size());
        const u32 behind = batch.image_offset + call.code_offset + 4;
        link_call(batch.code, call.code_offset, entries[callee] - behind);
    }
}

}  // namespace

Batch take_batch(u32 first_function, const codegen::CodeChunk& chunk) {
    Batch batch;
    batch.first_function = first_function;
    batch.code.assign(chunk.code.begin(), chunk.code.end());
    batch.functions.assign(chunk.functions.begin(), chunk.functions.end());
    batch.rows.assign(chunk.rows.begin(), chunk.rows.end());
    batch.calls.assign(chunk.calls.begin(), chunk.calls.end());
    const auto by_code = [](const TrapRow& left, const TrapRow& right) {
        return left.code_offset < right.code_offset;
    };
    // Code behind a function's body may have noted its rows late.
    if (!std::is_sorted(batch.rows.begin(), batch.rows.end(), by_code)) {
        std::sort(batch.rows.begin(), batch.rows.end(), by_code);
    }
    return batch;
}

void link_call(std::span<u8> code, u32 code_offset, u32 distance) noexcept {
    WRUN_CHECK(code.size() >= sizeof distance && code_offset <= code.size() - sizeof distance);
    std::memcpy(code.data() + code_offset, &distance, sizeof distance);
}

std::vector<u32> batch_starts(const wrun::Module& module) {
    std::vector<u32> starts{0};
    u64 bytes = 0;
    for (u32 i = 0; i < module.bodies.size(); ++i) {
        bytes += module.bodies[i].size();
        if (bytes < batch_bytes) continue;
        starts.push_back(i + 1);
        bytes = 0;
    }
    if (starts.back() != module.bodies.size()) {
        starts.push_back(static_cast<u32>(module.bodies.size()));
    }
    return starts;
}

u32 worker_count(u64 code_bytes, u32 batches, u32 wanted) noexcept {
    const u64 worth = std::max<u64>(1, code_bytes / thread_bytes_min);
    const u64 useful = std::min<u64>(worth, std::max<u32>(1, batches));
    const u32 allowed = std::min(threads_max, wanted != 0 ? wanted : os::usable_cpu_count());
    return static_cast<u32>(std::min<u64>(useful, allowed));
}

Result<ImageWriter> link_batches(const wrun::Module& module, std::vector<Batch> batches) {
    std::sort(batches.begin(), batches.end(), [](const Batch& left, const Batch& right) {
        return left.first_function < right.first_function;
    });
    const ImageLayout layout = WRUN_TRY(place_batches(batches));
    WRUN_CHECK(layout.function_count == module.bodies.size());
    ImageWriter image = WRUN_TRY(ImageWriter::make(layout));
    std::vector<u32> entries(layout.function_count);
    for (Batch& batch : batches)
        rebase_batch(batch, entries);
    u32 row_count = 0;
    for (Batch& batch : batches) {
        link_batch(batch, entries, module);
        WRUN_TRY(image.write_code(batch.image_offset, batch.code));
        WRUN_TRY(image.write_functions(batch.first_function, batch.functions));
        WRUN_TRY(image.write_rows(row_count, batch.rows));
        row_count += static_cast<u32>(batch.rows.size());
    }
    return image;
}

Result<ImageWriter> compile_functions(const wrun::Module& module,
    const runtime::ContextLayout& layout, const PipelineOptions& options, PipelineStats& stats) {
    const u64 begin_ns = os::monotonic_ns();
    Work work{module, options.progress};
    std::deque<Worker> workers;
    stats.threads = worker_count(work, options.threads);
    for (u32 i = 0; i < stats.threads; ++i) {
        workers.emplace_back(work, options.features).also_compile(layout, options.compile);
    }
    run_workers(workers);
    WRUN_TRY(work.outcome());
    const u64 compiled_ns = os::monotonic_ns();
    auto image = link_batches(module, all_batches(workers));
    stats.compile_ns = compiled_ns - begin_ns;
    stats.link_ns = os::monotonic_ns() - compiled_ns;
    return image;
}

Result<void> validate_functions(
    const wrun::Module& module, const PipelineOptions& options, u32* threads) {
    Work work{module, options.progress};
    std::deque<Worker> workers;
    const u32 count = worker_count(work, options.threads);
    if (threads != nullptr) *threads = count;
    for (u32 i = 0; i < count; ++i)
        workers.emplace_back(work, options.features);
    run_workers(workers);
    return work.outcome();
}

}  // namespace wrun::engine
