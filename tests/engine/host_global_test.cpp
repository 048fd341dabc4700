// Globals that the host makes: what lies above an i32 in its bits must reach no guest.
#include "tests/engine/world.hpp"

namespace wrun::engine {
namespace {

constexpr u64 poison = 0xa5a5'a5a5'0000'0000;

class HostGlobal : public test::EngineTest {
protected:
    runtime::GlobalObject* define_global(GlobalType type, u64 bits) {
        Extern item;
        item.kind = ExternKind::global;
        item.global = store->make_global(type, bits);
        EXPECT_TRUE(linker.define("host", "g", item).ok());
        return item.global;
    }
};

TEST_F(HostGlobal, OffsetsOfSegmentsAreItsLowHalf) {
    define_global({type_i32, false}, poison | 8);
    make(R"((module (import "host" "g" (global $g i32)) (memory 1)
        (data (offset (global.get $g)) "\2a")
        (func (export "f") (result i32) (i32.load8_u (i32.const 8)))))");
    EXPECT_EQ(call("f"), "42");
}

TEST_F(HostGlobal, SetKeepsTheLowHalf) {
    runtime::GlobalObject* const global = define_global({type_i32, true}, 0);
    Store::set(global, poison | 7);
    EXPECT_EQ(Store::get(global), 7u);
}

TEST_F(HostGlobal, OfSixtyFourBitsKeepsThemAll) {
    EXPECT_EQ(Store::get(define_global({type_i64, false}, poison | 7)), poison | 7);
}

}  // namespace
}  // namespace wrun::engine
