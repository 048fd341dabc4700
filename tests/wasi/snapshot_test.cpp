// Clones of a snapshot: what tells them apart, and what a snapshot must not hold.
#include <set>

#include "base/os_file.hpp"
#include "engine/artifact.hpp"
#include "engine/pool.hpp"
#include "tests/support/wat.hpp"
#include "tests/wasi/guest.hpp"
#include "wasi/preview1.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi {
namespace {

using engine::Engine;
using engine::Linker;
using engine::Template;
using engine::Value;

/// Seeds itself while it initialises, as many programs do; then each clone is told that it is one.
/// Memory: 0 seed, 32 time, both of init; 64 generation, 80 time, both of wrun_restored; 96 what
/// random_get gives, 128 time, both of the run; 192 how often it was restored.
const char* const seeded = R"((module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wrun" "generation_id" (func $generation (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $time (param i32) (if (call $clock (i32.const 1) (i64.const 0) (local.get 0)) (then unreachable)))
    (func (export "init")
        (if (call $random (i32.const 0) (i32.const 16)) (then unreachable)) (call $time (i32.const 32)))
    (func (export "wrun_restored")
        (if (call $generation (i32.const 64)) (then unreachable)) (call $time (i32.const 80))
        (i32.store (i32.const 192) (i32.add (i32.load (i32.const 192)) (i32.const 1))))
    (func (export "run")
        (if (call $random (i32.const 96) (i32.const 32)) (then unreachable)) (call $time (i32.const 128)))))";

using Id = std::array<u8, 16>;

class CloneTest : public testing::Test {
protected:
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
        ASSERT_TRUE(define_preview1(linker_).ok());
    }
    static Config nothing() {
        Config config;
        config.stdio = {-1, -1, -1};
        return config;
    }
    /// Through a file, as another process would have it.
    std::shared_ptr<const Template> template_of_snapshot(const char* wat, u64 monotonic_ns) {
        const auto module = engine::Module::compile(*engine_, wat::assemble(wat)).take();
        const auto state = State::make(nothing()).state;
        engine::TemplateOptions options;
        options.store.host_data = state.get();
        options.init = {"init"};
        const auto from = Template::make(module, linker_, options).take().made;
        const AccessSet learned{Access::clock, Access::random};
        const auto taken = engine::Snapshot::take(*from, learned.bits(), monotonic_ns).take();
        os::File file{::open(folder_.path().c_str(), O_TMPFILE | O_RDWR, 0600)};
        EXPECT_TRUE(engine::ArtifactBytes(*module, taken.view()).write_to(file.number()).ok());
        const auto loaded = engine::load_foreign_artifact(*engine_, std::move(file));
        EXPECT_TRUE(loaded.ok());
        return Template::make(loaded.value(), linker_).take().made;
    }

    Folder folder_;
    std::unique_ptr<Engine> engine_ = Engine::make({}).take();
    Linker linker_;
};

TEST_F(CloneTest, TenThousandAreAllDifferentAndTheirClockNeverGoesBack) {
    constexpr u32 clones = 10'000;
    // As if it had been frozen on a machine that is up for a year.
    const u64 frozen_ns = u64{365} * 24 * 3600 * 1'000'000'000;
    const auto from = template_of_snapshot(seeded, frozen_ns);
    const u64 floor_ns = from->module().snapshot()->monotonic_ns;
    ASSERT_EQ(floor_ns, frozen_ns);
    const auto pool = engine::Pool::make(*engine_).take();
    const auto shard = engine::Shard::make(*pool).take();

    std::set<std::array<u8, 32>> streams;
    std::set<Id> generations;
    std::set<Id> seeds;
    std::unique_ptr<State> state;
    u64 last_ns = floor_ns;
    for (u32 i = 0; i < clones; ++i) {
        // Now and then another process would be the one that runs them.
        if (i % 500 == 0) {
            Config config = nothing();
            config.monotonic_from_ns = floor_ns;
            state = State::make(config).state;
        } else {
            ASSERT_EQ(state->reset(), "");
        }
        auto run = shard->start(from, state.get()).take();
        std::vector<Value> results;
        const auto outcome = run.call(*from->find_function("run"), {}, results).take();
        ASSERT_TRUE(std::holds_alternative<engine::Returned>(outcome));
        const auto memory = run.instance().memory();
        seeds.insert(*memory.load<Id>(0));
        generations.insert(*memory.load<Id>(64));
        streams.insert(*memory.load<std::array<u8, 32>>(96));
        ASSERT_EQ(*memory.load<u32>(192), 1u) << "restored once, and never before";
        for (const u64 at : {u64{80}, u64{128}}) {
            const u64 time_ns = *memory.load<u64>(at);
            ASSERT_GE(time_ns, last_ns) << "clone " << i;
            last_ns = time_ns;
        }
    }
    EXPECT_EQ(streams.size(), clones);
    EXPECT_EQ(generations.size(), clones);
    EXPECT_EQ(seeds.size(), 1u) << "what init has learned is in all of them: that is the taint";
    EXPECT_EQ(generations.count(Id{}), 0u);
}

