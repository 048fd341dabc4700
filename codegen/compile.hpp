// Validated functions → machine code, one thread's worth: a FunctionCompiler appends functions to
// its own buffer and notes trap rows and calls to be linked. The engine runs several side by side
// and lays their chunks out in one image. Code is position-independent; only the rel32 of direct
// calls is left open.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "codegen/cpu.hpp"
#include "codegen/homes.hpp"
#include "codegen/stress.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"
#include "validator/summary.hpp"

namespace wrun::codegen {

struct CompileOptions {
    CpuFeatures cpu = CpuFeatures::host();
    /// At most so many integer and floating locals get a home; a stress mode of the tests.
    u32 integer_homes_max = 16;
    u32 float_homes_max = 16;
    /// Code with `checked` bounds may access any memory, other code only guarded ones.
    runtime::Bounds bounds = runtime::Bounds::guard;
    /// At a function's entry and each loop's head code asks whether the run shall end.
    bool epoch = false;
    /// There it also pays for the operations of wasm up to the next such place.
    bool fuel = false;
    bool record_lines = false;  // for listings: fills CodeChunk::lines
    StressModes stress;
};

/// A direct call to be linked: `rel32` at `code_offset` (its four bytes) must reach `callee`'s
/// entry.
struct CallFixup {
    u32 code_offset;  // from the start of the chunk
    FuncIndex callee;
};

/// From `code_offset` on, up to the next row, lies what became of the operation at `body_offset` in
/// its body: its code, its table of jumps, or what it has out of line. Constants belong to none.
struct LineRow {
    enum class Kind : u8 { code, jump_table, out_of_line, constants };
    u32 code_offset;
    u32 body_offset;
    Kind kind;
};

/// What one compiler has produced since its last clear(). Offsets count from the start of the
/// chunk.
struct CodeChunk {
    std::span<const u8> code;
    std::span<const runtime::FunctionCode> functions;  // in the order compiled
    std::span<const runtime::TrapRow> rows;
    std::span<const CallFixup> calls;
    std::span<const LineRow> lines;  // only with CompileOptions::record_lines
};

class FunctionCompiler {
public:
    /// Borrows the module, which must be validated, for the compiler's life.
    FunctionCompiler(
        const Module& module, const runtime::ContextLayout& layout, const CompileOptions& options);
    ~FunctionCompiler();
    FunctionCompiler(const FunctionCompiler&) = delete;
    FunctionCompiler& operator=(const FunctionCompiler&) = delete;

    /// P1 of `func`, whose body the validator has accepted and summarised. Fails only by resource
    /// (frame_too_large, code_too_large, out_of_memory); the chunk is then as it was before.
    [[nodiscard]] Result<void> compile(FuncIndex func, const FunctionSummary& summary);

    /// Valid until the next compile() or clear().
    [[nodiscard]] CodeChunk chunk() const noexcept;
    void clear() noexcept;
    /// Of the function compiled last; for listings.
    [[nodiscard]] std::vector<Home> homes() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace wrun::codegen
