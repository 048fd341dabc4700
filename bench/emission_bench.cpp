// What one instruction costs to emit: the encoder's hand forms against asmjit's typed API, over the
// same mix of what a one-pass compiler emits (loads and stores of frame and memory, arithmetic,
// compare and branch, floats). Both write into one warm buffer, and the codes must be equal in
// size, or the program refuses to compare them. ns_per_instruction is the figure.
#include <asmjit/x86.h>
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "codegen/x64/encoder.hpp"

namespace {

using namespace wrun;
using namespace wrun::codegen::x64;
namespace x86 = asmjit::x86;

constexpr u32 groups_per_function = 100;
constexpr u32 instructions_per_group = 20;
constexpr u32 instructions = groups_per_function * instructions_per_group;
constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

/// Operands of one group, drawn beforehand so that drawing costs nothing here.
struct Operands {
    std::array<Gp, 6> gp;
    std::array<Fp, 3> fp;
    i32 slot, field, far_field, imm;
};

std::vector<Operands> draw_operands() {
    constexpr std::array registers = {Gp::rax, Gp::rcx, Gp::rdx, Gp::rbx, Gp::rsi, Gp::rdi, Gp::r8,
        Gp::r9, Gp::r10, Gp::r12, Gp::r13};
    std::minstd_rand random(11);
    std::vector<Operands> all(groups_per_function);
    for (Operands& one : all) {
        for (Gp& reg : one.gp)
            reg = registers[random() % registers.size()];
        for (Fp& reg : one.fp)
            reg = Fp{static_cast<u8>(random() % 16)};
        one.slot = -8 * static_cast<i32>(1 + random() % 15);
        one.field = 4 * static_cast<i32>(random() % 30);
        one.far_field = 1024 + 8 * static_cast<i32>(random() % 4096);
        one.imm = static_cast<i32>(random() | 0x10000);
    }
    return all;
}

const std::vector<Operands>& operands() {
    static const std::vector<Operands> all = draw_operands();
    return all;
}

/// A code holder over one buffer that is neither grown nor freed.
struct Buffer {
    std::vector<u8> storage = std::vector<u8>(buffer_bytes);
    asmjit::CodeHolder holder;

