// From a decoded, module-level valid module to an image: every function is validated and, while it
// is hot, compiled, in parallel where the code section is worth it. The outcome does not depend on
// timing: code lies in function order and an error is always that of the lowest function.
#pragma once

#include "base/features.hpp"
#include "codegen/compile.hpp"
#include "engine/engine.hpp"
#include "engine/image.hpp"

namespace wrun::engine {

struct PipelineOptions {
    FeatureSet features;
    codegen::CompileOptions compile;
    u32 threads = 0;  // 0: as many as the process may use
    CompileProgress* progress = nullptr;
};

struct PipelineStats {
    u64 compile_ns = 0;
    u64 link_ns = 0;
    u32 threads = 0;
};

/// The image's bytes, ready to be published. Borrows the module while it runs.
[[nodiscard]] Result<ImageWriter> compile_functions(const wrun::Module& module,
    const runtime::ContextLayout& layout, const PipelineOptions& options, PipelineStats& stats);

/// Validates every body and generates nothing.
[[nodiscard]] Result<void> validate_functions(
    const wrun::Module& module, const PipelineOptions& options);

}  // namespace wrun::engine
