// The cold side of the encoder: growing the buffer, and asmjit's ways to it.
#include "codegen/x64/encoder.hpp"

#include <algorithm>
#include <limits>

namespace wrun::codegen::x64 {

namespace {
constexpr std::size_t grow_bytes_min = std::size_t{64} << 10;
/// Positions are i32 in labels.
constexpr std::size_t code_bytes_max = std::numeric_limits<i32>::max();
}  // namespace

Encoder::Encoder(asmjit::CodeHolder* code) : asmjit::x86::Assembler(code) {
#ifndef NDEBUG
    addDiagnosticOptions(asmjit::DiagnosticOptions::kValidateAssembler);
#endif
}

void Encoder::grow(std::size_t bytes) {
    if (!out_of_memory_) {
        asmjit::CodeBuffer& buffer = _section->buffer();
        const std::size_t here = position();
        const std::size_t more = std::max(bytes + instruction_bytes_max, grow_bytes_min);
        // growBuffer() adds `more` to what asmjit thinks is used, and the hand forms do not count
        // there.
        buffer._size = here;
        if (more <= code_bytes_max - here && _code->growBuffer(&buffer, more) == asmjit::kErrorOk) {
            return;
        }
        out_of_memory_ = true;
    }
    WRUN_CHECK(static_cast<std::size_t>(_bufferEnd - _bufferData) >= instruction_bytes_max);
    _bufferPtr = _bufferEnd - instruction_bytes_max;
}

asmjit::Error Encoder::checked(asmjit::Error error) {
    if (error == asmjit::kErrorOutOfMemory) {
        out_of_memory_ = true;
    } else if (error != asmjit::kErrorOk) {
        // Code that lacks an instruction must never run.
        asmjit::DebugUtils::assertionFailed(
            __FILE__, __LINE__, asmjit::DebugUtils::errorAsString(error));
    }
    return error;
}

asmjit::Error Encoder::_emit(asmjit::InstId inst, const asmjit::Operand_& a,
    const asmjit::Operand_& b, const asmjit::Operand_& c, const asmjit::Operand_* more) {
    (void)room();
    return checked(asmjit::x86::Assembler::_emit(inst, a, b, c, more));
}

asmjit::Error Encoder::align(asmjit::AlignMode mode, u32 alignment) {
    (void)room(alignment);
    if (out_of_memory_) return asmjit::kErrorOutOfMemory;
    return checked(asmjit::x86::Assembler::align(mode, alignment));
}

asmjit::Error Encoder::embed(const void* data, std::size_t size) {
    if (size > code_bytes_max) out_of_memory_ = true;
    (void)room(out_of_memory_ ? instruction_bytes_max : size);
    if (out_of_memory_) return asmjit::kErrorOutOfMemory;
    return checked(asmjit::x86::Assembler::embed(data, size));
}

}  // namespace wrun::codegen::x64
