// Forms with a memory operand: every register × base × index × scale, and displacements of every
// kind.
#include "tests/codegen/oracles.hpp"

namespace wrun::codegen::x64 {
namespace {

using asmjit::imm;
constexpr std::array both_widths = {false, true};

u32 bytes_of(bool wide) {
    return wide ? 8 : 4;
}

i32 immediate_of(u8 number) {
    return immediates[number % immediates.size()];
}

TEST_F(EncoderTest, lea) {
    for (const bool wide : both_widths) {
        for_each_mem([&](u8 to, const Mem& mem) {
            same(
                "lea", {wide, to, WRUN_MEM_NUMBERS(mem)}, [&] { ours.lea(wide, Gp{to}, mem); },
                [&] { aj.lea(asmjit_reg(wide, to), asmjit_mem(mem, 0)); },
                [&] { xb.lea(xbyak_reg(wide, to), xbyak_mem(mem, 8)); });
        });
    }
}

TEST_F(EncoderTest, alu_rm) {
    for (const AluRow& row : alu_rows) {
        for (const bool wide : both_widths) {
            for_each_mem([&](u8 to, const Mem& mem) {
                same(
                    "alu_rm", {to_underlying(row.op), wide, to, WRUN_MEM_NUMBERS(mem)},
                    [&] { ours.alu_rm(wide, row.op, Gp{to}, mem); },
                    [&] {
                        aj.emit(row.inst, asmjit_reg(wide, to), asmjit_mem(mem, bytes_of(wide)));
                    },
                    [&] { (xb.*row.two)(xbyak_reg(wide, to), xbyak_mem(mem, bytes_of(wide))); });
            });
        }
    }
}

TEST_F(EncoderTest, alu_mr) {
    for (const AluRow& row : alu_rows) {
        for (const bool wide : both_widths) {
            for_each_mem([&](u8 from, const Mem& mem) {
                same(
                    "alu_mr", {to_underlying(row.op), wide, from, WRUN_MEM_NUMBERS(mem)},
                    [&] { ours.alu_mr(wide, row.op, mem, Gp{from}); },
                    [&] {
                        aj.emit(row.inst, asmjit_mem(mem, bytes_of(wide)), asmjit_reg(wide, from));
                    },
                    [&] { (xb.*row.two)(xbyak_mem(mem, bytes_of(wide)), xbyak_reg(wide, from)); });
            });
        }
    }
}

TEST_F(EncoderTest, alu_mi) {
    for (const AluRow& row : alu_rows) {
        for (const bool wide : both_widths) {
            for_each_mem([&](u8 number, const Mem& mem) {
                const i32 value = immediate_of(number);
                same(
                    "alu_mi", {to_underlying(row.op), wide, WRUN_MEM_NUMBERS(mem), value},
                    [&] { ours.alu_mi(wide, row.op, mem, value); },
                    [&] { aj.emit(row.inst, asmjit_mem(mem, bytes_of(wide)), imm(value)); },
                    [&] {
                        (xb.*row.immediate)(
                            xbyak_mem(mem, bytes_of(wide)), static_cast<u32>(value));
                    });
            });
        }
    }
}

TEST_F(EncoderTest, imul_rm) {
    for (const bool wide : both_widths) {
        for_each_mem([&](u8 to, const Mem& mem) {
            same(
                "imul_rm", {wide, to, WRUN_MEM_NUMBERS(mem)},
                [&] { ours.imul_rm(wide, Gp{to}, mem); },
                [&] { aj.imul(asmjit_reg(wide, to), asmjit_mem(mem, bytes_of(wide))); },
                [&] { xb.imul(xbyak_reg(wide, to), xbyak_mem(mem, bytes_of(wide))); });
        });
    }
}

struct LoadRow {
    LoadKind kind;
    InstId inst;
    bool wide;
    u32 bytes;
    void (*xbyak)(Generator&, const Xbyak::Reg32e&, const Xbyak::Address&);
};
void xbyak_movzx(Generator& xb, const Xbyak::Reg32e& to, const Xbyak::Address& from) {
    xb.movzx(to, from);
}
void xbyak_movsx(Generator& xb, const Xbyak::Reg32e& to, const Xbyak::Address& from) {
    xb.movsx(to, from);
}
void xbyak_mov(Generator& xb, const Xbyak::Reg32e& to, const Xbyak::Address& from) {
    xb.mov(to, from);
}
void xbyak_movsxd(Generator& xb, const Xbyak::Reg32e& to, const Xbyak::Address& from) {
    xb.movsxd(Xbyak::Reg64(to.getIdx()), from);
}
const std::array load_rows = {
    LoadRow{LoadKind::u8_32, Inst::kIdMovzx, false, 1, xbyak_movzx},
    LoadRow{LoadKind::u16_32, Inst::kIdMovzx, false, 2, xbyak_movzx},
    LoadRow{LoadKind::u32_32, Inst::kIdMov, false, 4, xbyak_mov},
    LoadRow{LoadKind::u64_64, Inst::kIdMov, true, 8, xbyak_mov},
    LoadRow{LoadKind::s8_32, Inst::kIdMovsx, false, 1, xbyak_movsx},
    LoadRow{LoadKind::s16_32, Inst::kIdMovsx, false, 2, xbyak_movsx},
    LoadRow{LoadKind::s8_64, Inst::kIdMovsx, true, 1, xbyak_movsx},
    LoadRow{LoadKind::s16_64, Inst::kIdMovsx, true, 2, xbyak_movsx},
    LoadRow{LoadKind::s32_64, Inst::kIdMovsxd, true, 4, xbyak_movsxd},
};

TEST_F(EncoderTest, load) {
    for (const LoadRow& row : load_rows) {
        for_each_mem([&](u8 to, const Mem& mem) {
            same(
                "load", {to_underlying(row.kind), to, WRUN_MEM_NUMBERS(mem)},
                [&] { ours.load(row.kind, Gp{to}, mem); },
                [&] { aj.emit(row.inst, asmjit_reg(row.wide, to), asmjit_mem(mem, row.bytes)); },
                [&] { row.xbyak(xb, xbyak_reg(row.wide, to), xbyak_mem(mem, row.bytes)); });
        });
    }
}

TEST_F(EncoderTest, mov_rm) {
    for (const bool wide : both_widths) {
        for_each_mem([&](u8 to, const Mem& mem) {
            same(
                "mov_rm", {wide, to, WRUN_MEM_NUMBERS(mem)},
                [&] { ours.mov_rm(wide, Gp{to}, mem); },
                [&] { aj.mov(asmjit_reg(wide, to), asmjit_mem(mem, bytes_of(wide))); },
                [&] { xb.mov(xbyak_reg(wide, to), xbyak_mem(mem, bytes_of(wide))); });
        });
    }
}

TEST_F(EncoderTest, mov_mr) {
    for (const bool wide : both_widths) {
        for_each_mem([&](u8 from, const Mem& mem) {
            same(
                "mov_mr", {wide, from, WRUN_MEM_NUMBERS(mem)},
                [&] { ours.mov_mr(wide, mem, Gp{from}); },
                [&] { aj.mov(asmjit_mem(mem, bytes_of(wide)), asmjit_reg(wide, from)); },
                [&] { xb.mov(xbyak_mem(mem, bytes_of(wide)), xbyak_reg(wide, from)); });
        });
    }
}

TEST_F(EncoderTest, mov8_mr) {
    for_each_mem([&](u8 from, const Mem& mem) {
        same(
            "mov8_mr", {from, WRUN_MEM_NUMBERS(mem)}, [&] { ours.mov8_mr(mem, Gp{from}); },
            [&] { aj.mov(asmjit_mem(mem, 1), asmjit::x86::gpb(from)); },
            [&] { xb.mov(xbyak_mem(mem, 1), xbyak_byte_reg(from)); });
    });
}

TEST_F(EncoderTest, mov16_mr) {
    for_each_mem([&](u8 from, const Mem& mem) {
        same(
            "mov16_mr", {from, WRUN_MEM_NUMBERS(mem)}, [&] { ours.mov16_mr(mem, Gp{from}); },
            [&] { aj.mov(asmjit_mem(mem, 2), asmjit::x86::gpw(from)); },
            [&] { xb.mov(xbyak_mem(mem, 2), Xbyak::Reg16(from)); });
    });
}

TEST_F(EncoderTest, mov_mi) {
    for_each_mem([&](u8 number, const Mem& mem) {
        const i32 value = immediate_of(number);
        const u8 byte = static_cast<u8>(value);
        const u16 half = static_cast<u16>(value);
        same(
            "mov8_mi", {WRUN_MEM_NUMBERS(mem), byte}, [&] { ours.mov8_mi(mem, byte); },
            [&] { aj.mov(asmjit_mem(mem, 1), imm(byte)); },
            [&] { xb.mov(xbyak_mem(mem, 1), byte); });
        same(
            "mov16_mi", {WRUN_MEM_NUMBERS(mem), half}, [&] { ours.mov16_mi(mem, half); },
            [&] { aj.mov(asmjit_mem(mem, 2), imm(half)); },
            [&] { xb.mov(xbyak_mem(mem, 2), half); });
        for (const bool wide : both_widths) {
            same(
                "mov_mi", {wide, WRUN_MEM_NUMBERS(mem), value},
                [&] { ours.mov_mi(wide, mem, value); },
                [&] { aj.mov(asmjit_mem(mem, bytes_of(wide)), imm(value)); },
                [&] { xb.mov(xbyak_mem(mem, bytes_of(wide)), static_cast<u64>(i64{value})); });
        }
    });
}

TEST_F(EncoderTest, call_push_pop) {
    for_each_mem([&](u8 /*reg*/, const Mem& mem) {
        same(
            "call_m", {WRUN_MEM_NUMBERS(mem)}, [&] { ours.call_m(mem); },
            [&] { aj.call(asmjit_mem(mem, 8)); }, [&] { xb.call(xbyak_mem(mem, 8)); });
        same(
            "push_m", {WRUN_MEM_NUMBERS(mem)}, [&] { ours.push_m(mem); },
            [&] { aj.push(asmjit_mem(mem, 8)); }, [&] { xb.push(xbyak_mem(mem, 8)); });
        same(
            "pop_m", {WRUN_MEM_NUMBERS(mem)}, [&] { ours.pop_m(mem); },
            [&] { aj.pop(asmjit_mem(mem, 8)); }, [&] { xb.pop(xbyak_mem(mem, 8)); });
    });
}

}  // namespace
}  // namespace wrun::codegen::x64
