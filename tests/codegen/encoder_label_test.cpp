// Labels: both sides of the border between rel8 and rel32, chains of uses before a label is bound,
// everything rip-relative, and what is patched by position.
#include "tests/codegen/oracles.hpp"

namespace wrun::codegen::x64 {
namespace {

using asmjit::x86::ptr;
using asmjit::x86::xmm;
using Xbyak::Xmm;
using Xbyak::util::rip;

/// Distances, counted in bytes of filler, at which a form could change.
constexpr std::array fillers = {0, 1, 2, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130,
    131, 132, 133, 134, 135, 136, 255, 256, 4000};

class EncoderLabelTest : public EncoderTest {
protected:
    void fill_ours(int count) {
        for (int i = 0; i < count; ++i)
            ours.leave_();
    }
    void fill_asmjit(int count) {
        for (int i = 0; i < count; ++i)
            aj.leave();
    }
    void fill_xbyak(int count) {
        for (int i = 0; i < count; ++i)
            xb.leave();
    }

    /// One use of a label, with `count` bytes between it and the label, which is bound before or
    /// after it.
    template <class UseOurs, class UseAsmjit, class UseXbyak>
    void same_at(const char* form, std::initializer_list<i64> operands, UseOurs use_ours,
        UseAsmjit use_asmjit, UseXbyak use_xbyak) {
        for (const int count : fillers) {
            SCOPED_TRACE(testing::Message() << count << " bytes after the label");
            same(
                form, operands,
                [&] {
                    Label label;
                    ours.leave_();
                    ours.bind_l(label);
                    fill_ours(count);
                    use_ours(label);
                },
                [&] {
                    const asmjit::Label label = aj.newLabel();
                    aj.leave();
                    aj.bind(label);
                    fill_asmjit(count);
                    use_asmjit(label);
                },
                [&] {
                    Xbyak::Label label;
                    xb.leave();
                    xb.L(label);
                    fill_xbyak(count);
                    use_xbyak(label);
                });
        }
        for (const int count : fillers) {
            SCOPED_TRACE(testing::Message() << count << " bytes before the label");
            same(
                form, operands,
                [&] {
                    Label label;
                    use_ours(label);
                    fill_ours(count);
                    ours.bind_l(label);
                },
                [&] {
                    const asmjit::Label label = aj.newLabel();
                    use_asmjit(label);
                    fill_asmjit(count);
                    aj.bind(label);
                },
                [&] {
                    Xbyak::Label label;
                    use_xbyak(label);
                    fill_xbyak(count);
                    xb.L(label);
                });
        }
    }
};

TEST_F(EncoderLabelTest, jcc_l) {
    for (const CcRow& row : cc_rows) {
        same_at(
            "jcc_l", {to_underlying(row.cc)}, [&](Label& label) { ours.jcc_l(row.cc, label); },
            [&](const asmjit::Label& label) { aj.emit(row.jump, label); },
            [&](const Xbyak::Label& label) { (xb.*row.xbyak_jump)(label, Generator::T_AUTO); });
    }
}

TEST_F(EncoderLabelTest, jmp_l) {
    same_at(
        "jmp_l", {}, [&](Label& label) { ours.jmp_l(label); },
        [&](const asmjit::Label& label) { aj.jmp(label); },
        [&](const Xbyak::Label& label) { xb.jmp(label); });
}

TEST_F(EncoderLabelTest, lea_l) {
    for (u8 to = 0; to < register_count; ++to) {
        same_at(
            "lea_l", {to}, [&](Label& label) { ours.lea_l(Gp{to}, label); },
            [&](const asmjit::Label& label) { aj.lea(asmjit_reg(true, to), ptr(label)); },
            [&](const Xbyak::Label& label) { xb.lea(Xbyak::Reg64(to), xb.ptr[rip + label]); });
    }
}

TEST_F(EncoderLabelTest, movs_l) {
    for (u8 to = 0; to < register_count; ++to) {
        same_at(
            "movs_l", {false, to}, [&](Label& label) { ours.movs_l(false, Fp{to}, label); },
            [&](const asmjit::Label& label) { aj.movss(xmm(to), ptr(label)); },
            [&](const Xbyak::Label& label) { xb.movss(Xmm(to), xb.ptr[rip + label]); });
        same_at(
            "movs_l", {true, to}, [&](Label& label) { ours.movs_l(true, Fp{to}, label); },
            [&](const asmjit::Label& label) { aj.movsd(xmm(to), ptr(label)); },
            [&](const Xbyak::Label& label) { xb.movsd(Xmm(to), xb.ptr[rip + label]); });
    }
}

TEST_F(EncoderLabelTest, sse_bits_l) {
    for (const SseBitsRow& row : sse_bits_rows) {
        for (u8 to = 0; to < register_count; ++to) {
            same_at(
                "sse_bits_l", {to_underlying(row.op), to},
                [&](Label& label) { ours.sse_bits_l(row.op, Fp{to}, label); },
                [&](const asmjit::Label& label) { aj.emit(row.inst, xmm(to), ptr(label)); },
                [&](const Xbyak::Label& label) { (xb.*row.xbyak)(Xmm(to), xb.ptr[rip + label]); });
        }
    }
}

TEST_F(EncoderLabelTest, ucomis_l) {
    for (u8 a = 0; a < register_count; ++a) {
        same_at(
            "ucomis_l", {false, a}, [&](Label& label) { ours.ucomis_l(false, Fp{a}, label); },
            [&](const asmjit::Label& label) { aj.ucomiss(xmm(a), ptr(label)); },
            [&](const Xbyak::Label& label) { xb.ucomiss(Xmm(a), xb.ptr[rip + label]); });
        same_at(
            "ucomis_l", {true, a}, [&](Label& label) { ours.ucomis_l(true, Fp{a}, label); },
            [&](const asmjit::Label& label) { aj.ucomisd(xmm(a), ptr(label)); },
            [&](const Xbyak::Label& label) { xb.ucomisd(Xmm(a), xb.ptr[rip + label]); });
    }
}

/// A field alone, behind the opcode of a call: the oracles have no such thing without the opcode.
TEST_F(EncoderLabelTest, label_field) {
    same_at(
        "label_field", {},
        [&](Label& label) {
            const u32 opcode = ours.call_rel32() - 1;
            ours.rewind(opcode + 1);
            ours.label_field(label);
        },
        [&](const asmjit::Label& label) { aj.call(label); },
        [&](const Xbyak::Label& label) { xb.call(label); });
}

/// Jumps to two labels in turn, a load between them: one chain must not take the other's links.
TEST_F(EncoderLabelTest, chains) {
    for (const int uses : {1, 2, 3, 10, 300}) {
        same(
            "chain", {uses},
            [&] {
                Label a;
                Label b;
                for (int i = 0; i < uses; ++i) {
                    ours.jcc_l(Cc::ne, a);
                    ours.jmp_l(b);
                    ours.movs_l(true, Fp{9}, a);
                    ours.lea_l(Gp::r13, b);
                }
                ours.bind_l(b);
                ours.leave_();
                ours.bind_l(a);
                ours.jmp_l(a);
                ours.jcc_l(Cc::e, b);
            },
            [&] {
                const asmjit::Label a = aj.newLabel();
                const asmjit::Label b = aj.newLabel();
                for (int i = 0; i < uses; ++i) {
                    aj.jne(a);
                    aj.jmp(b);
                    aj.movsd(xmm(9), ptr(a));
                    aj.lea(asmjit::x86::r13, ptr(b));
                }
                aj.bind(b);
                aj.leave();
                aj.bind(a);
                aj.jmp(a);
                aj.je(b);
            },
            [&] {
                Xbyak::Label a;
                Xbyak::Label b;
                for (int i = 0; i < uses; ++i) {
                    xb.jne(a);
                    xb.jmp(b);
                    xb.movsd(Xmm(9), xb.ptr[rip + a]);
                    xb.lea(Xbyak::util::r13, xb.ptr[rip + b]);
                }
                xb.L(b);
                xb.leave();
                xb.L(a);
                xb.jmp(a);
                xb.je(b);
            });
    }
}

TEST_F(EncoderLabelTest, call_rel32_is_patched_by_its_position) {
    for (const int count : fillers) {
        same(
            "call_rel32", {count},
            [&] {
                ours.leave_();
                const u32 field = ours.call_rel32();
                EXPECT_EQ(ours.read32(field), 0U);
                EXPECT_EQ(field, ours.position() - 4);
                fill_ours(count);
                ours.patch32(field, static_cast<u32>(count));
                EXPECT_EQ(ours.read32(field), static_cast<u32>(count));
            },
            [&] {
                const asmjit::Label label = aj.newLabel();
                aj.leave();
                aj.call(label);
                fill_asmjit(count);
                aj.bind(label);
            },
            [&] {
                Xbyak::Label label;
                xb.leave();
                xb.call(label);
                fill_xbyak(count);
                xb.L(label);
            });
    }
}

TEST_F(EncoderLabelTest, knows_its_state) {
    same(
        "jmp_l", {},
        [&] {
            Label label;
            EXPECT_FALSE(label.is_bound() || label.is_used());
            ours.jmp_l(label);
            EXPECT_TRUE(!label.is_bound() && label.is_used());
            ours.bind_l(label);
            EXPECT_TRUE(label.is_bound() && !label.is_used());
            EXPECT_EQ(label.position, 5);
        },
        [&] {
            const asmjit::Label label = aj.newLabel();
            aj.jmp(label);
            aj.bind(label);
        },
        [&] {
            Xbyak::Label label;
            xb.jmp(label);
            xb.L(label);
        });
}

TEST(Cc, is_negated_to_its_opposite) {
    const std::array opposites = {std::pair{Cc::o, Cc::no}, std::pair{Cc::b, Cc::ae},
        std::pair{Cc::e, Cc::ne}, std::pair{Cc::be, Cc::a}, std::pair{Cc::s, Cc::ns},
        std::pair{Cc::p, Cc::np}, std::pair{Cc::l, Cc::ge}, std::pair{Cc::le, Cc::g}};
    for (const auto& [cc, opposite] : opposites) {
        EXPECT_EQ(negate(cc), opposite);
        EXPECT_EQ(negate(opposite), cc);
    }
}

}  // namespace
}  // namespace wrun::codegen::x64
