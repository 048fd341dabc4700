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

/// Bytes as a fuzzer would give them.
std::vector<u8> choices(u32 seed, u32 count) {
    std::vector<u8> bytes;
    for (u32 i = 0; i < count; ++i)
        bytes.push_back(static_cast<u8>((seed + i) * 2654435761u >> 24));
    return bytes;
}

TEST(Pressure, BytesChooseValidModules) {
    const auto engine = engine::Engine::make({}).take();
    for (u32 count = 0; count < 300; count += 3) {
        const auto module = make_pressure_module(choices(count, count));
        const auto valid = engine::Module::validate(*engine, module);
        EXPECT_TRUE(valid.ok()) << count << ": " << describe(valid.error());
        EXPECT_EQ(module, make_pressure_module(choices(count, count)));
    }
}

TEST(Pressure, EveryByteChoosesForItself) {
    constexpr u32 count = 120;
    std::set<std::vector<u8>> seen{make_pressure_module(choices(1, count))};
    for (u32 at = 0; at < count; ++at) {
        auto changed = choices(1, count);
        changed[at] ^= 0x55;
        seen.insert(make_pressure_module(changed));
    }
    // Some choices come out the same, or are of a constant that is never used.
    EXPECT_GT(seen.size(), count / 2);
}

}  // namespace
}  // namespace wrun::differ
