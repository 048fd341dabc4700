// Modules that do not decode: the error's code and the byte it points at.
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "decoder/decode.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun {
namespace {

using namespace build;
using enum ErrorCode;

struct Row {
    const char* what;
    Bytes bytes;  // behind the header of eight bytes
    ErrorCode code;
    u32 offset;
};

/// A section whose size says more or less than its payload is.
Bytes section_of_size(u8 id, u32 size, const Bytes& payload) {
    return join(id, leb_u(size), payload);
}

Bytes types(const Bytes& payload) {
    return section(1, join(1, payload));
}
Bytes import_of(const Bytes& description) {
    return section(2, join(1, name("m"), name("f"), description));
}
const Bytes one_type = types({0x60, 0, 0});
const Bytes one_function = join(one_type, section(3, {1, 0}));

const Row rows[] = {
    // The frame.
    {"section id 14", {14, 0}, malformed_section_id, 8},
    {"section id 0x80", {0x80, 0}, malformed_section_id, 8},
    {"no size", {1}, unexpected_end, 9},
    {"size cut off", {1, 0x80}, unexpected_end, 10},
    {"size too long", {1, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, integer_too_long, 9},
    {"size beyond the module", {1, 5, 0}, length_out_of_bounds, 9},
    {"types twice", join(one_type, one_type), section_out_of_order, 14},
    {"types behind imports", join(section(2, {0}), one_type), section_out_of_order, 11},
    {"data count behind code", join(section(10, {0}), section(12, {0})), section_out_of_order, 11},
    {"code behind data", join(section(11, {0}), section(10, {0})), section_out_of_order, 11},
    {"payload longer than its items", section(1, {0, 0}), section_size_mismatch, 11},
    {"payload shorter than its items", section_of_size(3, 2, {2, 0, 0}), unexpected_end_of_section,
        10},
    {"a tag section", section(13, {0}), unsupported_feature, 10},
    // Counts.
    {"more types than bytes", section(1, join(leb_u(0xffff'ffff))), unexpected_end_of_section, 10},
    {"more functions than bytes", join(one_type, section(3, {9, 0})), unexpected_end_of_section,
        16},
    {"functions without code", one_function, function_and_code_counts, 18},
    {"code without functions", section(10, {1, 2, 0, 0x0b}), function_and_code_counts, 10},
    {"fewer bodies than functions", join(one_function, section(10, {0})), function_and_code_counts,
        20},
    {"data count without data", section(12, {1}), data_count_mismatch, 11},
    {"data count unlike data", join(section(12, {2}), section(11, {1, 1, 0})), data_count_mismatch,
        13},
    // Types.
    {"a type's form", types({0x61, 0, 0}), malformed_type_form, 11},
    {"a recursion group", types({0x4e, 1, 0x60, 0, 0}), unsupported_feature, 11},
    {"a subtype", types({0x50, 0, 0x60, 0, 0}), unsupported_feature, 11},
    {"a final subtype", types({0x4f, 0, 0x60, 0, 0}), unsupported_feature, 11},
    {"an array", types({0x5e, 0x7f, 0}), unsupported_feature, 11},
    {"a struct", types({0x5f, 0, 0}), unsupported_feature, 11},
    {"a parameter's type", types({0x60, 1, 0x41, 0}), malformed_value_type, 13},
    {"a typed reference", types({0x60, 1, 0x63, 0x70, 0}), unsupported_feature, 13},
    {"any", types({0x60, 1, 0x6e, 0}), unsupported_feature, 13},
    {"a parameter list cut off", types({0x60, 2, 0x7f}), unexpected_end_of_section, 12},
    // Imports.
    {"import kind 5", import_of({5, 0, 0}), malformed_import_kind, 15},
    {"a tag", import_of({4, 0, 0}), unsupported_feature, 16},
    {"a tag cut off", import_of({4, 0}), unexpected_end, 17},
    {"a name beyond the section", section(2, {1, 9, 'm', 0, 0}), length_out_of_bounds, 11},
    {"a name that is not UTF-8", section(2, {1, 1, 0xff, 1, 'f', 0, 0}), malformed_utf8, 12},
    {"mutability 2", import_of({3, 0x7f, 2}), malformed_mutability, 17},
    {"a global's type", import_of({3, 0x40, 0}), malformed_value_type, 16},
    {"a table of numbers", import_of({1, 0x7f, 0, 0}), malformed_reference_type, 16},
    {"a table of nothing known", import_of({1, 0x20, 0, 0}), malformed_reference_type, 16},
    {"shared table limits", import_of({1, 0x70, 2, 0}), malformed_limits_flags, 17},
    {"64-bit table limits", import_of({1, 0x70, 4, 0}), unsupported_feature, 17},
    {"memory limits flags", import_of({2, 0x10, 0}), malformed_limits_flags, 16},
    {"shared memory", import_of({2, 3, 0, 0}), unsupported_feature, 16},
    {"64-bit memory", import_of({2, 4, 0}), unsupported_feature, 16},
    {"a page size", import_of({2, 8, 0, 0}), unsupported_feature, 16},
    {"limits cut off", import_of({2, 1, 0}), unexpected_end, 18},
    // Tables and globals.
    {"a table's initialiser", section(4, {1, 0x40, 0, 0x70, 0, 0, 0xd0, 0x70, 0x0b}),
        unsupported_feature, 11},
    {"an expression cut off", section(6, {1, 0x7f, 0, 0x41, 0}), unexpected_end, 15},
    {"an opcode that is none", section(6, {1, 0x7f, 0, 0x27, 0x0b}), illegal_opcode, 13},
    {"an opcode of vectors", section(6, {1, 0x7f, 0, 0xfd, 0x0c, 0x0b}), unsupported_feature, 13},
    {"a prefixed opcode that is none", section(6, {1, 0x7f, 0, 0xfc, 0x80, 0x02, 0x0b}),
        illegal_opcode, 13},
    {"a block that takes the end", section(6, {1, 0x7f, 0, 0x02, 0x40, 0x0b}), unexpected_end, 16},
    // Exports and start.
    {"export kind 5", section(7, {1, 0, 5, 0}), malformed_export_kind, 12},
    {"an exported tag", section(7, {1, 0, 4, 0}), unsupported_feature, 12},
    {"start with bytes behind it", section(8, {0, 0}), section_size_mismatch, 11},
    // Segments.
    {"element flags 8", section(9, {1, 8, 0, 0}), malformed_segment_flags, 11},
    {"an element kind", section(9, {1, 1, 1, 0}), malformed_element_kind, 12},
    {"an element type", section(9, {1, 5, 0x7f, 0}), malformed_reference_type, 12},
    {"more elements than bytes", section(9, join(1, 1, 0, leb_u(0xffff'ffff))),
        unexpected_end_of_section, 13},
    {"data flags 3", section(11, {1, 3, 0}), malformed_segment_flags, 11},
    {"data beyond the section", section(11, {1, 1, 9}), length_out_of_bounds, 12},
    // Bodies.
    {"a body beyond the section", join(one_function, section(10, {1, 9, 0, 0x0b})),
        unexpected_end_of_section, 21},
    // Custom sections.
    {"a custom section without a name", section(0, {}), unexpected_end, 10},
    {"a custom name beyond it", section(0, {4, 'n'}), length_out_of_bounds, 10},
    {"a custom name that is not UTF-8", section(0, {1, 0x80}), malformed_utf8, 11},
};

TEST(Malformed, GivesTheCodeAndTheByte) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.what);
        const Bytes bytes = join(header(), row.bytes);
        EXPECT_THAT(decode(bytes, default_features()), fails(row.code, at_offset(row.offset)));
    }
}

TEST(Malformed, RefusesWhatIsNoModule) {
    const auto expect = [](const Bytes& bytes, ErrorCode code, u32 offset) {
        EXPECT_THAT(decode(bytes, default_features()), fails(code, at_offset(offset)));
    };
    expect({}, unexpected_end, 0);
    expect(join(0, "as"), unexpected_end, 3);
    expect(join(0, "asn", 1, 0, 0, 0), bad_magic, 0);
    expect(join(0, "asm"), unexpected_end, 4);
    expect(join(0, "asm", 1, 0, 0), unexpected_end, 7);
    expect(join(0, "asm", 2, 0, 0, 0), bad_version, 4);
    expect(join(0, "asm", 0x0d, 0, 2, 0), bad_version, 4);
}

TEST(Malformed, NamesAComponentForWhatItIs) {
    const Result<Module> module = decode(join(0, "asm", 0x0d, 0, 1, 0), default_features());
    EXPECT_THAT(module, fails(component, at_offset(4)));
    EXPECT_THAT(describe(module.error()),
        testing::HasSubstr("this is a component; wrun runs core modules"));
}

struct FeatureRow {
    const char* what;
    Bytes bytes;
    Feature feature;
};

const FeatureRow features[] = {
    {"vectors", types({0x60, 1, 0x7b, 0}), Feature::simd},
    {"any", types({0x60, 1, 0x6e, 0}), Feature::gc},
    {"typed references", types({0x60, 1, 0x64, 0x70, 0}), Feature::function_references},
    {"structs", types({0x5f, 0, 0}), Feature::gc},
    {"exceptions", types({0x60, 1, 0x69, 0}), Feature::exceptions},
    {"tags", section(13, {0}), Feature::exceptions},
    {"64-bit memories", section(5, {1, 4, 0}), Feature::memory64},
    {"shared memories", section(5, {1, 3, 0, 0}), Feature::threads},
    {"page sizes", section(5, {1, 8, 0, 0}), Feature::custom_page_sizes},
    {"externref", types({0x60, 1, 0x6f, 0}), Feature::reference_types},
    {"results", types({0x60, 0, 2, 0x7f, 0x7f}), Feature::multi_value},
    {"data count", section(12, {0}), Feature::bulk_memory},
};

TEST(Unsupported, NamesTheFeatureThatIsOff) {
    for (const FeatureRow& row : features) {
        SCOPED_TRACE(row.what);
        FeatureSet off = default_features();
        off.set(row.feature, false);
        const Bytes bytes = join(header(), row.bytes);
        const Result<Module> module = decode(bytes, off);
        EXPECT_THAT(module, fails(unsupported_feature));
        EXPECT_EQ(static_cast<Feature>(module.error().detail), row.feature);
    }
}

TEST(Unsupported, TakesTypesOfFeaturesThatAreOn) {
    FeatureSet on = default_features();
    for (const Feature feature : {Feature::simd, Feature::gc, Feature::function_references,
             Feature::memory64, Feature::threads}) {
        on.set(feature);
    }
    const Bytes bytes =
        join(header(), types({0x60, 5, 0x7b, 0x6e, 0x64, 0x70, 0x63, 0x00, 0x63, 0x6d, 0}),
            section(5, {1, 7, 1, 2}));
    const Result<Module> module = decode(bytes, on);
    ASSERT_THAT(module, succeeds());
    EXPECT_THAT(module.value().params(TypeIndex{0}),
        testing::ElementsAre(type_v128, ValType::reference(Heap::any),
            ValType::reference(Heap::func, false), ValType::reference(TypeIndex{0}, true),
            ValType::reference(Heap::eq)));
    EXPECT_TRUE(module.value().memories[0].type.limits.is_64);
    EXPECT_TRUE(module.value().memories[0].type.limits.shared);
}

struct LimitRow {
    const char* what;
    u32 limit;
    u8 section_id;
    Bytes item;
};

const LimitRow limit_rows[] = {
    {"types", limits::types_max, 1, {0x60, 0, 0}},
    {"imports", limits::imports_max, 2, {0, 0, 0, 0}},
    {"tables", limits::tables_max, 4, {0x70, 0, 0}},
    {"memories", limits::memories_max, 5, {0, 0}},
    {"globals", limits::globals_max, 6, {0x7f, 0, 0x41, 0, 0x0b}},
    {"exports", limits::exports_max, 7, {0, 0, 0}},
    {"data segments", limits::data_segments_max, 11, {1, 0}},
};

TEST(Limits, BoundTheItemsOfEachSection) {
    for (const LimitRow& row : limit_rows) {
        SCOPED_TRACE(row.what);
        for (const u32 count : {row.limit - 1, row.limit, row.limit + 1}) {
            const Bytes bytes = join(
                header(), section(row.section_id, join(leb_u(count), repeat(count, row.item))));
            const Result<Module> module = decode(bytes, default_features());
            if (count <= row.limit) {
                EXPECT_THAT(module, succeeds()) << count;
            } else {
                EXPECT_THAT(module, fails(too_many_items)) << count;
            }
        }
    }
}

TEST(Limits, BoundFunctionsWithTheImportedOnes) {
    for (const u32 count : {limits::functions_max - 1, limits::functions_max}) {
        const Bytes bytes = join(header(), one_type, import_of({0, 0}),
            section(3, join(leb_u(count), repeat(count, {0}))),
            section(10, join(leb_u(count), repeat(count, {2, 0, 0x0b}))));
        const Result<Module> module = decode(bytes, default_features());
        if (count < limits::functions_max) {
            EXPECT_THAT(module, succeeds());
        } else {
            EXPECT_THAT(module, fails(too_many_items));
        }
    }
}

TEST(Limits, BoundParametersAndResults) {
    for (const u32 count : {999u, 1000u, 1001u}) {
        const Bytes list = join(leb_u(count), repeat(count, {0x7f}));
        const Bytes params = join(header(), types(join(0x60, list, 0)));
        const Bytes results = join(header(), types(join(0x60, 0, list)));
        EXPECT_EQ(decode(params, default_features()).ok(), count <= limits::params_max);
        EXPECT_EQ(decode(results, default_features()).ok(), count <= limits::results_max);
    }
    const Bytes many = join(header(), types(join(0x60, leb_u(1001), repeat(1001, {0x7f}), 0)));
    EXPECT_THAT(decode(many, default_features()), fails(too_many_items, at_offset(13)));
}

TEST(Limits, BoundTheBytesOfAFunction) {
    for (const u32 size : {limits::function_bytes_max, limits::function_bytes_max + 1}) {
        const Bytes bytes =
            join(header(), one_function, section(10, join(1, leb_u(size), Bytes(size, 1))));
        const Result<Module> module = decode(bytes, default_features());
        if (size == limits::function_bytes_max) {
            EXPECT_THAT(module, succeeds());
        } else {
            EXPECT_THAT(module, fails(function_too_large));
        }
    }
}

TEST(Limits, RefuseCountsBeforeMemoryIsTakenForThem) {
    // Each names four billion items and has none; were memory reserved first, this would not end.
    for (const u8 id : Bytes{1, 2, 3, 4, 5, 6, 7, 9, 10, 11}) {
        const Bytes bytes = join(header(), section(id, leb_u(0xffff'ffff)));
        EXPECT_THAT(
            decode(bytes, default_features()), fails(unexpected_end_of_section, at_offset(10)))
            << int{id};
    }
}

}  // namespace
}  // namespace wrun
