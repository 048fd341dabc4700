// Modules that decode, and what they then hold.
#include "decoder/decode.hpp"

#include <gtest/gtest.h>

#include "tests/support/matchers.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun {
namespace {

using namespace build;

/// One of everything.
ModuleBuilder full_module() {
    ModuleBuilder builder;
    const u32 nothing = builder.type({}, {});
    const u32 binary = builder.type({type_i32, type_i64}, {type_f32, type_f64});
    builder.import_function("env", "log", nothing);
    builder.import_table("env", "table", type_externref, limits(1, 2));
    builder.import_global("env", "level", type_i32, true);
    builder.memory(1, 10);
    builder.table(type_funcref, 4);
    builder.global(type_i64, false, body(i64_const(-1)));
    const u32 first = builder.function(nothing, body(nop()), {{3, type_i32}, {2, type_f64}});
    builder.function(binary, body(build::unreachable()));
    builder.export_item("main", ExternKind::func, first);
    builder.export_item("memory", ExternKind::memory, 0);
    builder.start(first);
    builder.element(join(2, 1, body(i32_const(1)), 0, 2, 0, 1));  // table 1, functions 0 and 1
    builder.declared_elements({2});
    builder.active_data(body(i32_const(8)), "hello");
    builder.passive_data("later");
    builder.data_count(2);
    builder.custom(
        "name", join(0, sized(name("mod")), 1, sized(join(2, 0, name("log"), 1, name("main_fn")))));
    builder.custom("notes", join("anything"));
    return builder;
}

class Decoded : public testing::Test {
protected:
    const Bytes bytes_ = full_module().bytes();
    Result<Module> result_ = decode(bytes_, default_features());
    Module& module_ = result_.value();
};

TEST_F(Decoded, HoldsTypes) {
    ASSERT_EQ(module_.types.size(), 2u);
    EXPECT_THAT(module_.params(TypeIndex{1}), testing::ElementsAre(type_i32, type_i64));
    EXPECT_THAT(module_.results(TypeIndex{1}), testing::ElementsAre(type_f32, type_f64));
    EXPECT_TRUE(module_.params(TypeIndex{0}).empty());
}

TEST_F(Decoded, CountsImportsFirstInEachIndexSpace) {
    ASSERT_EQ(module_.imports.size(), 3u);
    EXPECT_EQ(module_.text(module_.imports[0].module), "env");
    EXPECT_EQ(module_.text(module_.imports[1].field), "table");
    EXPECT_EQ(module_.imports[2].kind, ExternKind::global);
    EXPECT_EQ(module_.functions.size(), 3u);
    EXPECT_EQ(module_.imported_function_count, 1u);
    EXPECT_TRUE(module_.is_import(FuncIndex{0}));
    EXPECT_FALSE(module_.is_import(FuncIndex{1}));
    ASSERT_EQ(module_.tables.size(), 2u);
    EXPECT_TRUE(module_.tables[0].imported);
    EXPECT_EQ(module_.tables[0].type.element, type_externref);
    EXPECT_EQ(module_.tables[0].type.limits.max, std::optional<u64>{2});
    EXPECT_FALSE(module_.tables[1].imported);
    ASSERT_EQ(module_.globals.size(), 2u);
    EXPECT_TRUE(module_.globals[0].type.is_mutable);
    EXPECT_THAT(module_.slice(module_.globals[1].init), testing::ElementsAre(0x42, 0x7f, 0x0b));
}

TEST_F(Decoded, HoldsMemoriesExportsAndStart) {
    ASSERT_EQ(module_.memories.size(), 1u);
    EXPECT_EQ(module_.memories[0].type.limits.min, 1u);
    EXPECT_EQ(module_.memories[0].type.limits.max, std::optional<u64>{10});
    ASSERT_EQ(module_.exports.size(), 2u);
    EXPECT_EQ(module_.text(module_.exports[1].field), "memory");
    EXPECT_EQ(module_.exports[1].kind, ExternKind::memory);
    EXPECT_EQ(module_.start, std::optional{FuncIndex{1}});
}

TEST_F(Decoded, HoldsSegments) {
    ASSERT_EQ(module_.elems.size(), 2u);
    EXPECT_EQ(module_.elems[0].mode, SegmentMode::active);
    EXPECT_EQ(module_.elems[0].table, TableIndex{1});
    EXPECT_EQ(module_.elems[0].item_count, 2u);
    EXPECT_EQ(module_.elems[1].mode, SegmentMode::declarative);
    EXPECT_EQ(module_.elem_items[module_.elems[1].items_begin].func_or_begin, 2u);
    ASSERT_EQ(module_.data.size(), 2u);
    EXPECT_EQ(module_.text(module_.data[0].bytes), "hello");
    EXPECT_EQ(module_.data[1].mode, SegmentMode::passive);
    EXPECT_EQ(module_.data_count, std::optional{2u});
}

TEST_F(Decoded, DelimitsBodies) {
    ASSERT_EQ(module_.bodies.size(), 2u);
    EXPECT_THAT(module_.slice(module_.body(FuncIndex{1})),
        testing::ElementsAre(2, 3, 0x7f, 2, 0x7c, 0x01, 0x0b));
    EXPECT_THAT(module_.slice(module_.body(FuncIndex{2})), testing::ElementsAre(0, 0x00, 0x0b));
    EXPECT_EQ(module_.code_end, module_.body(FuncIndex{2}).end);
}

TEST_F(Decoded, KeepsNamesAndCustomSections) {
    EXPECT_EQ(module_.text(module_.name), "mod");
    EXPECT_EQ(module_.function_name(FuncIndex{0}), "log");
    EXPECT_EQ(module_.function_name(FuncIndex{1}), "main_fn");
    EXPECT_EQ(module_.function_name(FuncIndex{2}), "");
    ASSERT_EQ(module_.customs.size(), 2u);
    EXPECT_EQ(module_.text(module_.customs[1].field), "notes");
    EXPECT_EQ(module_.text(module_.customs[1].bytes), "anything");
}

TEST_F(Decoded, ListsSectionsInOrderOfAppearance) {
    std::vector<u32> ids;
    for (const SectionInfo& section : module_.sections)
        ids.push_back(section.id);
    EXPECT_THAT(ids, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11, 0, 0));
}

