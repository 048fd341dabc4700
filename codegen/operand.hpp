// What the code generator knows of a value on the operand stack: where it is, not yet necessarily
// in a register. Sixteen bytes, plain data.
#pragma once

#include <type_traits>

#include "base/types.hpp"
#include "decoder/types.hpp"

namespace wrun::codegen {

/// Conditions the flags can hold. Float conditions are of a compare whose operands were put in the
/// order that makes "unordered" false; their negations therefore are conditions of their own.
enum class Cond : u8 {
    eq,
    ne,
    lt_s,
    ge_s,
    lt_u,
    ge_u,
    gt_s,
    le_s,
    gt_u,
    le_u,
    f_eq,
    f_ne,
    f_gt,
    f_not_gt,
    f_ge,
    f_not_ge,
};

[[nodiscard]] constexpr Cond negate(Cond cond) noexcept {
    return static_cast<Cond>(to_underlying(cond) ^ 1);
}

/// The condition of b ∘ a where `cond` is that of a ∘ b. Integers only.
[[nodiscard]] constexpr Cond mirror(Cond cond) noexcept {
    switch (cond) {
        case Cond::lt_s: return Cond::gt_s;
        case Cond::gt_s: return Cond::lt_s;
        case Cond::le_s: return Cond::ge_s;
        case Cond::ge_s: return Cond::le_s;
        case Cond::lt_u: return Cond::gt_u;
        case Cond::gt_u: return Cond::lt_u;
        case Cond::le_u: return Cond::ge_u;
        case Cond::ge_u: return Cond::le_u;
        default: return cond;
    }
}

/// Where an operand is.
enum class Loc : u8 {
    constant,  // bits
    local,     // whatever local `index` holds: it has not been set since; its home is `reg`
    reg,       // register `reg`, a temporary (or, right before local.set, that local's home)
    slot,      // its canonical slot
    // From here on pending: see Codegen::forget_pending.
    flags,  // condition `reg` of the flags; only the operand on top
    load,   // not loaded yet: [memory 0 + reg + index], opcode at `where`; see pending loads
};

struct Operand {
    Loc loc{};
    Kind kind{};
    u8 reg = 0;    // register, condition, or a local's home
    u8 extra = 0;  // load: 1 when `reg` is a temporary of ours
    u32 slot = 0;  // the canonical slot of this height, in slots of the frame's operand area
    u64 bits = 0;  // constant: its bits; local: its index; load: offset and opcode's place

    /// All but `bits` as one value. Stored at once it can be read at once: a read that spans
    /// several narrower stores waits until all of them have left the store buffer.
    [[nodiscard]] static constexpr u64 head(
        Loc loc, Kind kind, u32 slot, u8 reg = 0, u8 extra = 0) noexcept {
        return to_underlying(loc) | (u32{to_underlying(kind)} << 8) | (u32{reg} << 16) |
               (u32{extra} << 24) | (u64{slot} << 32);
    }
    [[nodiscard]] static constexpr u64 pending(u32 offset, u32 where) noexcept {
        return offset | (u64{where} << 32);
    }
    /// Local: which. Load: the offset added to the address.
    [[nodiscard]] u32 index() const noexcept { return static_cast<u32>(bits); }
    /// Load: place of its opcode in the body.
    [[nodiscard]] u32 where() const noexcept { return static_cast<u32>(bits >> 32); }
    [[nodiscard]] bool is_constant() const noexcept { return loc == Loc::constant; }
    [[nodiscard]] bool is_float() const noexcept { return kind == Kind::f32 || kind == Kind::f64; }
    /// 64 bits wide (i64, f64, references).
    [[nodiscard]] bool is_wide() const noexcept { return kind != Kind::i32 && kind != Kind::f32; }
};
static_assert(sizeof(Operand) == 16 && std::is_trivially_copyable_v<Operand>);

}  // namespace wrun::codegen
