// The encoder beside its two oracles: asmjit's typed API and xbyak, each with a buffer of its own.
// same() has one instruction (or one short run of them) emitted by all three and compares the
// bytes; a mismatch shows the operands and all three encodings, and a test stops comparing after a
// few of them.
//
// Where an oracle must be told, or offers only another encoding of the same instruction:
//   form            asmjit        xbyak           because
//   alu_rr, mov_rr  mod_mr()      as ours         either register can be ModRM.rm
//   test_ri of rax  long_()       long_test()     a9 has no ModRM
//   shift_ri by 1   long_()       long_shift()    d1 has no immediate
//   xchg_rr of rax  long_()       long_xchg()     90+r has no ModRM; rax with rax: asmjit has nop
//   only mov_ri          its register  as ours         asmjit leaves the choice of the width to the
//   caller
#pragma once

#include <asmjit/x86.h>
#include <gtest/gtest.h>
#include <xbyak/xbyak.h>

#include <array>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "codegen/x64/encoder.hpp"

namespace wrun::codegen::x64 {

constexpr u8 register_count = 16;

/// One of each way to encode a displacement, and both sides of each border between them.
constexpr std::array<i32, 13> displacements = {0, 1, -1, 8, 127, 128, -128, -129, 255, 0x1234,
    -0x123456, std::numeric_limits<i32>::max(), std::numeric_limits<i32>::min()};

/// The same for immediates of 32 bits.
constexpr std::array<i32, 12> immediates = {0, 1, -1, 127, 128, -128, -129, 255, 0x1234, -0x123456,
    std::numeric_limits<i32>::max(), std::numeric_limits<i32>::min()};

// ---- operands of the oracles -------------------------------------------------------------------

inline asmjit::x86::Gp asmjit_reg(bool wide, u8 id) {
    return wide ? asmjit::x86::Gp(asmjit::x86::gpq(id)) : asmjit::x86::Gp(asmjit::x86::gpd(id));
}
inline Xbyak::Reg32e xbyak_reg(bool wide, u8 id) {
    return Xbyak::Reg32e(id, wide ? 64 : 32);
}
/// Numbers 4 to 7 are spl, bpl, sil and dil, not ah to bh.
inline Xbyak::Reg8 xbyak_byte_reg(u8 id) {
    return Xbyak::Reg8(id, id >= 4 && id < 8);
}
inline asmjit::x86::Mem asmjit_mem(const Mem& mem, u32 bytes) {
    const auto base = asmjit::x86::gpq(to_underlying(mem.base));
    return mem.index == Mem::no_index
               ? asmjit::x86::ptr(base, mem.disp, bytes)
               : asmjit::x86::ptr(base, asmjit::x86::gpq(mem.index), mem.scale, mem.disp, bytes);
}
inline Xbyak::Address xbyak_mem(const Mem& mem, u32 bytes) {
    Xbyak::RegExp expression(Xbyak::Reg64(to_underlying(mem.base)));
    if (mem.index != Mem::no_index) {
        expression = expression + Xbyak::RegExp(Xbyak::Reg64(mem.index), 1 << mem.scale);
    }
    // Not by operator-: the least displacement has no negation.
    expression = expression + static_cast<std::size_t>(static_cast<i64>(mem.disp));
    return Xbyak::AddressFrame(bytes * 8)[expression];
}

// ---- all operands ------------------------------------------------------------------------------

template <class Visit>
void for_each_pair(Visit visit) {
    for (u8 a = 0; a < register_count; ++a) {
        for (u8 b = 0; b < register_count; ++b)
            visit(a, b);
    }
}

/// The whole product of a register (or a number for those who need none), base, index or none,
/// scale and displacement: 200,000 operands.
template <class Visit>
void for_each_mem(Visit visit) {
    for (u8 reg = 0; reg < register_count; ++reg) {
        for_each_pair([&](u8 base, u8 index) {
            for (const i32 disp : displacements) {
                if (index == to_underlying(Gp::rsp)) {  // cannot be one
                    visit(reg, Mem::at(Gp{base}, disp));
                    continue;
                }
                for (u8 scale = 0; scale < 4; ++scale) {
                    visit(reg, Mem::at(Gp{base}, Gp{index}, scale, disp));
                }
            }
        });
    }
}

class EncoderTest : public testing::Test {
protected:
    EncoderTest() : ours(held(our_code_)), aj(held(asmjit_code_)), xb(buffer_bytes) {
        // Where a label is not bound yet, rel32, as the others have it.
        xb.setDefaultJmpNEAR(true);
    }

