// The hot x86-64 instruction forms, encoded by hand into asmjit's own code buffer (measured: 1.5 ns
// an instruction against 11–17 through asmjit's emitter). Everything rare goes through asmjit's
// typed API on the same cursor. Every form, asmjit's too, makes room before it writes one byte, so
// no input can run over the buffer; where it cannot grow, what is emitted goes to its last bytes,
// which hold no code, and out_of_memory() says so until rewind(). tests/codegen compares each form
// with asmjit and xbyak over all registers.
#pragma once

#include <asmjit/x86.h>

#include <array>
#include <cstring>

#include "base/check.hpp"
#include "base/types.hpp"
#include "runtime/abi.hpp"

namespace wrun::codegen::x64 {

using Gp = runtime::x64::Gp;

/// An SSE register by number.
struct Fp {
    u8 id = 0;
    constexpr bool operator==(const Fp&) const = default;
};

/// [base + index << scale + disp]. `index` absent: no_index, which is how the processor says it.
struct Mem {
    static constexpr u8 no_index = to_underlying(Gp::rsp);
    Gp base{};
    u8 index = no_index;
    u8 scale = 0;  // log2
    i32 disp = 0;
    [[nodiscard]] static constexpr Mem at(Gp base, i32 disp = 0) noexcept {
        return {base, no_index, 0, disp};
    }
    [[nodiscard]] static constexpr Mem at(Gp base, Gp index, u8 scale, i32 disp) noexcept {
        WRUN_ASSERT(index != Gp::rsp);
        return {base, to_underlying(index), scale, disp};
    }
};

/// A place in the code: bound at `position`, or the head of a chain of rel32 fields through `link`.
struct Label {
    i32 position = -1;
    i32 link = -1;
    [[nodiscard]] bool is_bound() const noexcept { return position >= 0; }
    [[nodiscard]] bool is_used() const noexcept { return link >= 0; }
};

/// x86 condition codes.
enum class Cc : u8 { o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g };
[[nodiscard]] constexpr Cc negate(Cc cc) noexcept {
    return static_cast<Cc>(to_underlying(cc) ^ 1);
}

/// Operations of the 0x00–0x3f block and of opcode 0x81; the value is the /digit.
enum class Alu : u8 { add = 0, or_ = 1, and_ = 4, sub = 5, xor_ = 6, cmp = 7 };
/// Operations of opcode 0xc1 / 0xd3; the value is the /digit.
enum class Shift : u8 { rol = 0, ror = 1, shl = 4, shr = 5, sar = 7 };

/// Loads into an integer register. s/u: sign- or zero-extending; the last number is the register's
/// width.
enum class LoadKind : u8 { u8_32, u16_32, u32_32, u64_64, s8_32, s16_32, s8_64, s16_64, s32_64 };
/// Scalar SSE operations of two operands: F3/F2 0F xx.
enum class Sse : u8 {
    sqrt = 0x51,
    add = 0x58,
    mul = 0x59,
    sub = 0x5c,
    min = 0x5d,
    div = 0x5e,
    max = 0x5f
};
/// Bitwise operations on whole SSE registers: 0F xx.
enum class SseBits : u8 { and_ = 0x54, andn = 0x55, or_ = 0x56, xor_ = 0x57 };

/// A form of instructions: the opcode, and what goes before it.
namespace form {
constexpr u32 rex_w(bool wide) noexcept {
    return u32{wide} << 11;  // above the opcode it is the bit of REX
}
inline constexpr u32 escape = 1u << 12;    // 0f
inline constexpr u32 byte_reg = 1u << 13;  // of a byte, which from spl on only REX reaches
constexpr u32 prefix(u8 byte) noexcept {
    return u32{byte} << 16;
}
inline constexpr std::array<u32, 9> loads = {
    0xb6 | escape,                // u8_32
    0xb7 | escape,                // u16_32
    0x8b,                         // u32_32
    0x8b | rex_w(true),           // u64_64
    0xbe | escape,                // s8_32
    0xbf | escape,                // s16_32
    0xbe | escape | rex_w(true),  // s8_64
    0xbf | escape | rex_w(true),  // s16_64
    0x63 | rex_w(true),           // s32_64
};
}  // namespace form

class Encoder : public asmjit::x86::Assembler {
public:
    explicit Encoder(asmjit::CodeHolder* code);

