// Every row of ops.def with every wrong type in every operand, with operands missing, with results
// taken as what they are and as what they are not, and in dead code. Rows typed by the table's
// signature are expanded from it; the others are listed here in a form that pops and pushes fixed
// types, and the first test fails when one is not.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/validator/harness.hpp"

namespace wrun {
namespace {

using namespace build;

struct Instance {
    Op op;
    std::string what;
    Bytes before;  // opens blocks and pushes what is not an operand
    Bytes bytes;   // the operation itself
    ValTypes pops;
    ValTypes pushes;
    Bytes after;         // closes blocks
    bool ends = false;   // what follows is dead
    std::set<u32> free;  // operands that may be of any type
};

const ValTypes all_types = {type_i32, type_i64, type_f32, type_f64, type_funcref, type_externref};

Instance from_table(Op op) {
    const OpInfo& row = info(op);
    Instance instance;
    instance.op = op;
    instance.what = row.text;
    instance.bytes = opcode(op);
    switch (row.immediate) {
        case Immediate::none: break;
        case Immediate::mem: append(instance.bytes, join(0, 0)); break;
        case Immediate::i32: append(instance.bytes, leb_s(1)); break;
        case Immediate::i64: append(instance.bytes, leb_s(1)); break;
        case Immediate::f32: append(instance.bytes, fixed(0, 4)); break;
        case Immediate::f64: append(instance.bytes, fixed(0, 8)); break;
        default: ADD_FAILURE() << row.text << ": a kind of immediate that tests do not know";
    }
    const auto& types = row.signature.types;
    instance.pops.assign(types.begin(), types.begin() + row.signature.pops);
    instance.pushes.assign(types.begin() + row.signature.pops,
        types.begin() + row.signature.pops + row.signature.pushes);
    return instance;
}

/// A row typed by hand, in one shape.
Instance by_hand(Op op, const char* shape, Bytes bytes, ValTypes pops, ValTypes pushes) {
    Instance instance;
    instance.op = op;
    instance.what = std::string{info(op).text} + " " + shape;
    instance.bytes = std::move(bytes);
    instance.pops = std::move(pops);
    instance.pushes = std::move(pushes);
    instance.ends = info(op).has(trait::ends);
    return instance;
}

Instance inside(Instance instance, Bytes before, Bytes after) {
    instance.before = std::move(before);
    instance.after = std::move(after);
    return instance;
}

Instance with_free_operands(Instance instance, std::set<u32> free) {
    instance.free = std::move(free);
    return instance;
}

void add_locals_and_globals(std::vector<Instance>& all) {
    for (u32 i = 0; i < all_types.size(); ++i) {
        const ValType type = all_types[i];
        const std::string shape = name(type);
        all.push_back(by_hand(Op::local_get, shape.c_str(), local_get(i), {}, {type}));
        all.push_back(by_hand(Op::local_set, shape.c_str(), local_set(i), {type}, {}));
        all.push_back(by_hand(Op::local_tee, shape.c_str(), local_tee(i), {type}, {type}));
        all.push_back(by_hand(Op::global_get, shape.c_str(), global_get(i), {}, {type}));
        all.push_back(by_hand(Op::global_set, shape.c_str(), global_set(i), {type}, {}));
    }
    const auto far = [&](Op op, Bytes bytes, ValTypes pops, ValTypes pushes) {
        all.push_back(by_hand(op, "beyond the direct table", bytes, pops, pushes));
    };
    far(Op::local_get, local_get(205), {}, {type_i64});
    far(Op::local_set, local_set(206), {type_f32}, {});
    far(Op::local_tee, local_tee(205), {type_i64}, {type_i64});
}

void add_selects(std::vector<Instance>& all) {
    for (const ValType type : all_types) {
        const std::string shape = name(type);
        all.push_back(
            by_hand(Op::select_t, shape.c_str(), select_t(type), {type, type, type_i32}, {type}));
        if (type.is_ref()) continue;
        all.push_back(
            by_hand(Op::select, shape.c_str(), build::select(), {type, type, type_i32}, {type}));
    }
    for (const ValType type : all_types) {
        const std::string shape = name(type);
        all.push_back(
            with_free_operands(by_hand(Op::drop, shape.c_str(), drop(), {type}, {}), {0}));
    }
    for (const ValType type : {type_funcref, type_externref}) {
        const std::string shape = name(type);
        Instance instance =
            by_hand(Op::ref_is_null, shape.c_str(), ref_is_null(), {type}, {type_i32});
        all.push_back(instance);
        all.push_back(by_hand(Op::ref_null, shape.c_str(), ref_null(type), {}, {type}));
    }
}

void add_tables(std::vector<Instance>& all) {
    for (u32 i = 0; i < 2; ++i) {
        const ValType type = i == 0 ? type_funcref : type_externref;
        const char* const shape = i == 0 ? "funcref" : "externref";
        all.push_back(by_hand(Op::table_get, shape, table_get(i), {type_i32}, {type}));
        all.push_back(by_hand(Op::table_set, shape, table_set(i), {type_i32, type}, {}));
        all.push_back(by_hand(Op::table_size, shape, table_size(i), {}, {type_i32}));
        all.push_back(by_hand(Op::table_grow, shape, table_grow(i), {type, type_i32}, {type_i32}));
        all.push_back(
            by_hand(Op::table_fill, shape, table_fill(i), {type_i32, type, type_i32}, {}));
        all.push_back(
            by_hand(Op::table_copy, shape, table_copy(i, i), {type_i32, type_i32, type_i32}, {}));
    }
    all.push_back(by_hand(Op::table_init, "", table_init(0), {type_i32, type_i32, type_i32}, {}));
    all.push_back(by_hand(Op::elem_drop, "", elem_drop(0), {}, {}));
    all.push_back(by_hand(Op::ref_func, "", ref_func(0), {}, {type_funcref}));
}

void add_memories(std::vector<Instance>& all) {
    const ValTypes three = {type_i32, type_i32, type_i32};
    all.push_back(by_hand(Op::memory_size, "", memory_size(), {}, {type_i32}));
    all.push_back(by_hand(Op::memory_grow, "", memory_grow(), {type_i32}, {type_i32}));
    all.push_back(by_hand(Op::memory_fill, "", memory_fill(), three, {}));
    all.push_back(by_hand(Op::memory_copy, "", memory_copy(), three, {}));
    all.push_back(by_hand(Op::memory_init, "", memory_init(0), three, {}));
    all.push_back(by_hand(Op::data_drop, "", data_drop(0), {}, {}));
}

void add_calls(std::vector<Instance>& all) {
    all.push_back(by_hand(Op::call, "without types", call(0), {}, {}));
    all.push_back(by_hand(Op::call, "1", call(1), {type_i32, type_i64}, {type_f32}));
    all.push_back(by_hand(Op::call, "2", call(2), {type_i32}, {type_i32, type_i64}));
    all.push_back(by_hand(
        Op::call_indirect, "1", call_indirect(1), {type_i32, type_i64, type_i32}, {type_f32}));
}

void add_blocks(std::vector<Instance>& all) {
    const TypeIndex one{1};
    const TypeIndex two{2};
    all.push_back(by_hand(Op::unreachable, "", build::unreachable(), {}, {}));
    const Bytes f32_out = join(drop(), drop(), f32_const(1), end());
    all.push_back(
        inside(by_hand(Op::block, "1", block(one), {type_i32, type_i64}, {type_f32}), {}, f32_out));
    all.push_back(
        inside(by_hand(Op::loop, "1", loop(one), {type_i32, type_i64}, {type_f32}), {}, f32_out));
    all.push_back(
        inside(by_hand(Op::if_, "2", if_(two), {type_i32, type_i32}, {type_i32, type_i64}), {},
            join(i64_const(1), else_(), i64_const(2), end())));
    all.push_back(inside(by_hand(Op::else_, "of two results", else_(), {type_i32, type_i64}, {}),
        join(i32_const(0), i32_const(0), if_(two), drop()),
        join(drop(), push({type_i32, type_i64}), end(), drop(), drop())));
    for (const ValType type : all_types) {
        const std::string shape = name(type);
        all.push_back(
            inside(by_hand(Op::end, shape.c_str(), end(), {type}, {type}), block(type), {}));
    }
    all.push_back(inside(by_hand(Op::end, "2", end(), {type_i32, type_i64}, {type_i32, type_i64}),
        join(i32_const(0), block(two), drop()), {}));
}

void add_branches(std::vector<Instance>& all) {
    const TypeIndex two{2};
    const Bytes open = join(i32_const(0), block(two), drop());
    const Bytes close = join(end(), drop(), drop());
    const ValTypes label = {type_i32, type_i64};
    ValTypes label_and_index = label;
    label_and_index.push_back(type_i32);
    all.push_back(inside(by_hand(Op::br, "2", br(0), label, {}), open, close));
    all.push_back(
        inside(by_hand(Op::br_table, "2", br_table(0, 0), label_and_index, {}), open, close));
    all.push_back(inside(by_hand(Op::br_if, "2", br_if(0), label_and_index, {}), open, close));
    // A loop's label takes its parameters.
    all.push_back(inside(by_hand(Op::br, "to a loop", br(0), {type_i32}, {}),
        join(i32_const(0), loop(two), drop()), close));
    all.push_back(inside(by_hand(Op::return_, "", return_(), {}, {}), {}, {}));
}

std::vector<Instance> instances() {
    std::vector<Instance> all;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        if (!op_table[i].signature.special) all.push_back(from_table(static_cast<Op>(i)));
    }
    add_locals_and_globals(all);
    add_selects(all);
    add_tables(all);
    add_memories(all);
    add_calls(all);
    add_blocks(all);
    add_branches(all);
    return all;
}

/// Locals 6–205 and one behind, so that some lie beyond the direct table.
Environment environment_with(ValTypes results) {
    Environment environment;
    environment.results = std::move(results);
    environment.more_locals = {{199, type_i32}, {1, type_i64}, {1, type_f32}};
    return environment;
}

/// What the function gives when nothing is done with the results. br_if's are its block's, which
/// `after` takes.
ValTypes results_of(const Instance& instance) {
    return instance.ends || instance.op == Op::br_if ? ValTypes{} : instance.pushes;
}

Bytes body_with(const Instance& instance, const Bytes& operands) {
    return body(instance.before, operands, instance.bytes, instance.after);
}

TEST(Operands, CoverEveryRow) {
    std::set<Op> covered;
    for (const Instance& instance : instances())
        covered.insert(instance.op);
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        EXPECT_TRUE(covered.contains(static_cast<Op>(i))) << op_table[i].text;
    }
}

