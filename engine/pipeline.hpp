// From a decoded, module-level valid module to an image: every function is validated and, while it
// is hot, compiled, in parallel where the code section is worth it. The outcome does not depend on
// timing: code lies in function order and an error is always that of the lowest function.
#pragma once

#include <span>
#include <vector>

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

/// Validates every body and generates nothing; says how many threads did if asked.
[[nodiscard]] Result<void> validate_functions(
    const wrun::Module& module, const PipelineOptions& options, u32* threads = nullptr);

// ---- the parts, for code that is made in another order -----------------------------------------

/// A run of consecutive functions and what became of them. Offsets count from the batch's first
/// byte, so that nothing depends on who compiled what before.
struct Batch {
    u32 first_function = 0;  // position among the defined functions
    u32 image_offset = 0;    // where its code lands; set when all are compiled
    std::vector<u8> code;
    std::vector<runtime::FunctionCode> functions;
    std::vector<runtime::TrapRow> rows;  // ascending
    std::vector<codegen::CallFixup> calls;
};

/// What a compiler has made since it was cleared.
[[nodiscard]] Batch take_batch(u32 first_function, const codegen::CodeChunk& chunk);
/// Fills in a rel32.
void link_call(std::span<u8> code, u32 code_offset, u32 distance) noexcept;

/// Where each batch begins, and the end: which functions belong together depends on the module
/// alone.
[[nodiscard]] std::vector<u32> batch_starts(const wrun::Module& module);
[[nodiscard]] u32 worker_count(u64 code_bytes, u32 batches, u32 wanted) noexcept;
/// Lays out batches of all functions, in any order, and links them.
[[nodiscard]] Result<ImageWriter> link_batches(
    const wrun::Module& module, std::vector<Batch> batches);

}  // namespace wrun::engine
