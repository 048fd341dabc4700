// Any bytes compile to machine code or to an error. Nothing is run: guests may loop for ever.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "engine/engine.hpp"
#include "fuzz/target.hpp"

namespace {

// One engine for all inputs, as in a server; one thread, so that a crash comes from this input.
wrun::engine::Engine& engine() {
    static const auto made = [] {
        wrun::engine::EngineOptions options;
        options.compile_threads = 1;
        auto result = wrun::engine::Engine::make(options);
        if (!result.ok()) {
            std::fputs("no engine on this machine\n", stderr);
            std::exit(1);
        }
        return std::move(result.value());
    }();
    return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static_cast<void>(
        wrun::engine::Module::compile(engine(), std::vector<wrun::u8>(data, data + size)));
    return 0;
}