TEST_F(CloneTest, TimeGoesOnFromWhereItWasFrozen) {
    const auto from = template_of_snapshot(seeded, now(CLOCK_MONOTONIC));
    const auto pool = engine::Pool::make(*engine_).take();
    const auto shard = engine::Shard::make(*pool).take();
    Config config = nothing();
    config.monotonic_from_ns = from->module().snapshot()->monotonic_ns;
    const auto state = State::make(config).state;
    auto run = shard->start(from, state.get()).take();
    std::vector<Value> results;
    ASSERT_TRUE(run.call(*from->find_function("run"), {}, results).ok());
    const auto memory = run.instance().memory();
    EXPECT_GE(*memory.load<u64>(80), *memory.load<u64>(32)) << "of init";
}

// ---- what a snapshot must not hold -------------------------------------------------------------

class DescriptorsTest : public testing::Test {
protected:
    DescriptorsTest() {
        folder.write("file", "text");
        open_guest();
    }
    void open_guest() {
        Config config = Guest::with_folder(folder, false);
        config.stdio = {null.number(), null.number(), null.number()};
        guest.emplace(config);
    }
    std::optional<u32> changed() {
        std::string why;
        const auto found = guest->state().find_changed_descriptor(why);
        EXPECT_EQ(why, "");
        return found;
    }
    Folder folder;
    os::File null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    std::optional<Guest> guest;
};

TEST_F(DescriptorsTest, AreAsTheyWereGranted) {
    EXPECT_EQ(changed(), std::nullopt);
    const u32 file = guest->open("file");
    EXPECT_EQ(changed(), file);
    EXPECT_EQ((*guest)(areas::fd_close, file), Errno::success);
    EXPECT_EQ(changed(), std::nullopt);
}

TEST_F(DescriptorsTest, ThatWereClosedAreSeen) {
    EXPECT_EQ((*guest)(areas::fd_close, 1u), Errno::success);
    EXPECT_EQ(changed(), 1u);
}

TEST_F(DescriptorsTest, ThatWereReplacedAreSeen) {
    // Even by what may as much.
    Guest::Open how;
    how.base = rights::of_directory;
    how.inheriting = rights::all;
    for (const auto& [name, target] : {std::pair{"file", 0u}, {"file", 3u}, {".", 3u}}) {
        open_guest();
        const u32 opened = guest->open(name, target == 3 && *name == '.' ? how : Guest::Open{});
        EXPECT_EQ((*guest)(areas::fd_renumber, opened, target), Errno::success);
        EXPECT_EQ(changed(), target) << name;
    }
}

TEST_F(DescriptorsTest, ThatMayLessAreSeen) {
    EXPECT_EQ((*guest)(areas::fd_fdstat_set_rights, 3u, Rights{rights::path_open}, rights::all),
        Errno::success);
    EXPECT_EQ(changed(), 3u);
}

TEST_F(DescriptorsTest, OfAGrantThatIsGoneAreAnError) {
    std::filesystem::remove_all(folder.path());
    std::string why;
    EXPECT_EQ(guest->state().find_changed_descriptor(why), std::nullopt);
    EXPECT_THAT(why, testing::HasSubstr("No such file"));
}

TEST(AccessSets, AreBitsOfKinds) {
    const AccessSet some{Access::clock, Access::files};
    EXPECT_EQ(AccessSet::from_bits(some.bits()), some);
    EXPECT_TRUE(AccessSet{}.empty());
    EXPECT_TRUE(some.without({Access::files, Access::clock, Access::env}).empty());
    EXPECT_EQ(some.without({Access::files}), AccessSet{Access::clock});
    // Files have them.
    EXPECT_EQ(
        (AccessSet{Access::args, Access::env, Access::clock, Access::random, Access::files}).bits(),
        0b111110u);
}

}  // namespace
}  // namespace wrun::wasi
