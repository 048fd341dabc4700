// Batches in child processes, with both engines: what one module does to its process is that
// module's finding and no other's.
#include "fuzz/differential/batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/wat.hpp"

namespace wrun::differ {
namespace {

using ::testing::HasSubstr;

class TextSource final : public Source {
public:
    explicit TextSource(std::vector<std::string> modules) {
        for (const std::string& text : modules)
            modules_.push_back(wat::assemble(text));
    }
    bool get(u64 number, Input& input) override {
        if (number >= modules_.size()) return false;
        input.name = "module-" + std::to_string(number);
        input.wasm = modules_[number];
        return true;
    }

private:
    std::vector<std::vector<u8>> modules_;
};

class Batch : public ::testing::Test {
protected:
    void SetUp() override {
        if (!second_engine_missing().empty()) GTEST_SKIP() << second_engine_missing();
    }

    /// What the batch prints.
    std::string run(std::vector<std::string> modules) {
        TextSource source{std::move(modules)};
        ::testing::internal::CaptureStdout();
        counts = run_batch(source, options);
        return ::testing::internal::GetCapturedStdout();
    }

    BatchOptions options;
    BatchCounts counts;
};

constexpr const char* endless = R"((module (func (export "f") (loop (br 0)))))";
/// Grows what both can grow; calls host functions, its twin and itself.
constexpr const char* busy = R"((module
    (import "host" "h" (func $h (param i32 f64 externref) (result i64 f32)))
    (import "host" "back" (func $back (param i64) (result i32)))
    (import "twin" "f" (func $twin (param i32) (result i32)))
    (import "host" "g" (global $g i64))
    (memory (export "m") 1 3) (table (export "t") 2 5 externref) (global (export "n") (mut i32)
        (i32.const 0))
    (func (export "f") (param i32) (result i32)
        (drop (memory.grow (i32.const 1)))
        (i32.store (i32.const 65536) (local.get 0))
        (table.set (i32.const 1) (ref.null extern))
        (call $h (local.get 0) (f64.const 1) (table.get (i32.const 0))) (drop) (drop)
        (global.set 1 (call $back (global.get $g)))
        (i32.add (call $twin (i32.const 1)) (i32.load8_u (i32.const 65537))))
    (func (export "r") (param externref) (result externref funcref)
        (table.set (i32.const 0) (local.get 0)) (local.get 0) (ref.null func))
    (func (export "d") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))))";

TEST_F(Batch, AgreesOnAllThatIsObserved) {
    options.homes = {0, 1, 16};
    options.observe.rounds = 20;
    options.observe.state_per_call = true;
    EXPECT_EQ(run({busy}), "");
    EXPECT_EQ(counts.modules, 1u);
    EXPECT_EQ(counts.skipped, 0u);
}

TEST_F(Batch, AgreesOnWhatIsRefused) {
    options.say_each = true;
    EXPECT_EQ(run({"(module (memory 1) (memory 1))"}), "same module-0\n");
}

TEST_F(Batch, GoesOnBehindAnEndlessLoop) {
    options.timeout_seconds = 1;
    options.keep_going = true;
    options.say_each = true;
    const std::string said = run({busy, endless, busy});
    EXPECT_THAT(said, HasSubstr("same module-0\n"));
    EXPECT_THAT(said, HasSubstr("different module-1 the process took longer than 1 s"));
    EXPECT_THAT(said, HasSubstr("same module-2\n"));
    EXPECT_EQ(counts.modules, 3u);
    EXPECT_EQ(counts.differences, 1u);
}

TEST_F(Batch, StopsAtTheFirstDifferenceUnlessToldOtherwise) {
    options.timeout_seconds = 1;
    run({endless, busy});
    EXPECT_EQ(counts.modules, 1u);
}

}  // namespace
}  // namespace wrun::differ
