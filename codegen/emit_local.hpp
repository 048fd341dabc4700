// Codegen: locals and their homes. A home's register and its local's slot may disagree; the masks
// of HomeState say which of the two is up to date.
#pragma once

#include "codegen/operands.hpp"

namespace wrun::codegen {

// ---- homes ------------------------------------------------------------------------------------

template <class Masm>
void Codegen<Masm>::save_home(u8 index) {
    const Home& home = homes_.home(index);
    if (home.is_float) {
        masm_.fstore(home.is_wide, local_mem(home.local), Fp{home.reg});
    } else {
        masm_.store_word(home.is_wide, local_mem(home.local), static_cast<Gp>(home.reg));
    }
}

template <class Masm>
void Codegen<Masm>::load_home(u8 index) {
    const Home& home = homes_.home(index);
    if (home.is_float) {
        masm_.fload(home.is_wide, Fp{home.reg}, local_mem(home.local));
    } else {
        masm_.load_word(home.is_wide, static_cast<Gp>(home.reg), local_mem(home.local));
    }
}

template <class Masm>
void Codegen<Masm>::ensure_home(u8 index) {
    if (is_loaded(index)) return;
    load_home(index);
    state_.reg |= 1u << index;
}

template <class Masm>
u32 Codegen<Masm>::find_local_head(u32 local) const noexcept {
    const auto& runs = summary_->locals;
    std::size_t low = 0;
    std::size_t high = runs.size();
    while (high - low > 1) {
        const std::size_t middle = low + (high - low) / 2;
        (runs[middle].begin <= local ? low : high) = middle;
    }
    return make_local_head(local, runs[low].type.kind());
}

/// local := value, which has been popped and whose register is released here. Flags survive.
template <class Masm>
void Codegen<Masm>::set_local(u32 local, u8 home, const Operand& value) {
    materialize_aliases(local);
    if (home != no_home) {
        if (homes_.home(home).is_float) {
            load_into(home_fp(home), value);
        } else {
            load_into(home_reg(home), value);
        }
        set_home_written(home);
        discard(value);
        return;
    }
    if (value.loc == Loc::local && value.index() == local) return;
    if (value.loc == Loc::load || value.loc == Loc::flags) {
        if (value.is_float()) {
            const HeldFp held = use_fp(value);
            masm_.fstore(value.is_wide(), local_mem(local), held.reg);
            release(held);
        } else {
            const Held held = use(value);
            masm_.store_word(value.is_wide(), local_mem(local), held.reg);
            release(held);
        }
        return;
    }
    store_to(local_mem(local), value);
    discard(value);
}

// ---- locals -----------------------------------------------------------------------------------

template <class Masm>
WRUN_INLINE void Codegen<Masm>::emit_local_get(LocalIndex local) {
    push_local(local.value);
}

template <class Masm>
void Codegen<Masm>::emit_local_set(LocalIndex local) {
    const Operand& value = pop();
    // A load deeper in the stack may have this local as its address.
    if (pending_loads() != 0) settle_loads();
    const u8 home = home_of(local.value);
    if (value.loc == Loc::reg && home != no_home && value.reg == homes_.home(home).reg) {
        // It was computed there (hinted_home), so no operand means the old value.
        return set_home_written(home);
    }
    set_local(local.value, home, value);
}

template <class Masm>
void Codegen<Masm>::emit_local_tee(LocalIndex local) {
    if (home_of(local.value) == no_home) {
        // Keep the value where it is, unless reading it back from the local is as cheap.
        settle(operands_.back());
        Operand& value = operands_.back();
        if (pending_loads() != 0) settle_loads();
        if (value.loc == Loc::local && value.index() == local.value) return;
        const Operand copy = value;
        for (u32 i = operands_.lazy_base(); i + 1 < height(); ++i) {
            Operand& operand = operands_[i];
            if (operand.loc == Loc::local && operand.index() == local.value) spill(operand);
        }
        store_to(local_mem(local.value), copy);
        return;
    }
    emit_local_set(local);
    push_local(local.value);
}

}  // namespace wrun::codegen
