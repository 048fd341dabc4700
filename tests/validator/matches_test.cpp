// Subtyping, one row per rule of §3.3 and its opposite.
#include "validator/matches.hpp"

#include <gtest/gtest.h>

#include "tests/support/matchers.hpp"

namespace wrun {
namespace {

/// Types 0 [] → [], 1 a subtype of 0, 2 unrelated, 3 a struct, 4 an array.
Module module_with_types() {
    std::vector<TypeDef> types(5);
    types[1].super_type = 0;
    types[3].form = TypeDef::Form::struct_;
    types[4].form = TypeDef::Form::array;
    Module module;
    module.types = std::span<const TypeDef>{types};
    return module;
}

ValType null_of(Heap heap) {
    return ValType::reference(heap);
}
ValType some(Heap heap) {
    return ValType::reference(heap, false);
}
ValType null_of(u32 type) {
    return ValType::reference(TypeIndex{type}, true);
}
ValType some(u32 type) {
    return ValType::reference(TypeIndex{type}, false);
}

struct Row {
    ValType sub;
    ValType super;
    bool matches;
};

const Row rows[] = {
    {type_i32, type_i32, true},
    {type_i32, type_i64, false},
    {type_i32, type_funcref, false},
    {type_funcref, type_i32, false},
    {type_v128, type_v128, true},
    {type_bottom, type_i32, true},
    {type_bottom, type_externref, true},
    {type_i32, type_bottom, false},
    // Nullability.
    {some(Heap::func), type_funcref, true},
    {type_funcref, some(Heap::func), false},
    {some(1u), null_of(1u), true},
    {null_of(1u), some(1u), false},
    // The three hierarchies.
    {type_funcref, type_externref, false},
    {type_externref, null_of(Heap::any), false},
    {null_of(Heap::eq), null_of(Heap::any), true},
    {null_of(Heap::any), null_of(Heap::eq), false},
    {null_of(Heap::i31), null_of(Heap::eq), true},
    {null_of(Heap::struct_), null_of(Heap::any), true},
    {null_of(Heap::array), null_of(Heap::eq), true},
    {null_of(Heap::struct_), null_of(Heap::array), false},
    {null_of(Heap::none), null_of(Heap::i31), true},
    {null_of(Heap::none), null_of(Heap::any), true},
    {null_of(Heap::none), type_funcref, false},
    {null_of(Heap::nofunc), type_funcref, true},
    {null_of(Heap::nofunc), type_externref, false},
    {null_of(Heap::noextern), type_externref, true},
    {null_of(Heap::noexn), null_of(Heap::exn), true},
    {null_of(Heap::exn), null_of(Heap::any), false},
    // Types of the module.
    {some(0u), type_funcref, true},
    {some(3u), type_funcref, false},
    {some(3u), null_of(Heap::struct_), true},
    {some(3u), null_of(Heap::eq), true},
    {some(4u), null_of(Heap::array), true},
    {some(4u), null_of(Heap::struct_), false},
    {type_funcref, null_of(0u), false},
    {null_of(Heap::nofunc), null_of(0u), true},
    {null_of(Heap::none), null_of(0u), false},
    {null_of(Heap::none), null_of(3u), true},
    {null_of(Heap::nofunc), null_of(3u), false},
    {some(1u), some(0u), true},
    {some(0u), some(1u), false},
    {some(2u), some(0u), false},
};

TEST(Matches, FollowsTheRules) {
    const Module module = module_with_types();
    for (const Row& row : rows) {
        EXPECT_EQ(matches(module, row.sub, row.super), row.matches)
            << name(row.sub) << " for " << name(row.super);
    }
}

}  // namespace
}  // namespace wrun
