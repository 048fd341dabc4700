// The short way for `i32.const n; end` against the general one.
#include "decoder/lone_const.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "decoder/leb.hpp"

namespace wrun {
namespace {

/// The number's shortest form, or a longer one.
std::vector<u8> expression(i32 value, u32 number_bytes) {
    std::vector<u8> made{0x41};
    for (u32 i = 0; i < number_bytes; ++i) {
        const u8 bits = static_cast<u8>((value >> (7 * i)) & 0x7f);
        made.push_back(i + 1 < number_bytes ? bits | 0x80 : bits);
    }
    made.push_back(0x0b);
    return made;
}

TEST(LoneConst, AgreesWithTheGeneralReader) {
    u32 taken = 0;
    for (u32 shift = 0; shift < 32; ++shift) {
        for (const i64 near : {-1, 0, 1}) {
            for (const i64 sign : {1, -1}) {
                const i32 value = static_cast<i32>(sign * ((i64{1} << shift) + near));
                for (u32 size = 1; size <= 4; ++size) {
                    const auto bytes = expression(value, size);
                    const auto general = leb::read_s32(&bytes[1], bytes.data() + bytes.size());
                    const LoneConst lone = lone_i32_const(bytes);
                    ASSERT_EQ(lone.bytes, bytes.size());
                    EXPECT_EQ(lone.value, static_cast<i32>(general.value)) << value << ' ' << size;
                    ++taken;
                }
            }
        }
    }
    EXPECT_EQ(taken, 32u * 3 * 2 * 4);
}

TEST(LoneConst, LeavesTheRestToTheGeneralReader) {
    const std::vector<u8> rows[] = {
        {},
        {0x41},
        {0x41, 0x01},
        {0x41, 0x81},
        {0x42, 0x01, 0x0b},
        {0x41, 0x01, 0x41, 0x01, 0x6a, 0x0b},
        expression(-1, 5),
        {0x41, 0x80, 0x80, 0x80, 0x80},
        {0x23, 0x00, 0x0b},
        {0x0b},
    };
    for (const auto& row : rows)
        EXPECT_EQ(lone_i32_const(row).bytes, 0u);
}

TEST(LoneConst, TakesNoMoreThanTheExpression) {
    const std::vector<u8> bytes = {0x41, 0x7f, 0x0b, 0x0b, 0x41};
    EXPECT_EQ(lone_i32_const(bytes).bytes, 3u);
    EXPECT_EQ(lone_i32_const(bytes).value, -1);
}

}  // namespace
}  // namespace wrun