    Buffer() { init(); }
    asmjit::CodeHolder* init() {
        holder.reset(asmjit::ResetPolicy::kSoft);
        holder.init(asmjit::Environment(asmjit::Arch::kX64));
        asmjit::CodeBuffer& buffer = holder.textSection()->buffer();
        buffer._data = storage.data();
        buffer._capacity = storage.size();
        buffer._flags = asmjit::CodeBufferFlags::kIsFixed | asmjit::CodeBufferFlags::kIsExternal;
        return &holder;
    }
};

u32 emit_by_hand(Encoder& code) {
    constexpr Gp frame = Gp::rbp;
    constexpr Gp memory = Gp::r15;
    code.rewind(0);
    Label begin;
    Label trap;
    code.bind_l(begin);
    for (const Operands& o : operands()) {
        Label skip;
        code.mov_rm(false, o.gp[0], Mem::at(frame, o.slot));
        code.alu_rr(false, Alu::add, o.gp[0], o.gp[1]);
        code.mov_ri(o.gp[2], static_cast<u32>(o.imm));
        code.lea(true, o.gp[3], Mem::at(o.gp[1], o.gp[0], 2, o.field));
        code.load(LoadKind::u32_32, o.gp[4], Mem::at(memory, o.gp[3], 0, o.far_field));
        code.mov_mr(false, Mem::at(memory, o.gp[3], 0, o.field), o.gp[4]);
        code.alu_ri(false, Alu::cmp, o.gp[5], o.field);
        code.jcc_l(Cc::ne, skip);
        code.movs_rm(true, o.fp[0], Mem::at(memory, o.gp[0], 0, o.field));
        code.sse_rr(true, Sse::mul, o.fp[0], o.fp[1]);
        code.sse_rr(true, Sse::add, o.fp[2], o.fp[0]);
        code.shift_ri(false, Shift::shl, o.gp[1], 3);
        code.bind_l(skip);
        code.imul_rr(false, o.gp[5], o.gp[1]);
        code.load(LoadKind::u8_32, o.gp[2], Mem::at(memory, o.gp[5], 0, o.field));
        code.mov_mr(true, Mem::at(frame, o.slot), o.gp[2]);
        code.alu_ri(true, Alu::and_, o.gp[4], o.imm);
        code.alu_rm(true, Alu::sub, o.gp[3], Mem::at(frame, o.slot));
        code.test_rr(false, o.gp[3], o.gp[3]);
        code.jcc_l(Cc::e, trap);
        code.jcc_l(Cc::b, begin);
    }
    code.bind_l(trap);
    return code.position();
}

x86::Gpd gpd(Gp reg) {
    return x86::gpd(to_underlying(reg));
}
x86::Gpq gpq(Gp reg) {
    return x86::gpq(to_underlying(reg));
}

u32 emit_by_asmjit(x86::Assembler& code) {
    const x86::Gp frame = x86::rbp;
    const x86::Gp memory = x86::r15;
    const asmjit::Label begin = code.newLabel();
    const asmjit::Label trap = code.newLabel();
    code.bind(begin);
    for (const Operands& o : operands()) {
        const asmjit::Label skip = code.newLabel();
        const x86::Xmm a = x86::xmm(o.fp[0].id);
        code.mov(gpd(o.gp[0]), x86::dword_ptr(frame, o.slot));
        code.add(gpd(o.gp[0]), gpd(o.gp[1]));
        code.mov(gpd(o.gp[2]), o.imm);
        code.lea(gpq(o.gp[3]), x86::ptr(gpq(o.gp[1]), gpq(o.gp[0]), 2, o.field));
        code.mov(gpd(o.gp[4]), x86::dword_ptr(memory, gpq(o.gp[3]), 0, o.far_field));
        code.mov(x86::dword_ptr(memory, gpq(o.gp[3]), 0, o.field), gpd(o.gp[4]));
        code.cmp(gpd(o.gp[5]), o.field);
        code.jne(skip);
        code.movsd(a, x86::qword_ptr(memory, gpq(o.gp[0]), 0, o.field));
        code.mulsd(a, x86::xmm(o.fp[1].id));
        code.addsd(x86::xmm(o.fp[2].id), a);
        code.shl(gpd(o.gp[1]), 3);
        code.bind(skip);
        code.imul(gpd(o.gp[5]), gpd(o.gp[1]));
        code.movzx(gpd(o.gp[2]), x86::byte_ptr(memory, gpq(o.gp[5]), 0, o.field));
        code.mov(x86::qword_ptr(frame, o.slot), gpq(o.gp[2]));
        code.and_(gpq(o.gp[4]), o.imm);
        code.sub(gpq(o.gp[3]), x86::qword_ptr(frame, o.slot));
        code.test(gpd(o.gp[3]), gpd(o.gp[3]));
        code.je(trap);
        code.jb(begin);
    }
    code.bind(trap);
    return static_cast<u32>(code.offset());
}

void report(benchmark::State& state, u32 code_bytes) {
    state.counters["ns_per_instruction"] = benchmark::Counter(instructions * 1e-9,
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    state.counters["bytes_per_instruction"] = static_cast<double>(code_bytes) / instructions;
    state.SetBytesProcessed(static_cast<std::int64_t>(code_bytes) * state.iterations());
}

void encoder(benchmark::State& state) {
    Buffer buffer;
    Encoder code(&buffer.holder);
    u32 code_bytes = 0;
    for (auto _ : state) {
        code_bytes = emit_by_hand(code);
        benchmark::DoNotOptimize(code.bufferData());
        benchmark::ClobberMemory();
    }
    report(state, code_bytes);
}
BENCHMARK(encoder);

void asmjit_assembler(benchmark::State& state) {
    Buffer buffer;
    x86::Assembler code(&buffer.holder);
    u32 code_bytes = 0;
    for (auto _ : state) {
        // Its labels live in the holder: a new one for each function, which is how it is fastest.
        buffer.init()->attach(&code);
        code_bytes = emit_by_asmjit(code);
        benchmark::DoNotOptimize(code.bufferData());
        benchmark::ClobberMemory();
    }
    report(state, code_bytes);
}
BENCHMARK(asmjit_assembler);

void require_equal_work() {
    Buffer by_hand;
    Buffer by_asmjit;
    Encoder encoder(&by_hand.holder);
    x86::Assembler assembler(&by_asmjit.holder);
    const u32 hand_bytes = emit_by_hand(encoder);
    const u32 asmjit_bytes = emit_by_asmjit(assembler);
    if (hand_bytes == asmjit_bytes && !encoder.out_of_memory()) return;
    std::fprintf(
        stderr, "emission_bench: not the same code: %u and %u bytes\n", hand_bytes, asmjit_bytes);
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    require_equal_work();
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
