// Engine: what a process needs before anything is compiled.
#include "engine/engine.hpp"

#include <algorithm>
#include <atomic>

#include "base/os_thread.hpp"
#include "codegen/cpu.hpp"
#include "engine/state.hpp"
#include "runtime/code_range.hpp"
#include "runtime/signals.hpp"

namespace wrun::engine {

Engine::Engine(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Engine::~Engine() = default;

const EngineOptions& Engine::options() const noexcept {
    return state_->options;
}

Result<std::unique_ptr<Engine>> Engine::make(const EngineOptions& options) {
    if (!codegen::CpuFeatures::host_meets_floor()) return Error{ErrorCode::unsupported_cpu};
    WRUN_TRY(runtime::reserve_code_range());
    WRUN_TRY(runtime::install_signal_handlers());
    auto state = std::make_unique<State>();
    state->options = options;
    if (options.interrupt_signal == 0) {
        state->options.interrupt_signal = runtime::default_interrupt_signal;
    }
    if (options.interrupt_signal != EngineOptions::no_signal) {
        WRUN_TRY(runtime::install_interrupt_handler(state->options.interrupt_signal));
    }
    static std::atomic<u64> made = 0;
    state->number = 1 + made.fetch_add(1, std::memory_order_relaxed);
    return std::unique_ptr<Engine>{new Engine{std::move(state)}};
}

// ---- ending calls from outside -----------------------------------------------------------------

Canceller::Canceller() : request_{std::make_shared<runtime::CancelRequest>()} {}

void Canceller::cancel() const noexcept {
    runtime::cancel(*request_);
}

bool Canceller::is_cancelled() const noexcept {
    return request_->is_made.load(std::memory_order_acquire);
}

CallLimits CallLimits::within(u64 ns, const Canceller* cancel) noexcept {
    u64 deadline_ns = never;
    if (__builtin_add_overflow(os::monotonic_ns(), ns, &deadline_ns)) deadline_ns = never;
    return {deadline_ns, cancel};
}

bool is_interrupted() noexcept {
    return runtime::is_interrupted();
}

// ---- SpareStacks -------------------------------------------------------------------------------

Result<runtime::GuestStack> SpareStacks::take(u64 bytes) {
    {
        const std::lock_guard guard{lock_};
        for (runtime::GuestStack& stack : spare_) {
            if (stack.bytes() != runtime::GuestStack::rounded(bytes)) continue;
            std::swap(stack, spare_.back());
            runtime::GuestStack taken = std::move(spare_.back());
            spare_.pop_back();
            return taken;
        }
    }
    return runtime::GuestStack::make(bytes);
}

void SpareStacks::put(runtime::GuestStack stack) noexcept {
    if (stack.low() == 0) return;  // a slot's store has one only while it runs
    stack.trim();
    const std::lock_guard guard{lock_};
    if (spare_.size() < count_max) spare_.push_back(std::move(stack));
}

}  // namespace wrun::engine
