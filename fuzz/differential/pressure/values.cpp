// Bodies: instructions, locals, and expressions that leave one value.
#include <algorithm>

#include "fuzz/differential/pressure/body_maker.hpp"

namespace wrun::differ {

void BodyMaker::op(Op which, u64 immediate) {
    op(which);
    build::append(code_, build::leb_u(immediate));
}

void BodyMaker::op(Op which, u64 first, u64 second) {
    op(which, first);
    build::append(code_, build::leb_u(second));
}

void BodyMaker::const_i32(i64 value) {
    op(Op::i32_const);
    build::append(code_, build::leb_s(static_cast<i32>(value)));
    push(Type::i32);
}

void BodyMaker::const_i64(u64 value) {
    op(Op::i64_const);
    build::append(code_, build::leb_s(static_cast<i64>(value)));
    push(Type::i64);
}

void BodyMaker::constant(Type type) {
    const Value value = edge_value(type, random_.next());
    switch (type) {
        case Type::i32: const_i32(static_cast<i32>(value.bits)); return;
        case Type::i64: const_i64(value.bits); return;
        case Type::f32:
            op(Op::f32_const);
            build::append(code_, build::fixed(value.bits, 4));
            break;
        case Type::f64:
            op(Op::f64_const);
            build::append(code_, build::fixed(value.bits, 8));
            break;
        case Type::funcref:
        case Type::externref:
            op(Op::ref_null);
            build::append(code_, build::val_type(val_type_of(type)));
            break;
        case Type::other: break;
    }
    push(type);
}

void BodyMaker::local_get(u32 index) {
    op(Op::local_get, index);
    push(locals_[index]);
}

void BodyMaker::local_set(u32 index) {
    op(Op::local_set, index);
    pop();
}

void BodyMaker::apply(const Row& row) {
    if (row.sees_bits && is_float(row.operands.back())) make_canonical();
    op(row.op);
    for (std::size_t i = 0; i < row.operands.size(); ++i)
        pop();
    push(row.result);
}

void BodyMaker::make_canonical() {
    const Type type = stack_.back();
    const u32 local = scratch_local(type);
    op(Op::local_tee, local);
    if (type == Type::f32) {
        op(Op::f32_const);
        build::append(code_, build::fixed(0x7fc0'0000, 4));
    } else {
        op(Op::f64_const);
        build::append(code_, build::fixed(0x7ff8'0000'0000'0000, 8));
    }
    op(Op::local_get, local);
    op(Op::local_get, local);
    op(type == Type::f32 ? Op::f32_eq : Op::f64_eq);
    op(Op::select);
}

void BodyMaker::block_type(const Types& params, const Types& results) {
    if (params.empty() && results.empty()) {
        build::append(code_, build::detail::block_type());
    } else if (params.empty() && results.size() == 1 && !once_in(4)) {
        build::append(code_, build::val_type(val_type_of(results[0])));
    } else {
        const u32 index = world_.module->type(val_types(params), val_types(results));
        build::append(code_, build::leb_s(index));
    }
}

build::ValTypes BodyMaker::val_types(const Types& types) {
    build::ValTypes all;
    for (const Type type : types)
        all.push_back(val_type_of(type));
    return all;
}

u32 BodyMaker::add_local(Type type, bool writable) {
    locals_.push_back(type);
    writable_.push_back(writable);
    return static_cast<u32>(locals_.size() - 1);
}

u32 BodyMaker::scratch_local(Type type) {
    u32& local = scratch_[to_underlying(type)];
    if (local == 0 || once_in(4)) local = add_local(type, false);
    return local;
}

std::optional<u32> BodyMaker::find_local(Type type, bool to_write) {
    if (locals_.empty()) return std::nullopt;
    const u32 count = static_cast<u32>(locals_.size());
    const u32 from = below(count);
    for (u32 i = 0; i < count; ++i) {
        const u32 at = (from + i) % count;
        if (locals_[at] == type && (!to_write || writable_[at])) return at;
    }
    return std::nullopt;
}

Type BodyMaker::any_type() {
    if (once_in(16)) return once_in(2) ? Type::funcref : Type::externref;
    return any_number();
}

Types BodyMaker::any_types(u32 most) {
    Types types;
    for (u32 i = below(most + 1); i > 0; --i)
        types.push_back(any_type());
    return types;
}

void BodyMaker::take_fuel() {
    op(Op::global_get, world_.fuel_global);
    op(Op::i32_eqz);
    op(Op::if_);
    block_type({}, {});
    for (const Type type : signature_.results)
        constant(type);
    op(Op::return_);
    op(Op::end);
    stack_.clear();
    op(Op::global_get, world_.fuel_global);
    const_i32(1);
    pop();
    op(Op::i32_sub);
    op(Op::global_set, world_.fuel_global);
}

void BodyMaker::add_locals() {
    for (u32 i = 0; i < shape_.local_count; ++i) {
        const u32 local = add_local(any_type(), true);
        if (once_in(4)) continue;  // zero at first
        if (once_in(3)) {
            expression(locals_[local]);
        } else {
            leaf(locals_[local]);
        }
        local_set(local);
    }
    if (shape_.big_frame) {
        // A run that nobody touches: the frame is what matters.
        for (u32 i = 0; i < 5000; ++i)
            add_local(Type::i64, false);
    }
    for (u32 i = below(3); i > 0; --i) {
        const u32 local = add_local(Type::i32, false);
        set_pointer(local);
        pointers_.push_back(local);
    }
}

void BodyMaker::set_pointer(u32 local) {
    if (once_in(3)) {
        // From what it points at: a small number again.
        local_get(local);
        op(Op::i32_load16_u, 0, below(64));
        return local_set(local);
    }
    if (once_in(3)) {
        // Its register is the address of an operand and the place of the result.
        expression(Type::i32);
        local_get(local);
        op(Op::i32_load, below(3), below(64));
        const auto& candidates = combining_rows(Type::i32);
        apply(*candidates[below(static_cast<u32>(candidates.size()))]);
        local_set(local);
        local_get(local);
    } else {
        expression(Type::i32);
    }
    const_i32(0xfff8);
    op(Op::i32_and);
    pop();
    if (once_in(2)) {
        op(Op::local_tee, local);
        op(Op::drop);
        pop();
    } else {
        local_set(local);
    }
}

void BodyMaker::leaf(Type type) {
    const u32 choice = below(10);
    if (choice < 7) {
        if (const auto local = find_local(type, false)) return local_get(*local);
    }
    if (choice == 7) {
        for (u32 i = 0; i < world_.globals.size(); ++i) {
            if (world_.globals[i].type != type || once_in(2)) continue;
            op(Op::global_get, i);
            return push(type);
        }
    }
    if (type == Type::funcref && once_in(2)) {
        op(Op::ref_func, world_.first_body + below(world_.table_pairs));
        return push(type);
    }
    constant(type);
}

void BodyMaker::expression(Type type) {
    if (budget_ <= 0 || depth_ > 14) return leaf(type);
    --budget_;
    ++depth_;
    const u32 before = height();
    if (is_number(type)) {
        number(type);
    } else {
        reference(type);
    }
    WRUN_CHECK(height() == before + 1 && stack_.back() == type);
    --depth_;
}

void BodyMaker::number(Type type) {
    const u32 choice = below(32);
    if (choice < 4) return leaf(type);
    if (choice < 14) return numeric(type);
    if (choice < 17) return load(type);
    if (choice < 19) return select(type);
    if (choice < 21) return tee(type);
    if (choice < 23) return if_else(type);
    if (choice < 25) return block(type);
    if (choice < 26) return loop(type);
    if (choice < 28) return call(type);
    if (choice < 30) return wide(type);
    if (choice < 31 && type == Type::i32) return odd_i32();
    return comparison_or(type);
}

void BodyMaker::interject() {
    if (once_in(8)) statement();
}

void BodyMaker::numeric(Type type) {
    const auto& candidates = rows_for(type);
    const Row* row = nullptr;
    do {
        row = candidates[below(static_cast<u32>(candidates.size()))];
    } while (
        (!shape_.floats && has_float(*row)) || (row->traps && !is_division(*row) && !once_in(16)));
    for (std::size_t i = 0; i < row->operands.size(); ++i) {
        if (i > 0) interject();
        expression(row->operands[i]);
    }
    if (is_division(*row) && !once_in(40)) avoid_zero(type);
    apply(*row);
}

bool BodyMaker::has_float(const Row& row) {
    return std::any_of(row.operands.begin(), row.operands.end(), is_float);
}

bool BodyMaker::is_division(const Row& row) {
    return row.traps && row.operands.size() == 2;
}

void BodyMaker::avoid_zero(Type type) {
    if (once_in(3)) {
        // A plain constant or local as divisor is a case of its own.
        op(Op::drop);
        pop();
        const i64 divisor = static_cast<i64>(1 + below(9));
        if (type == Type::i32) {
            const_i32(once_in(2) ? divisor : -divisor);
        } else {
            const_i64(static_cast<u64>(once_in(2) ? divisor : -divisor));
        }
        if (once_in(2)) return;
        const u32 local = scratch_local(type);
        op(Op::local_tee, local);
        return;
    }
    if (type == Type::i32) {
        const_i32(3);
        op(Op::i32_or);
    } else {
        const_i64(3);
        op(Op::i64_or);
    }
    pop();
}

void BodyMaker::comparison_or(Type type) {
    if (type != Type::i32) return numeric(type);
    condition();
}

void BodyMaker::condition() {
    const Type type = any_number();
    const auto& candidates = rows_for(Type::i32);
    const Row* row = nullptr;
    do {
        row = candidates[below(static_cast<u32>(candidates.size()))];
    } while (row->traps || row->operands != Types{type, type});
    expression(type);
    interject();
    expression(type);
    apply(*row);
    if (once_in(4)) {
        if (const auto local = find_local(Type::i32, true)) op(Op::local_tee, *local);
    }
    for (u32 i = below(3); i > 0; --i) {
        if (once_in(2)) op(Op::i32_eqz);
    }
}

void BodyMaker::select(Type type) {
    expression(type);
    interject();
    expression(type);
    interject();
    if (once_in(2)) {
        condition();
    } else {
        expression(Type::i32);
    }
    select_op(type);
}

void BodyMaker::select_op(Type type) {
    if (is_number(type) && !once_in(4)) {
        op(Op::select);
    } else {
        op(Op::select_t, 1);
        build::append(code_, build::val_type(val_type_of(type)));
    }
    pop();
    pop();
}

void BodyMaker::tee(Type type) {
    expression(type);
    if (const auto local = find_local(type, true)) op(Op::local_tee, *local);
}

void BodyMaker::odd_i32() {
    switch (below(6)) {
        case 0:
            op(Op::memory_size, 0);
            push(Type::i32);
            break;
        case 1:
            expression(Type::i32);
            const_i32(1);
            op(Op::i32_and);
            pop();
            op(Op::memory_grow, 0);
            break;
        case 2:
            op(Op::table_size, below(2));
            push(Type::i32);
            break;
        case 3: {
            const bool functions = once_in(2);
            expression(functions ? Type::funcref : Type::externref);
            const_i32(below(3));
            op(Op::table_grow, functions ? world_.function_table : world_.extern_table);
            pop();
            pop();
            push(Type::i32);
            break;
        }
        default:
            expression(once_in(2) ? Type::funcref : Type::externref);
            op(Op::ref_is_null);
            pop();
            push(Type::i32);
    }
}

void BodyMaker::reference(Type type) {
    switch (below(6)) {
        case 0: return select(type);
        case 1: return tee(type);
        case 2:
            table_place(type);
            op(Op::table_get, type == Type::funcref ? world_.function_table : world_.extern_table);
            pop();
            return push(type);
        case 3: return if_else(type);
        default: return leaf(type);
    }
}

void BodyMaker::table_place(Type type) {
    if (once_in(30)) return expression(Type::i32);
    const u32 first = type == Type::funcref ? 2 * world_.table_pairs : 0;
    if (type == Type::funcref && once_in(2)) {
        const_i32(below(first + world_.table_free));
    } else {
        expression(Type::i32);
        const_i32(3);
        op(Op::i32_and);
        pop();
        if (first == 0) return;
        const_i32(first);
        op(Op::i32_add);
        pop();
    }
}

void BodyMaker::wide(Type type) {
    const u32 before = height();
    const u32 count = 2 + below(once_in(4) ? shape_.wide_max : 6);
    for (u32 i = 0; i < count; ++i) {
        const Type each = once_in(3) ? any_type() : type;
        if (once_in(3)) {
            expression(each);
        } else {
            leaf(each);
        }
    }
    for (u32 i = below(3); i > 0; --i)
        statement();
    fold(before, type);
}

void BodyMaker::fold(u32 before, Type type) {
    while (height() > before + 1)
        combine_two();
    if (height() == before) return leaf(type);
    convert(type);
}

void BodyMaker::combine_two() {
    const Type upper = stack_.back();
    const Type lower = stack_[stack_.size() - 2];
    const u32 choice = below(8);
    if (!is_number(lower) || choice == 0) return discard();
    convert(lower);
    if (choice == 1) {
        expression(Type::i32);
        return select_op(lower);
    }
    if (choice == 2 && upper == lower) {
        rotate_locals();
    }
    const auto& candidates = combining_rows(lower);
    apply(*candidates[below(static_cast<u32>(candidates.size()))]);
}

void BodyMaker::discard() {
    if (once_in(2)) {
        if (const auto local = find_local(stack_.back(), true)) return local_set(*local);
    }
    op(Op::drop);
    pop();
}

void BodyMaker::convert(Type to) {
    const Type from = stack_.back();
    if (from == to) return;
    if (!is_number(to)) {
        op(Op::drop);
        pop();
        return leaf(to);
    }
    if (!is_number(from)) {
        op(Op::ref_is_null);
        pop();
        push(Type::i32);
        return convert(to);
    }
    const auto& candidates = converting_rows(from, to);
    apply(*candidates[below(static_cast<u32>(candidates.size()))]);
}

}  // namespace wrun::differ