    ~EncoderTest() override { EXPECT_NE(compared_, 0U); }

    /// Has `form` emitted three times. `long_form` makes of xbyak's bytes the longer encoding of
    /// the same instruction, where xbyak offers only a shorter one.
    template <class EmitOurs, class EmitAsmjit, class EmitXbyak>
    void same(const char* form, std::initializer_list<i64> operands, EmitOurs emit_ours,
        EmitAsmjit emit_asmjit, EmitXbyak emit_xbyak,
        std::vector<u8> (*long_form)(std::span<const u8>) = nullptr) {
        ++compared_;
        if (mismatches_ == mismatches_shown) return;
        ours.rewind(0);
        aj.setOffset(0);
        xb.setSize(0);
        emit_ours();
        emit_asmjit();
        emit_xbyak();
        const std::span<const u8> our_bytes(ours.bufferData(), ours.position());
        const std::span<const u8> asmjit_bytes(aj.bufferData(), aj.offset());
        const std::span<const u8> xbyak_bytes(xb.getCode(), xb.getSize());
        std::vector<u8> lengthened;
        if (long_form) lengthened = long_form(xbyak_bytes);
        const std::span<const u8> xbyak_compared = long_form ? lengthened : xbyak_bytes;
        if (!equal(our_bytes, asmjit_bytes) || !equal(our_bytes, xbyak_compared)) {
            ++mismatches_;
            ADD_FAILURE() << form << text(operands) << "\n  ours:  " << hex(our_bytes)
                          << "\n  asmjit:" << hex(asmjit_bytes)
                          << "\n  xbyak: " << hex(xbyak_bytes);
        }
    }

private:
    static constexpr std::size_t buffer_bytes = 16 << 10;
    static constexpr u32 mismatches_shown = 8;

    static asmjit::CodeHolder* held(asmjit::CodeHolder& code) {
        code.init(asmjit::Environment(asmjit::Arch::kX64));
        return &code;
    }
    static bool equal(std::span<const u8> a, std::span<const u8> b) {
        return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
    }
    static std::string text(std::initializer_list<i64> operands) {
        std::string all = "(";
        for (const i64 operand : operands) {
            if (all.size() > 1) all += ", ";
            all += std::to_string(operand);
        }
        return all + ")";
    }
    static std::string hex(std::span<const u8> bytes) {
        std::string all;
        for (const u8 byte : bytes) {
            all += ' ';
            all += "0123456789abcdef"[byte >> 4];
            all += "0123456789abcdef"[byte & 15];
        }
        return all;
    }

