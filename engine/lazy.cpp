// See lazy.hpp.
#include "engine/lazy.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "validator/validate.hpp"

namespace wrun::engine {

using runtime::CodeUnit;
using runtime::FunctionCode;
using runtime::HelperResult;
using runtime::LazyCode;
using runtime::TrapRow;

namespace {

/// Addresses to reserve for code. Real programs need less than two bytes for each of wasm; what an
/// eager compilation allows a hostile one would leave few modules a place in the range.
[[nodiscard]] u64 code_room(const wrun::Module& module) noexcept {
    constexpr u64 bytes_per_byte = 4;
    constexpr u64 bytes_free = u64{16} << 20;
    const u64 wasm = module.bytes.size();
    return std::min(u64{limits::code_bytes_per_wasm_byte_max} * wasm + limits::code_bytes_free,
        bytes_per_byte * wasm + bytes_free);
}

/// As the compiler aligns a function, and with what.
constexpr std::size_t function_alignment = 16;
constexpr u8 int3 = 0xcc;

}  // namespace

/// What one thread compiles with.
struct LazyCompiler::Tools {
    Tools(const wrun::Module& module, const runtime::ContextLayout& layout,
        const PipelineOptions& options)
        : validator{module, options.features}, compiler{module, layout, options.compile} {}

    [[nodiscard]] Result<void> compile(FuncIndex func) {
        WRUN_TRY(validator.validate(func, summary));
        return compiler.compile(func, summary);
    }

