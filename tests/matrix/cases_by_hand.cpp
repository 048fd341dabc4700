// The rows that the table types "*": what stands around them so that they compute something. See
// cases.hpp.
#include "tests/matrix/cases.hpp"

namespace wrun::matrix {

using namespace build;

namespace {

constexpr ValType numbers[] = {type_i32, type_i64, type_f32, type_f64};

std::string name_of(ValType type) {
    static constexpr const char* names[] = {"i32", "i64", "f32", "f64"};
    return names[index_of(type)];
}

std::vector<u64> first(ValType type, std::size_t count) {
    std::vector<u64> values = edges(type, true);
    if (values.size() > count) values.resize(count);
    return values;
}

class ByHand {
public:
    explicit ByHand(std::vector<Case>& cases) : cases_{cases} {}

    void add(Op op, const std::string& what, std::vector<ValType> operands,
        std::vector<std::vector<u64>> values, std::optional<ValType> result, Bytes code,
        Bytes before = {}, bool accesses = false) {
        Case made;
        made.op = op;
        made.name = std::string{info(op).text} + (what.empty() ? "" : ' ' + what);
        made.operands = std::move(operands);
        made.values = std::move(values);
        made.result = result;
        made.before = std::move(before);
        made.code = std::move(code);
        made.accesses = accesses;
        cases_.push_back(std::move(made));
    }
    /// One operand of each type of number, the result of the same type.
    template <class Code>
    void add_same(Op op, const std::string& what, Code code) {
        for (const ValType type : numbers) {
            add(op, name_of(type) + (what.empty() ? "" : ' ' + what), {type}, {edges(type, false)},
                type, code(type));
        }
    }

private:
    std::vector<Case>& cases_;
};

void add_variables(ByHand& hand) {
    hand.add_same(Op::local_set, "", [](ValType type) {
        const u32 local = world::result + index_of(type);
        return join(local_set(local), local_get(local));
    });
    hand.add_same(
        Op::local_tee, "", [](ValType type) { return local_tee(world::result + index_of(type)); });
    for (const u32 first_global : {world::imported_global, world::own_global}) {
        const std::string where = first_global == world::own_global ? "own" : "imported";
        const auto code = [first_global](ValType type) {
            const u32 global = first_global + index_of(type);
            return join(global_set(global), global_get(global));
        };
        hand.add_same(Op::global_set, where, code);
        hand.add_same(Op::global_get, where, code);
    }
    for (const ValType type : numbers)
        hand.add(Op::drop, name_of(type), {type}, {edges(type, false)}, {}, drop());
}

void add_selects(ByHand& hand) {
    const std::vector<u64> conditions = {0, 1, 0x8000'0000};
    for (const ValType type : numbers) {
        const std::vector<u64> values = first(type, 4);
        hand.add(Op::select, name_of(type), {type, type, type_i32}, {values, values, conditions},
            type, select());
        hand.add(Op::select_t, name_of(type), {type, type, type_i32}, {values, values, conditions},
            type, select_t(type));
    }
    hand.add(Op::select_t, "funcref", {type_funcref, type_funcref, type_i32},
        {{0, 1}, {0, 1}, conditions}, type_i32, join(select_t(type_funcref), ref_is_null()));
}

void add_control(ByHand& hand) {
    hand.add_same(Op::nop, "", [](ValType) { return nop(); });
    hand.add_same(Op::block, "", [](ValType type) {
        const u32 local = world::result + index_of(type);
        const TypeIndex unary{world::type_unary + index_of(type)};
        return join(block(unary), local_set(local), local_get(local), end());
    });
    hand.add_same(Op::loop, "", [](ValType type) {
        const u32 local = world::result + index_of(type);
        const TypeIndex unary{world::type_unary + index_of(type)};
        // Twice round: the second time the value comes by the edge back.
        return join(loop(unary), local_set(local), local_get(world::raw), i64_const(1), i64_xor(),
            local_set(world::raw), local_get(local), local_get(world::raw), i64_const(1), i64_and(),
            local_get(world::tuple), i64_load(0), i64_const(1), i64_and(), i64_ne(), br_if(0),
            end());
    });
    for (const ValType type : numbers) {
        hand.add(Op::br, name_of(type), {type}, {edges(type, false)}, type, join(br(0), end()),
            block(type));
        hand.add(Op::br_if, name_of(type), {type, type_i32}, {first(type, 5), {0, 1, 0x8000'0000}},
            type,
            join(br_if(0), local_set(world::result + index_of(type)),
                local_get(world::result + index_of(type)), end()),
            block(type));
    }
    const std::vector<u64>& conditions = edges(type_i32, false);
    hand.add(Op::br_if, "", {type_i32}, {conditions}, type_i32,
        join(br_if(0), drop(), i32_const(9), end()), join(block(type_i32), i32_const(7)));
    hand.add(Op::if_, "", {type_i32}, {conditions}, type_i32,
        join(if_(type_i32), i32_const(5), else_(), i32_const(6), end()));
    hand.add(Op::br_table, "", {type_i32}, {{0, 1, 2, 3, 0x8000'0000, 0xffff'ffff, 0x4000'0000}},
        type_i32,
        join(br_table(0, 1, 2), end(), i32_const(10), br(2), end(), i32_const(20), br(1), end(),
            i32_const(30), end()),
        join(block(type_i32), block(), block(), block()));
    hand.add(Op::unreachable, "", {}, {}, {}, build::unreachable());
}

void add_calls(ByHand& hand) {
    hand.add_same(Op::call, "", [](ValType type) { return call(world::same + index_of(type)); });
    hand.add_same(Op::call, "of the host",
        [](ValType type) { return call(world::host_same + index_of(type)); });
    Bytes many = call(world::many);
    for (const ValType type :
        {type_f64, type_f32, type_i64, type_i32, type_f64, type_f32, type_i64, type_i32})
        append(many, fold(type));
    hand.add(Op::call, "with many results", {type_i64}, {edges(type_i64, false)}, {}, many);
    // The case's operand is the first of nine arguments.
    hand.add(Op::call, "with many arguments", {type_i32, type_f64},
        {edges(type_i32, false), first(type_f64, 4)}, type_i64,
        join(local_get(world::raw + 1), local_get(world::raw), f32_convert_i64_s(),
            local_get(world::tuple), i64_const(-1), local_get(world::raw), i32_const(77),
            i64_const(78), call(world::mixed)));
    const std::vector<u64> indices = {0, 1, 2, 3, 4, 5, 0xffff'ffff, 0x8000'0000, 0x1000'0000};
    hand.add(Op::call_indirect, "", {type_i32}, {indices}, type_i32,
        call_indirect(world::type_none_i32, world::table_tried));
    hand.add(Op::call_indirect, "with an argument", {type_i64, type_i32},
        {first(type_i64, 5), {4, 0, 1, 5, 0xffff'ffff}}, type_i32,
        call_indirect(world::type_wrap, world::table_tried));
}

void add_tables(ByHand& hand) {
    constexpr u32 tried = world::table_tried;
    const std::vector<u64> indices = {0, 4, 5, 6, 1, 0x8000'0000, 0xffff'ffff};
    const std::vector<u64> short_indices = {0, 1, 4, 5, 0x8000'0000, 0xffff'ffff};
    const Bytes look = join(i32_const(2), table_get(tried), ref_is_null(), i32_const(4),
        table_get(tried), ref_is_null(), i32_const(1), i32_shl(), i32_or());
    hand.add(
        Op::table_get, "", {type_i32}, {indices}, type_i32, join(table_get(tried), ref_is_null()));
    // What is set is taken back, so that every tuple finds the same table.
    const Bytes restore = join(i32_const(0), i32_const(0), i32_const(world::tried_size),
        table_init(world::elements_tried, tried));
    const u32 kept = world::result;
    const auto looked = [&](const Bytes& code) {
        return join(code, look, local_set(kept), restore, local_get(kept));
    };
    hand.add(Op::table_set, "", {type_i32, type_funcref},
        {{4, 2, 5, 0x8000'0002, 0xffff'ffff}, {0, 1}}, type_i32, looked(table_set(tried)));
    hand.add(Op::table_size, "", {}, {}, type_i32, table_size(tried));
    hand.add(Op::table_grow, "", {type_funcref, type_i32},
        {{0, 1}, {0, 1, 0xffff'ffff, 0x8000'0000}}, type_i32, table_grow(world::table_full));
    hand.add(Op::table_fill, "", {type_i32, type_funcref, type_i32},
        {short_indices, {0, 1}, short_indices}, type_i32, looked(table_fill(tried)));
    hand.add(Op::table_copy, "", {type_i32, type_i32, type_i32},
        {short_indices, short_indices, short_indices}, type_i32, looked(table_copy(tried, tried)));
    hand.add(Op::table_init, "", {type_i32, type_i32, type_i32},
        {short_indices, short_indices, short_indices}, type_i32,
        looked(table_init(world::elements_tried, tried)));
    hand.add(Op::elem_drop, "", {}, {}, type_i32,
        join(elem_drop(world::elements_dropped), i32_const(0)));
    hand.add(Op::ref_is_null, "", {type_funcref}, {{0, 1}}, type_i32, ref_is_null());
    hand.add(Op::ref_func, "", {}, {}, type_i32, join(ref_func(world::nothing), ref_is_null()));
    hand.add(Op::ref_null, "", {}, {}, type_i32, join(ref_null(type_funcref), ref_is_null()));
}

void add_memory(ByHand& hand) {
    constexpr u64 size = world::memory_bytes;
    hand.add(Op::memory_size, "", {}, {}, type_i32, memory_size());
    hand.add(Op::memory_grow, "", {type_i32}, {{0, 1, 0xffff'ffff, 0x8000'0000, 65'535, 65'536}},
        type_i32, memory_grow());
    const std::vector<u64> places = {
        0, size - 64, size - 1, size, size + 1, 1, 0x8000'0000, 0xffff'ffff};
    const std::vector<u64> counts = {0, 1, 64, 65, 0x8000'0000, 0xffff'ffff};
    hand.add(Op::memory_fill, "", {type_i32, type_i32, type_i32}, {places, {0x1a5, 0xff}, counts},
        {}, memory_fill(), {}, true);
    hand.add(Op::memory_copy, "", {type_i32, type_i32, type_i32}, {places, places, counts}, {},
        memory_copy(), {}, true);
    hand.add(Op::memory_init, "", {type_i32, type_i32, type_i32},
        {places, {0, 1, 15, 16, 17, 0xffff'ffff}, {0, 1, 15, 16, 17, 0xffff'ffff}}, {},
        memory_init(world::data_tried), {}, true);
    hand.add(
        Op::data_drop, "", {}, {}, type_i32, join(data_drop(world::data_dropped), i32_const(0)));
}

}  // namespace

void add_cases_by_hand(std::vector<Case>& cases) {
    ByHand hand{cases};
    add_variables(hand);
    add_selects(hand);
    add_control(hand);
    add_calls(hand);
    add_tables(hand);
    add_memory(hand);
}

}  // namespace wrun::matrix
