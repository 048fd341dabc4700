// Bounds of memory accesses, kept by a guard and by comparisons: every load and store at the edges
// of memories of every kind, what a trap names and leaves behind, and which modules may share which
// memories.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/errors.hpp"
#include "base/limits.hpp"
#include "decoder/opcodes.hpp"
#include "engine/state.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::Bounds;
using ::testing::HasSubstr;

constexpr u64 page = limits::wasm_page_bytes;

class BoundsTest : public EngineTest {
protected:
    /// "" when it went well, else the outcome or error.
    [[nodiscard]] std::string instantiate_as(Bounds bounds, std::string_view wat) {
        const auto module =
            engine::Module::compile(*engine, wat::assemble(wat), {.bounds = bounds}).take();
        auto made = store->instantiate(module, linker);
        if (!made.ok()) return "error: " + linker.explain(module->decoded(), made.error());
        instance = made.value().instance;
        return text(made.value().outcome);
    }
    void make_as(Bounds bounds, std::string_view wat) {
        ASSERT_EQ(instantiate_as(bounds, wat), "");
        ASSERT_NE(instance, nullptr);
    }
};

// ---- every access at every edge ----------------------------------------------------------------

constexpr u64 offsets[] = {0, 1, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff};
/// Of the memory when the calls are made. The largest ends where index and offset together may.
constexpr u64 page_counts[] = {0, 1, 32'769, 65'536};
constexpr u64 pattern = 0x5a5a'5a5a'5a5a'5a5a;

/// Where the address comes from.
enum class Address : u8 { variable, constant, folded };

/// One function of the module: an access, its offset, its address unless that is an argument.
struct Site {
    Op op{};
    u64 offset = 0;
    Address address{};
    u64 constant = 0;

    [[nodiscard]] const OpInfo& row() const { return info(op); }
    [[nodiscard]] bool is_store() const { return row().signature.pops == 2; }
    [[nodiscard]] u64 bytes() const { return row().access_bytes; }
    [[nodiscard]] std::string type() const { return std::string{row().text.substr(0, 3)}; }
    [[nodiscard]] std::string name() const {
        return std::string{row().text} + " offset=" + std::to_string(offset) +
               (address == Address::variable    ? " variable"
                   : address == Address::folded ? " folded"
                                                : " constant " + std::to_string(constant));
    }
};

