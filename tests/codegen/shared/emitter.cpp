// A shared library with the encoder and asmjit inside, which asmjit_hooks_test.cpp loads: it links
// only if nothing in it is position-dependent.
#include <asmjit/x86.h>

#include <cstring>

#include "codegen/x64/encoder.hpp"

/// Emits a function by hand forms and by asmjit's; answers its size, 0 if it does not fit.
extern "C" [[gnu::visibility("default")]] std::size_t wrun_test_emit(void* into, std::size_t size) {
    asmjit::CodeHolder holder;
    holder.init(asmjit::Environment(asmjit::Arch::kX64));
    wrun::codegen::x64::Encoder code(&holder);
    code.mov_ri(wrun::runtime::x64::Gp::rax, 0xff00ff);
    code.popcnt(asmjit::x86::eax, asmjit::x86::eax);
    code.ret_n(0);
    if (code.out_of_memory() || code.position() > size) return 0;
    std::memcpy(into, code.bufferData(), code.position());
    return code.position();
}