TEST(Operands, OfTheRightTypesAreTakenAndGiveTheResults) {
    for (const Instance& instance : instances()) {
        const ValTypes results = results_of(instance);
        EXPECT_THAT(
            validate_body(body_with(instance, push(instance.pops)), environment_with(results)),
            succeeds())
            << instance.what;
    }
}

TEST(Operands, OfEachWrongTypeAreRefused) {
    u32 tried = 0;
    for (const Instance& instance : instances()) {
        for (u32 position = 0; position < instance.pops.size(); ++position) {
            if (instance.free.contains(position)) continue;
            for (const ValType wrong : all_types) {
                if (wrong == instance.pops[position]) continue;
                // Any reference has a nullness.
                if (instance.op == Op::ref_is_null && wrong.is_ref()) continue;
                ValTypes operands = instance.pops;
                operands[position] = wrong;
                const Bytes pushed = push(operands);
                const auto at = static_cast<u32>(instance.before.size() + pushed.size());
                EXPECT_THAT(validate_body(body_with(instance, pushed),
                                environment_with(results_of(instance))),
                    fails(ErrorCode::type_mismatch, at_offset(at)))
                    << instance.what << ", operand " << position << " " << name(wrong);
                ++tried;
            }
        }
    }
    EXPECT_GT(tried, 1000u);
}