    [[nodiscard]] u32 position() const noexcept {
        return static_cast<u32>(_bufferPtr - _bufferData);
    }
    /// Whether the buffer could not grow; what was emitted since is void, what lies below it is as
    /// it was.
    [[nodiscard]] bool out_of_memory() const noexcept { return out_of_memory_; }
    /// Drops what was emitted from `position` on. Labels bound or used there must not be used
    /// again.
    void rewind(u32 position) noexcept {
        _bufferPtr = _bufferData + position;
        out_of_memory_ = false;
    }
    [[nodiscard]] u32 read32(u32 position) const noexcept {
        u32 value = 0;
        std::memcpy(&value, _bufferData + position, 4);
        return value;
    }
    void patch32(u32 position, u32 value) noexcept {
        std::memcpy(_bufferData + position, &value, 4);
    }

    // asmjit's ways to the buffer, each behind room(): it would not grow the buffer rightly by
    // itself, since the hand forms do not tell it how much is used. An instruction it refuses is a
    // bug of ours.
    asmjit::Error _emit(asmjit::InstId inst, const asmjit::Operand_& a, const asmjit::Operand_& b,
        const asmjit::Operand_& c, const asmjit::Operand_* more) override;
    asmjit::Error align(asmjit::AlignMode mode, u32 alignment) override;
    asmjit::Error embed(const void* data, std::size_t size) override;

    // ---- integer, register to register ----------------------------------------------------

    void alu_rr(bool wide, Alu op, Gp to, Gp from) {
        reg_reg(wide, (u32{to_underlying(op)} << 3) | 0x01, id(from), id(to));
    }
    void test_rr(bool wide, Gp a, Gp b) { reg_reg(wide, 0x85, id(b), id(a)); }
    void mov_rr(bool wide, Gp to, Gp from) { reg_reg(wide, 0x89, id(from), id(to)); }
    void xchg_rr(Gp a, Gp b) { reg_reg(true, 0x87, id(b), id(a)); }
    void imul_rr(bool wide, Gp to, Gp from) { reg_reg2(wide, 0xaf, id(to), id(from)); }
    void movzx8_rr(Gp to, Gp from) { byte_reg_reg2(false, 0xb6, id(to), id(from)); }
    void movzx16_rr(Gp to, Gp from) { reg_reg2(false, 0xb7, id(to), id(from)); }
    void movsx8_rr(bool wide, Gp to, Gp from) { byte_reg_reg2(wide, 0xbe, id(to), id(from)); }
    void movsx16_rr(bool wide, Gp to, Gp from) { reg_reg2(wide, 0xbf, id(to), id(from)); }
    void movsxd_rr(Gp to, Gp from) { reg_reg(true, 0x63, id(to), id(from)); }
    void cmov_rr(bool wide, Cc cc, Gp to, Gp from) {
        reg_reg2(wide, 0x40u | to_underlying(cc), id(to), id(from));
    }
    /// Sets the low byte of `to` to 0 or 1.
    void setcc(Cc cc, Gp to) { byte_reg_reg2(false, 0x90u | to_underlying(cc), 0, id(to)); }
    void neg(bool wide, Gp reg) { reg_reg(wide, 0xf7, 3, id(reg)); }
    void not_(bool wide, Gp reg) { reg_reg(wide, 0xf7, 2, id(reg)); }
    /// rdx:rax / reg.
    void div_r(bool wide, Gp reg) { reg_reg(wide, 0xf7, 6, id(reg)); }
    void idiv_r(bool wide, Gp reg) { reg_reg(wide, 0xf7, 7, id(reg)); }
    /// Sign of rax into rdx.
    void cdq_cqo(bool wide) {
        u8* p = room();
        *p = 0x48;
        p += wide;
        *p++ = 0x99;
        done(p);
    }
    void shift_ri(bool wide, Shift op, Gp reg, u8 count) {
        u8* p = room();
        p = rex(p, wide, 0, 0, id(reg));
        p[0] = 0xc1;
        p[1] = modrm(3, to_underlying(op), id(reg));
        p[2] = count;
        done(p + 3);
    }
    void shift_rcl(bool wide, Shift op, Gp reg) { reg_reg(wide, 0xd3, to_underlying(op), id(reg)); }

