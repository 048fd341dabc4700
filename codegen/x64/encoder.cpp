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

/// What with_mem() and the others do once there is room. Growing is a call of its own at their end,
/// so that they save no register for it.
struct Encoder::Bodies {
    static u8* memory(u8* p, u32 reg, Mem m) noexcept {
        const u32 base = id(m.base) & 7;
        const u32 is_small = m.disp == static_cast<i8>(m.disp);
        const u32 is_absent = (m.disp == 0) & (base != 5);
        const u32 mod = 2 - is_small - is_absent;
        if (m.index != Mem::no_index || base == Mem::no_index) {
            p[0] = modrm(mod, reg, 4);
            p[1] = static_cast<u8>((u32{m.scale} << 6) | ((m.index & 7u) << 3) | base);
            p += 2;
        } else {
            *p++ = modrm(mod, reg, base);
        }
        std::memcpy(p, &m.disp, sizeof m.disp);
        return p + mod * mod;  // 0, 1 or 4 bytes
    }
    WRUN_INLINE static u8* with_mem(u8* p, u32 form, u32 reg, Mem m) noexcept {
        return memory(head(p, form, reg, m.index, id(m.base), reg), reg, m);
    }
    WRUN_INLINE static u8* plain_with_mem(u8* p, u32 form, u32 reg, Mem m) noexcept {
        return memory(plain_head(p, form, reg, m.index, id(m.base)), reg, m);
    }
    WRUN_INLINE static u8* with_reg(u8* p, u32 form, u32 reg, u32 rm) noexcept {
        p = head(p, form, reg, 0, rm, rm);
        *p = modrm(3, reg, rm);
        return p + 1;
    }
    WRUN_INLINE static u8* plain_with_reg(u8* p, u32 form, u32 reg, u32 rm) noexcept {
        p = plain_head(p, form, reg, 0, rm);
        *p = modrm(3, reg, rm);
        return p + 1;
    }
    template <auto body, class Rm>
    [[gnu::noinline]] static u8* grown(Encoder& encoder, u32 form, u32 reg, Rm rm) {
        return body(encoder.room(), form, reg, rm);
    }
    template <auto body, class Rm>
    WRUN_INLINE static u8* run(Encoder& encoder, u32 form, u32 reg, Rm rm) {
        if (!encoder.has_room()) [[unlikely]]
            return grown<body>(encoder, form, reg, rm);
        return body(encoder._bufferPtr, form, reg, rm);
    }
};

u8* Encoder::with_mem(u32 form, u32 reg, Mem m) {
    return Bodies::run<Bodies::with_mem>(*this, form, reg, m);
}
u8* Encoder::plain_with_mem(u32 form, u32 reg, Mem m) {
    return Bodies::run<Bodies::plain_with_mem>(*this, form, reg, m);
}
u8* Encoder::with_reg(u32 form, u32 reg, u32 rm) {
    return Bodies::run<Bodies::with_reg>(*this, form, reg, rm);
}
u8* Encoder::plain_with_reg(u32 form, u32 reg, u32 rm) {
    return Bodies::run<Bodies::plain_with_reg>(*this, form, reg, rm);
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
