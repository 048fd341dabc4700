// Forms with SSE registers: every register, every pair, and every register × memory operand.
#include "tests/codegen/oracles.hpp"

namespace wrun::codegen::x64 {
namespace {

using asmjit::x86::xmm;
using Xbyak::Xmm;
constexpr std::array both_widths = {false, true};
constexpr std::array both_types = {false, true};  // is_f64

u32 bytes_of(bool is_f64) {
    return is_f64 ? 8 : 4;
}

TEST_F(EncoderTest, movaps_rr) {
    for_each_pair([&](u8 to, u8 from) {
        same(
            "movaps_rr", {to, from}, [&] { ours.movaps_rr(Fp{to}, Fp{from}); },
            [&] { aj.movaps(xmm(to), xmm(from)); }, [&] { xb.movaps(Xmm(to), Xmm(from)); });
    });
}

TEST_F(EncoderTest, sse_rr) {
    for (const SseRow& row : sse_rows) {
        for (const bool is_f64 : both_types) {
            for_each_pair([&](u8 to, u8 from) {
                same(
                    "sse_rr", {is_f64, to_underlying(row.op), to, from},
                    [&] { ours.sse_rr(is_f64, row.op, Fp{to}, Fp{from}); },
                    [&] { aj.emit(is_f64 ? row.inst_f64 : row.inst_f32, xmm(to), xmm(from)); },
                    [&] { (xb.*(is_f64 ? row.xbyak_f64 : row.xbyak_f32))(Xmm(to), Xmm(from)); });
            });
        }
    }
}

TEST_F(EncoderTest, sse_rm) {
    for (const SseRow& row : sse_rows) {
        for (const bool is_f64 : both_types) {
            for_each_mem([&](u8 to, const Mem& mem) {
                same(
                    "sse_rm", {is_f64, to_underlying(row.op), to, WRUN_MEM_NUMBERS(mem)},
                    [&] { ours.sse_rm(is_f64, row.op, Fp{to}, mem); },
                    [&] {
                        aj.emit(is_f64 ? row.inst_f64 : row.inst_f32, xmm(to),
                            asmjit_mem(mem, bytes_of(is_f64)));
                    },
                    [&] {
                        (xb.*(is_f64 ? row.xbyak_f64 : row.xbyak_f32))(
                            Xmm(to), xbyak_mem(mem, bytes_of(is_f64)));
                    });
            });
        }
    }
}

TEST_F(EncoderTest, sse_bits_rr) {
    for (const SseBitsRow& row : sse_bits_rows) {
        for_each_pair([&](u8 to, u8 from) {
            same(
                "sse_bits_rr", {to_underlying(row.op), to, from},
                [&] { ours.sse_bits_rr(row.op, Fp{to}, Fp{from}); },
                [&] { aj.emit(row.inst, xmm(to), xmm(from)); },
                [&] { (xb.*row.xbyak)(Xmm(to), Xmm(from)); });
        });
    }
}

TEST_F(EncoderTest, ucomis_rr) {
    for_each_pair([&](u8 a, u8 b) {
        same(
            "ucomis_rr", {false, a, b}, [&] { ours.ucomis_rr(false, Fp{a}, Fp{b}); },
            [&] { aj.ucomiss(xmm(a), xmm(b)); }, [&] { xb.ucomiss(Xmm(a), Xmm(b)); });
        same(
            "ucomis_rr", {true, a, b}, [&] { ours.ucomis_rr(true, Fp{a}, Fp{b}); },
            [&] { aj.ucomisd(xmm(a), xmm(b)); }, [&] { xb.ucomisd(Xmm(a), Xmm(b)); });
    });
}

TEST_F(EncoderTest, ucomis_rm) {
    for_each_mem([&](u8 a, const Mem& mem) {
        same(
            "ucomis_rm", {false, a, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.ucomis_rm(false, Fp{a}, mem); },
            [&] { aj.ucomiss(xmm(a), asmjit_mem(mem, 4)); },
            [&] { xb.ucomiss(Xmm(a), xbyak_mem(mem, 4)); });
        same(
            "ucomis_rm", {true, a, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.ucomis_rm(true, Fp{a}, mem); },
            [&] { aj.ucomisd(xmm(a), asmjit_mem(mem, 8)); },
            [&] { xb.ucomisd(Xmm(a), xbyak_mem(mem, 8)); });
    });
}

TEST_F(EncoderTest, movs_rm_and_mr) {
    for_each_mem([&](u8 reg, const Mem& mem) {
        same(
            "movs_rm", {false, reg, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.movs_rm(false, Fp{reg}, mem); },
            [&] { aj.movss(xmm(reg), asmjit_mem(mem, 4)); },
            [&] { xb.movss(Xmm(reg), xbyak_mem(mem, 4)); });
        same(
            "movs_rm", {true, reg, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.movs_rm(true, Fp{reg}, mem); },
            [&] { aj.movsd(xmm(reg), asmjit_mem(mem, 8)); },
            [&] { xb.movsd(Xmm(reg), xbyak_mem(mem, 8)); });
        same(
            "movs_mr", {false, reg, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.movs_mr(false, mem, Fp{reg}); },
            [&] { aj.movss(asmjit_mem(mem, 4), xmm(reg)); },
            [&] { xb.movss(xbyak_mem(mem, 4), Xmm(reg)); });
        same(
            "movs_mr", {true, reg, WRUN_MEM_NUMBERS(mem)},
            [&] { ours.movs_mr(true, mem, Fp{reg}); },
            [&] { aj.movsd(asmjit_mem(mem, 8), xmm(reg)); },
            [&] { xb.movsd(xbyak_mem(mem, 8), Xmm(reg)); });
    });
}

TEST_F(EncoderTest, bits_between_register_files) {
    using Xbyak::Reg32;
    using Xbyak::Reg64;
    for_each_pair([&](u8 a, u8 b) {
        same(
            "mov_fg", {false, a, b}, [&] { ours.mov_fg(false, Fp{a}, Gp{b}); },
            [&] { aj.movd(xmm(a), asmjit::x86::gpd(b)); }, [&] { xb.movd(Xmm(a), Reg32(b)); });
        same(
            "mov_fg", {true, a, b}, [&] { ours.mov_fg(true, Fp{a}, Gp{b}); },
            [&] { aj.movq(xmm(a), asmjit::x86::gpq(b)); }, [&] { xb.movq(Xmm(a), Reg64(b)); });
        same(
            "mov_gf", {false, a, b}, [&] { ours.mov_gf(false, Gp{a}, Fp{b}); },
            [&] { aj.movd(asmjit::x86::gpd(a), xmm(b)); }, [&] { xb.movd(Reg32(a), Xmm(b)); });
        same(
            "mov_gf", {true, a, b}, [&] { ours.mov_gf(true, Gp{a}, Fp{b}); },
            [&] { aj.movq(asmjit::x86::gpq(a), xmm(b)); }, [&] { xb.movq(Reg64(a), Xmm(b)); });
    });
}

TEST_F(EncoderTest, conversions) {
    for_each_pair([&](u8 a, u8 b) {
        for (const bool wide : both_widths) {
            same(
                "cvtsi2s", {false, wide, a, b}, [&] { ours.cvtsi2s(false, wide, Fp{a}, Gp{b}); },
                [&] { aj.cvtsi2ss(xmm(a), asmjit_reg(wide, b)); },
                [&] { xb.cvtsi2ss(Xmm(a), xbyak_reg(wide, b)); });
            same(
                "cvtsi2s", {true, wide, a, b}, [&] { ours.cvtsi2s(true, wide, Fp{a}, Gp{b}); },
                [&] { aj.cvtsi2sd(xmm(a), asmjit_reg(wide, b)); },
                [&] { xb.cvtsi2sd(Xmm(a), xbyak_reg(wide, b)); });
            same(
                "cvtts2si", {false, wide, a, b}, [&] { ours.cvtts2si(false, wide, Gp{a}, Fp{b}); },
                [&] { aj.cvttss2si(asmjit_reg(wide, a), xmm(b)); },
                [&] { xb.cvttss2si(xbyak_reg(wide, a), Xmm(b)); });
            same(
                "cvtts2si", {true, wide, a, b}, [&] { ours.cvtts2si(true, wide, Gp{a}, Fp{b}); },
                [&] { aj.cvttsd2si(asmjit_reg(wide, a), xmm(b)); },
                [&] { xb.cvttsd2si(xbyak_reg(wide, a), Xmm(b)); });
        }
        same(
            "cvts2s", {false, a, b}, [&] { ours.cvts2s(false, Fp{a}, Fp{b}); },
            [&] { aj.cvtss2sd(xmm(a), xmm(b)); }, [&] { xb.cvtss2sd(Xmm(a), Xmm(b)); });
        same(
            "cvts2s", {true, a, b}, [&] { ours.cvts2s(true, Fp{a}, Fp{b}); },
            [&] { aj.cvtsd2ss(xmm(a), xmm(b)); }, [&] { xb.cvtsd2ss(Xmm(a), Xmm(b)); });
    });
}

}  // namespace
}  // namespace wrun::codegen::x64
