// Bodies: calls, statements, and the body as a whole.
#include <algorithm>

#include "fuzz/differential/pressure/body_maker.hpp"

namespace wrun::differ {

void BodyMaker::call_arguments(const Signature& callee) {
    for (const Type param : callee.params) {
        if (once_in(3)) {
            expression(param);
        } else {
            leaf(param);  // mostly parameters of our own: permutations of argument registers
        }
    }
}

void BodyMaker::call_any() {
    if (once_in(2)) {
        const u32 callee = world_.callable[below(static_cast<u32>(world_.callable.size()))];
        call_arguments(world_.functions[callee]);
        op(Op::call, callee);
        called(world_.functions[callee]);
        return;
    }
    const u32 pair = below(world_.table_pairs);
    const Signature& callee = world_.functions[world_.first_body + pair];
    call_arguments(callee);
    if (once_in(40)) {
        expression(Type::i32);
    } else if (once_in(2)) {
        const_i32(2 * pair + below(2));
    } else {
        expression(Type::i32);
        mask(1);
        const_i32(2 * pair);
        op(once_in(2) ? Op::i32_or : Op::i32_add);
        pop();
    }
    op(Op::call_indirect, callee.type_index, world_.function_table);
    pop();
    called(callee);
}

void BodyMaker::called(const Signature& callee) {
    stack_.resize(stack_.size() - callee.params.size());
    for (const Type result : callee.results)
        push(result);
}

void BodyMaker::call(Type type) {
    const u32 before = height();
    call_any();
    fold(before, type);
}

void BodyMaker::statement() {
    if (budget_ <= 0 || depth_ > 14) return;
    --budget_;
    ++depth_;
    const u32 before = height();
    choose_statement();
    WRUN_CHECK(height() == before);
    --depth_;
}

void BodyMaker::choose_statement() {
    const u32 choice = below(32);
    if (choice < 9) return set_local();
    if (choice < 13) return store();
    if (choice < 15) return set_global();
    if (choice < 17) return branch_if();
    if (choice < 18) return leave_conditionally();
    if (choice < 19) return switch_statement();
    if (choice < 21) return call_statement();
    if (choice < 23) return rotate_locals();
    if (choice < 25) return set_some_pointer();
    if (choice < 26) return bulk();
    if (choice < 27) return table_statement();
    if (choice < 28) op(Op::nop);
    expression(any_type());
    discard();
}

void BodyMaker::set_local() {
    const Type type = any_type();
    const auto local = find_local(type, true);
    if (!local) return;
    expression(type);
    local_set(*local);
}

void BodyMaker::set_some_pointer() {
    if (pointers_.empty()) return;
    set_pointer(pointers_[below(static_cast<u32>(pointers_.size()))]);
}

void BodyMaker::set_global() {
    const u32 count = static_cast<u32>(world_.globals.size());
    const u32 from = below(count);
    for (u32 i = 0; i < count; ++i) {
        const u32 at = (from + i) % count;
        const World::Global& global = world_.globals[at];
        if (!global.is_mutable || at == world_.fuel_global) continue;
        expression(global.type);
        op(Op::global_set, at);
        return pop();
    }
}

void BodyMaker::rotate_locals() {
    const Type type = any_type();
    std::vector<u32> chosen;
    for (u32 i = 0; i < locals_.size(); ++i) {
        if (locals_[i] == type && writable_[i] && !once_in(3)) chosen.push_back(i);
    }
    if (chosen.size() > 12) chosen.resize(12);
    if (chosen.size() < 2) return;
    for (const u32 local : chosen)
        local_get(local);
    std::rotate(chosen.begin(), chosen.begin() + 1, chosen.end());
    if (once_in(3)) std::reverse(chosen.begin(), chosen.end());
    for (std::size_t i = chosen.size(); i-- > 0;)
        local_set(chosen[i]);
}

void BodyMaker::call_statement() {
    const u32 before = height();
    call_any();
    while (height() > before)
        discard();
}

void BodyMaker::bulk() {
    address();
    switch (below(4)) {
        case 0:
            expression(Type::i32);
            small_count(255);
            op(Op::memory_fill, 0);
            break;
        case 1:
            address();
            small_count(255);
            op(Op::memory_copy, 0, 0);
            break;
        case 2:
            const_i32(below(world_.passive_data_bytes / 2));
            small_count(7);
            op(Op::memory_init, world_.passive_data, 0);
            break;
        default:
            op(Op::drop);
            pop();
            if (once_in(8)) op(Op::data_drop, world_.passive_data);
            return;
    }
    pop();
    pop();
    pop();
}

void BodyMaker::small_count(u32 bits) {
    expression(Type::i32);
    mask(bits);
}

void BodyMaker::table_statement() {
    const Type type = once_in(2) ? Type::funcref : Type::externref;
    const u32 table = type == Type::funcref ? world_.function_table : world_.extern_table;
    const u32 first = type == Type::funcref ? 2 * world_.table_pairs : 0;
    switch (below(4)) {
        case 0:
        case 1:
            const_i32(first + below(4));
            expression(type);
            op(Op::table_set, table);
            pop();
            return pop();
        case 2:
            const_i32(first + below(4));
            expression(type);
            const_i32(below(4));
            op(Op::table_fill, table);
            break;
        default:
            const_i32(first + below(4));
            const_i32(first + below(4));
            const_i32(below(4));
            op(Op::table_copy, table, table);
    }
    pop();
    pop();
    pop();
}

void BodyMaker::results() {
    base_ = 0;
    for (std::size_t r = 0; r < signature_.results.size(); ++r) {
        const Type type = signature_.results[r];
        const u32 before = height();
        expression(type);
        for (u32 i = 0; i < locals_.size(); ++i) {
            if (!is_number(type) || !is_number(locals_[i]) || once_in(3)) continue;
            if (signature_.results.size() > 1 && i % signature_.results.size() != r) continue;
            local_get(i);
            fold_pair(type);
        }
        WRUN_CHECK(height() == before + 1);
    }
}

void BodyMaker::fold_pair(Type type) {
    convert(type);
    const auto& candidates = combining_rows(type);
    apply(*candidates[below(static_cast<u32>(candidates.size()))]);
}

Body BodyMaker::make() {
    labels_.push_back({signature_.results, false});
    take_fuel();
    add_locals();
    if (shape_.edges) {
        edge_access();
    } else {
        const u32 statements = 1 + random_.below(6);
        for (u32 i = 0; i < statements; ++i)
            statement();
    }
    results();
    op(Op::end);
    Body body;
    body.code = std::move(code_);
    for (std::size_t i = signature_.params.size(); i < locals_.size(); ++i)
        body.locals.push_back({1, val_type_of(locals_[i])});
    return body;
}

Body make_body(
    const World& world, const Signature& signature, const BodyShape& shape, Random& random) {
    return BodyMaker{world, signature, shape, random}.make();
}

}  // namespace wrun::differ
