// The rules about declarations (spec: §3.5 of 2.0, constant expressions as 3.0 has them).
#include <gtest/gtest.h>

#include <functional>

#include "tests/validator/harness.hpp"

namespace wrun {
namespace {

using namespace build;
using enum ErrorCode;

using Build = std::function<void(ModuleBuilder&)>;

struct Row {
    const char* what;
    ErrorCode code;  // ok: the module is valid
    Build build;
};

Bytes zero() {
    return body(i32_const(0));
}

const Row rows[] = {
    // Functions, tables, memories.
    {"a function of no type", unknown_type, [](auto& m) { m.function(1u, body()); }},
    {"an imported function of no type", unknown_type,
        [](auto& m) { m.import_function("m", "f", 0); }},
    {"a table's minimum above its maximum", limits_min_above_max,
        [](auto& m) { m.table(type_funcref, 2, 1); }},
    {"a table as large as its maximum", ok, [](auto& m) { m.table(type_funcref, 2, 2); }},
    {"two tables", ok, [](auto& m) { m.table(type_funcref, 0), m.table(type_externref, 0); }},
    {"a memory of 65,536 pages", ok, [](auto& m) { m.memory(65'536, 65'536); }},
    {"a memory of 65,537 pages", memory_too_large, [](auto& m) { m.memory(65'537); }},
    {"a memory that may have 65,537 pages", memory_too_large, [](auto& m) { m.memory(0, 65'537); }},
    {"a memory's minimum above its maximum", limits_min_above_max, [](auto& m) { m.memory(2, 1); }},
    {"two memories", multiple_memories, [](auto& m) { m.memory(0), m.memory(0); }},
    {"an imported and a defined memory", multiple_memories,
        [](auto& m) { m.import_memory("m", "m", limits(0)), m.memory(0); }},
    // Globals and constant expressions.
    {"a global of its type", ok, [](auto& m) { m.global(type_f64, true, body(f64_const(1))); }},
    {"a global of another type", type_mismatch, [](auto& m) { m.global(type_f64, true, zero()); }},
    {"an empty initialiser", type_mismatch, [](auto& m) { m.global(type_i32, false, body()); }},
    {"an initialiser of two values", type_mismatch,
        [](auto& m) { m.global(type_i32, false, body(i32_const(1), i32_const(2))); }},
    {"extended arithmetic", ok,
        [](auto& m) {
            m.global(type_i32, false,
                body(i32_const(1), i32_const(2), i32_add(), i32_const(3), i32_mul(), i32_const(4),
                    i32_sub()));
            m.global(type_i64, false,
                body(i64_const(1), i64_const(2), i64_add(), i64_const(3), i64_mul(), i64_const(4),
                    i64_sub()));
        }},
    {"extended arithmetic without operands", type_mismatch,
        [](auto& m) { m.global(type_i32, false, body(i32_const(1), i32_add())); }},
    {"extended arithmetic of another type", type_mismatch,
        [](auto& m) { m.global(type_i32, false, body(i64_const(1), i64_const(1), i32_add())); }},
    {"other arithmetic", constant_expression_required,
        [](auto& m) { m.global(type_i32, false, body(i32_const(1), i32_const(2), i32_xor())); }},
    {"a call", constant_expression_required,
        [](auto& m) { m.global(type_i32, false, body(call(0))); }},
    {"a nop", constant_expression_required,
        [](auto& m) { m.global(type_i32, false, body(nop())); }},
    {"a block", constant_expression_required,
        [](auto& m) { m.global(type_i32, false, body(block(type_i32), i32_const(1), end())); }},
    {"an imported immutable global", ok,
        [](auto& m) {
            m.import_global("m", "g", type_i32, false);
            m.global(type_i32, false, body(global_get(0)));
        }},
    {"an earlier global of the module", ok,
        [](auto& m) {
            m.global(type_i32, false, zero());
            m.global(type_i32, false, body(global_get(0)));
        }},
    {"a mutable global", constant_expression_required,
        [](auto& m) {
            m.import_global("m", "g", type_i32, true);
            m.global(type_i32, false, body(global_get(0)));
        }},
    {"itself", unknown_global, [](auto& m) { m.global(type_i32, false, body(global_get(0))); }},
    {"a later global", unknown_global,
        [](auto& m) {
            m.global(type_i32, false, body(global_get(1)));
            m.global(type_i32, false, zero());
        }},
    {"a null of its type", ok,
        [](auto& m) { m.global(type_externref, false, body(ref_null(type_externref))); }},
    {"a null of another type", type_mismatch,
        [](auto& m) { m.global(type_externref, false, body(ref_null(type_funcref))); }},
    {"a function that is there", ok,
        [](auto& m) {
            m.global(type_funcref, false, body(ref_func(0)));
            m.function({}, {}, body());
        }},
    {"a function that is not there", unknown_function,
        [](auto& m) { m.global(type_funcref, false, body(ref_func(0))); }},
    // Exports and start.
    {"an export of each kind", ok,
        [](auto& m) {
            m.export_item("f", ExternKind::func, m.function({}, {}, body()));
            m.export_item("t", ExternKind::table, m.table(type_funcref, 0));
            m.export_item("m", ExternKind::memory, m.memory(0));
            m.export_item("g", ExternKind::global, m.global(type_i32, false, zero()));
            m.export_item("", ExternKind::func, 0);
        }},
    {"an export of no function", unknown_function,
        [](auto& m) { m.export_item("f", ExternKind::func, 0); }},
    {"an export of no table", unknown_table,
        [](auto& m) { m.export_item("t", ExternKind::table, 0); }},
    {"an export of no memory", unknown_memory,
        [](auto& m) { m.export_item("m", ExternKind::memory, 0); }},
    {"an export of no global", unknown_global,
        [](auto& m) { m.export_item("g", ExternKind::global, 0); }},
    {"two exports of one name", duplicate_export_name,
        [](auto& m) {
            m.function({}, {}, body());
            m.memory(0);
            m.export_item("x", ExternKind::func, 0);
            m.export_item("y", ExternKind::func, 0);
            m.export_item("x", ExternKind::memory, 0);
        }},
    {"a start function", ok, [](auto& m) { m.start(m.function({}, {}, body())); }},
    {"a start function that is not there", unknown_function, [](auto& m) { m.start(0); }},
    {"a start function with parameters", invalid_start_function,
        [](auto& m) { m.start(m.function({type_i32}, {}, body())); }},
    {"a start function with results", invalid_start_function,
        [](auto& m) { m.start(m.function({}, {type_i32}, zero())); }},
    // Element segments.
    {"elements of a table", ok,
        [](auto& m) {
            m.table(type_funcref, 1);
            m.active_elements(zero(), {m.function({}, {}, body())});
        }},
    {"elements of no table", unknown_table, [](auto& m) { m.active_elements(zero(), {}); }},
    {"elements of another type than their table", type_mismatch,
        [](auto& m) {
            m.table(type_externref, 1);
            m.active_elements(zero(), {});
        }},
    {"an offset of another type", type_mismatch,
        [](auto& m) {
            m.table(type_funcref, 1);
            m.active_elements(body(i64_const(0)), {});
        }},
    {"an element that is no function", unknown_function,
        [](auto& m) {
            m.table(type_funcref, 1);
            m.active_elements(zero(), {0});
        }},
    {"a declared function that is not there", unknown_function,
        [](auto& m) { m.declared_elements({0}); }},
    {"elements as expressions", ok,
        [](auto& m) {
            m.function({}, {}, body());
            m.element(join(
                5, val_type(type_funcref), 2, body(ref_null(type_funcref)), body(ref_func(0))));
        }},
    {"an element expression of another type", type_mismatch,
        [](auto& m) {
            m.element(join(5, val_type(type_externref), 1, body(ref_null(type_funcref))));
        }},
    {"an element expression that is not constant", constant_expression_required,
        [](auto& m) {
            m.element(join(5, val_type(type_funcref), 1, body(i32_const(0), table_get(0))));
        }},
    // Data segments.
    {"data of a memory", ok, [](auto& m) { m.memory(1), m.active_data(zero(), "x"); }},
    {"data of no memory", unknown_memory, [](auto& m) { m.active_data(zero(), "x"); }},
    {"data of memory 1", unknown_memory,
        [](auto& m) { m.memory(1), m.data(join(2, 1, zero(), name("x"))); }},
    {"data at an offset of another type", type_mismatch,
        [](auto& m) { m.memory(1), m.active_data(body(i64_const(0)), "x"); }},
    {"data at a global's offset", ok,
        [](auto& m) {
            m.memory(1);
            m.global(type_i32, false, zero());
            m.active_data(body(global_get(0)), "x");
        }},
    {"passive data without a memory", ok, [](auto& m) { m.passive_data("x"); }},
};

TEST(ModuleRules, HoldRowByRow) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.what);
        ModuleBuilder builder;
        row.build(builder);
        const Result<void> result = build::validate(builder.bytes());
        EXPECT_EQ(result.error().code, row.code) << describe(result.error());
    }
}

/// Where the error points, in the module's bytes.
TEST(ModuleRules, PointAtTheExpression) {
    ModuleBuilder builder;
    builder.global(type_i32, false, body(i32_const(1), nop()));
    // header 8, section id and size 2, count 1, type 1, mutability 1, i32.const 2
    EXPECT_THAT(
        build::validate(builder.bytes()), fails(constant_expression_required, at_offset(15)));
}

TEST(ModuleRules, PointAtTheSecondOfTwoExports) {
    ModuleBuilder builder;
    builder.memory(0);
    builder.export_item("ab", ExternKind::memory, 0);
    builder.export_item("ab", ExternKind::memory, 0);
    // header 8, memory section 5, id, size and count 3, first export 5, length 1
    EXPECT_THAT(build::validate(builder.bytes()), fails(duplicate_export_name, at_offset(22)));
}

TEST(ModuleRules, PointAtTheImport) {
    ModuleBuilder builder;
    builder.import_memory("abc", "m", limits(2, 1));
    EXPECT_THAT(build::validate(builder.bytes()), fails(limits_min_above_max, at_offset(12)));
}

TEST(ModuleRules, FindADuplicateAmongManyNames) {
    ModuleBuilder builder;
    builder.memory(0);
    for (u32 i = 0; i < 50'000; ++i) {
        builder.export_item("name" + std::to_string(i), ExternKind::memory, 0);
    }
    EXPECT_THAT(build::validate(builder.bytes()), succeeds());
    builder.export_item("name31415", ExternKind::memory, 0);
    EXPECT_THAT(build::validate(builder.bytes()), fails(duplicate_export_name));
}

TEST(ModuleRules, CollectTheFunctionsThatEscape) {
    ModuleBuilder builder;
    const u32 type = builder.type({}, {});
    for (u32 i = 0; i < 10; ++i)
        builder.function(type, body(call(9)));
    builder.table(type_funcref, 4);
    builder.global(type_funcref, false, body(ref_func(8)));
    builder.export_item("x", ExternKind::func, 5);
    builder.export_item("y", ExternKind::func, 5);
    builder.active_elements(body(i32_const(0)), {3, 1});
    builder.element(join(7, val_type(type_funcref), 1, body(ref_func(6))));
    builder.declared_elements({0});
    const Bytes bytes = builder.bytes();
    Result<Module> module = decode(bytes, default_features());
    ASSERT_THAT(validate_module(module.value(), default_features()), succeeds());
    EXPECT_THAT(module.value().escaping_functions,
        testing::ElementsAre(
            FuncIndex{0}, FuncIndex{1}, FuncIndex{3}, FuncIndex{5}, FuncIndex{6}, FuncIndex{8}));
    EXPECT_EQ(module.value().escape_index(FuncIndex{5}), std::optional{3u});
    EXPECT_EQ(module.value().escape_index(FuncIndex{9}), std::nullopt);
}

TEST(ModuleRules, OfFeaturesThatAreOffNameThem) {
    const auto expect = [](const Bytes& bytes, Feature feature) {
        FeatureSet off = default_features();
        off.set(feature, false);
        const Result<void> result = build::validate(bytes, off);
        EXPECT_THAT(result, fails(unsupported_feature)) << name(feature);
        EXPECT_EQ(static_cast<Feature>(result.error().detail), feature);
    };
    ModuleBuilder two_tables;
    two_tables.table(type_funcref, 0);
    two_tables.table(type_funcref, 0);
    expect(two_tables.bytes(), Feature::reference_types);
    ModuleBuilder mutable_import;
    mutable_import.import_global("m", "g", type_i32, true);
    expect(mutable_import.bytes(), Feature::mutable_globals);
    ModuleBuilder passive;
    passive.passive_data("x");
    expect(passive.bytes(), Feature::bulk_memory);
}

TEST(ModuleRules, NeedExtendedConstForArithmetic) {
    FeatureSet off = default_features();
    off.set(Feature::extended_const, false);
    ModuleBuilder builder;
    builder.global(type_i32, false, body(i32_const(1), i32_const(1), i32_add()));
    EXPECT_THAT(build::validate(builder.bytes(), off), fails(constant_expression_required));
}

TEST(ModuleRules, OfMemoriesWithTheirFeaturesOn) {
    FeatureSet on = default_features();
    on.set(Feature::memory64).set(Feature::threads).set(Feature::multi_memory);
    const auto check = [&](const Bytes& memory_limits) {
        ModuleBuilder builder;
        builder.memory(0);
        builder.memory(memory_limits);
        return build::validate(builder.bytes(), on);
    };
    EXPECT_THAT(check(join(4, leb_u(u64{1} << 48))), succeeds());
    EXPECT_THAT(check(join(4, leb_u((u64{1} << 48) + 1))), fails(memory_too_large));
    EXPECT_THAT(check(join(2, 0)), fails(shared_without_maximum));
    EXPECT_THAT(check(join(3, 0, 1)), succeeds());
}

}  // namespace
}  // namespace wrun
