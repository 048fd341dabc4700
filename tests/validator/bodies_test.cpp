// The rules about bodies that are not about one row's operands: blocks, labels, indices, dead code,
// form.
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "tests/validator/harness.hpp"

namespace wrun {
namespace {

using namespace build;
using enum ErrorCode;

struct Row {
    const char* what;
    Bytes code;
    ErrorCode code_expected;
    u32 offset;
};

const TypeIndex binary{1};    // [i32 i64] → [f32]
const TypeIndex widening{2};  // [i32] → [i32 i64]

const Row invalid_rows[] = {
    // What is left on the stack.
    {"a value left behind", body(i32_const(1)), type_mismatch, 2},
    {"a value left in a block", body(block(), i32_const(1), end()), type_mismatch, 4},
    {"a value left under a block's result",
        body(block(type_i32), i32_const(1), i32_const(1), end(), drop()), type_mismatch, 6},
    {"a block without its result", body(block(type_i32), end(), drop()), type_mismatch, 2},
    {"a value left in dead code", body(block(), br(0), i32_const(1), end()), type_mismatch, 6},
    {"results in the wrong order",
        body(i32_const(1), block(widening), drop(), i64_const(1), i32_const(1), end(), drop(),
            drop()),
        type_mismatch, 9},
    // If and else.
    {"an if with a result and no else",
        body(i32_const(1), if_(type_i32), i32_const(1), end(), drop()), type_mismatch, 6},
    {"an else of another type",
        body(i32_const(1), if_(type_i32), i32_const(1), else_(), i64_const(1), end(), drop()),
        type_mismatch, 9},
    {"a then of another type",
        body(i32_const(1), if_(type_i32), i64_const(1), else_(), i32_const(1), end(), drop()),
        type_mismatch, 6},
    {"else in a block", body(block(), else_(), end()), unexpected_else, 2},
    {"else in the function", body(else_()), unexpected_else, 0},
    {"else twice", body(i32_const(1), if_(), else_(), else_(), end()), unexpected_else, 5},
    {"then's operands in else",
        body(i32_const(1), if_(), i32_const(1), br(0), else_(), drop(), end()), type_mismatch, 9},
    // Labels.
    {"a label too far", body(block(), br(2), end()), unknown_label, 2},
    {"br_if too far", body(i32_const(1), br_if(1)), unknown_label, 2},
    {"br_table's first too far", body(i32_const(1), br_table(1, 0)), unknown_label, 2},
    {"br_table's default too far", body(i32_const(1), br_table(0, 0, 5)), unknown_label, 2},
    {"br_table's only label too far", body(i32_const(1), br_table(1)), unknown_label, 2},
    {"br_table with two arities",
        body(block(type_i32), block(), i32_const(1), i32_const(1), br_table(0, 1), end(),
            i32_const(1), end(), drop()),
        type_mismatch, 8},
    {"br_table with two arities in dead code",
        body(block(type_i32), block(), br(1), br_table(0, 1), end(), i32_const(1), end(), drop()),
        type_mismatch, 4},
    {"br_table with two types",
        body(block(type_i32), block(type_i64), i32_const(1), i32_const(1), br_table(0, 1), end(),
            drop(), i32_const(1), end(), drop()),
        type_mismatch, 8},
    {"a loop's label takes parameters, not results",
        body(loop(type_i32), i32_const(1), br(0), i64_const(1), end(), drop()), type_mismatch, 8},
    // Indices.
    {"a local too far", body(local_get(6), drop()), unknown_local, 0},
    {"a local set too far", body(i32_const(1), local_set(6)), unknown_local, 2},
    {"a local teed too far", body(i32_const(1), local_tee(0xffff'ffffu), drop()), unknown_local, 2},
    {"a global too far", body(global_get(7), drop()), unknown_global, 0},
    {"a global set too far", body(i32_const(1), global_set(7)), unknown_global, 2},
    {"an immutable global", body(i32_const(1), global_set(6)), immutable_global, 2},
    {"a function too far", body(call(4)), unknown_function, 0},
    {"a reference to a function too far", body(ref_func(4), drop()), unknown_function, 0},
    {"a reference that was not declared", body(ref_func(1), drop()), undeclared_function_reference,
        0},
    {"a type too far", body(i32_const(0), call_indirect(99, 0)), unknown_type, 2},
    {"a block of no type", body(block(TypeIndex{99}), end()), unknown_type, 0},
    {"call_indirect of no table", body(i32_const(0), call_indirect(0, 2)), unknown_table, 2},
    {"call_indirect of externref", body(i32_const(0), call_indirect(0, 1)), type_mismatch, 2},
    {"a table too far", body(table_size(2), drop()), unknown_table, 0},
    {"table.init of no table", body(table_init(0, 2)), unknown_table, 0},
    {"table.init of no segment", body(table_init(1, 0)), unknown_elem_segment, 0},
    {"table.init of another type", body(table_init(0, 1)), type_mismatch, 0},
    {"elem.drop of no segment", body(elem_drop(1)), unknown_elem_segment, 0},
    {"table.copy of two types", body(table_copy(0, 1)), type_mismatch, 0},
    {"table.copy from no table", body(table_copy(0, 2)), unknown_table, 0},
    {"table.copy to no table", body(table_copy(2, 0)), unknown_table, 0},
    {"memory.init of no segment", body(memory_init(1)), unknown_data_segment, 0},
    {"data.drop of no segment", body(data_drop(1)), unknown_data_segment, 0},
    // Select.
    {"select of references",
        body(ref_null(type_funcref), ref_null(type_funcref), i32_const(1), build::select(), drop()),
        type_mismatch, 6},
    {"select of two types", body(i32_const(1), i64_const(1), i32_const(1), build::select(), drop()),
        type_mismatch, 6},
    {"select with two types", body(select_t(type_i32, type_i32), drop()), invalid_result_arity, 1},
    {"select with no types", body(select_t(), drop()), invalid_result_arity, 1},
    {"select of two types in dead code",
        body(build::unreachable(), i32_const(1), i64_const(1), i32_const(1), build::select(),
            drop()),
        type_mismatch, 7},
    {"ref.is_null of a number", body(i32_const(1), ref_is_null(), drop()), type_mismatch, 2},
    // Dead code is checked.
    {"a dead index", body(build::unreachable(), local_get(6), drop()), unknown_local, 1},
    {"dead operands", body(build::unreachable(), i64_const(1), i32_const(1), i32_add(), drop()),
        type_mismatch, 5},
    {"a dead block's operands", body(build::unreachable(), block(), i32_add(), drop(), end()),
        type_mismatch, 3},
    {"alignment in dead code", body(build::unreachable(), i32_load(0, 3), drop()),
        alignment_too_large, 1},
    // Form.
    {"an opcode that is none", body(nop(), Bytes{0x27}), illegal_opcode, 1},
    {"a prefixed opcode that is none", body(Bytes{0xfc, 0x80, 0x02}), illegal_opcode, 0},
    {"a prefixed opcode beyond a byte", body(Bytes{0xfc, 0x8a, 0x02}), illegal_opcode, 0},
    {"no end", nop(), end_opcode_expected, 1},
    {"an inner end only", join(block(), end()), end_opcode_expected, 3},
    {"bytes behind the end", join(end(), nop()), junk_after_expression, 1},
    {"immediates cut off", i32_const(0x7fff'ffff).size() == 6 ? join(0x41, 0xff) : Bytes{},
        unexpected_end, 2},
    {"a constant cut off", join(0x44, 0, 0, 0), unexpected_end, 4},
    {"a prefix cut off", Bytes{0xfc}, unexpected_end, 1},
    {"an integer too long", join(0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x0b), integer_too_long,
        1},
    {"an integer too large", join(0x20, 0x80, 0x80, 0x80, 0x80, 0x10, 0x0b), integer_too_large, 1},
    {"a block type that is none", body(Bytes{0x02, 0x41}, end()), malformed_block_type, 1},
    {"a block type that is negative", body(Bytes{0x02, 0xff, 0x7f}, end()), malformed_block_type,
        1},
    {"a null of a number", body(Bytes{0xd0, 0x7f}, drop()), malformed_reference_type, 1},
    {"memory.size with a byte", body(Bytes{0x3f, 1}, drop()), zero_byte_expected, 1},
    {"memory.size with a long zero", body(Bytes{0x3f, 0x80, 0}, drop()), zero_byte_expected, 1},
    {"memory.copy with a byte", body(Bytes{0xfc, 10, 0, 1}), zero_byte_expected, 3},
    {"alignment bits", body(Bytes{0x28, 0x40, 0}, drop()), malformed_memop_flags, 1},
    {"alignment of 2^32", body(Bytes{0x28, 0x20, 0}, drop()), malformed_memop_flags, 1},
    {"an offset of 33 bits", body(Bytes{0x28, 2, 0x80, 0x80, 0x80, 0x80, 0x10}, drop()),
        integer_too_large, 2},
    {"br_table without its labels", join(0x0e, 0xff, 0xff, 0x03, 0, 0x0b),
        unexpected_end_of_section, 1},
    // Malformed comes before invalid, wherever it is.
    {"a type error before an illegal opcode", body(i32_add(), Bytes{0xff}), illegal_opcode, 1},
    {"a type error before a missing end", join(i32_add(), drop()), end_opcode_expected, 2},
    // Features.
    {"a vector", body(Bytes{0xfd, 12}), unsupported_feature, 0},
    {"an atomic", body(Bytes{0xfe, 0}), unsupported_feature, 0},
    {"a struct", body(Bytes{0xfb, 0}), unsupported_feature, 0},
    {"a throw", body(Bytes{0x08, 0}), unsupported_feature, 0},
    {"a tail call", body(Bytes{0x12, 0}), unsupported_feature, 0},
    {"wide arithmetic", body(Bytes{0xfc, 0x13}), unsupported_feature, 0},
};

TEST(Bodies, AreRefusedWithTheCodeAndTheByte) {
    for (const Row& row : invalid_rows) {
        EXPECT_THAT(validate_body(row.code), fails(row.code_expected, at_offset(row.offset)))
            << row.what;
    }
}

struct ValidRow {
    const char* what;
    Bytes code;
};

const ValidRow valid_rows[] = {
    {"nothing", body()},
    {"nested blocks with results",
        body(block(type_i32), block(type_i32), i32_const(1), end(), end(), drop())},
    {"an if with parameters and no else, of one type", body(i32_const(1), if_(), nop(), end())},
    {"branches to each enclosing label",
        body(block(), block(), loop(), local_get(0), br_table(0, 1, 2, 3), end(), end(), end())},
    {"br_table of one arity in dead code",
        body(block(type_i32), block(type_i64), build::unreachable(), br_table(0, 1), end(), drop(),
            i32_const(1), end(), drop())},
    {"br_if keeps its label's operands",
        body(block(type_i32), i32_const(1), local_get(0), br_if(0), end(), drop())},
    {"anything behind unreachable",
        body(build::unreachable(), i32_add(), i64_extend_i32_s(), f32_convert_i64_u(), drop(),
            build::select(), drop(), drop())},
    {"select of unknowns",
        body(build::unreachable(), build::select(), i64_const(1), i64_add(), drop())},
    {"select of one unknown",
        body(build::unreachable(), f32_const(1), i32_const(1), build::select(), f32_neg(), drop())},
    {"ref.is_null of unknowns", body(build::unreachable(), ref_is_null(), drop())},
    {"br_if in dead code leaves its label's types",
        body(block(type_i32), build::unreachable(), br_if(0), i32_eqz(), end(), drop())},
    {"a loop with parameters", body(i32_const(1), loop(widening), drop(), i32_const(1),
                                   local_get(0), br_if(0), i64_const(1), end(), drop(), drop())},
    {"a block with parameters", body(i32_const(1), i64_const(2), block(binary), drop(), drop(),
                                    f32_const(1), end(), drop())},
    {"return drops what is below", body(i32_const(1), i64_const(1), return_())},
    {"br drops what is below", body(block(), i32_const(1), br(0), end())},
    {"a long encoding", body(Bytes{0x41, 0x80, 0x80, 0x80, 0x80, 0x00}, drop())},
    {"a prefixed opcode in a long encoding", body(Bytes{0xfc, 0x8d, 0x00, 0})},
    {"padded indices", body(Bytes{0x20, 0x80, 0x80, 0x00}, drop())},
};

TEST(Bodies, AreAccepted) {
    for (const ValidRow& row : valid_rows) {
        EXPECT_THAT(validate_body(row.code), succeeds()) << row.what;
    }
}

TEST(Bodies, BoundAlignmentByTheAccess) {
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::mem) continue;
        const auto natural = static_cast<u32>(__builtin_ctz(row.access_bytes));
        for (u32 align = 0; align < 32; ++align) {
            Bytes operands;
            for (u32 k = 0; k < row.signature.pops; ++k)
                append(operands, push(row.signature.types[k]));
            const Bytes access = join(opcode(static_cast<Op>(i)), leb_u(align), leb_u(0));
            const Bytes rest = row.signature.pushes != 0 ? drop() : Bytes{};
            const Result<void> result = validate_body(body(operands, access, rest));
            if (align <= natural) {
                EXPECT_THAT(result, succeeds()) << row.text << align;
            } else {
                EXPECT_THAT(result,
                    fails(alignment_too_large, at_offset(static_cast<u32>(operands.size()))))
                    << row.text << align;
            }
        }
    }
}

TEST(Bodies, NeedAMemoryForEachRowThatNamesOne) {
    Environment none;
    none.with_memory = false;
    u32 rows = 0;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const Immediate kind = op_table[i].immediate;
        Bytes immediates;
        if (kind == Immediate::mem || kind == Immediate::memory_memory) {
            immediates = {0, 0};
        } else if (kind == Immediate::memory) {
            immediates = {0};
        } else if (kind == Immediate::data_memory) {
            immediates = {0, 0};
        } else {
            continue;
        }
        const Bytes code = body(build::unreachable(), opcode(static_cast<Op>(i)), immediates);
        EXPECT_THAT(validate_body(code, none), fails(unknown_memory, at_offset(1)))
            << op_table[i].text;
        ++rows;
    }
    EXPECT_GE(rows, 28u);
}

TEST(Bodies, NeedADataCountForMemoryInitAndDataDrop) {
    ModuleBuilder builder;
    builder.memory(1);
    builder.passive_data("x");
    builder.function({}, {}, body(data_drop(0)));
    EXPECT_THAT(build::validate(builder.bytes()), fails(data_count_required));
}

TEST(Bodies, RefuseRowsOfFeaturesThatAreOff) {
    u32 rows = 0;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.feature == Feature::mvp || row.immediate != Immediate::none) continue;
        Environment off;
        off.features.set(row.feature, false);
        if (row.feature == Feature::reference_types || row.feature == Feature::bulk_memory)
            continue;
        EXPECT_THAT(validate_body(body(build::unreachable(), opcode(static_cast<Op>(i))), off),
            fails(unsupported_feature, at_offset(1)))
            << row.text;
        ++rows;
    }
    EXPECT_GE(rows, 13u);
}

TEST(Bodies, SumTheirLocals) {
    const auto with = [](const std::vector<Locals>& locals) {
        ModuleBuilder builder;
        builder.function({type_i32}, {}, body(), locals);
        return build::validate(builder.bytes());
    };
    EXPECT_THAT(with({{limits::locals_max - 2, type_i32}}), succeeds());
    EXPECT_THAT(with({{limits::locals_max - 1, type_i32}}), succeeds());
    EXPECT_THAT(with({{limits::locals_max, type_i32}}), fails(too_many_items));
    EXPECT_THAT(with({{40'000, type_i32}, {9'999, type_i64}}), succeeds());
    EXPECT_THAT(with({{40'000, type_i32}, {10'000, type_i64}}), fails(too_many_items));
    EXPECT_THAT(with({{0xffff'ffff, type_i32}}), fails(too_many_items));
    EXPECT_THAT(with({{0xffff'ffff, type_i32}, {1, type_i32}}), fails(too_many_locals));
    EXPECT_THAT(with({{0xffff'ffff, type_i32}, {0, type_i32}}), fails(too_many_items));
}

TEST(Bodies, RefuseLocalsThatDoNotDecode) {
    const auto with = [](const Bytes& declarations) {
        const Bytes code = join(declarations, end());
        const Bytes bytes = join(header(), section(1, {1, 0x60, 0, 0}), section(3, {1, 0}),
            section(10, join(1, sized(code))));
        const Result<void> result = build::validate(bytes);
        const auto begin = static_cast<u32>(bytes.size() - code.size());
        return Error{result.error().code, 0, result.error().offset - begin};
    };
    EXPECT_THAT(Result<void>{with({1, 1, 0x41})}, fails(malformed_value_type, at_offset(2)));
    EXPECT_THAT(Result<void>{with({1, 1, 0x7b})}, fails(unsupported_feature, at_offset(2)));
    EXPECT_THAT(Result<void>{with({9})}, fails(unexpected_end_of_section, at_offset(0)));
    EXPECT_THAT(Result<void>{with({2, 1, 0x7f, 0x80})}, fails(unexpected_end, at_offset(5)));
}

TEST(Bodies, TakeVectorsInLongLists) {
    FeatureSet on = default_features();
    on.set(Feature::simd);
    for (u32 at = 0; at < 10; ++at) {
        ValTypes params(10, type_i32);
        params[at] = type_v128;
        const auto call_with = [&](const ValTypes& operands) {
            ModuleBuilder builder;
            const u32 callee = builder.import_function("m", "f", builder.type(params, params));
            Bytes code;
            for (const ValType type : operands) {
                append(code, type == type_v128 ? local_get(0) : i32_const(0));
            }
            builder.function({type_v128}, params, body(code, call(callee), call(callee)));
            return build::validate(builder.bytes(), on);
        };
        EXPECT_THAT(call_with(params), succeeds()) << at;
        EXPECT_THAT(call_with(ValTypes(10, type_i32)), fails(type_mismatch)) << at;
        EXPECT_THAT(call_with(ValTypes(10, type_v128)), fails(type_mismatch)) << at;
        ValTypes turned = params;
        std::swap(turned[at], turned[(at + 1) % 10]);
        EXPECT_THAT(call_with(turned), fails(type_mismatch)) << at;
    }
}

TEST(Bodies, OfSixtyFourBitMemoriesTakeSixtyFourBitAddresses) {
    FeatureSet on = default_features();
    on.set(Feature::memory64).set(Feature::multi_memory);
    const auto check = [&](const Bytes& code) {
        ModuleBuilder builder;
        builder.memory(join(4, 1));
        builder.memory(1);
        builder.function({}, {}, code);
        return build::validate(builder.bytes(), on);
    };
    EXPECT_THAT(check(body(i64_const(0), i32_load(), drop())), succeeds());
    EXPECT_THAT(check(body(i32_const(0), i32_load(), drop())), fails(type_mismatch));
    EXPECT_THAT(check(body(i64_const(0), i32_load(u64{1} << 40), drop())), succeeds());
    EXPECT_THAT(check(body(i64_const(1), memory_grow(), i64_eqz(), drop())), succeeds());
    // Memory 1, of 32 bits: bit 6 of the flags says that its index follows.
    EXPECT_THAT(check(body(i32_const(0), Bytes{0x28, 0x42, 1, 0}, drop())), succeeds());
    EXPECT_THAT(check(body(i32_const(0), Bytes{0x28, 0x42, 1}, leb_u(u64{1} << 32), drop())),
        fails(offset_out_of_range));
    EXPECT_THAT(check(body(i32_const(0), Bytes{0x28, 0x42, 2, 0}, drop())), fails(unknown_memory));
    EXPECT_THAT(
        check(body(i64_const(0), i32_const(0), i32_const(0), memory_copy(0, 1))), succeeds());
    EXPECT_THAT(
        check(body(i64_const(0), i64_const(0), i64_const(0), memory_copy(0, 0))), succeeds());
}

}  // namespace
}  // namespace wrun