    asmjit::CodeHolder our_code_;
    asmjit::CodeHolder asmjit_code_;

protected:
    Encoder ours;
    asmjit::x86::Assembler aj;
    Xbyak::CodeGenerator xb;

private:
    u64 compared_ = 0;
    u32 mismatches_ = 0;
};

/// A memory operand as numbers, for same(); -1 where there is no index.
#define WRUN_MEM_NUMBERS(mem)                                                             \
    i64{to_underlying((mem).base)}, (mem).index == Mem::no_index ? i64{-1} : (mem).index, \
        (mem).scale, (mem).disp

// ---- tables: an operation of ours, and the oracles' names for it
// ---------------------------------

using InstId = asmjit::InstId;
namespace Inst = asmjit::x86::Inst;
using Generator = Xbyak::CodeGenerator;

struct AluRow {
    Alu op;
    InstId inst;
    void (Generator::*two)(const Xbyak::Operand&, const Xbyak::Operand&);
    void (Generator::*immediate)(const Xbyak::Operand&, u32);
};
inline const std::array alu_rows = {
    AluRow{Alu::add, Inst::kIdAdd, &Generator::add, &Generator::add},
    AluRow{Alu::or_, Inst::kIdOr, &Generator::or_, &Generator::or_},
    AluRow{Alu::and_, Inst::kIdAnd, &Generator::and_, &Generator::and_},
    AluRow{Alu::sub, Inst::kIdSub, &Generator::sub, &Generator::sub},
    AluRow{Alu::xor_, Inst::kIdXor, &Generator::xor_, &Generator::xor_},
    AluRow{Alu::cmp, Inst::kIdCmp, &Generator::cmp, &Generator::cmp},
};

struct CcRow {
    Cc cc;
    InstId cmov, set, jump;
    void (Generator::*xbyak_cmov)(const Xbyak::Reg&, const Xbyak::Operand&);
    void (Generator::*xbyak_set)(const Xbyak::Operand&);
    void (Generator::*xbyak_jump)(const Xbyak::Label&, Generator::LabelType);
};
#define WRUN_CC(cc, asmjit_name, xbyak_name)                                                     \
    CcRow {                                                                                      \
        Cc::cc, Inst::kIdCmov##asmjit_name, Inst::kIdSet##asmjit_name, Inst::kIdJ##asmjit_name,  \
            &Generator::cmov##xbyak_name, &Generator::set##xbyak_name, &Generator::j##xbyak_name \
    }
inline const std::array cc_rows = {
    WRUN_CC(o, o, o),
    WRUN_CC(no, no, no),
    WRUN_CC(b, b, b),
    WRUN_CC(ae, ae, ae),
    WRUN_CC(e, e, e),
    WRUN_CC(ne, ne, ne),
    WRUN_CC(be, be, be),
    WRUN_CC(a, a, a),
    WRUN_CC(s, s, s),
    WRUN_CC(ns, ns, ns),
    WRUN_CC(p, p, p),
    WRUN_CC(np, np, np),
    WRUN_CC(l, l, l),
    WRUN_CC(ge, ge, ge),
    WRUN_CC(le, le, le),
    WRUN_CC(g, g, g),
};
#undef WRUN_CC

struct SseRow {
    Sse op;
    InstId inst_f32, inst_f64;
    void (Generator::*xbyak_f32)(const Xbyak::Xmm&, const Xbyak::Operand&);
    void (Generator::*xbyak_f64)(const Xbyak::Xmm&, const Xbyak::Operand&);
};
#define WRUN_SSE(op, asmjit_name, xbyak_name)                            \
    SseRow {                                                             \
        Sse::op, Inst::kId##asmjit_name##ss, Inst::kId##asmjit_name##sd, \
            &Generator::xbyak_name##ss, &Generator::xbyak_name##sd       \
    }
inline const std::array sse_rows = {
    WRUN_SSE(sqrt, Sqrt, sqrt),
    WRUN_SSE(add, Add, add),
    WRUN_SSE(mul, Mul, mul),
    WRUN_SSE(sub, Sub, sub),
    WRUN_SSE(min, Min, min),
    WRUN_SSE(div, Div, div),
    WRUN_SSE(max, Max, max),
};
#undef WRUN_SSE

struct SseBitsRow {
    SseBits op;
    InstId inst;
    void (Generator::*xbyak)(const Xbyak::Xmm&, const Xbyak::Operand&);
};
inline const std::array sse_bits_rows = {
    SseBitsRow{SseBits::and_, Inst::kIdAndps, &Generator::andps},
    SseBitsRow{SseBits::andn, Inst::kIdAndnps, &Generator::andnps},
    SseBitsRow{SseBits::or_, Inst::kIdOrps, &Generator::orps},
    SseBitsRow{SseBits::xor_, Inst::kIdXorps, &Generator::xorps},
};

}  // namespace wrun::codegen::x64
