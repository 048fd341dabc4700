// Bodies: addresses near and far, loads, stores.
#include <bit>

#include "fuzz/differential/pressure/body_maker.hpp"

namespace wrun::differ {

void BodyMaker::address() {
    const u32 choice = below(16);
    if (choice < 3 && !pointers_.empty()) {
        const u32 pointer = pointers_[below(static_cast<u32>(pointers_.size()))];
        local_get(pointer);
        if (once_in(4)) {
            const_i32(below(64));
            op(Op::i32_add);
            pop();
        }
        return;
    }
    if (choice < 4) {
        expression(Type::i32);
        return mask(0xffff);
    }
    if (choice < 6) return const_i32(below(0xfff0));
    if (choice < 8) return wrapped_address();
    if (choice < 10) return wrapping_address();
    if (choice < 12) {
        address();
        op(Op::i32_load16_u, 0, below(0x100));
        return;
    }
    if (choice < 13) {
        expression(Type::i32);
        const_i32(16 + below(16));
        op(Op::i32_shr_u);
        return pop();
    }
    if (choice == 13 && once_in(4)) return expression(Type::i32);
    if (choice < 15) {
        condition();
        return;
    }
    expression(Type::i32);
    mask(0xfff8);
}

void BodyMaker::mask(u32 bits) {
    const_i32(bits);
    op(Op::i32_and);
    pop();
}

void BodyMaker::wrapped_address() {
    expression(Type::i64);
    if (once_in(2)) {
        const_i64(0xffff'ffff'0000'fff8);
        op(Op::i64_and);
        pop();
        if (once_in(2)) {
            const u32 local = scratch_local(Type::i64);
            op(Op::local_tee, local);
        }
        op(Op::i32_wrap_i64);
        pop();
        push(Type::i32);
        return;
    }
    const_i64(0xffff);
    op(Op::i64_and);
    pop();
    const_i64(u64{0xdead'beef} << 32);
    op(Op::i64_or);
    pop();
    const u32 local = scratch_local(Type::i64);
    op(Op::local_set, local);
    op(Op::local_get, local);
    op(Op::i32_wrap_i64);
    pop();
    push(Type::i32);
}

void BodyMaker::wrapping_address() {
    const u32 amount = once_in(2) ? 8 + below(0x1000) : 0x8000'0000 + below(0x1000);
    expression(Type::i32);
    mask(0x7ff8);
    const_i32(amount);
    op(Op::i32_add);
    pop();
    if (once_in(3)) {
        const u32 local = scratch_local(Type::i32);
        op(Op::local_set, local);
        pop();
        local_get(local);
    }
    const_i32(static_cast<i64>(0) - amount);
    op(Op::i32_add);
    pop();
}

void BodyMaker::memory_immediate(const Access& access, u64 offset) {
    const u32 align = below(static_cast<u32>(std::countr_zero(access.bytes)) + 1);
    op(access.op, align, offset);
}

u64 BodyMaker::small_offset() {
    if (once_in(2)) return 0;
    return once_in(200) ? u64{0xffff'ffff} - below(8) : below(once_in(2) ? 16 : 0x1000);
}

void BodyMaker::load(Type type) {
    const Access& access = pick_access(false, type, random_);
    address();
    memory_immediate(access, small_offset());
    pop();
    push(type);
    // Left pending by a lazy generator; what follows may change what it would read.
    if (once_in(6)) statement();
}

void BodyMaker::store() {
    const Type type = any_number();
    const Access& access = pick_access(true, type, random_);
    address();
    interject();
    expression(type);
    if (is_float(type)) make_canonical();
    memory_immediate(access, small_offset());
    pop();
    pop();
}

void BodyMaker::edge_access() {
    const bool is_store = once_in(3);
    const Type type = any_number();
    const Access& access = pick_access(is_store, type, random_);
    edge_address();
    if (is_store) {
        leaf(type);
        if (is_float(type)) make_canonical();
    }
    memory_immediate(access, edge_offset(access.bytes));
    pop();
    if (is_store) return pop();
    push(type);
    if (is_float(type)) make_canonical();
    if (const auto local = find_local(type, true)) return local_set(*local);
    op(Op::drop);
    pop();
}

u64 BodyMaker::edge_offset(u32 bytes) {
    const u64 around = below(3);
    switch (below(8)) {
        case 0:
        case 1: return 0;
        case 2: return below(32);
        case 3: return world_.memory_bytes - bytes + around - 1;
        case 4: return u64{0x7fff'ffff} - bytes + around;
        case 5: return u64{0x8000'0000} - around;
        case 6: return u64{0xffff'ffff} - around * bytes;
        default: return world_.memory_bytes / 2;
    }
}

void BodyMaker::edge_address() {
    static constexpr std::array<u32, 12> bases = {0, 8, 0xffff'ffff, 0xffff'fff8, 0x8000'0000,
        0x7fff'ffff, 0xffff'0000, 0xfffe'0000, 0x1'0000, 0x2'0000, 0x1'fff8, 0x1'ffff};
    const u32 base = bases[below(bases.size())];
    switch (below(9)) {
        case 0: const_i32(base); return;
        case 1: leaf(Type::i32); return;
        case 2:
            leaf(Type::i64);
            op(Op::i32_wrap_i64);
            pop();
            push(Type::i32);
            return;
        case 3:
            leaf(Type::i32);
            const_i32(base);
            op(once_in(2) ? Op::i32_add : Op::i32_sub);
            pop();
            return;
        case 4:
            leaf(Type::i32);
            mask(0xff);
            const_i32(base);
            op(Op::i32_add);
            pop();
            return;
        case 5:
            leaf(Type::i64);
            const_i64(u64{0xffff'ffff'0000'0000} | base);
            op(once_in(2) ? Op::i64_add : Op::i64_or);
            pop();
            op(Op::i32_wrap_i64);
            pop();
            push(Type::i32);
            return;
        case 6:
            leaf(Type::i32);
            op(once_in(2) ? Op::i32_extend8_s : Op::i32_extend16_s);
            return;
        case 7:
            const_i32(below(64));
            op(once_in(2) ? Op::i32_load : Op::i32_load16_s, 0, below(64));
            return;
        default:
            leaf(Type::i32);
            const_i32(below(33));
            op(once_in(2) ? Op::i32_shl : Op::i32_rotl);
            pop();
    }
}

}  // namespace wrun::differ
