// Codegen: the operand stack and the home registers. Everything that moves a value between a
// constant, a local, a register and a slot is here; emitters above say what they want and get it.
#pragma once

#include "codegen/codegen.hpp"

namespace wrun::codegen {

namespace detail {

/// What may stay unevaluated on the operand stack across an opcode.
inline constexpr u8 keeps_loads = 1;
inline constexpr u8 keeps_flags = 2;

consteval std::array<u8, 256> keep_table() {
    std::array<u8, 256> table{};
    const auto keep = [&](Op first, Op last, u8 what) {
        for (u32 code = info(first).code; code <= info(last).code; ++code)
            table[code] |= what;
    };
    keep(Op::local_get, Op::local_tee, keeps_loads);
    keep(Op::i32_const, Op::f64_const, keeps_loads);
    keep(Op::i32_eqz, Op::f64_ge, keeps_loads);
    keep(Op::i32_add, Op::i32_mul, keeps_loads);
    keep(Op::i32_and, Op::i32_xor, keeps_loads);
    keep(Op::i64_add, Op::i64_mul, keeps_loads);
    keep(Op::i64_and, Op::i64_xor, keeps_loads);
    keep(Op::f32_add, Op::f32_div, keeps_loads);
    keep(Op::f64_add, Op::f64_div, keeps_loads);
    keep(Op::local_set, Op::local_set, keeps_flags);
    keep(Op::br_if, Op::br_if, keeps_flags);
    keep(Op::if_, Op::if_, keeps_flags);
    keep(Op::select, Op::select_t, keeps_flags);
    keep(Op::i32_eqz, Op::i32_eqz, keeps_flags);
    return table;
}

inline constexpr auto keeps = keep_table();

/// An unsigned number of 32 bits of a valid body; `at` is set behind it.
inline u32 read_leb(const u8*& at) noexcept {
    u32 value = 0;
    for (u32 shift = 0;; shift += 7) {
        const u8 byte = *at++;
        value |= u32{byte & 0x7fu} << shift;
        if (byte < 0x80) return value;
    }
}

}  // namespace detail

/// What the operation about to be emitted would disturb is settled, and whoever watches is told.
template <class Masm>
void Codegen<Masm>::attend_to(u32 offset) {
    note_line(LineRow::Kind::code, here());
    if (options_.fuel) ++paid_stretches_.back().operations;
    const u8 keeps = detail::keeps[module_.bytes[offset]];
    if ((keeps & detail::keeps_flags) == 0) settle_flags();
    if ((keeps & detail::keeps_loads) == 0) settle_loads();
    if (options_.stress.spill || options_.stress.flush) strain(offset);
    if constexpr (checks_state) check_pending(&module_.bytes[offset]);
}

/// The stress modes `flush` and `spill`.
template <class Masm>
void Codegen<Masm>::strain(u32 offset) {
    if (!reachable_) return;
    // No row behind a prefix is a control operation, but some are helpers.
    const u8 byte = module_.bytes[offset];
    constexpr u8 leaves = trait::control | trait::calls | trait::helper;
    const bool flushes =
        options_.stress.flush && (byte == prefix_fc || info(lookup_plain[byte].op()).has(leaves));
    if (flushes) {
        settle_flags();
        settle_loads();
    }
    for (Operand& operand : operands_.lazy()) {
        const bool in_temp =
            operand.loc == Loc::reg &&
            (operand.is_float() ? is_float_temp(operand.reg) : is_temp(operand.reg));
        if ((in_temp && options_.stress.spill) || (operand.loc == Loc::local && flushes)) {
            spill(operand);
        }
    }
}

// ---- the stack --------------------------------------------------------------------------------

/// The deepest operand that may be anything goes to its slot, so that another finds room above.
template <class Masm>
void Codegen<Masm>::move_window() {
    const u32 deepest = operands_.lazy_base();
    operands_.set_lazy_base(deepest + 1);
    spill(operands_[deepest]);
}

template <class Masm>
void Codegen<Masm>::push_flags(Cond cond) {
    push(Loc::flags, Kind::i32, to_underlying(cond));
    attention_ |= flags_bit;
}

template <class Masm>
void Codegen<Masm>::forget_pending(Loc loc) noexcept {
    if (loc == Loc::load) attention_ -= one_load;
    if (loc == Loc::flags) attention_ &= ~flags_bit;
}

template <class Masm>
void Codegen<Masm>::drop_to(u32 new_height) {
    while (height() > new_height && height() > operands_.lazy_base())
        discard(pop());
    operands_.shrink(new_height);
}

/// The values of a label where they travel: all in their slots, or the first of each class in its
/// result register.
template <class Masm>
void Codegen<Masm>::push_label_types(std::span<const ValType> types, bool first_in_registers) {
    if (types.empty()) return;
    bool integer_taken = !first_in_registers;
    bool float_taken = !first_in_registers;
    for (const ValType type : types) {
        bool& taken = type.is_float() ? float_taken : integer_taken;
        u64 head = Operand::head(Loc::slot, type.kind(), slot_height_);
        if (!taken && type.is_float()) {
            free_float_ &= ~(1u << Masm::float_result.id);
            head = Operand::head(Loc::reg, type.kind(), slot_height_, Masm::float_result.id);
        } else if (!taken) {
            constexpr u8 reg = to_underlying(Masm::integer_result);
            free_ &= ~(1u << reg);
            head = Operand::head(Loc::reg, type.kind(), slot_height_, reg);
        }
        // Not by push(): there may be a thousand, and few bytes of wasm say so.
        operands_.push_beyond(head, 0);
        slot_height_ += type.slots();
        taken = true;
    }
    while (height() - operands_.lazy_base() > window)
        move_window();
}

/// Behind a block's end that nothing joins its results stay where they are. What lies below the
/// block is the enclosing one's to watch again, but for what the results pushed out of the window.
template <class Masm>
void Codegen<Masm>::leave_window(const Control& control) {
    const u32 inner = operands_.lazy_base();
    operands_.set_lazy_base(control.lazy_base);
    while (operands_.lazy_base() < control.height && height() - operands_.lazy_base() > window)
        move_window();
    if (operands_.lazy_base() == control.height) operands_.set_lazy_base(inner);
}

template <class Masm>
void Codegen<Masm>::discard(const Operand& operand) noexcept {
    if (operand.loc == Loc::reg) {
        if (operand.is_float()) {
            release(Fp{operand.reg});
        } else {
            release(static_cast<Gp>(operand.reg));
        }
    } else if (operand.loc == Loc::load && operand.extra != 0) {
        release(static_cast<Gp>(operand.reg));
    }
}

// ---- registers --------------------------------------------------------------------------------

template <class Masm>
auto Codegen<Masm>::alloc() -> Gp {
    if (free_ == 0) [[unlikely]] {
        for (u32 i = operands_.lazy_base(); i < height() && free_ == 0; ++i) {
            Operand& operand = operands_[i];
            const bool holds = (operand.loc == Loc::reg && !operand.is_float()) ||
                               (operand.loc == Loc::load && operand.extra != 0);
            if (holds) spill(operand);
        }
        WRUN_CHECK(free_ != 0);
    }
    const u32 reg = static_cast<u32>(std::countr_zero(free_));
    free_ &= free_ - 1;
    return static_cast<Gp>(reg);
}

template <class Masm>
auto Codegen<Masm>::alloc_fp() -> Fp {
    if (free_float_ == 0) [[unlikely]] {
        for (u32 i = operands_.lazy_base(); i < height() && free_float_ == 0; ++i) {
            Operand& operand = operands_[i];
            if (operand.loc == Loc::reg && operand.is_float()) spill(operand);
        }
        WRUN_CHECK(free_float_ != 0);
    }
    const u32 reg = static_cast<u32>(std::countr_zero(free_float_));
    free_float_ &= free_float_ - 1;
    return Fp{static_cast<u8>(reg)};
}

template <class Masm>
void Codegen<Masm>::take(Gp reg) {
    const u32 bit = 1u << to_underlying(reg);
    if ((free_ & bit) == 0) {
        for (Operand& operand : operands_.lazy()) {
            if (operand.is_float() && operand.loc == Loc::reg) continue;
            const bool holds =
                operand.reg == to_underlying(reg) &&
                (operand.loc == Loc::reg || (operand.loc == Loc::load && operand.extra != 0));
            if (!holds) continue;
            if (free_ == 0) {
                spill(operand);
            } else {
                const Gp other = alloc();
                masm_.move(true, other, reg);
                operand.reg = to_underlying(other);
                release(reg);
            }
            break;
        }
        WRUN_CHECK((free_ & bit) != 0);
    }
    free_ &= ~bit;
}

// ---- reading values ---------------------------------------------------------------------------

template <class Masm>
auto Codegen<Masm>::pending_mem(const Operand& operand) -> Mem {
    check_upper(static_cast<Gp>(operand.reg));
    return Mem::at(
        Masm::memory_base, static_cast<Gp>(operand.reg), 0, static_cast<i32>(operand.index()));
}

/// After an access to the guest's memory: its trap row. One that was checked cannot fault.
template <class Masm>
void Codegen<Masm>::note_access(u32 where) {
    if (bounds_checked_) return;
    trap_row(masm_.fault_position(), runtime::TrapCode::memory_out_of_bounds, where);
}

template <class Masm>
void Codegen<Masm>::note_src(const Operand& operand) {
    if (operand.loc == Loc::load) note_access(operand.where());
}

/// Emits the value's arrival in `reg` and changes nothing that codegen knows, so that it also
/// serves edges. A pending load's address register stays its holder's.
template <class Masm>
void Codegen<Masm>::load_into(Gp reg, const Operand& operand) {
    const bool wide = operand.is_wide();
    switch (operand.loc) {
        case Loc::constant: return masm_.move_imm(reg, operand.bits);
        case Loc::reg: return masm_.move(wide, reg, static_cast<Gp>(operand.reg));
        case Loc::local: {
            if (is_loaded(operand.reg)) return masm_.move(wide, reg, home_reg(operand.reg));
            return masm_.load_word(wide, reg, local_mem(operand.index()));
        }
        case Loc::slot: return masm_.load_word(wide, reg, operand_mem(operand.slot));
        case Loc::flags: return masm_.set(static_cast<Cond>(operand.reg), reg);
        case Loc::load:
            masm_.load_int(
                wide ? Masm::LoadOp::u64_64 : Masm::LoadOp::u32_32, reg, pending_mem(operand));
            return note_src(operand);
    }
}

template <class Masm>
void Codegen<Masm>::load_into(Fp reg, const Operand& operand) {
    const bool wide = operand.is_wide();
    switch (operand.loc) {
        case Loc::constant:
            if (operand.bits == 0) return masm_.fzero(reg);
            return masm_.fload_label(wide, reg, pool_label(operand.bits));
        case Loc::reg: return masm_.fmove(reg, Fp{operand.reg});
        case Loc::local: {
            if (is_loaded(operand.reg)) return masm_.fmove(reg, home_fp(operand.reg));
            return masm_.fload(wide, reg, local_mem(operand.index()));
        }
        case Loc::slot: return masm_.fload(wide, reg, operand_mem(operand.slot));
        case Loc::flags: return;
        case Loc::load: masm_.fload(wide, reg, pending_mem(operand)); return note_src(operand);
    }
}

template <class Masm>
auto Codegen<Masm>::use(const Operand& operand) -> Held {
    // Whether it is in a home or in a temporary cannot be foreseen, so nothing branches on it.
    const u32 in_home = u32{operand.loc == Loc::local} & u32{is_loaded(operand.reg)};
    const u32 in_reg = u32{operand.loc == Loc::reg};
    if ((in_home | in_reg) == 0) return fetch(operand);
    const u32 mask = 0 - in_home;
    const u8 reg = static_cast<u8>((operand.reg & ~mask) | (homes_.home(operand.reg).reg & mask));
    const Held held{static_cast<Gp>(reg), is_temp(reg)};
    if (options_.stress.check) [[unlikely]]
        return checked(operand.kind, held);
    return held;
}

/// The other half of use(): what is in no register yet.
template <class Masm>
auto Codegen<Masm>::fetch(const Operand& operand) -> Held {
    if (operand.loc == Loc::local && operand.reg != no_home) {
        ensure_home(operand.reg);
        return checked(operand.kind, {home_reg(operand.reg), false});
    }
    const bool has_reg = operand.loc == Loc::load && operand.extra != 0;
    const Gp reg = has_reg ? static_cast<Gp>(operand.reg) : alloc();
    load_into(reg, operand);
    return {reg, true};
}

template <class Masm>
auto Codegen<Masm>::use_fp(const Operand& operand) -> HeldFp {
    if (operand.loc == Loc::reg) return {Fp{operand.reg}, is_float_temp(operand.reg)};
    if (operand.loc == Loc::local) {
        if (operand.reg != no_home) {
            ensure_home(operand.reg);
            return {home_fp(operand.reg), false};
        }
    }
    const Fp reg = alloc_fp();
    load_into(reg, operand);
    if (operand.loc == Loc::load) discard(operand);
    return {reg, true};
}

template <class Masm>
auto Codegen<Masm>::use_owned(const Operand& operand) -> Gp {
    const Held held = use(operand);
    if (held.owned) return held.reg;
    const Gp reg = alloc();
    masm_.move(operand.is_wide(), reg, held.reg);
    return reg;
}

template <class Masm>
auto Codegen<Masm>::use_owned_fp(const Operand& operand) -> Fp {
    const HeldFp held = use_fp(operand);
    if (held.owned) return held.reg;
    const Fp reg = alloc_fp();
    masm_.fmove(reg, held.reg);
    return reg;
}

template <class Masm>
auto Codegen<Masm>::use_src(const Operand& operand, Held& held) -> Src {
    held = {};
    switch (operand.loc) {
        case Loc::constant: {
            const i64 value = static_cast<i64>(operand.bits);
            if (!operand.is_wide()) return Src::of(static_cast<i32>(value));
            if (value == static_cast<i32>(value)) return Src::of(static_cast<i32>(value));
            break;
        }
        case Loc::local:
            if (operand.reg == no_home) return Src::of(local_mem(operand.index()));
            break;
        case Loc::slot: return Src::of(operand_mem(operand.slot));
        case Loc::load:
            held = {static_cast<Gp>(operand.reg), operand.extra != 0};
            return Src::of(pending_mem(operand));
        case Loc::reg:
        case Loc::flags: break;
    }
    held = use(operand);
    return Src::of(held.reg);
}

template <class Masm>
auto Codegen<Masm>::use_fp_src(const Operand& operand, HeldFp& held) -> FpSrc {
    held = {};
    switch (operand.loc) {
        case Loc::local:
            if (operand.reg == no_home) {
                return {true, {}, local_mem(operand.index())};
            }
            break;
        case Loc::slot: return {true, {}, operand_mem(operand.slot)};
        // The address register is released by discard() after the operation.
        case Loc::load: return {true, {}, pending_mem(operand)};
        default: break;
    }
    held = use_fp(operand);
    return {false, held.reg, {}};
}

// ---- where results go -------------------------------------------------------------------------

template <class Masm>
u8 Codegen<Masm>::hinted_home(bool is_float) {
    const u8* p = next_;
    if (*p != info(Op::local_set).code && *p != info(Op::local_tee).code) return no_home;
    ++p;
    const u32 local = detail::read_leb(p);
    const u8 home = home_of(local);
    if (home == no_home || homes_.home(home).is_float != is_float) return no_home;
    const u8 reg = homes_.home(home).reg;
    for (const Operand& operand : operands_.lazy()) {
        if (operand.loc == Loc::local && operand.index() == local) return no_home;
        if (operand.loc == Loc::load && !is_float && operand.reg == reg) return no_home;
    }
    return home;
}

template <class Masm>
auto Codegen<Masm>::destination_hint(Kind) -> std::optional<Gp> {
    const u8 home = hinted_home(false);
    if (home == no_home) return std::nullopt;
    return home_reg(home);
}

template <class Masm>
auto Codegen<Masm>::destination_hint_fp(Kind) -> std::optional<Fp> {
    const u8 home = hinted_home(true);
    if (home == no_home) return std::nullopt;
    return home_fp(home);
}

template <class Masm>
auto Codegen<Masm>::destination(Kind kind, Held held) -> Gp {
    if (const auto hint = destination_hint(kind)) {
        release(held);
        return *hint;
    }
    return held.owned ? held.reg : alloc();
}

template <class Masm>
auto Codegen<Masm>::destination_fp(Kind kind, HeldFp held) -> Fp {
    if (const auto hint = destination_hint_fp(kind)) {
        release(held);
        return *hint;
    }
    return held.owned ? held.reg : alloc_fp();
}

// ---- storing and settling ---------------------------------------------------------------------

/// Value into memory; uses only the scratch register. Flags survive. Not for flags or pending
/// loads.
template <class Masm>
void Codegen<Masm>::store_to(Mem to, const Operand& operand) {
    const bool wide = operand.is_wide();
    switch (operand.loc) {
        case Loc::constant: {
            const i64 value = static_cast<i64>(operand.bits);
            if (!wide) return masm_.store_word_imm(false, to, static_cast<i32>(value));
            if (value == static_cast<i32>(value)) {
                return masm_.store_word_imm(true, to, static_cast<i32>(value));
            }
            masm_.move_imm(Masm::scratch, operand.bits);
            return masm_.store_word(true, to, Masm::scratch);
        }
        case Loc::reg:
            if (operand.is_float()) return masm_.fstore(wide, to, Fp{operand.reg});
            return masm_.store_word(wide, to, static_cast<Gp>(operand.reg));
        case Loc::local: {
            if (is_loaded(operand.reg)) {
                if (operand.is_float()) return masm_.fstore(wide, to, home_fp(operand.reg));
                return masm_.store_word(wide, to, home_reg(operand.reg));
            }
            masm_.load_word(wide, Masm::scratch, local_mem(operand.index()));
            return masm_.store_word(wide, to, Masm::scratch);
        }
        case Loc::slot:
            masm_.load_word(wide, Masm::scratch, operand_mem(operand.slot));
            return masm_.store_word(wide, to, Masm::scratch);
        case Loc::flags:
        case Loc::load: WRUN_CHECK(false); return;
    }
}

template <class Masm>
void Codegen<Masm>::settle(Operand& operand) {
    if (operand.loc == Loc::load) {
        attention_ -= one_load;
        const Operand load = operand;
        if (load.is_float()) {
            const HeldFp held = use_fp(load);
            operand.reg = held.reg.id;
        } else {
            const Held held = use(load);
            operand.reg = to_underlying(held.reg);
        }
        operand.loc = Loc::reg;
    } else if (operand.loc == Loc::flags) {
        attention_ &= ~flags_bit;
        const Gp reg = alloc();
        masm_.set(static_cast<Cond>(operand.reg), reg);
        operand.loc = Loc::reg;
        operand.reg = to_underlying(reg);
    }
}

template <class Masm>
void Codegen<Masm>::settle_flags() {
    if (pending_flags()) settle(operands_.back());
}

template <class Masm>
void Codegen<Masm>::settle_loads() {
    for (u32 i = height(); pending_loads() != 0 && i > operands_.lazy_base(); --i) {
        if (operands_[i - 1].loc == Loc::load) settle(operands_[i - 1]);
    }
}

template <class Masm>
void Codegen<Masm>::spill(Operand& operand) {
    if (operand.loc == Loc::constant || operand.loc == Loc::slot) return;
    if (operand.loc == Loc::load && !operand.is_float()) {
        // Without a register of its own it would have to find one; the scratch register serves.
        attention_ -= one_load;
        load_into(Masm::scratch, operand);
        discard(operand);
        masm_.store_word(operand.is_wide(), operand_mem(operand.slot), Masm::scratch);
        operand.loc = Loc::slot;
        return;
    }
    settle(operand);
    store_to(operand_mem(operand.slot), operand);
    discard(operand);
    operand.loc = Loc::slot;
}

template <class Masm>
void Codegen<Masm>::spill_temps(u32 below) {
    for (u32 i = operands_.lazy_base(); i < below; ++i) {
        if (operands_[i].loc == Loc::reg) spill(operands_[i]);
    }
}

template <class Masm>
void Codegen<Masm>::flush_for_block(LocalSet set, bool all, u32 keep_from) {
    for (u32 i = operands_.lazy_base(); i < keep_from; ++i) {
        Operand& operand = operands_[i];
        if (operand.loc == Loc::reg ||
            (operand.loc == Loc::local && set.may_hold(operand.index()))) {
            spill(operand);
        }
    }
    if (!all) return;
    for (u32 i = keep_from; i < height(); ++i) {
        Operand& operand = operands_[i];
        if (operand.loc == Loc::constant) {
            store_to(operand_mem(operand.slot), operand);
            operand.loc = Loc::slot;
        } else if (operand.loc != Loc::slot) {
            spill(operand);
        }
    }
}

template <class Masm>
void Codegen<Masm>::materialize_aliases(u32 local) {
    for (Operand& operand : operands_.lazy()) {
        if (operand.loc == Loc::local && operand.index() == local) spill(operand);
    }
}

// ---- constants --------------------------------------------------------------------------------

template <class Masm>
auto Codegen<Masm>::pool_label(u64 bits) -> Label& {
    // A short look back finds the repetitions that matter; more would not be linear.
    constexpr std::size_t look_back = 16;
    const std::size_t first = pool_.size() > look_back ? pool_.size() - look_back : 0;
    for (std::size_t i = first; i < pool_.size(); ++i) {
        if (pool_[i].bits == bits) return pool_[i].label;
    }
    pool_.push_back({{}, bits});
    return pool_.back().label;
}

}  // namespace wrun::codegen