TEST(Operands, ThatAreMissingAreRefused) {
    for (const Instance& instance : instances()) {
        for (std::size_t present = 0; present < instance.pops.size(); ++present) {
            // The topmost ones are there; below them is the block's floor.
            const ValTypes some(
                instance.pops.end() - static_cast<std::ptrdiff_t>(present), instance.pops.end());
            const Bytes pushed = push(some);
            const auto at = static_cast<u32>(instance.before.size() + pushed.size());
            EXPECT_THAT(
                validate_body(body_with(instance, pushed), environment_with(results_of(instance))),
                fails(ErrorCode::type_mismatch, at_offset(at)))
                << instance.what << " with " << present;
        }
    }
}

TEST(Operands, OfAnEnclosingBlockAreOutOfReach) {
    for (const Instance& instance : instances()) {
        if (instance.pops.empty() || !instance.before.empty()) continue;
        const Bytes pushed = push(instance.pops);
        const Bytes code = body(pushed, block(), instance.bytes, instance.after, end());
        EXPECT_THAT(validate_body(code, environment_with({})),
            fails(ErrorCode::type_mismatch, at_offset(static_cast<u32>(pushed.size() + 2))))
            << instance.what;
    }
}

TEST(Operands, InDeadCodeMayBeMissingButNotWrong) {
    for (const Instance& instance : instances()) {
        const Bytes dead = build::unreachable();
        EXPECT_THAT(
            validate_body(body_with(instance, dead), environment_with(results_of(instance))),
            succeeds())
            << instance.what;
        if (instance.pops.empty() || instance.free.contains(0)) continue;
        const ValType last = instance.pops.back();
        const ValType wrong = last == type_f64 ? type_i64 : type_f64;
        const Bytes pushed = join(dead, push(wrong));
        const auto at = static_cast<u32>(instance.before.size() + pushed.size());
        EXPECT_THAT(validate_body(body_with(instance, pushed), environment_with({})),
            fails(ErrorCode::type_mismatch, at_offset(at)))
            << instance.what;
    }
}

TEST(Results, AreOfTheirTypeAndOfNoOther) {
    for (const Instance& instance : instances()) {
        if (results_of(instance).size() != 1) continue;
        for (const ValType wrong : all_types) {
            if (wrong == instance.pushes[0]) continue;
            const Bytes code = body_with(instance, push(instance.pops));
            EXPECT_THAT(validate_body(code, environment_with({wrong})),
                fails(ErrorCode::type_mismatch, at_offset(static_cast<u32>(code.size()) - 1)))
                << instance.what << " as " << name(wrong);
        }
    }
}

}  // namespace
}  // namespace wrun
