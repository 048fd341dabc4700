// Canonical numbers of types.
#include "runtime/type_registry.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace wrun::test {
namespace {

using runtime::ArgumentPlaces;
using runtime::TypeRegistry;

struct Signature {
    std::vector<ValType> params;
    std::vector<ValType> results;
};

/// A module of one recursion group for each inner list.
Module module_of(const std::vector<std::vector<Signature>>& groups) {
    Module module;
    for (const auto& group : groups) {
        const auto begin = static_cast<u32>(module.types.size());
        for (const Signature& signature : group) {
            TypeDef def;
            def.group_begin = begin;
            def.group_size = static_cast<u32>(group.size());
            def.values_begin = static_cast<u32>(module.value_types.size());
            def.param_count = static_cast<u32>(signature.params.size());
            def.result_count = static_cast<u32>(signature.results.size());
            module.types.push_back(def);
            for (const ValType param : signature.params)
                module.value_types.push_back(param);
            for (const ValType result : signature.results)
                module.value_types.push_back(result);
        }
    }
    return module;
}

ValType reference(u32 type) {
    return ValType::reference(TypeIndex{type}, true);
}

TEST(TypeRegistry, GivesEqualTypesOneNumberAcrossModules) {
    TypeRegistry types;
    const auto first =
        types.add_module(module_of({{{{type_i32}, {}}}, {{{}, {type_i32}}}, {{{type_i32}, {}}}}))
            .take();
    const auto second = types.add_module(module_of({{{{}, {type_i32}}}})).take();
    EXPECT_EQ(first[0], first[2]);
    EXPECT_NE(first[0], first[1]);
    EXPECT_EQ(first[1], second[0]);
    EXPECT_EQ(types.add_function(std::vector{type_i32}, {}).take(), first[0]);
    for (const u32 id : first)
        EXPECT_NE(id, 0u);
}

TEST(TypeRegistry, TellsApartWhatOnlyLooksAlike) {
    TypeRegistry types;
    const std::vector<Signature> all = {{{}, {}}, {{type_i32}, {}}, {{}, {type_i32}},
        {{type_i32, type_i32}, {}}, {{type_i32}, {type_i32}}, {{type_i64}, {}}, {{type_f32}, {}},
        {{type_funcref}, {}}, {{type_externref}, {}}};
    std::set<u32> numbers;
    for (const Signature& one : all) {
        numbers.insert(types.add_function(one.params, one.results).take());
    }
    EXPECT_EQ(numbers.size(), all.size());
}

TEST(TypeRegistry, ComparesGroupsAsWholes) {
    TypeRegistry types;
    const Signature simple{{type_i32}, {}};
    const auto alone = types.add_module(module_of({{simple}})).take();
    const auto paired = types.add_module(module_of({{simple, simple}})).take();
    EXPECT_NE(paired[0], alone[0]);
    EXPECT_NE(paired[0], paired[1]);
    EXPECT_EQ(types.add_module(module_of({{simple, simple}})).take(), paired);
}

TEST(TypeRegistry, SeesThroughTheModulesOwnIndices) {
    TypeRegistry types;
    const Signature unit{{}, {}};
    const Signature other{{type_f64}, {}};
    // A type that takes a reference to `unit`, which has another index in each module.
    const auto first = types.add_module(module_of({{unit}, {{{reference(0)}, {}}}})).take();
    const auto second =
        types.add_module(module_of({{other}, {unit}, {{{reference(1)}, {}}}})).take();
    const auto third =
        types.add_module(module_of({{other}, {unit}, {{{reference(0)}, {}}}})).take();
    EXPECT_EQ(first[1], second[2]);
    EXPECT_NE(first[1], third[2]);
    EXPECT_EQ(types[first[1]].params()[0], reference(first[0]));
}

TEST(TypeRegistry, KnowsRecursiveTypesByTheirShape) {
    TypeRegistry types;
    const auto itself = [](u32 index) { return Signature{{reference(index)}, {}}; };
    const auto first = types.add_module(module_of({{itself(0)}})).take();
    const auto second = types.add_module(module_of({{{{}, {}}}, {itself(1)}})).take();
    EXPECT_EQ(first[0], second[1]);
    EXPECT_EQ(types[first[0]].params()[0], reference(first[0]));
}

TEST(TypeRegistry, TellsAMemberOfTheGroupFromATypeBeforeIt) {
    TypeRegistry types;
    const Signature unit{{}, {}};
    // Number 1 in the engine, and number 1 within the second group.
    const auto outside = types.add_module(module_of({{unit}, {{{reference(0)}, {}}, unit}})).take();
    const auto inside = types.add_module(module_of({{{{reference(1)}, {}}, unit}})).take();
    ASSERT_EQ(outside[0], 1u);
    EXPECT_NE(outside[1], inside[0]);
}

TEST(TypeRegistry, KeepsTypesWhereTheyAre) {
    TypeRegistry types;
    const u32 first = types.add_function(std::vector{type_i64}, {}).take();
    const auto* const place = &types[first];
    std::vector<ValType> params;
    for (u32 i = 0; i < 1000; ++i) {
        params.push_back(type_i32);
        const u32 id = types.add_function(params, {}).take();
        ASSERT_EQ(types[id].params().size(), i + 1);
    }
    EXPECT_EQ(&types[first], place);
    EXPECT_EQ(types[first].params()[0], type_i64);
}

TEST(TypeRegistry, MayBeAskedByManyThreads) {
    TypeRegistry types;
    std::vector<std::vector<u32>> seen(4);
    std::vector<std::thread> threads;
    for (auto& numbers : seen) {
        threads.emplace_back([&] {
            std::vector<ValType> params;
            for (int i = 0; i < 300; ++i) {
                params.push_back(type_f32);
                const u32 id = types.add_function(params, {}).take();
                EXPECT_EQ(types[id].param_slots, params.size());
                numbers.push_back(id);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const auto& numbers : seen)
        EXPECT_EQ(numbers, seen[0]);
}

TEST(TypeRegistry, CountsSlots) {
    TypeRegistry types;
    const std::vector<ValType> params = {type_i32, type_i32, type_i32, type_i32, type_i32, type_i32,
        type_i64, type_funcref, type_f32, type_f32, type_f32, type_f32, type_f32, type_f32,
        type_f32, type_f32, type_f64};
    const u32 id = types.add_function(params, std::vector{type_i32, type_f32}).take();
    EXPECT_EQ(types[id].param_slots, 17u);
    EXPECT_EQ(types[id].result_slots, 2u);
    EXPECT_EQ(types[id].stack_arg_slots, 3u) << "two integers and one float";
}

TEST(ArgumentPlaces, FillsRegistersByClassThenTheStack) {
    ArgumentPlaces places;
    using Where = ArgumentPlaces::Place::Where;
    for (u32 i = 0; i < 6; ++i) {
        const auto place = places.next(i % 2 == 0 ? type_i32 : type_externref);
        EXPECT_EQ(place.where, Where::integer);
        EXPECT_EQ(place.index, i);
    }
    for (u32 i = 0; i < 8; ++i)
        EXPECT_EQ(places.next(type_f64).where, Where::floating);
    EXPECT_EQ(places.next(type_i64).index, 0u);
    EXPECT_EQ(places.next(type_v128).index, 1u) << "two slots";
    EXPECT_EQ(places.next(type_f32).index, 3u);
    EXPECT_EQ(places.stack_slots(), 4u);
}

}  // namespace
}  // namespace wrun::test