    // ---- integer, immediate ---------------------------------------------------------------

    void alu_ri(bool wide, Alu op, Gp to, i32 imm) {
        u8* p = room();
        p = rex(p, wide, 0, 0, id(to));
        if (imm == static_cast<i8>(imm)) {
            p[0] = 0x83;
            p[1] = modrm(3, to_underlying(op), id(to));
            p[2] = static_cast<u8>(imm);
            done(p + 3);
        } else if (to == Gp::rax) {
            p[0] = static_cast<u8>((to_underlying(op) << 3) | 0x05);
            done(put32(p + 1, static_cast<u32>(imm)));
        } else {
            p[0] = 0x81;
            p[1] = modrm(3, to_underlying(op), id(to));
            done(put32(p + 2, static_cast<u32>(imm)));
        }
    }
    void imul_rri(bool wide, Gp to, Gp from, i32 imm) {
        u8* p = room();
        p = rex(p, wide, id(to), 0, id(from));
        const bool small = imm == static_cast<i8>(imm);
        p[0] = small ? 0x6b : 0x69;
        p[1] = modrm(3, id(to), id(from));
        p = put32(p + 2, static_cast<u32>(imm));
        done(small ? p - 3 : p);
    }
    /// Leaves flags alone. The shortest of mov r32, mov r64 with sign extension, movabs.
    void mov_ri(Gp to, u64 value) {
        u8* p = room();
        if (value <= 0xffff'ffff) {
            p = rex(p, false, 0, 0, id(to));
            *p++ = static_cast<u8>(0xb8 | (id(to) & 7));
            done(put32(p, static_cast<u32>(value)));
        } else if (static_cast<i64>(value) == static_cast<i32>(value)) {
            p = rex(p, true, 0, 0, id(to));
            p[0] = 0xc7;
            p[1] = modrm(3, 0, id(to));
            done(put32(p + 2, static_cast<u32>(value)));
        } else {
            p = rex(p, true, 0, 0, id(to));
            *p++ = static_cast<u8>(0xb8 | (id(to) & 7));
            std::memcpy(p, &value, 8);
            done(p + 8);
        }
    }
    void test_ri(bool wide, Gp reg, i32 imm) {
        u8* p = room();
        p = rex(p, wide, 0, 0, id(reg));
        p[0] = 0xf7;
        p[1] = modrm(3, 0, id(reg));
        done(put32(p + 2, static_cast<u32>(imm)));
    }

    // ---- integer, memory ------------------------------------------------------------------

    void alu_rm(bool wide, Alu op, Gp to, Mem from) {
        reg_mem(wide, (u32{to_underlying(op)} << 3) | 0x03, id(to), from);
    }
    void alu_mr(bool wide, Alu op, Mem to, Gp from) {
        reg_mem(wide, (u32{to_underlying(op)} << 3) | 0x01, id(from), to);
    }
    void alu_mi(bool wide, Alu op, Mem to, i32 imm) {
        const bool small = imm == static_cast<i8>(imm);
        u8* p = plain_with_mem((small ? 0x83 : 0x81) | form::rex_w(wide), to_underlying(op), to);
        p = put32(p, static_cast<u32>(imm));
        done(small ? p - 3 : p);
    }
    void imul_rm(bool wide, Gp to, Mem from) { reg_mem2(wide, 0xaf, id(to), from); }
    void lea(bool wide, Gp to, Mem from) { reg_mem(wide, 0x8d, id(to), from); }
    void load(LoadKind kind, Gp to, Mem from) {
        done(with_mem(form::loads[to_underlying(kind)], id(to), from));
    }
    void mov_rm(bool wide, Gp to, Mem from) { reg_mem(wide, 0x8b, id(to), from); }
    void mov_mr(bool wide, Mem to, Gp from) { reg_mem(wide, 0x89, id(from), to); }
    void mov8_mr(Mem to, Gp from) { done(with_mem(0x88 | form::byte_reg, id(from), to)); }
    void mov16_mr(Mem to, Gp from) { done(with_mem(0x89 | form::prefix(0x66), id(from), to)); }
    void mov8_mi(Mem to, u8 imm) {
        u8* p = plain_with_mem(0xc6, 0, to);
        *p++ = imm;
        done(p);
    }
    void mov16_mi(Mem to, u16 imm) {
        u8* p = with_mem(0xc7 | form::prefix(0x66), 0, to);
        std::memcpy(p, &imm, 2);
        done(p + 2);
    }
    /// 32 bits, or 64 bits sign-extended from the 32 given.
    void mov_mi(bool wide, Mem to, i32 imm) {
        done(put32(plain_with_mem(0xc7 | form::rex_w(wide), 0, to), static_cast<u32>(imm)));
    }

