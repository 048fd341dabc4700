// Functions that are compiled when they are called: the same results, traps, backtraces and code as
// of an eager module, whatever the stack has left and whatever cannot be compiled.
#include <gmock/gmock.h>

#include <algorithm>
#include <tuple>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "engine/artifact.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/module_builder.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::Compilation;
using engine::Engine;
using engine::EngineOptions;
using engine::ModuleOptions;
using Bytes = std::vector<u8>;
using ModulePtr = std::shared_ptr<const engine::Module>;

constexpr std::array all_lazy = {Compilation::on_call, Compilation::lazy};

/// A function of each way to be called; `mix` has arguments in every place there is.
const char* const callees = R"((module
    (import "host" "twice" (func $twice (param i32) (result i32)))
    (memory 1) (table $t 4 funcref) (type $unary (func (param i32) (result i32)))
    (elem (table $t) (i32.const 0) func $add_one $divide $twice)
    (global $mark (mut i32) (i32.const 0))
    (func $add_one (type $unary) (i32.add (local.get 0) (i32.const 1)))
    (func $divide (type $unary) (i32.div_s (i32.const 100) (local.get 0)))
    (func $mix (param i32 i64 f32 f64 i32 i32 i32 i32 i32 i64) (param f64 f64 f64 f64 f64 f64 f64 f64)
            (result f64 i64 i32)
        (f64.add (f64.promote_f32 (local.get 2)) (f64.add (f64.mul (local.get 3) (f64.const 3))
            (f64.add (f64.mul (local.get 10) (f64.const 5)) (f64.add (f64.mul (local.get 15) (f64.const 7))
            (f64.add (f64.mul (local.get 16) (f64.const 11)) (f64.mul (local.get 17) (f64.const 13)))))))
        (i64.add (i64.mul (local.get 1) (i64.const 3)) (local.get 9))
        (i32.add (i32.mul (local.get 0) (i32.const 5)) (i32.add (i32.mul (local.get 6) (i32.const 7))
            (i32.add (i32.mul (local.get 7) (i32.const 11)) (local.get 8)))))
    (func (export "mix") (param i32) (result f64 i64 i32)
        (call $mix (local.get 0) (i64.const 20) (f32.const 1.5) (f64.const 2) (i32.const 3)
            (i32.const 4) (i32.const 50) (i32.const 60) (i32.const 70) (i64.const 80) (f64.const 1)
            (f64.const 2) (f64.const 3) (f64.const 4) (f64.const 5) (f64.const 6) (f64.const 7) (f64.const 8)))
    (func (export "indirect") (param i32 i32) (result i32)
        (call_indirect $t (type $unary) (local.get 0) (local.get 1)))
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "host") (param i32) (result i32) (call $twice (call $add_one (local.get 0))))
    (func $inner (param i32) (drop (i32.load (local.get 0))))
    (func $outer (param i32) (global.set $mark (i32.const 7)) (call $inner (local.get 0)))
    (func (export "load") (param i32) (call $outer (local.get 0)))
    (func (export "mark") (result i32) (global.get $mark))
    (func (export "never") (param i32) (call $outer (local.get 0)))))";

HostResult twice(Caller&, void*, std::span<u64> slots) {
    slots[0] = static_cast<u32>(slots[0] * 2);
    return HostResult::ok();
}

