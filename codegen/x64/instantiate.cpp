// The code generator for x86-64, and the door to it (codegen/compile.hpp).
#include "codegen/compile.hpp"
#include "codegen/emit_function.hpp"
#include "codegen/masm.hpp"
#include "codegen/x64/masm.hpp"

namespace wrun::codegen {

static_assert(MacroAssembler<x64::Masm>);
template class Codegen<x64::Masm>;

namespace {

/// A holder is ready for code before the assembler that writes into it is made.
struct CodeBuffer {
    asmjit::CodeHolder holder;
    CodeBuffer() { WRUN_CHECK(holder.init(asmjit::Environment::host()) == asmjit::kErrorOk); }
};

}  // namespace

struct FunctionCompiler::State {
    State(const Module& module, const runtime::ContextLayout& context_layout,
        const CompileOptions& compile_options)
        : layout{context_layout},
          options{compile_options},
          masm{&buffer.holder, options.cpu},
          codegen{masm, tables, module, layout, options} {}

    runtime::ContextLayout layout;
    CompileOptions options;
    CodeBuffer buffer;
    x64::Masm masm;
    ChunkTables tables;
    Codegen<x64::Masm> codegen;
};

FunctionCompiler::FunctionCompiler(
    const Module& module, const runtime::ContextLayout& layout, const CompileOptions& options)
    : state_{std::make_unique<State>(module, layout, options)} {}

FunctionCompiler::~FunctionCompiler() = default;

Result<void> FunctionCompiler::compile(FuncIndex func, const FunctionSummary& summary) {
    return state_->codegen.compile(func, summary);
}

CodeChunk FunctionCompiler::chunk() const noexcept {
    return {{state_->masm.bufferData(), state_->masm.position()}, state_->tables.functions,
        state_->tables.rows, state_->tables.calls, state_->tables.lines};
}

void FunctionCompiler::clear() noexcept {
    state_->masm.rewind(0);
    state_->tables.functions.clear();
    state_->tables.rows.clear();
    state_->tables.calls.clear();
    state_->tables.lines.clear();
}

std::vector<Home> FunctionCompiler::homes() const {
    const HomeMap& map = state_->codegen.homes();
    std::vector<Home> homes;
    for (u32 left = map.assigned(); left != 0; left &= left - 1)
        homes.push_back(map.home(static_cast<u32>(std::countr_zero(left))));
    return homes;
}

}  // namespace wrun::codegen