    // ---- stack and control ----------------------------------------------------------------

    void push_r(Gp reg) {
        u8* p = room();
        p = rex(p, false, 0, 0, id(reg));
        *p++ = static_cast<u8>(0x50 | (id(reg) & 7));
        done(p);
    }
    void pop_r(Gp reg) {
        u8* p = room();
        p = rex(p, false, 0, 0, id(reg));
        *p++ = static_cast<u8>(0x58 | (id(reg) & 7));
        done(p);
    }
    // asmjit has the plain names.
    void leave_() { byte(0xc9); }  // NOLINT(readability-identifier-naming)
    /// Returns and drops `bytes` of arguments.
    void ret_n(u16 bytes) {
        u8* p = room();
        if (bytes == 0) {
            *p++ = 0xc3;
        } else {
            *p++ = 0xc2;
            std::memcpy(p, &bytes, 2);
            p += 2;
        }
        done(p);
    }
    void ud2_() {  // NOLINT(readability-identifier-naming)
        u8* p = room();
        p[0] = 0x0f;
        p[1] = 0x0b;
        done(p + 2);
    }
    void call_m(Mem to) { reg_mem(false, 0xff, 2, to); }
    void jmp_r(Gp reg) { reg_reg(false, 0xff, 4, id(reg)); }
    /// call rel32; answers the position of the rel32 field, which holds 0.
    u32 call_rel32() {
        u8* p = room();
        *p++ = 0xe8;
        done(put32(p, 0));
        return position() - 4;
    }
    void jcc_l(Cc cc, Label& label) {
        u8* p = room();
        if (label.is_bound()) {
            const i32 rel = label.position - static_cast<i32>(p + 2 - _bufferData);
            if (rel == static_cast<i8>(rel)) {
                p[0] = static_cast<u8>(0x70 | to_underlying(cc));
                p[1] = static_cast<u8>(rel);
                return done(p + 2);
            }
        }
        p[0] = 0x0f;
        p[1] = static_cast<u8>(0x80 | to_underlying(cc));
        done(rel32(p + 2, label));
    }
    void jmp_l(Label& label) {
        u8* p = room();
        if (label.is_bound()) {
            const i32 rel = label.position - static_cast<i32>(p + 2 - _bufferData);
            if (rel == static_cast<i8>(rel)) {
                p[0] = 0xeb;
                p[1] = static_cast<u8>(rel);
                return done(p + 2);
            }
        }
        p[0] = 0xe9;
        done(rel32(p + 1, label));
    }
    void bind_l(Label& label) {
        WRUN_ASSERT(!label.is_bound());
        const i32 here = static_cast<i32>(position());
        if (!out_of_memory_) {
            i32 field = label.link;
            while (field >= 0) {
                const i32 next = static_cast<i32>(read32(static_cast<u32>(field)));
                patch32(static_cast<u32>(field), static_cast<u32>(here - (field + 4)));
                field = next;
            }
        }
        label = {here, -1};
    }
    /// A 32-bit field that will hold the label's distance from the field's own end.
    void label_field(Label& label) {
        u8* p = room();
        done(rel32(p, label));
    }
    /// Bytes of data behind the code.
    void data64(u64 value) {
        u8* p = room();
        std::memcpy(p, &value, 8);
        done(p + 8);
    }
    /// Fills up with int3 to a multiple of `bytes`, a power of two up to 16.
    void align_code(u32 bytes) {
        u8* p = room();
        while ((static_cast<u32>(p - _bufferData) & (bytes - 1)) != 0)
            *p++ = 0xcc;
        done(p);
    }
    void push_m(Mem from) { reg_mem(false, 0xff, 6, from); }
    void pop_m(Mem to) { reg_mem(false, 0x8f, 0, to); }
    /// lea to, [rip + label].
    void lea_l(Gp to, Label& label) {
        u8* p = room();
        p = rex(p, true, id(to), 0, 0);
        p[0] = 0x8d;
        p[1] = modrm(0, id(to), 5);
        done(rel32(p + 2, label));
    }