class Lazy : public SlotsTest {
protected:
    Lazy() { use(Compilation::on_call); }
    /// A new world, whose modules are compiled so.
    void use(Compilation compilation, EngineOptions options = {}) {
        shard.reset();
        pool.reset();
        store.reset();
        options.compilation = compilation;
        engine = Engine::make(options).take();
        store = engine::Store::make(*engine).take();
        instance = nullptr;
        define_host();
    }
    void define_host() {
        if (is_defined_) return;
        is_defined_ = true;
        define("twice", {type_i32}, {type_i32}, twice);
    }
    /// All that `callees` can show.
    std::string behaviour() {
        std::string all;
        const auto note = [&](std::string_view name, std::vector<Value> arguments = {}) {
            all += std::string{name} + "=" + call(name, std::move(arguments)) + "; ";
        };
        note("mix", {Value::i32(9)});
        note("indirect", {Value::i32(41), Value::i32(0)});
        note("indirect", {Value::i32(0), Value::i32(1)});
        note("indirect", {Value::i32(7), Value::i32(1)});
        note("indirect", {Value::i32(7), Value::i32(2)});
        note("indirect", {Value::i32(7), Value::i32(3)});
        note("fib", {Value::i32(15)});
        note("host", {Value::i32(4)});
        note("load", {Value::i32(65'533)});
        note("mark");
        note("load", {Value::i32(65'532)});
        return all;
    }
    static std::string trace(const engine::Outcome& outcome) {
        std::string all = text(outcome);
        const auto* const trap = std::get_if<engine::Trap>(&outcome);
        if (trap == nullptr) return all;
        for (const engine::Frame& frame : trap->frames) {
            all += " <- " + std::to_string(frame.func_index) + " " + frame.name + "@" +
                   std::to_string(frame.module_offset);
        }
        return all;
    }
    static Bytes artifact(const engine::Module& module) {
        auto code = engine::finished_code(module);
        EXPECT_TRUE(code.ok());
        const engine::ArtifactBytes parts{module, std::move(code).take()};
        Bytes bytes(parts.header().file_bytes);
        for (const auto& piece : parts.pieces())
            std::copy(piece.bytes.begin(), piece.bytes.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(piece.offset));
        return bytes;
    }
    [[nodiscard]] ModulePtr compile_as(const Bytes& bytes, Compilation compilation) {
        return engine::Module::compile(*engine, bytes, {.compilation = compilation}).take();
    }

private:
    bool is_defined_ = false;
};

/// `count` functions, number i adds i to its argument and calls the one that lies `step` further.
Bytes chain(u32 count, u32 step) {
    using namespace build;
    ModuleBuilder module;
    const u32 type = module.type({type_i32}, {type_i32});
    for (u32 i = 0; i < count; ++i) {
        const u32 next = i + step;
        Bytes code = join(local_get(0), i32_const(static_cast<i32>(i)), i32_add());
        if (next < count) append(code, call(next));
        module.function(type, body(code));
    }
    module.export_item("f", ExternKind::func, 0);
    return module.bytes();
}

TEST_F(Lazy, DoesWhatEagerCodeDoes) {
    use(Compilation::eager);
    make(callees);
    const std::string wanted = behaviour();
    EXPECT_THAT(wanted, ::testing::HasSubstr("fib=610"));
    for (const Compilation compilation : all_lazy) {
        use(compilation);
        make(callees);
        EXPECT_EQ(behaviour(), wanted);
        EXPECT_EQ(behaviour(), wanted) << "again, with all that is compiled now";
    }
}

TEST_F(Lazy, CompilesWhatIsCalledAndNothingElse) {
    make(callees);
    const auto has_code = [&](u32 function) {
        return !instance->module().code(FuncIndex{function}).empty();
    };
    constexpr u32 fib = 6;
    constexpr u32 never = 12;
    EXPECT_FALSE(has_code(fib));
    EXPECT_EQ(instance->module().stats().machine_code_bytes, 0u);
    EXPECT_EQ(behaviour(), behaviour());
    EXPECT_TRUE(has_code(fib));
    EXPECT_FALSE(has_code(never));
}

TEST_F(Lazy, TracesLikeEagerCode) {
    std::vector<std::string> seen;
    for (const Compilation compilation :
        {Compilation::eager, Compilation::on_call, Compilation::lazy}) {
        use(compilation);
        make(callees);
        seen.push_back(trace(outcome("load", {Value::i32(~0u)})));
    }
    EXPECT_THAT(seen[0], ::testing::HasSubstr("inner"));
    EXPECT_THAT(seen, ::testing::Each(seen[0]));
}

TEST_F(Lazy, RefusesWhatEagerCompilationRefuses) {
    Bytes bytes = chain(300, 1);
    const auto valid = compile_as(bytes, Compilation::on_call);
    // The first opcode of two bodies: local.get becomes drop.
    for (const u32 wrong : {250u, 120u})
        bytes[valid->decoded().bodies[wrong].begin + 1] = 0x1a;
    for (const Compilation compilation :
        {Compilation::eager, Compilation::on_call, Compilation::lazy}) {
        const auto failed = engine::Module::compile(*engine, bytes, {.compilation = compilation});
        ASSERT_FALSE(failed.ok());
        EXPECT_EQ(failed.error().code, ErrorCode::type_mismatch);
        EXPECT_EQ(failed.error().offset, valid->decoded().bodies[120].begin + 1);
    }
}

TEST_F(Lazy, RefusesFramesThatAreTooLargeAtOnce) {
    using namespace build;
    // A call leaves a thousand results, a block's end keeps them: operands without end.
    std::string wat = "(module (func $many (result";
    for (int i = 0; i < 1000; ++i)
        wat += " i64";
    wat += ") unreachable) (func ";
    for (int i = 0; i < 17'000; ++i)
        wat += "call $many ";
    wat += "unreachable))";
    const Bytes bytes = wat::assemble(wat);
    for (const Compilation compilation : {Compilation::eager, Compilation::on_call}) {
        const auto failed = engine::Module::compile(*engine, bytes, {.compilation = compilation});
        ASSERT_FALSE(failed.ok());
        EXPECT_EQ(failed.error().code, ErrorCode::frame_too_large);
    }
}

TEST_F(Lazy, TrapsWhereAFunctionCannotBeCompiled) {
    std::string values;
    for (int i = 0; i < 1000; ++i)
        values += " i64";
    std::string wat = "(module (func $give (result" + values + ") unreachable)";
    wat += "(func $take (param" + values + ") (result" + values + ") unreachable)";
    wat += "(func $large call $give ";
    for (int i = 0; i < 2000; ++i)
        wat += "call $take ";
    wat += "unreachable) (func (export \"large\") call $large)";
    wat += "(func (export \"small\") (result i32) i32.const 5))";
    for (const Compilation compilation : all_lazy) {
        use(compilation);
        make(wat);
        for (int i = 0; i < 2; ++i) {
            EXPECT_THAT(trace(outcome("large")),
                ::testing::StartsWith("trap: a function could not be compiled <- 3 large@"));
            EXPECT_EQ(call("small"), "5");
        }
        const auto unfinished = engine::finished_code(instance->module());
        ASSERT_FALSE(unfinished.ok());
        EXPECT_EQ(unfinished.error().code, ErrorCode::code_too_large);
    }
}

TEST_F(Lazy, TrapsWhereThereIsNoRoomForMoreCode) {
    // Each of these has a megabyte for free, as every function has, and all together one as well.
    std::string values;
    for (int i = 0; i < 1000; ++i)
        values += " i64";
    std::string wat = "(module (func $give (result" + values + ") unreachable)";
    wat += "(func $take (param" + values + ") (result" + values + ") unreachable)";
    constexpr u32 count = 6;
    for (u32 i = 0; i < count; ++i) {
        wat += "(func (export \"f" + std::to_string(i) + "\") call $give ";
        for (int j = 0; j < 30; ++j)
            wat += "call $take ";
        wat += "unreachable)";
    }
    make(wat + ")");
    EXPECT_EQ(call("f0"), "trap: unreachable");
    for (u32 i = 1; i < count; ++i)
        std::ignore = call("f" + std::to_string(i));
    EXPECT_EQ(call("f" + std::to_string(count - 1)), "trap: a function could not be compiled");
    EXPECT_EQ(call("f0"), "trap: unreachable");
}

TEST_F(Lazy, IsLaidOutLikeEagerCode) {
    const Bytes bytes = chain(40'000, 7);
    const Bytes wanted = artifact(*compile_as(bytes, Compilation::eager));
    for (const Compilation compilation : all_lazy) {
        const ModulePtr module = compile_as(bytes, compilation);
        std::vector<Value> results;
        const auto made = store->instantiate(module, linker).take();
        const auto f = made.instance->find_export("f")->func;
        EXPECT_EQ(text(store->call(f, std::vector{Value::i32(1)}, results)), "");
        EXPECT_TRUE(artifact(*module) == wanted);
        EXPECT_TRUE(artifact(*module) == wanted) << "once more";
    }
}

TEST_F(Lazy, IsLaidOutLikeEagerCodeWhateverIsInIt) {
    // Constants, jump tables, divisions and calls out of line, functions of all sizes.
    std::string wat =
        "(module (import \"host\" \"twice\" (func $twice (param i32) (result i32))) (memory 1)";
    for (int i = 0; i < 200; ++i) {
        wat +=
            "(func (param i32 f64) (result f64) (block (block (block (br_table 0 1 2 (local.get "
            "0)))) ";
        for (int j = 0; j < i; ++j)
            wat +=
                "(i32.store (i32.const 8) (i32.div_s (call $twice (local.get 0)) (memory.grow "
                "(i32.const 0))))";
        wat += ") (f64.mul (local.get 1) (f64.const " + std::to_string(i) + ".5)))";
    }
    const Bytes bytes = wat::assemble(wat + ")");
    const Bytes wanted = artifact(*compile_as(bytes, Compilation::eager));
    EXPECT_TRUE(artifact(*compile_as(bytes, Compilation::on_call)) == wanted);
    EXPECT_TRUE(artifact(*compile_as(bytes, Compilation::lazy)) == wanted);
}

TEST_F(Lazy, GivesItsArtifactsToRun) {
    make(callees);
    const std::string wanted = behaviour();
    const Bytes bytes = artifact(instance->module());
    os::File file{static_cast<int>(syscall(SYS_memfd_create, "artifact", 0))};
    ASSERT_TRUE(os::write_at(file.number(), 0, bytes).ok());
    const auto module = engine::load_foreign_artifact(*engine, std::move(file)).take();
    instance = store->instantiate(module, linker).take().instance;
    EXPECT_EQ(behaviour(), wanted);
}

TEST_F(Lazy, NeedsLittleOfTheStack) {
    // A function that nobody has called is met at every distance from the stack's end.
    const char* const wat = R"((module
        (func $leaf (param i32 f64) (result i32) (i32.add (local.get 0) (i32.trunc_f64_s (local.get 1))))
        (func $dive (export "dive") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0)) (then (call $leaf (i32.const 40) (f64.const 2)))
                (else (i32.add (i32.const 0) (call $dive (i32.sub (local.get 0) (i32.const 1)))))))))";
    const Bytes bytes = wat::assemble(wat);
    engine::StoreOptions small;
    small.stack_bytes = 64 * 1024;
    const auto dive = [&](Compilation compilation, u32 depth) {
        store = engine::Store::make(*engine, small).take();
        instance = store->instantiate(compile_as(bytes, compilation), linker).take().instance;
        const auto result = outcome("dive", {Value::i32(depth)});
        const std::string said = text(result);
        if (!said.empty()) {
            const auto& frames = std::get<engine::Trap>(result).frames;
            EXPECT_GT(frames.size(), 50u);
            EXPECT_EQ(frames[3].name, "dive");
            EXPECT_EQ(frames.back().name, "dive");
        }
        EXPECT_EQ(call("dive", {Value::i32(3)}), "42") << "it can be called again";
        return said;
    };
    u32 deepest = 1;
    for (u32 step = 4096; step != 0; step /= 2) {
        if (dive(Compilation::eager, deepest + step).empty()) deepest += step;
    }
    u32 done = 0;
    for (u32 depth = deepest - 12; depth <= deepest + 12; ++depth) {
        const std::string said = dive(Compilation::on_call, depth);
        EXPECT_THAT(said, ::testing::AnyOf("", "trap: call stack exhausted"));
        done += said.empty() ? 1 : 0;
        EXPECT_TRUE(depth <= deepest || !said.empty());
    }
    EXPECT_GT(done, 2u) << "only the last frames are in the way";
}

TEST_F(Lazy, TakesAHundredThousandFunctions) {
    constexpr u32 count = 100'000;
    const Bytes bytes = chain(count, 1);
    const ModulePtr module = compile_as(bytes, Compilation::lazy);
    const auto made = store->instantiate(module, linker).take();
    std::vector<Value> results;
    const auto f = made.instance->find_export("f")->func;
    ASSERT_EQ(text(store->call(f, std::vector{Value::i32(1)}, results)), "");
    EXPECT_EQ(results[0].bits, static_cast<u32>(u64{count} * (count - 1) / 2 + 1));
    EXPECT_TRUE(engine::finished_code(*module).ok());
    for (u32 i = 0; i < count; i += 9'999)
        EXPECT_FALSE(module->code(FuncIndex{i}).empty());
}

TEST_F(Lazy, TakesAFunctionOfAMegabyte) {
    using namespace build;
    ModuleBuilder builder;
    const u32 type = builder.type({type_i32}, {type_i32});
    builder.function(type, body(local_get(0), repeat(300'000, join(i32_const(3), i32_add()))));
    builder.export_item("f", ExternKind::func, 0);
    for (const Compilation compilation : all_lazy) {
        const ModulePtr module = compile_as(builder.bytes(), compilation);
        instance = store->instantiate(module, linker).take().instance;
        EXPECT_EQ(call("f", {Value::i32(2)}), "900002");
    }
}

TEST_F(Lazy, RunsInSlots) {
    constexpr u32 functions = 60;
    std::string wat = "(module (memory 4) (global $g (mut i32) (i32.const 0))";
    for (u32 i = 0; i < functions; ++i) {
        const std::string number = std::to_string(i);
        wat += "(func (export \"f" + number +
               "\") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1)))"
               "(i32.store (i32.const " +
               std::to_string(i * 4096) + ") (i32.add (i32.load (i32.const " +
               std::to_string(i * 4096) + ")) (i32.const " + number +
               ")))"
               "(i32.add (global.get $g) (i32.load (i32.const " +
               std::to_string(i * 4096) + "))))";
    }
    open_pool({});
    const auto of = Template::make(compile(wat + ")").take(), linker).take().made;
    for (u32 round = 0; round < 3; ++round) {
        for (u32 i = 0; i < functions; ++i) {
            auto run = shard->start(of).take();
            std::vector<Value> results;
            const auto f = of->find_function("f" + std::to_string(i)).value();
            ASSERT_EQ(text(run.call(f, {}, results)), "");
            ASSERT_EQ(results[0].bits, i + 1) << "as new, whatever was compiled in it";
        }
    }
}

}  // namespace
}  // namespace wrun::test
