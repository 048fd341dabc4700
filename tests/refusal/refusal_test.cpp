// Each call to the system that the life of a slot makes is refused once, with each error it may
// give: an error comes back or nothing changes, every instance that starts is as new, and nothing
// is lost or left: mappings, descriptors, slots.
#include <dirent.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "engine/artifact.hpp"
#include "engine/pool.hpp"
#include "tests/refusal/system.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::Engine;
using engine::Pool;
using engine::PoolOptions;
using engine::Shard;
using engine::Template;
using engine::Value;

const char* const first_wat = R"((module
    (memory (export "memory") 4 40) (data (i32.const 5000) "frozen") (table $t 4 100 funcref)
    (elem (table $t) (i32.const 0) func $f) (global $g (mut i32) (i32.const 3))
    (func $f)
    (func (export "spoil")
        (memory.fill (i32.const 4000) (i32.const 7) (i32.const 200000))
        (global.set $g (i32.const 9)) (table.set $t (i32.const 1) (ref.func $f))
        (drop (table.grow $t (ref.func $f) (i32.const 10)))
        (if (i32.ge_s (memory.grow (i32.const 3)) (i32.const 0))
            (then (i32.store (i32.const 300000) (i32.const 1)))))
    (func (export "sum") (result i32)
        (i32.add (i32.add (i32.load (i32.const 5000)) (i32.load8_u (i32.const 100000)))
            (i32.add (i32.add (memory.size) (table.size $t))
                (i32.add (global.get $g) (ref.is_null (table.get $t (i32.const 1)))))))))";
const char* const second_wat = R"((module (memory (export "memory") 7 40)
    (func (export "spoil") (i32.store (i32.const 450000) (i32.const 1)))
    (func (export "sum") (result i32) (i32.add (memory.size) (i32.load (i32.const 450000))))))";

std::size_t mapping_count() {
    std::ifstream file{"/proc/self/maps"};
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}, '\n'));
}

int descriptor_count() {
    DIR* const folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder) != nullptr)
        ++count;
    closedir(folder);
    return count;
}

/// One life of everything, from bytes to the end. Whatever is refused, what it returns "" for is
/// right.
class Life {
public:
    Life(Engine& engine, const std::vector<u8>& first, const std::vector<u8>& second)
        : engine_{engine}, bytes_{first, second} {}

    [[nodiscard]] std::string live(const PoolOptions& options) {
        std::shared_ptr<const Template> templates[2];
        for (int i = 0; i < 2; ++i) {
            auto module = engine::Module::compile(engine_, bytes_[i]);
            if (!module.ok()) return refused(module.error());
            auto made = Template::make(module.value(), engine::Linker{});
            if (!made.ok()) return refused(made.error());
            templates[i] = made.value().made;
        }
        auto pool = Pool::make(engine_, options);
        if (!pool.ok()) return refused(pool.error());
        auto shard = Shard::make(*pool.value());
        if (!shard.ok()) return refused(shard.error());
        for (int i = 0; i < 12; ++i) {
            const auto& of = templates[i % 4 == 3 ? 1 : 0];
            std::string wrong = run(*shard.value(), of, of == templates[0] ? sums_[0] : sums_[1]);
            if (!wrong.empty()) return wrong;
        }
        if (options.watch == runtime::Watch::writes) {
            std::string wrong = settle(*shard.value(), templates[0]);
            for (int i = 0; i < 3 && wrong.empty(); ++i)
                wrong = run(*shard.value(), templates[0], sums_[0]);
            if (!wrong.empty()) return wrong;
        }
        shard.value()->trim();
        pool.value()->trim();
        const auto stats = pool.value()->stats();
        // A spare may be on its way.
        if (options.spare_slots == 0 && (stats.slots != 0 || stats.memory_bytes != 0)) {
            return "a slot is left";
        }
        return {};
    }

    std::size_t errors = 0;          // that came back
    std::size_t watched_starts = 0;  // seen

private:
    [[nodiscard]] std::string refused(Error error) {
        ++errors;
        switch (error.code) {
            case ErrorCode::out_of_memory:
            case ErrorCode::address_space:
            case ErrorCode::io: return {};
            default: return "told as: " + describe(error);
        }
    }
    [[nodiscard]] std::string run(
        Shard& shard, const std::shared_ptr<const Template>& of, std::string& sum) {
        auto started = shard.start(of);
        if (!started.ok()) return refused(started.error());
        std::vector<Value> results;
        auto outcome = started.value().call(of->find_function("sum").value(), {}, results);
        if (!outcome.ok()) return refused(outcome.error());
        if (results.size() != 1) return "no sum";
        const std::string now = std::to_string(results[0].bits);
        if (sum.empty()) sum = now;
        if (now != sum) return "sum " + now + " instead of " + sum;
        outcome = started.value().call(of->find_function("spoil").value(), {}, results);
        return outcome.ok() ? "" : refused(outcome.error());
    }

    /// So many runs that do nothing that writes come to be watched.
    [[nodiscard]] std::string settle(Shard& shard, const std::shared_ptr<const Template>& of) {
        for (int i = 0; i < 70; ++i) {
            auto started = shard.start(of);
            if (!started.ok()) return refused(started.error());
            watched_starts += started.value().is_watched() ? 1 : 0;
        }
        return {};
    }

    Engine& engine_;
    std::vector<u8> bytes_[2];
    std::string sums_[2];  // of the first run that came so far
};