    // ---- floating point -------------------------------------------------------------------

    void movaps_rr(Fp to, Fp from) { sse(0, 0x28, to.id, from.id, false); }
    void sse_rr(bool is_f64, Sse op, Fp to, Fp from) {
        sse(is_f64 ? 0xf2 : 0xf3, to_underlying(op), to.id, from.id, false);
    }
    void sse_rm(bool is_f64, Sse op, Fp to, Mem from) {
        sse_mem(is_f64 ? 0xf2 : 0xf3, to_underlying(op), to.id, from);
    }
    void sse_bits_rr(SseBits op, Fp to, Fp from) {
        sse(0, to_underlying(op), to.id, from.id, false);
    }
    /// op to, [rip + label]; the label is 16-byte aligned.
    void sse_bits_l(SseBits op, Fp to, Label& label) {
        sse_rip(0, to_underlying(op), to.id, label);
    }
    void ucomis_rr(bool is_f64, Fp a, Fp b) { sse(is_f64 ? 0x66 : 0, 0x2e, a.id, b.id, false); }
    void ucomis_rm(bool is_f64, Fp a, Mem b) { sse_mem(is_f64 ? 0x66 : 0, 0x2e, a.id, b); }
    void movs_rm(bool is_f64, Fp to, Mem from) { sse_mem(is_f64 ? 0xf2 : 0xf3, 0x10, to.id, from); }
    void movs_mr(bool is_f64, Mem to, Fp from) { sse_mem(is_f64 ? 0xf2 : 0xf3, 0x11, from.id, to); }
    void movs_l(bool is_f64, Fp to, Label& label) {
        sse_rip(is_f64 ? 0xf2 : 0xf3, 0x10, to.id, label);
    }
    void ucomis_l(bool is_f64, Fp a, Label& label) {
        sse_rip(is_f64 ? 0x66 : 0, 0x2e, a.id, label);
    }
    /// Bits between register files: movd/movq.
    void mov_fg(bool wide, Fp to, Gp from) { sse(0x66, 0x6e, to.id, id(from), wide); }
    void mov_gf(bool wide, Gp to, Fp from) { sse(0x66, 0x7e, from.id, id(to), wide); }
    /// Integer (wide: 64 bits) to float and back (truncating).
    void cvtsi2s(bool is_f64, bool wide, Fp to, Gp from) {
        sse(is_f64 ? 0xf2 : 0xf3, 0x2a, to.id, id(from), wide);
    }
    void cvtts2si(bool is_f64, bool wide, Gp to, Fp from) {
        sse(is_f64 ? 0xf2 : 0xf3, 0x2c, id(to), from.id, wide);
    }
    /// f64 → f32 when `from_f64`, else f32 → f64.
    void cvts2s(bool from_f64, Fp to, Fp from) {
        sse(from_f64 ? 0xf2 : 0xf3, 0x5a, to.id, from.id, false);
    }

private:
    // Not behind room(), so not for use.
    using asmjit::x86::Assembler::embedConstPool;
    using asmjit::x86::Assembler::embedDataArray;
    using asmjit::x86::Assembler::embedLabel;
    using asmjit::x86::Assembler::embedLabelDelta;

    static constexpr std::size_t instruction_bytes_max = 16;

    static constexpr u8 id(Gp reg) noexcept { return to_underlying(reg); }
    static constexpr u8 modrm(u32 mod, u32 reg, u32 rm) noexcept {
        return static_cast<u8>((mod << 6) | ((reg & 7) << 3) | (rm & 7));
    }

    /// The cursor, with room behind it for `bytes`, and for the last bytes of the buffer, where
    /// instructions go once it cannot grow.
    u8* room(std::size_t bytes = instruction_bytes_max) {
        if (!has_room(bytes)) [[unlikely]]
            grow(bytes);
        return _bufferPtr;
    }
    [[nodiscard]] bool has_room(std::size_t bytes = instruction_bytes_max) const noexcept {
        return static_cast<std::size_t>(_bufferEnd - _bufferPtr) >= bytes + instruction_bytes_max;
    }
    void done(u8* p) noexcept { _bufferPtr = p; }
    void grow(std::size_t bytes);
    asmjit::Error checked(asmjit::Error error);