TEST(Decode, TakesTheEmptyModule) {
    EXPECT_THAT(decode(header(), default_features()), succeeds());
}

TEST(Decode, TakesCustomSectionsAnywhere) {
    const Bytes custom = section(0, name("x"));
    const Bytes bytes = join(header(), custom, section(1, {0}), custom, custom, section(3, {0}),
        section(10, {0}), custom);
    EXPECT_THAT(decode(bytes, default_features()), succeeds());
}

TEST(Decode, TakesEmptySectionsAndZeroDataCount) {
    const Bytes bytes = join(header(), section(1, {0}), section(12, {0}), section(10, {0}));
    EXPECT_THAT(decode(bytes, default_features()), succeeds());
}

TEST(Decode, NamesAFunctionByItsExportWhenThereIsNoNameSection) {
    ModuleBuilder builder;
    builder.export_item("go", ExternKind::func, builder.function({}, {}, body()));
    const Bytes bytes = builder.bytes();
    const Result<Module> module = decode(bytes, default_features());
    EXPECT_EQ(module.value().function_name(FuncIndex{0}), "go");
}

struct NameSection {
    const char* what;
    Bytes payload;
};

const NameSection broken_names[] = {
    {"cut off in the subsection's size", {1}},
    {"a subsection longer than the section", {1, 9, 0}},
    {"a subsection with bytes left", join(1, sized(join(1, 0, name("f"), 0)))},
    {"indices that do not ascend", join(1, sized(join(2, 1, name("b"), 1, name("a"))))},
    {"a name that is not UTF-8", join(1, sized(join(1, 0, name("\xff"))))},
    {"a count with nothing behind it", join(1, sized(leb_u(0xffff'ffff)))},
    {"a name longer than its subsection",
        join(1, sized(join(1, 0, 9, "f")), 2, sized(join("0123456")))},
};

TEST(Names, AreIgnoredWhenMalformed) {
    for (const NameSection& row : broken_names) {
        SCOPED_TRACE(row.what);
        ModuleBuilder builder;
        builder.function({}, {}, body());
        builder.custom("name", join(0, sized(name("mod")), row.payload));
        const Bytes bytes = builder.bytes();
        const Result<Module> module = decode(bytes, default_features());
        ASSERT_THAT(module, succeeds());
        EXPECT_EQ(module.value().function_name(FuncIndex{0}), "");
        EXPECT_EQ(module.value().name.size(), 0u);
    }
}

TEST(Names, SkipOtherSubsections) {
    ModuleBuilder builder;
    builder.custom("name",
        join(2, sized(join("locals")), 1, sized(join(1, 0, name("f"))), 9, sized(join("?"))));
    const Bytes bytes = builder.bytes();
    EXPECT_EQ(decode(bytes, default_features()).value().function_name(FuncIndex{0}), "f");
}

}  // namespace
}  // namespace wrun
