// Generated modules: always valid, always the same for one number.
#include "fuzz/differential/pressure/module.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/errors.hpp"
#include "engine/engine.hpp"

namespace wrun::differ {
namespace {

TEST(Pressure, ModulesAreValid) {
    const auto engine = engine::Engine::make({}).take();
    for (u64 number = 0; number < 300; ++number) {
        const auto valid = engine::Module::validate(*engine, make_pressure_module(3, number));
        EXPECT_TRUE(valid.ok()) << number << ": " << describe(valid.error());
    }
}

TEST(Pressure, NumbersGiveModules) {
    std::set<std::vector<u8>> seen;
    for (u64 number = 0; number < 20; ++number) {
        EXPECT_EQ(make_pressure_module(1, number), make_pressure_module(1, number));
        seen.insert(make_pressure_module(1, number));
        seen.insert(make_pressure_module(2, number));
    }
    EXPECT_EQ(seen.size(), 40u);
}

}  // namespace
}  // namespace wrun::differ
