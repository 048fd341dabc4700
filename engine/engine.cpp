// Engine: what a process needs before anything is compiled.
#include "engine/engine.hpp"

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
    return std::unique_ptr<Engine>{new Engine{std::move(state)}};
}

}  // namespace wrun::engine
