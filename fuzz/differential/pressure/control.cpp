// Bodies: blocks, branches, loops.
#include <algorithm>

#include "fuzz/differential/pressure/body_maker.hpp"

namespace wrun::differ {

BodyMaker::Scope BodyMaker::enter(const Types& params, Label label) {
    const Scope outer{base_};
    base_ = height() - static_cast<u32>(params.size());
    labels_.push_back(std::move(label));
    return outer;
}

void BodyMaker::leave(Scope outer, const Types& results) {
    op(Op::end);
    stack_.resize(base_);
    for (const Type type : results)
        push(type);
    base_ = outer.base;
    labels_.pop_back();
}

void BodyMaker::settle(const Types& results) {
    for (;;) {
        const std::size_t own = height() - base_;
        if (own <= results.size() &&
            std::equal(stack_.begin() + base_, stack_.end(), results.begin()))
            break;
        discard();
    }
    while (height() - base_ < results.size())
        expression(results[height() - base_]);
}

void BodyMaker::some_statements(u32 most) {
    for (u32 i = below(most + 1); i > 0; --i)
        statement();
}

void BodyMaker::if_else(Type type) {
    const u32 before = height();
    Types params = any_types(2);
    Types results = params;
    if (once_in(2)) results = any_types(3);
    for (const Type param : params)
        expression(param);
    if (once_in(2)) {
        condition();
    } else {
        expression(Type::i32);
    }
    op(Op::if_);
    pop();
    block_type(params, results);
    const bool without_else = params == results && once_in(2);
    const Scope outer = enter(params, {results, false});
    some_statements(2);
    settle(results);
    if (!without_else) {
        maybe_leave();
        op(Op::else_);
        stack_.resize(base_);
        for (const Type param : params)
            push(param);
        some_statements(2);
        settle(results);
    }
    leave(outer, results);
    fold(before, type);
}

void BodyMaker::maybe_leave() {
    if (!once_in(8)) return;
    op(Op::br, 0);
    dead_code();
}

void BodyMaker::dead_code() {
    for (u32 i = below(3); i > 0; --i) {
        switch (below(5)) {
            case 0:
                op(Op::i32_add);
                op(Op::drop);
                break;
            case 1: op(Op::unreachable); break;
            case 2:
                op(Op::block);
                build::append(code_, build::detail::block_type());
                op(Op::end);
                break;
            case 3:
                op(Op::f64_const);
                build::append(code_, build::fixed(0, 8));
                op(Op::drop);
                break;
            default: op(Op::select); op(Op::drop);
        }
    }
}

void BodyMaker::block(Type type) {
    const u32 before = height();
    const Types params = any_types(2);
    Types results = any_types(3);
    if (once_in(2)) results.insert(results.begin(), params.begin(), params.end());
    for (const Type param : params)
        expression(param);
    op(Op::block);
    block_type(params, results);
    const Scope outer = enter(params, {results, false});
    some_statements(2);
    if (once_in(2)) branch_if();
    some_statements(1);
    settle(results);
    if (once_in(4)) {
        branch_table();
    } else {
        maybe_leave();
    }
    leave(outer, results);
    fold(before, type);
}

void BodyMaker::branch_table() {
    const Types& types = labels_.back().types;
    std::vector<u32> targets;
    for (u32 depth = 0; depth < labels_.size(); ++depth) {
        const Label& label = labels_[labels_.size() - 1 - depth];
        if (label.types == types && !label.is_loop) targets.push_back(depth);
    }
    expression(Type::i32);
    if (!once_in(4)) mask(3);
    op(Op::br_table);
    const u32 count = below(5);
    build::append(code_, build::leb_u(count));
    for (u32 i = 0; i <= count; ++i)
        build::append(
            code_, build::leb_u(once_in(2) ? 0 : targets[below(static_cast<u32>(targets.size()))]));
    dead_code();
}

void BodyMaker::loop(Type type) {
    if (loops_ >= 2) return numeric(type);
    ++loops_;
    const u32 before = height();
    const Types carried = any_types(once_in(6) ? 6 : 2);
    const u32 counter = add_local(Type::i32, false);
    const bool plain = once_in(2);
    if (plain) {
        const_i32(1 + below(3));
    } else {
        expression(Type::i32);
        mask(3);
    }
    local_set(counter);
    for (const Type each : carried)
        expression(each);
    op(Op::loop);
    block_type(carried, carried);
    const Scope outer = enter(carried, {carried, true});
    if (!carried.empty() && is_number(carried.back()) && once_in(2)) {
        expression(carried.back());
        const auto& candidates = combining_rows(carried.back());
        apply(*candidates[below(static_cast<u32>(candidates.size()))]);
    }
    some_statements(3);
    settle(carried);
    local_get(counter);
    const_i32(1);
    op(Op::i32_sub);
    pop();
    op(Op::local_tee, counter);
    if (!plain) {
        const_i32(0);
        op(Op::i32_gt_s);
        pop();
    }
    op(Op::br_if, 0);
    pop();
    leave(outer, carried);
    fold(before, type);
    --loops_;
}

void BodyMaker::branch_if() {
    const u32 before = height();
    const u32 depth = below(static_cast<u32>(labels_.size()));
    const Label label = labels_[labels_.size() - 1 - depth];
    if (label.is_loop) return;
    const std::size_t own = height() - base_;
    const bool there = label.types.size() <= own &&
                       std::equal(label.types.begin(), label.types.end(),
                           stack_.end() - static_cast<std::ptrdiff_t>(label.types.size()));
    if (!there || (!label.types.empty() && once_in(3))) {
        for (const Type type : label.types)
            expression(type);
    }
    if (once_in(3)) {
        expression(Type::i32);
    } else {
        condition();
    }
    op(Op::br_if, depth);
    pop();
    while (height() > before)
        discard();
}

void BodyMaker::leave_conditionally() {
    const u32 depth = below(static_cast<u32>(labels_.size()));
    const Label label = labels_[labels_.size() - 1 - depth];
    if (label.is_loop) return;
    condition();
    op(Op::if_);
    pop();
    block_type({}, {});
    const Scope outer = enter({}, {{}, false});
    for (const Type type : label.types)
        expression(type);
    if (depth + 1 == labels_.size() - 1 && once_in(2)) {
        op(Op::return_);
    } else {
        op(Op::br, depth + 1);
    }
    dead_code();
    leave(outer, {});
}

void BodyMaker::switch_statement() {
    const u32 cases = 1 + below(4);
    for (u32 i = 0; i < cases; ++i) {
        op(Op::block);
        block_type({}, {});
        labels_.push_back({{}, false});
    }
    const u32 outer = base_;
    base_ = height();
    expression(Type::i32);
    if (once_in(2)) mask(3);
    op(Op::br_table);
    pop();
    build::append(code_, build::leb_u(cases));
    for (u32 i = 0; i <= cases; ++i)
        build::append(code_, build::leb_u(below(cases)));
    dead_code();
    for (u32 i = 0; i < cases; ++i) {
        op(Op::end);
        labels_.pop_back();
        if (i + 1 < cases) some_statements(1);
    }
    base_ = outer;
}

}  // namespace wrun::differ
