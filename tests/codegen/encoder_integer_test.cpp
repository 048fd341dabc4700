// Integer forms without memory: every register, every pair of them, both widths, every kind of
// immediate.
#include "tests/codegen/oracles.hpp"

namespace wrun::codegen::x64 {
namespace {

using asmjit::imm;
constexpr std::array both_widths = {false, true};

/// For a form of one register; `emit_xbyak` gets xbyak's operand.
#define WRUN_ONE_REGISTER(form, inst, xbyak_name)                      \
    for (const bool wide : both_widths) {                              \
        for (u8 reg = 0; reg < register_count; ++reg) {                \
            same(                                                      \
                #form, {wide, reg}, [&] { ours.form(wide, Gp{reg}); }, \
                [&] { aj.emit(Inst::inst, asmjit_reg(wide, reg)); },   \
                [&] { xb.xbyak_name(xbyak_reg(wide, reg)); });         \
        }                                                              \
    }

TEST_F(EncoderTest, alu_rr) {
    for (const AluRow& row : alu_rows) {
        for (const bool wide : both_widths) {
            for_each_pair([&](u8 to, u8 from) {
                same(
                    "alu_rr", {to_underlying(row.op), wide, to, from},
                    [&] { ours.alu_rr(wide, row.op, Gp{to}, Gp{from}); },
                    [&] {
                        aj.mod_mr().emit(row.inst, asmjit_reg(wide, to), asmjit_reg(wide, from));
                    },
                    [&] { (xb.*row.two)(xbyak_reg(wide, to), xbyak_reg(wide, from)); });
            });
        }
    }
}

TEST_F(EncoderTest, alu_ri) {
    for (const AluRow& row : alu_rows) {
        for (const bool wide : both_widths) {
            for (u8 to = 0; to < register_count; ++to) {
                for (const i32 value : immediates) {
                    same(
                        "alu_ri", {to_underlying(row.op), wide, to, value},
                        [&] { ours.alu_ri(wide, row.op, Gp{to}, value); },
                        [&] { aj.emit(row.inst, asmjit_reg(wide, to), imm(value)); },
                        [&] { (xb.*row.immediate)(xbyak_reg(wide, to), static_cast<u32>(value)); });
                }
            }
        }
    }
}

TEST_F(EncoderTest, test_rr) {
    for (const bool wide : both_widths) {
        for_each_pair([&](u8 a, u8 b) {
            same(
                "test_rr", {wide, a, b}, [&] { ours.test_rr(wide, Gp{a}, Gp{b}); },
                [&] { aj.test(asmjit_reg(wide, a), asmjit_reg(wide, b)); },
                [&] { xb.test(xbyak_reg(wide, a), xbyak_reg(wide, b)); });
        });
    }
}

/// [REX] a9 imm32 (test eax) → [REX] f7 c0 imm32.
std::vector<u8> long_test(std::span<const u8> bytes) {
    std::vector<u8> all(bytes.begin(), bytes.end());
    const std::size_t opcode = all.size() - 5;
    if (opcode <= 1 && all[opcode] == 0xa9) {
        all[opcode] = 0xf7;
        all.insert(all.begin() + static_cast<std::ptrdiff_t>(opcode) + 1, 0xc0);
    }
    return all;
}

TEST_F(EncoderTest, test_ri) {
    for (const bool wide : both_widths) {
        for (u8 reg = 0; reg < register_count; ++reg) {
            for (const i32 value : immediates) {
                same(
                    "test_ri", {wide, reg, value}, [&] { ours.test_ri(wide, Gp{reg}, value); },
                    [&] { aj.long_().test(asmjit_reg(wide, reg), imm(value)); },
                    [&] { xb.test(xbyak_reg(wide, reg), static_cast<u32>(value)); }, long_test);
            }
        }
    }
}

TEST_F(EncoderTest, mov_rr) {
    for (const bool wide : both_widths) {
        for_each_pair([&](u8 to, u8 from) {
            same(
                "mov_rr", {wide, to, from}, [&] { ours.mov_rr(wide, Gp{to}, Gp{from}); },
                [&] { aj.mod_mr().mov(asmjit_reg(wide, to), asmjit_reg(wide, from)); },
                [&] { xb.mov(xbyak_reg(wide, to), xbyak_reg(wide, from)); });
        });
    }
}

TEST_F(EncoderTest, mov_ri) {
    constexpr std::array<u64, 19> values = {0, 1, 0x7f, 0x80, 0xff, 0x1234, 0x7fff'ffff,
        0x8000'0000, 0xffff'ffff, 0x1'0000'0000, 0x1'2345'6789, 0x7fff'ffff'ffff'ffff,
        0x8000'0000'0000'0000, 0xfedc'ba98'7654'3210, 0xffff'ffff'7fff'ffff, 0xffff'ffff'8000'0000,
        0xffff'ffff'8000'0001, 0xffff'ffff'ffff'ff80, 0xffff'ffff'ffff'ffff};
    for (const u64 value : values) {
        for (u8 to = 0; to < register_count; ++to) {
            same(
                "mov_ri", {to, static_cast<i64>(value)}, [&] { ours.mov_ri(Gp{to}, value); },
                // asmjit writes what it is told: the narrow register is the shortest encoding.
                [&] { aj.mov(asmjit_reg(value > 0xffff'ffff, to), imm(value)); },
                [&] { xb.mov(Xbyak::Reg64(to), value); });
        }
    }
}

/// REX 90+r (xchg rax) → REX 87 /r with rax in ModRM.reg or, then with REX.R for REX.B, in
/// ModRM.rm.
std::vector<u8> long_xchg(std::span<const u8> bytes, bool rax_in_rm) {
    if (bytes.size() != 2) return {bytes.begin(), bytes.end()};
    const u8 other = bytes[1] & 7;
    if (!rax_in_rm) return {bytes[0], 0x87, static_cast<u8>(0xc0 | other)};
    const u8 rex = bytes[0] == 0x49 ? 0x4c : bytes[0];
    return {rex, 0x87, static_cast<u8>(0xc0 | (other << 3))};
}

TEST_F(EncoderTest, xchg_rr) {
    for_each_pair([&](u8 a, u8 b) {
        if (a == 0 && b == 0) return;  // asmjit knows it for a nop and has no other form of it
        same(
            "xchg_rr", {a, b}, [&] { ours.xchg_rr(Gp{a}, Gp{b}); },
            [&] { aj.long_().xchg(asmjit_reg(true, a), asmjit_reg(true, b)); },
            [&] { xb.xchg(xbyak_reg(true, b), xbyak_reg(true, a)); },
            a == 0 ? +[](std::span<const u8> bytes) { return long_xchg(bytes, true); }
                   : +[](std::span<const u8> bytes) { return long_xchg(bytes, false); });
    });
}

TEST_F(EncoderTest, imul_rr) {
    for (const bool wide : both_widths) {
        for_each_pair([&](u8 to, u8 from) {
            same(
                "imul_rr", {wide, to, from}, [&] { ours.imul_rr(wide, Gp{to}, Gp{from}); },
                [&] { aj.imul(asmjit_reg(wide, to), asmjit_reg(wide, from)); },
                [&] { xb.imul(xbyak_reg(wide, to), xbyak_reg(wide, from)); });
        });
    }
}

TEST_F(EncoderTest, imul_rri) {
    for (const bool wide : both_widths) {
        for (const i32 value : immediates) {
            for_each_pair([&](u8 to, u8 from) {
                same(
                    "imul_rri", {wide, to, from, value},
                    [&] { ours.imul_rri(wide, Gp{to}, Gp{from}, value); },
                    [&] { aj.imul(asmjit_reg(wide, to), asmjit_reg(wide, from), imm(value)); },
                    [&] { xb.imul(xbyak_reg(wide, to), xbyak_reg(wide, from), value); });
            });
        }
    }
}

TEST_F(EncoderTest, extensions) {
    using asmjit::x86::gpb;
    using asmjit::x86::gpw;
    for_each_pair([&](u8 to, u8 from) {
        same(
            "movzx8_rr", {to, from}, [&] { ours.movzx8_rr(Gp{to}, Gp{from}); },
            [&] { aj.movzx(asmjit_reg(false, to), gpb(from)); },
            [&] { xb.movzx(xbyak_reg(false, to), xbyak_byte_reg(from)); });
        same(
            "movzx16_rr", {to, from}, [&] { ours.movzx16_rr(Gp{to}, Gp{from}); },
            [&] { aj.movzx(asmjit_reg(false, to), gpw(from)); },
            [&] { xb.movzx(xbyak_reg(false, to), Xbyak::Reg16(from)); });
        for (const bool wide : both_widths) {
            same(
                "movsx8_rr", {wide, to, from}, [&] { ours.movsx8_rr(wide, Gp{to}, Gp{from}); },
                [&] { aj.movsx(asmjit_reg(wide, to), gpb(from)); },
                [&] { xb.movsx(xbyak_reg(wide, to), xbyak_byte_reg(from)); });
            same(
                "movsx16_rr", {wide, to, from}, [&] { ours.movsx16_rr(wide, Gp{to}, Gp{from}); },
                [&] { aj.movsx(asmjit_reg(wide, to), gpw(from)); },
                [&] { xb.movsx(xbyak_reg(wide, to), Xbyak::Reg16(from)); });
        }
        same(
            "movsxd_rr", {to, from}, [&] { ours.movsxd_rr(Gp{to}, Gp{from}); },
            [&] { aj.movsxd(asmjit_reg(true, to), asmjit_reg(false, from)); },
            [&] { xb.movsxd(Xbyak::Reg64(to), xbyak_reg(false, from)); });
    });
}

TEST_F(EncoderTest, cmov_rr) {
    for (const CcRow& row : cc_rows) {
        for (const bool wide : both_widths) {
            for_each_pair([&](u8 to, u8 from) {
                same(
                    "cmov_rr", {to_underlying(row.cc), wide, to, from},
                    [&] { ours.cmov_rr(wide, row.cc, Gp{to}, Gp{from}); },
                    [&] { aj.emit(row.cmov, asmjit_reg(wide, to), asmjit_reg(wide, from)); },
                    [&] { (xb.*row.xbyak_cmov)(xbyak_reg(wide, to), xbyak_reg(wide, from)); });
            });
        }
    }
}

TEST_F(EncoderTest, setcc) {
    for (const CcRow& row : cc_rows) {
        for (u8 to = 0; to < register_count; ++to) {
            same(
                "setcc", {to_underlying(row.cc), to}, [&] { ours.setcc(row.cc, Gp{to}); },
                [&] { aj.emit(row.set, asmjit::x86::gpb(to)); },
                [&] { (xb.*row.xbyak_set)(xbyak_byte_reg(to)); });
        }
    }
}

TEST_F(EncoderTest, one_register){WRUN_ONE_REGISTER(neg, kIdNeg, neg) WRUN_ONE_REGISTER(not_,
    kIdNot, not_) WRUN_ONE_REGISTER(div_r, kIdDiv, div) WRUN_ONE_REGISTER(idiv_r, kIdIdiv, idiv)}

TEST_F(EncoderTest, cdq_cqo) {
    same(
        "cdq_cqo", {false}, [&] { ours.cdq_cqo(false); }, [&] { aj.cdq(); }, [&] { xb.cdq(); });
    same(
        "cdq_cqo", {true}, [&] { ours.cdq_cqo(true); }, [&] { aj.cqo(); }, [&] { xb.cqo(); });
}

struct ShiftRow {
    Shift op;
    InstId inst;
    void (Generator::*count)(const Xbyak::Operand&, int);
    void (Generator::*cl)(const Xbyak::Operand&, const Xbyak::Reg8&);
};
const std::array shift_rows = {
    ShiftRow{Shift::rol, Inst::kIdRol, &Generator::rol, &Generator::rol},
    ShiftRow{Shift::ror, Inst::kIdRor, &Generator::ror, &Generator::ror},
    ShiftRow{Shift::shl, Inst::kIdShl, &Generator::shl, &Generator::shl},
    ShiftRow{Shift::shr, Inst::kIdShr, &Generator::shr, &Generator::shr},
    ShiftRow{Shift::sar, Inst::kIdSar, &Generator::sar, &Generator::sar},
};

/// [REX] d1 modrm (by 1) → [REX] c1 modrm 01.
std::vector<u8> long_shift(std::span<const u8> bytes) {
    std::vector<u8> all(bytes.begin(), bytes.end());
    u8& opcode = all[all.size() - 2];
    if (opcode == 0xd1) {
        opcode = 0xc1;
        all.push_back(1);
    }
    return all;
}

TEST_F(EncoderTest, shift_ri) {
    for (const ShiftRow& row : shift_rows) {
        for (const bool wide : both_widths) {
            for (u8 reg = 0; reg < register_count; ++reg) {
                for (u8 count = 0; count < (wide ? 64 : 32); ++count) {
                    same(
                        "shift_ri", {to_underlying(row.op), wide, reg, count},
                        [&] { ours.shift_ri(wide, row.op, Gp{reg}, count); },
                        [&] { aj.long_().emit(row.inst, asmjit_reg(wide, reg), imm(count)); },
                        [&] { (xb.*row.count)(xbyak_reg(wide, reg), count); },
                        count == 1 ? long_shift : nullptr);
                }
            }
        }
    }
}

TEST_F(EncoderTest, shift_rcl) {
    for (const ShiftRow& row : shift_rows) {
        for (const bool wide : both_widths) {
            for (u8 reg = 0; reg < register_count; ++reg) {
                same(
                    "shift_rcl", {to_underlying(row.op), wide, reg},
                    [&] { ours.shift_rcl(wide, row.op, Gp{reg}); },
                    [&] { aj.emit(row.inst, asmjit_reg(wide, reg), asmjit::x86::cl); },
                    [&] { (xb.*row.cl)(xbyak_reg(wide, reg), Xbyak::util::cl); });
            }
        }
    }
}

TEST_F(EncoderTest, stack_and_control) {
    for (u8 reg = 0; reg < register_count; ++reg) {
        same(
            "push_r", {reg}, [&] { ours.push_r(Gp{reg}); }, [&] { aj.push(asmjit_reg(true, reg)); },
            [&] { xb.push(Xbyak::Reg64(reg)); });
        same(
            "pop_r", {reg}, [&] { ours.pop_r(Gp{reg}); }, [&] { aj.pop(asmjit_reg(true, reg)); },
            [&] { xb.pop(Xbyak::Reg64(reg)); });
        same(
            "jmp_r", {reg}, [&] { ours.jmp_r(Gp{reg}); }, [&] { aj.jmp(asmjit_reg(true, reg)); },
            [&] { xb.jmp(Xbyak::Reg64(reg)); });
    }
    for (const u16 bytes : {u16{0}, u16{8}, u16{128}, u16{256}, u16{0x7ff8}, u16{0xfff8}}) {
        same(
            "ret_n", {bytes}, [&] { ours.ret_n(bytes); },
            [&] { bytes == 0 ? aj.ret() : aj.ret(imm(bytes)); }, [&] { xb.ret(bytes); });
    }
    same(
        "leave_", {}, [&] { ours.leave_(); }, [&] { aj.leave(); }, [&] { xb.leave(); });
    same(
        "ud2_", {}, [&] { ours.ud2_(); }, [&] { aj.ud2(); }, [&] { xb.ud2(); });
}

TEST_F(EncoderTest, data_behind_code) {
    for (u8 length = 0; length < 20; ++length) {
        for (const u32 alignment : {1U, 2U, 4U, 8U, 16U}) {
            constexpr u64 value = 0xfedc'ba98'7654'3210;
            same(
                "align_code, data64", {length, alignment},
                [&] {
                    for (u8 i = 0; i < length; ++i)
                        ours.leave_();
                    ours.align_code(alignment);
                    ours.data64(value);
                },
                [&] {
                    for (u8 i = 0; i < length; ++i)
                        aj.leave();
                    while (aj.offset() % alignment != 0)
                        aj.int3();
                    aj.embedUInt64(value);
                },
                [&] {
                    for (u8 i = 0; i < length; ++i)
                        xb.leave();
                    while (xb.getSize() % alignment != 0)
                        xb.int3();
                    xb.dq(value);
                });
        }
    }
}

}  // namespace
}  // namespace wrun::codegen::x64