    void byte(u8 value) {
        u8* p = room();
        *p = value;
        done(p + 1);
    }
    static u8* put32(u8* p, u32 value) noexcept {
        std::memcpy(p, &value, 4);
        return p + 4;
    }
    /// A REX prefix if one is needed.
    static u8* rex(u8* p, bool wide, u32 reg, u32 index, u32 base) noexcept {
        const u32 bits = (u32{wide} << 3) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
        *p = static_cast<u8>(0x40 | bits);
        return p + (bits != 0);
    }
    /// Prefix, REX, escape and opcode of a form.
    static u8* head(u8* p, u32 form, u32 reg, u32 index, u32 base, u32 byte_reg) noexcept {
        *p = static_cast<u8>(form >> 16);
        p += form >> 16 != 0;
        const u32 bits = ((form >> 8) & 8) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
        *p = static_cast<u8>(0x40 | bits);
        p += (bits != 0) | ((form & form::byte_reg) != 0 && byte_reg >= 4);
        *p = 0x0f;
        p += (form & form::escape) != 0;
        *p = static_cast<u8>(form);
        return p + 1;
    }
    /// The same of an opcode and perhaps REX.W.
    static u8* plain_head(u8* p, u32 form, u32 reg, u32 index, u32 base) noexcept {
        const u32 bits = ((form >> 8) & 8) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
        *p = static_cast<u8>(0x40 | bits);
        p += bits != 0;
        *p = static_cast<u8>(form);
        return p + 1;
    }
    // A whole instruction, but for an immediate behind it. One body for all forms: what is emitted
    // all the time should stay in the instruction cache.
    [[nodiscard]] u8* with_mem(u32 form, u32 reg, Mem m);
    [[nodiscard]] u8* plain_with_mem(u32 form, u32 reg, Mem m);
    [[nodiscard]] u8* with_reg(u32 form, u32 reg, u32 rm);
    [[nodiscard]] u8* plain_with_reg(u32 form, u32 reg, u32 rm);
    struct Bodies;

    u8* rel32(u8* p, Label& label) noexcept {
        const i32 field = static_cast<i32>(p - _bufferData);
        if (label.is_bound()) return put32(p, static_cast<u32>(label.position - (field + 4)));
        put32(p, static_cast<u32>(label.link));
        label.link = field;
        return p + 4;
    }
    void reg_reg(bool wide, u32 opcode, u32 reg, u32 rm) {
        done(plain_with_reg(opcode | form::rex_w(wide), reg, rm));
    }
    void reg_reg2(bool wide, u32 opcode, u32 reg, u32 rm) {
        done(with_reg(opcode | form::escape | form::rex_w(wide), reg, rm));
    }
    void byte_reg_reg2(bool wide, u32 opcode, u32 reg, u32 rm) {
        done(with_reg(opcode | form::escape | form::byte_reg | form::rex_w(wide), reg, rm));
    }
    void reg_mem(bool wide, u32 opcode, u32 reg, Mem m) {
        done(plain_with_mem(opcode | form::rex_w(wide), reg, m));
    }
    void reg_mem2(bool wide, u32 opcode, u32 reg, Mem m) {
        done(with_mem(opcode | form::escape | form::rex_w(wide), reg, m));
    }
    void sse(u8 first, u32 opcode, u32 reg, u32 rm, bool wide) {
        done(with_reg(opcode | form::escape | form::rex_w(wide) | form::prefix(first), reg, rm));
    }
    void sse_mem(u8 first, u32 opcode, u32 reg, Mem m) {
        done(with_mem(opcode | form::escape | form::prefix(first), reg, m));
    }
    void sse_rip(u8 first, u32 opcode, u32 reg, Label& label) {
        u8* p = head(room(), opcode | form::escape | form::prefix(first), reg, 0, 0, 0);
        *p = modrm(0, reg, 5);
        done(rel32(p + 1, label));
    }

    bool out_of_memory_ = false;
};

}  // namespace wrun::codegen::x64