std::vector<u64> addresses(u64 offset, u64 bytes) {
    std::vector<u64> all = {0, 1, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff};
    for (const u64 pages : page_counts) {
        for (const u64 end : {pages * page - 1, pages * page, pages * page + 1}) {
            const u64 address = end - bytes - offset;
            if (end >= bytes + offset && address <= 0xffff'ffff) all.push_back(address);
        }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

std::vector<Site> all_sites() {
    std::vector<Site> sites;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::mem || row.access_bytes == 0) continue;
        const Op op = static_cast<Op>(i);
        const bool folds = row.signature.pops == 1 && row.text.find(".load") + 5 == row.text.size();
        for (const u64 offset : offsets) {
            sites.push_back({op, offset, Address::variable});
            if (folds) sites.push_back({op, offset, Address::folded});
            for (const u64 address : addresses(offset, row.access_bytes))
                sites.push_back({op, offset, Address::constant, address});
        }
    }
    return sites;
}

/// The value that every store stores.
std::string stored(const std::string& type) {
    if (type == "i32") return "(i32.const 0x5a5a5a5a)";
    if (type == "i64") return "(i64.const 0x5a5a5a5a5a5a5a5a)";
    return type == "f32" ? "(f32.reinterpret_i32 (i32.const 0x5a5a5a5a))"
                         : "(f64.reinterpret_i64 (i64.const 0x5a5a5a5a5a5a5a5a))";
}

std::string text_of(const Site& site) {
    const std::string type = site.type();
    std::string text = "(func (export \"" + site.name() + "\")";
    if (site.address != Address::constant) text += " (param i32)";
    if (!site.is_store()) text += " (result " + type + ")";
    std::string access =
        "(" + std::string{site.row().text} + " offset=" + std::to_string(site.offset) +
        (site.address == Address::constant ? " (i32.const " + std::to_string(site.constant) + ")"
                                           : " (local.get 0)");
    access += site.is_store() ? stored(type) + ")" : ")";
    if (site.address == Address::folded) {
        access = "(" + type + ".add (" + type + ".const 0) " + access + ")";
    }
    return text + " " + access + ")\n";
}

/// Whose memory the accesses go to.
enum class Memory : u8 { own, imported_dense, imported_guarded };

struct Way {
    const char* name;
    Bounds bounds;
    Memory memory;
};

class EveryAccess : public BoundsTest, public ::testing::WithParamInterface<Way> {
protected:
    void make_module(const std::vector<Site>& sites) {
        std::string module = "(module ";
        if (GetParam().memory == Memory::own) {
            module += "(memory (export \"memory\") 0)\n";
        } else {
            make_as(GetParam().memory == Memory::imported_dense ? Bounds::checked : Bounds::guard,
                R"((module (memory (export "memory") 0)))");
            linker.define_instance("m", *instance);
            module += "(import \"m\" \"memory\" (memory 0)) (export \"memory\" (memory 0))\n";
        }
        for (const Site& site : sites)
            module += text_of(site);
        make_as(GetParam().bounds, module + ")");
        memory_ = export_of("memory").memory;
    }

    void try_site(const Site& site, u64 address) {
        SCOPED_TRACE(site.name() + " at " + std::to_string(address) + " of " +
                     std::to_string(memory_->pages()) + " pages");
        const u64 begin = address + site.offset;
        const bool fits = begin + site.bytes() <= memory_->bytes();
        const u64 expected = pattern >> (64 - 8 * site.bytes());
        if (fits && !site.is_store()) poke(begin, site.bytes(), 0x5a);
        std::vector<Value> arguments;
        if (site.address != Address::constant)
            arguments.push_back(Value::i32(static_cast<u32>(address)));
        std::vector<Value> results;
        const auto outcome = store->call(export_of(site.name()).func, arguments, results).take();
        if (!fits) {
            EXPECT_EQ(text(outcome), "trap: out of bounds memory access");
            if (const auto* const trap = std::get_if<engine::Trap>(&outcome)) {
                EXPECT_EQ(instance->module().decoded().bytes[trap->frames[0].module_offset],
                    site.row().code);
            }
        } else if (site.is_store()) {
            EXPECT_EQ(text(outcome), "");
            EXPECT_EQ(peek(begin, site.bytes()), expected);
            poke(begin, site.bytes(), 0);
        } else {
            EXPECT_EQ(text(outcome), "");
            EXPECT_EQ(results.at(0).bits, expected);
            poke(begin, site.bytes(), 0);
        }
        expect_zeros();
    }

private:
    void poke(u64 address, u64 bytes, u8 value) const {
        std::fill_n(memory_->base() + address, bytes, value);
    }
    [[nodiscard]] u64 peek(u64 address, u64 bytes) const {
        u64 value = 0;
        for (u64 i = 0; i < bytes; ++i)
            value |= u64{memory_->base()[address + i]} << (8 * i);
        return value;
    }
    /// Nothing was written around the end, where one byte too many would go.
    void expect_zeros() const {
        const u64 end = memory_->bytes();
        const u64 readable = memory_->is_dense() ? std::min(end + 16, 65'536 * page) : end;
        for (u64 at = end - std::min<u64>(end, 16); at < readable; ++at)
            EXPECT_EQ(memory_->base()[at], 0) << at;
    }

    runtime::Memory* memory_ = nullptr;
};

TEST_P(EveryAccess, TrapsExactlyWhereItLeavesTheMemory) {
    const std::vector<Site> sites = all_sites();
    make_module(sites);
    auto* const memory = export_of("memory").memory;
    EXPECT_EQ(memory->is_dense(),
        GetParam().bounds == Bounds::checked && GetParam().memory != Memory::imported_guarded);
    for (const u64 pages : page_counts) {
        ASSERT_TRUE(engine::Store::grow(memory, pages - memory->pages()));
        for (const Site& site : sites) {
            if (site.address == Address::constant) {
                try_site(site, site.constant);
            } else {
                for (const u64 address : addresses(site.offset, site.bytes()))
                    try_site(site, address);
            }
            if (HasFailure()) return;  // the first one tells enough
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Ways, EveryAccess,
    ::testing::Values(Way{"Guard", Bounds::guard, Memory::own},
        Way{"Checked", Bounds::checked, Memory::own},
        Way{"CheckedImport", Bounds::checked, Memory::imported_dense},
        Way{"CheckedImportOfGuarded", Bounds::checked, Memory::imported_guarded}),
    [](const auto& way) { return std::string{way.param.name}; });

// ---- traps -------------------------------------------------------------------------------------

class CheckedBounds : public BoundsTest {};

TEST_F(CheckedBounds, HaveATrapOfTheirOwnForEachAccess) {
    make_as(Bounds::checked, R"((module (memory 1) (func (export "f") (param i32 i32 i32 i32)
        (drop (i32.load8_u (local.get 0))) (i32.store16 (local.get 1) (i32.const 0))
        (drop (i64.add (i64.const 1) (i64.load (local.get 2))))
        (drop (i64.load32_s (local.get 3))))))");
    const u8 opcodes[] = {0x2d, 0x3b, 0x29, 0x34};
    for (u32 bad = 0; bad < 4; ++bad) {
        std::vector<Value> arguments(4, Value::i32(0));
        arguments[bad] = Value::i32(65'536);
        const auto trap = std::get<engine::Trap>(outcome("f", arguments));
        EXPECT_EQ(trap.code, runtime::TrapCode::memory_out_of_bounds);
        const auto& bytes = instance->module().decoded().bytes;
        EXPECT_EQ(bytes[trap.frames[0].module_offset], opcodes[bad]) << bad;
    }
    EXPECT_EQ(call("f", std::vector<Value>(4, Value::i32(0))), "");
}

TEST_F(CheckedBounds, TrapInTheOrderOfTheProgram) {
    make_as(Bounds::checked, R"((module (memory 1) (global $g (mut i32) (i32.const 0))
        (func (export "divide") (param i32) (result i32)
            (i32.add (i32.load (local.get 0)) (i32.div_s (i32.const 1) (i32.const 0))))
        (func (export "unreachable") (param i32) (result i32)
            (i32.add (local.get 0) (i32.load (local.get 0))) unreachable)
        (func (export "set") (param i32)
            (i32.load (local.get 0)) (global.set $g (i32.const 1)) drop)
        (func (export "grow") (param i32) (result i32)
            (i32.load (local.get 0)) (drop (memory.grow (i32.const 1))))
        (func (export "reuse") (param i32) (result i32)
            (i32.load (local.get 0)) (local.set 0 (i32.const 0)))
        (func (export "store") (param i32) (result i32)
            (i32.load (local.get 0)) (i32.store (i32.const 0) (i32.const 7)))
        (func (export "see") (result i32 i32 i32)
            (global.get $g) (i32.load (i32.const 0)) memory.size)))");
    for (const char* name : {"divide", "unreachable", "set", "grow", "reuse", "store"}) {
        EXPECT_EQ(call(name, {Value::i32(65'533)}), "trap: out of bounds memory access") << name;
    }
    EXPECT_EQ(call("see"), "0 0 1") << "nothing happened behind the access";
    EXPECT_EQ(call("divide", {Value::i32(65'532)}), "trap: integer divide by zero");
    EXPECT_EQ(call("store", {Value::i32(0)}), "0") << "the value from before the store";
    EXPECT_EQ(call("grow", {Value::i32(0)}), "7");
    EXPECT_EQ(call("reuse", {Value::i32(131'068)}), "0");
}

TEST_F(CheckedBounds, SeeNoUpperHalfOfAnAddress) {
    make_as(Bounds::checked, R"((module (memory 1) (data (i32.const 4) "\07")
        (func (export "f") (param i64) (result i32) (i32.load8_u (i32.wrap_i64 (local.get 0))))))");
    EXPECT_EQ(call("f", {Value::i64(0xffff'ffff'0000'0004)}), "7");
    EXPECT_EQ(call("f", {Value::i64(0x0000'0001'0001'0000)}), "trap: out of bounds memory access");
}

TEST_F(CheckedBounds, FollowAMemoryThatGrows) {
    make_as(Bounds::checked, R"((module (memory 1 3)
        (func (export "f") (param i32) (result i32 i32 i32)
            (memory.grow (i32.const 1)) (i32.store8 (local.get 0) (i32.const 9))
            (i32.load8_u (local.get 0)) memory.size)))");
    EXPECT_EQ(call("f", {Value::i32(131'071)}), "1 9 2");
    EXPECT_EQ(call("f", {Value::i32(196'608)}), "trap: out of bounds memory access");
    EXPECT_EQ(call("f", {Value::i32(196'607)}), "-1 9 3");
}

TEST_F(CheckedBounds, AreKeptByBulkOperationsAndTheHost) {
    make_as(Bounds::checked, R"((module (memory (export "m") 1 2) (data "abcd")
        (func (export "fill") (param i32 i32)
            (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
        (func (export "copy") (param i32 i32)
            (memory.copy (local.get 0) (i32.const 0) (local.get 1)))
        (func (export "init") (param i32 i32)
            (memory.init 0 (local.get 0) (i32.const 0) (local.get 1)))
        (func (export "set") (memory.fill (i32.const 0) (i32.const 5) (i32.const 4)))))");
    EXPECT_EQ(call("set"), "");
    for (const char* name : {"fill", "copy", "init"}) {
        EXPECT_EQ(
            call(name, {Value::i32(65'533), Value::i32(4)}), "trap: out of bounds memory access")
            << name;
        EXPECT_EQ(call(name, {Value::i32(65'532), Value::i32(4)}), "") << name;
    }
    EXPECT_FALSE(instance->memory().store<u32>(65'533, ~0u));
    const auto* const memory = export_of("m").memory;
    ASSERT_TRUE(memory->is_dense());
    for (u64 at = page; at < 2 * page; ++at)
        ASSERT_EQ(memory->base()[at], 0) << at;
}

TEST_F(CheckedBounds, TakeARegisterForAMomentOnly) {
    // The size of an imported memory is behind a pointer, and all temporaries are taken.
    make_as(Bounds::checked, R"((module (memory (export "memory") 1)
        (data (i32.const 0) "\01\02\03\04\05\06\07\08")))");
    linker.define_instance("m", *instance);
    const auto load = [](int i) {
        return "(i32.load8_u (i32.add (local.get 0) (i32.const " + std::to_string(i) + ")))";
    };
    std::string nested = load(0);
    std::string flat;
    for (int i = 1; i < 8; ++i) {
        nested = "(i32.sub " + load(i) + nested + ")";
        flat += load(i);
    }
    for (int i = 1; i < 7; ++i)
        flat += " i32.mul";
    make_as(Bounds::checked, R"((module (import "m" "memory" (memory 1))
        (func (export "nested") (param i32) (result i32) )" +
                                 nested + R"()
        (func (export "flat") (param i32) (result i32) )" +
                                 flat + R"()
        (func (export "store") (param i32 i32) (result i32)
            (i32.load8_u (local.get 0)) (i32.load8_u (i32.add (local.get 0) (i32.const 1)))
            (i32.store8 (i32.add (local.get 0) (i32.const 9)) (i32.add (local.get 1) (i32.const 1)))
            (i32.load8_u (i32.add (local.get 0) (i32.const 9))) i32.sub i32.sub)))");
    EXPECT_EQ(call("nested", {Value::i32(0)}), "4");
    EXPECT_EQ(call("flat", {Value::i32(0)}), "40320");
    EXPECT_EQ(call("store", {Value::i32(0), Value::i32(50)}), "50");
}

// ---- who may share what ------------------------------------------------------------------------

TEST_F(CheckedBounds, AreWhatAMemoryWithoutGuardAsksFor) {
    const char* const importer = R"((module (import "m" "memory" (memory 1))
        (func (export "f") (param i32) (result i32) (i32.load (local.get 0)))))";
    make_as(Bounds::checked, R"((module (memory (export "memory") 1 1)))");
    linker.define_instance("m", *instance);
    EXPECT_EQ(instantiate_as(Bounds::guard, importer),
        "error: import \"m\" \"memory\": this memory has no guard: only a module that checks its "
        "bounds may import it: wanted (memory 1), found (memory 1 1)");
    EXPECT_EQ(instantiate_as(Bounds::checked, importer), "");
    EXPECT_EQ(call("f", {Value::i32(65'532)}), "0");
    EXPECT_EQ(call("f", {Value::i32(65'533)}), "trap: out of bounds memory access");
    // What passes through a module keeps what it is.
    make_as(Bounds::checked,
        R"((module (import "m" "memory" (memory 1)) (export "memory" (memory 0))))");
    linker.define_instance("m", *instance);
    EXPECT_THAT(instantiate_as(Bounds::guard, importer), HasSubstr("has no guard"));
}

TEST_F(CheckedBounds, AreSomethingThatEveryOtherMemoryCanDoWithout) {
    engine::Extern item;
    item.kind = ExternKind::memory;
    item.memory = store->make_memory({{1, 1, false, false}}).take();
    ASSERT_TRUE(linker.define("h", "memory", item).ok());
    make_as(Bounds::guard, R"((module (memory (export "memory") 1 1)))");
    linker.define_instance("m", *instance);
    for (const char* exporter : {"h", "m"}) {
        for (const Bounds bounds : {Bounds::guard, Bounds::checked}) {
            make_as(
                bounds, std::string{"(module (import \""} + exporter +
                            "\" \"memory\" (memory 1)) (func (export \"f\") (param i32) (result "
                            "i32) (i32.load (local.get 0))))");
            EXPECT_EQ(call("f", {Value::i32(65'532)}), "0");
            EXPECT_EQ(call("f", {Value::i32(65'533)}), "trap: out of bounds memory access");
        }
    }
}

TEST_F(CheckedBounds, AreTheEnginesChoiceUnlessTheModuleHasOne) {
    const auto bytes = wat::assemble("(module (memory 1))");
    for (const Bounds bounds : {Bounds::guard, Bounds::checked}) {
        engine::EngineOptions options;
        options.bounds = bounds;
        const auto other = engine::Engine::make(options).take();
        EXPECT_EQ(engine::Module::compile(*other, bytes).value()->options().bounds, bounds);
        for (const Bounds own : {Bounds::guard, Bounds::checked}) {
            EXPECT_EQ(
                engine::Module::compile(*other, bytes, {.bounds = own}).value()->options().bounds,
                own);
        }
    }
}

TEST_F(CheckedBounds, NeedLittleAddressSpace) {
    make_as(Bounds::checked, R"((module (memory (export "m") 1 3)))");
    const auto* const memory = export_of("m").memory;
    const u64 base = reinterpret_cast<u64>(memory->base());
    EXPECT_TRUE(memory->reaches(base + 3 * page));
    EXPECT_FALSE(memory->reaches(base + 4 * page));
}

}  // namespace
}  // namespace wrun::test
