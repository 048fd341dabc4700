// Value types: how they pack, and how they are written.
#include "decoder/types.hpp"

#include <gtest/gtest.h>

#include "tests/support/matchers.hpp"

namespace wrun {
namespace {

TEST(ValTypes, KeepWhatTheyAreMadeOf) {
    const ValType type = ValType::reference(TypeIndex{999'999}, false);
    EXPECT_TRUE(type.is_ref());
    EXPECT_TRUE(type.concrete());
    EXPECT_FALSE(type.nullable());
    EXPECT_EQ(type.type_index(), TypeIndex{999'999});
    EXPECT_EQ(ValType::from_bits(type.bits()), type);
    EXPECT_EQ(type_externref.heap(), Heap::extern_);
    EXPECT_FALSE(type_externref.concrete());
    EXPECT_NE(type_funcref, ValType::reference(Heap::func, false));
}

TEST(ValTypes, TakeOneSlotOrTwo) {
    EXPECT_EQ(type_i32.slots(), 1u);
    EXPECT_EQ(type_f64.slots(), 1u);
    EXPECT_EQ(type_funcref.slots(), 1u);
    EXPECT_EQ(type_v128.slots(), 2u);
}

TEST(ValTypes, AreWrittenAsInTheTextFormat) {
    EXPECT_EQ(name(type_i32), "i32");
    EXPECT_EQ(name(type_f64), "f64");
    EXPECT_EQ(name(type_v128), "v128");
    EXPECT_EQ(name(type_funcref), "funcref");
    EXPECT_EQ(name(type_externref), "externref");
    EXPECT_EQ(name(ValType::reference(Heap::none)), "nullref");
    EXPECT_EQ(name(ValType::reference(Heap::noextern)), "nullexternref");
    EXPECT_EQ(name(ValType::reference(Heap::func, false)), "(ref func)");
    EXPECT_EQ(name(ValType::reference(TypeIndex{3}, true)), "(ref null 3)");
    EXPECT_EQ(name(ValType::reference(TypeIndex{0}, false)), "(ref 0)");
}

}  // namespace
}  // namespace wrun