class Refusals : public ::testing::TestWithParam<PoolOptions> {
protected:
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
    }
};

TEST_P(Refusals, AreErrorsAndLeaveNothing) {
    const auto engine = Engine::make({}).take();
    Life life{*engine, wat::assemble(first_wat), wat::assemble(second_wat)};
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(life.live(GetParam()), "");
    ASSERT_EQ(life.errors, 0u);
    if (GetParam().watch == runtime::Watch::writes && life.watched_starts == 0) {
        GTEST_SKIP() << "the system cannot refuse pages (userfaultfd of Linux 6.4)";
    }
    const int descriptors = descriptor_count();
    for (const Refusal& refusal : refusals()) {
        const std::size_t mappings = mapping_count();
        int refused = 0;
        while (true) {
            refuse(refusal, refused);
            const std::string wrong = life.live(GetParam());
            const bool happened = stop_refusing();
            ASSERT_EQ(wrong, "") << refusal.function << " number " << refused << ", error "
                                 << refusal.error;
            if (!happened) break;
            ++refused;
            ASSERT_EQ(life.live(GetParam()), "") << "after " << refusal.function;
        }
        EXPECT_EQ(descriptor_count(), descriptors) << refusal.function;
        // What may not be unmapped stays, each time one region, and so does code that may not be
        // covered by reserved pages.
        const bool may_stay = refusal.function == "munmap" || refusal.function == "mmap";
        const auto lost = static_cast<std::size_t>(may_stay ? refused * 3 : 0);
        const std::size_t of_sanitizer = has_address_sanitizer ? 16 : 0;
        EXPECT_LE(mapping_count(), mappings + lost + 4 + of_sanitizer) << refusal.function;
        std::printf(
            "%-14s error %2d: refused %d times\n", refusal.function.data(), refusal.error, refused);
    }
    EXPECT_GT(life.errors, 50u) << "so little was refused that nothing was tested";
}

/// From bytes to the end of a module whose functions are compiled when they are called. What could
/// not be compiled once can be the next time.
std::string live_lazily(Engine& engine, const std::vector<u8>& bytes, u32& refused) {
    const auto is_told = [&](ErrorCode code) {
        ++refused;
        return code == ErrorCode::out_of_memory || code == ErrorCode::address_space ||
               code == ErrorCode::io;
    };
    auto compiled =
        engine::Module::compile(engine, bytes, {.compilation = engine::Compilation::on_call});
    if (!compiled.ok()) return is_told(compiled.error().code) ? "" : "module";
    const auto& module = compiled.value();
    auto store = engine::Store::make(engine);
    if (!store.ok()) return is_told(store.error().code) ? "" : "store";
    auto made = store.value()->instantiate(module, engine::Linker{});
    if (!made.ok()) return is_told(made.error().code) ? "" : "instance";
    for (int i = 0; i < 2; ++i) {
        std::vector<Value> results;
        const auto sum = made.value().instance->find_export("sum")->func;
        const auto outcome = store.value()->call(sum, {}, results);
        if (!outcome.ok()) return is_told(outcome.error().code) ? "" : "call";
        if (const auto* const trap = std::get_if<engine::Trap>(&outcome.value())) {
            ++refused;
            if (trap->code != runtime::TrapCode::not_compiled || i != 0) return "trap";
        } else if (results.at(0).bits != 7) {
            return "sum";
        }
    }
    const auto code = engine::finished_code(*module);
    if (!code.ok()) return is_told(code.error().code) ? "" : "code";
    return {};
}

TEST(LazyRefusals, AreErrorsOrTrapsAndLeaveNothing) {
    if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
    const auto engine = Engine::make({}).take();
    const auto bytes = wat::assemble(second_wat);
    u32 told = 0;
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(live_lazily(*engine, bytes, told), "");
    ASSERT_EQ(told, 0u);
    const int descriptors = descriptor_count();
    for (const Refusal& refusal : refusals()) {
        const std::size_t mappings = mapping_count();
        int refused = 0;
        while (true) {
            refuse(refusal, refused);
            const std::string wrong = live_lazily(*engine, bytes, told);
            const bool happened = stop_refusing();
            ASSERT_EQ(wrong, "") << refusal.function << " number " << refused << ", error "
                                 << refusal.error;
            if (!happened) break;
            ++refused;
            ASSERT_EQ(live_lazily(*engine, bytes, told), "") << "after " << refusal.function;
        }
        EXPECT_EQ(descriptor_count(), descriptors) << refusal.function;
        const bool may_stay = refusal.function == "munmap" || refusal.function == "mmap";
        const auto lost = static_cast<std::size_t>(may_stay ? refused * 3 : 0);
        const std::size_t of_sanitizer = has_address_sanitizer ? 16 : 0;
        EXPECT_LE(mapping_count(), mappings + lost + 4 + of_sanitizer) << refusal.function;
    }
    EXPECT_GT(told, 10u);
}

INSTANTIATE_TEST_SUITE_P(Ways, Refusals,
    ::testing::Values(PoolOptions{.slots_max = 1, .spare_slots = 0},
        PoolOptions{.slots_max = 4, .spare_slots = 1},
        PoolOptions{.slots_max = 2, .spare_slots = 0, .look = os::PageScanner::Way::read},
        PoolOptions{.slots_max = 1, .spare_slots = 0, .watch = runtime::Watch::writes}));

}  // namespace
}  // namespace wrun::test