    FunctionValidator validator;
    codegen::FunctionCompiler compiler;
    FunctionSummary summary;
};

/// A batch and where it lies. Its calls stay as the compiler left them, counted from its code.
struct LazyCompiler::Unit : CodeUnit {
    Batch batch;
};

LazyCompiler::LazyCompiler(const wrun::Module& module, const runtime::ContextLayout& layout,
    const PipelineOptions& options)
    : module_{module}, layout_{layout}, options_{options}, starts_{batch_starts(module)} {}

Result<std::unique_ptr<LazyCompiler>> LazyCompiler::make(const wrun::Module& module,
    const runtime::ContextLayout& layout, const PipelineOptions& options) {
    std::unique_ptr<LazyCompiler> made{new LazyCompiler{module, layout, options}};
    made->code_ = WRUN_TRY(LazyCode::make(
        static_cast<u32>(module.bodies.size()), code_room(module), {compile_called, made.get()}));
    return made;
}

LazyCompiler::~LazyCompiler() {
    is_stopping_.store(true, std::memory_order_relaxed);
    // A process that was forked since has none of the threads.
    const bool is_here = started_generation_ == LazyCode::fork_generation();
    for (u32 i = 0; i < thread_count_; ++i) {
        if (is_here) {
            threads_[i].join();
        } else {
            threads_[i].forget();
        }
    }
}

// ---- threads -----------------------------------------------------------------------------------

LazyCompiler::ToolsPtr LazyCompiler::take_tools() {
    {
        const LazyCode::Lock lock;
        if (!idle_tools_.empty()) {
            ToolsPtr tools = std::move(idle_tools_.back());
            idle_tools_.pop_back();
            return tools;
        }
    }
    return std::make_unique<Tools>(module_, layout_, options_);
}

void LazyCompiler::put_tools(ToolsPtr tools) {
    tools->compiler.clear();
    const LazyCode::Lock lock;
    // They keep the memory of the largest function they met: none is needed any more.
    if (!code_->is_complete()) idle_tools_.push_back(std::move(tools));
    if (code_->is_complete()) idle_tools_.clear();
}

void LazyCompiler::start_background() {
    u64 bytes = 0;
    for (const auto& body : module_.bodies)
        bytes += body.size();
    const u32 cpus = options_.threads != 0 ? options_.threads : os::usable_cpu_count();
    const u32 batches = static_cast<u32>(starts_.size() - 1);
    const u32 wanted = worker_count(bytes, batches, std::max(cpus, 2u) - 1);
    started_generation_ = LazyCode::fork_generation();
    threads_.reset(new os::Thread[wanted]);
    const auto body = [](void* self) {
        os::run_in_background();
        static_cast<LazyCompiler*>(self)->compile_batches();
    };
    while (thread_count_ < wanted && threads_[thread_count_].start(body, this))
        ++thread_count_;
}

void LazyCompiler::compile_batches() {
    ToolsPtr tools = take_tools();
    const u32 batches = static_cast<u32>(starts_.size() - 1);
    while (!is_stopping_.load(std::memory_order_relaxed)) {
        const u32 batch = next_batch_.fetch_add(1, std::memory_order_relaxed);
        if (batch >= batches) break;
        compile_batch(*tools, starts_[batch], starts_[batch + 1]);
    }
    put_tools(std::move(tools));
}

/// What fails here fails again where somebody can be told.
void LazyCompiler::compile_batch(Tools& tools, u32 begin, u32 end) {
    u32 function = begin;
    while (function < end) {
        tools.compiler.clear();
        const u32 first = function;
        bool goes_on = true;
        while (goes_on && function < end && !has_code(function)) {
            if (is_stopping_.load(std::memory_order_relaxed)) return;
            goes_on = tools.compile(FuncIndex{module_.imported_function_count + function}).ok();
            if (goes_on) ++function;
        }
        if (function > first) static_cast<void>(add(tools, first));
        // One that has code already, or that cannot be compiled.
        if (function < end) ++function;
    }
}

// ---- one function ------------------------------------------------------------------------------

HelperResult LazyCompiler::compile_called(void* self, u32 function) {
    constexpr u64 trap =
        runtime::entry_status::trap_base + to_underlying(runtime::TrapCode::not_compiled);
    auto& compiler = *static_cast<LazyCompiler*>(self);
    if (!compiler.has_code(function) && !compiler.compile(function).ok()) return {0, trap};
    const u8* const code = compiler.code_->data() + compiler.code_->entry(function);
    return {reinterpret_cast<u64>(code), 0};
}

Result<void> LazyCompiler::compile(u32 function) {
    ToolsPtr tools = take_tools();
    tools->compiler.clear();
    Result<void> done = tools->compile(FuncIndex{module_.imported_function_count + function});
    if (done.ok()) done = add(*tools, function);
    put_tools(std::move(tools));
    return done;
}

/// Publishes what the tools have made, unless all of it has come to be meanwhile.
Result<void> LazyCompiler::add(Tools& tools, u32 first) {
    auto unit = std::make_unique<Unit>();
    Batch& batch = unit->batch = take_batch(first, tools.compiler.chunk());
    const u32 count = static_cast<u32>(batch.functions.size());
    const LazyCode::Lock lock;
    bool is_news = false;
    for (u32 i = 0; i < count; ++i)
        is_news = is_news || !has_code(first + i);
    if (!is_news) return {};
    const u32 at = WRUN_TRY(code_->place(lock, batch.code.size()));
    const auto entry_of = [&](u32 function) {
        const bool is_own = function - first < count;
        return is_own ? at + batch.functions[function - first].code_begin : code_->entry(function);
    };
    for (const codegen::CallFixup& call : batch.calls) {
        const u32 callee = call.callee.value - module_.imported_function_count;
        WRUN_CHECK(callee < module_.bodies.size());
        constexpr u32 rel32_bytes = 4;
        const u32 behind = at + call.code_offset + rel32_bytes;
        link_call(batch.code, call.code_offset, entry_of(callee) - behind);
    }
    for (FunctionCode& function : batch.functions) {
        function.code_begin += at;
        function.code_end += at;
    }
    for (TrapRow& row : batch.rows)
        row.code_offset += at;
    static_cast<CodeUnit&>(*unit) = {at, at + static_cast<u32>(batch.code.size()), first, count,
        batch.functions.data(), batch.rows.data(), static_cast<u32>(batch.rows.size())};
    WRUN_TRY(code_->add(lock, *unit, batch.code));
    // It is where it runs now.
    batch.code = std::vector<u8>{};
    units_.push_back(std::move(unit));
    return {};
}

// ---- all functions -----------------------------------------------------------------------------

Result<void> LazyCompiler::finish() {
    compile_batches();
    for (u32 function = 0; function < module_.bodies.size(); ++function) {
        if (!has_code(function)) WRUN_TRY(compile(function));
    }
    return {};
}

/// A function as if the batch's compiler had just made it.
void LazyCompiler::append(u32 function, Batch& batch) const {
    const auto& unit = static_cast<const Unit&>(*code_->unit_of(function));
    const FunctionCode from = unit.functions[function - unit.first_function];
    batch.code.resize(
        (batch.code.size() + function_alignment - 1) & ~(function_alignment - 1), int3);
    const u32 to = static_cast<u32>(batch.code.size());
    batch.code.insert(
        batch.code.end(), code_->data() + from.code_begin, code_->data() + from.code_end);
    batch.functions.push_back({to, static_cast<u32>(batch.code.size()), from.wasm_offset});
    const auto& rows = unit.batch.rows;
    for (auto row = std::lower_bound(rows.begin(), rows.end(), from.code_begin,
             [](const TrapRow& left, u32 wanted) { return left.code_offset < wanted; });
         row != rows.end() && row->code_offset < from.code_end; ++row) {
        batch.rows.push_back({row->code_offset - from.code_begin + to, row->where});
    }
    const auto& calls = unit.batch.calls;
    const u32 begin = from.code_begin - unit.code_begin;
    const u32 end = from.code_end - unit.code_begin;
    for (auto call = std::lower_bound(calls.begin(), calls.end(), begin,
             [](const codegen::CallFixup& left, u32 wanted) { return left.code_offset < wanted; });
         call != calls.end() && call->code_offset < end; ++call) {
        batch.calls.push_back({call->code_offset - begin + to, call->callee});
    }
}

Result<ImageWriter> LazyCompiler::lay_out() const {
    WRUN_CHECK(code_->is_complete());
    std::vector<Batch> batches;
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
        Batch& batch = batches.emplace_back();
        batch.first_function = starts_[i];
        for (u32 function = starts_[i]; function < starts_[i + 1]; ++function)
            append(function, batch);
    }
    return link_batches(module_, std::move(batches));
}

}  // namespace wrun::engine
