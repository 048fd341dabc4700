// LEB128 of every width, at its borders (spec: §5.2.2): strict for Reader, and the same values from
// TrustedReader for whatever Reader accepts.
#include "decoder/leb.hpp"

#include <gtest/gtest.h>

#include "decoder/reader.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun {
namespace {

using build::at_offset;
using build::Bytes;
using build::fails;

enum class Width : u8 { u32_, u64_, s32_, s33_, s64_ };

/// One integer of a width, widened to 64 bits.
template <class R>
Result<u64> read(R& reader, Width width) {
    switch (width) {
        case Width::u32_: return u64 { WRUN_TRY(reader.leb_u32())
            };
        case Width::u64_: return WRUN_TRY(reader.leb_u64());
        case Width::s32_: return static_cast<u64>(WRUN_TRY(reader.leb_s32()));
        case Width::s33_: return static_cast<u64>(WRUN_TRY(reader.leb_s33()));
        case Width::s64_: return static_cast<u64>(WRUN_TRY(reader.leb_s64()));
    }
    unreachable();
}

Reader reader_of(const Bytes& bytes) {
    return Reader{bytes, {0, static_cast<u32>(bytes.size())}, default_features()};
}

struct Good {
    const char* what;
    Width width;
    Bytes bytes;
    u64 value;
};

constexpr u64 minus(u64 value) {
    return u64{0} - value;
}

const Good good[] = {
    {"u32 zero", Width::u32_, {0x00}, 0},
    {"u32 one byte", Width::u32_, {0x7f}, 127},
    {"u32 two bytes", Width::u32_, {0x80, 0x01}, 128},
    {"u32 padded zero", Width::u32_, {0x80, 0x80, 0x80, 0x80, 0x00}, 0},
    {"u32 max", Width::u32_, {0xff, 0xff, 0xff, 0xff, 0x0f}, 0xffff'ffff},
    {"u64 max", Width::u64_, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, ~u64{0}},
    {"u64 two to 35", Width::u64_, {0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, u64{1} << 35},
    {"s32 -1", Width::s32_, {0x7f}, minus(1)},
    {"s32 63", Width::s32_, {0x3f}, 63},
    {"s32 -64", Width::s32_, {0x40}, minus(64)},
    {"s32 64 needs two", Width::s32_, {0xc0, 0x00}, 64},
    {"s32 padded -1", Width::s32_, {0xff, 0xff, 0xff, 0xff, 0x7f}, minus(1)},
    {"s32 max", Width::s32_, {0xff, 0xff, 0xff, 0xff, 0x07}, 0x7fff'ffff},
    {"s32 min", Width::s32_, {0x80, 0x80, 0x80, 0x80, 0x78}, minus(0x8000'0000)},
    {"s33 u32 max", Width::s33_, {0xff, 0xff, 0xff, 0xff, 0x0f}, 0xffff'ffff},
    {"s33 min", Width::s33_, {0x80, 0x80, 0x80, 0x80, 0x70}, minus(u64{1} << 32)},
    {"s64 max", Width::s64_, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00},
        ~u64{0} >> 1},
    {"s64 min", Width::s64_, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f},
        u64{1} << 63},
};

TEST(Leb, ReadsTheSameCheckedAndTrusted) {
    for (const Good& row : good) {
        SCOPED_TRACE(row.what);
        Reader checked = reader_of(row.bytes);
        const Result<u64> value = read(checked, row.width);
        ASSERT_TRUE(value.ok());
        EXPECT_EQ(value.value(), row.value);
        EXPECT_TRUE(checked.at_end());
        TrustedReader trusted{row.bytes, {0, static_cast<u32>(row.bytes.size())}};
        EXPECT_EQ(read(trusted, row.width).take(), row.value);
        EXPECT_TRUE(trusted.at_end());
    }
}

struct Bad {
    const char* what;
    Width width;
    Bytes bytes;
    ErrorCode code;
    u32 offset;
};

constexpr ErrorCode too_long = ErrorCode::integer_too_long;
constexpr ErrorCode too_large = ErrorCode::integer_too_large;
constexpr ErrorCode cut_off = ErrorCode::unexpected_end;

const Bad bad[] = {
    {"nothing", Width::u32_, {}, cut_off, 0},
    {"cut off", Width::u32_, {0x80, 0x80}, cut_off, 2},
    {"u32 six bytes", Width::u32_, {0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, too_long, 0},
    {"u32 bit 32", Width::u32_, {0x80, 0x80, 0x80, 0x80, 0x10}, too_large, 0},
    {"u32 bit 34", Width::u32_, {0xff, 0xff, 0xff, 0xff, 0x4f}, too_large, 0},
    {"u64 eleven bytes", Width::u64_,
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, too_long, 0},
    {"u64 bit 64", Width::u64_, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02},
        too_large, 0},
    {"s32 six bytes", Width::s32_, {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, too_long, 0},
    {"s32 positive with sign bits", Width::s32_, {0x80, 0x80, 0x80, 0x80, 0x70}, too_large, 0},
    {"s32 bit 31 without sign", Width::s32_, {0xff, 0xff, 0xff, 0xff, 0x0f}, too_large, 0},
    {"s32 negative without sign bits", Width::s32_, {0x80, 0x80, 0x80, 0x80, 0x08}, too_large, 0},
    {"s33 bit 32 without sign", Width::s33_, {0x80, 0x80, 0x80, 0x80, 0x10}, too_large, 0},
    {"s64 eleven bytes", Width::s64_,
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, too_long, 0},
    {"s64 sign bits differ", Width::s64_,
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, too_large, 0},
};

TEST(Leb, RefusesWhatIsTooLongTooLargeOrCutOff) {
    for (const Bad& row : bad) {
        SCOPED_TRACE(row.what);
        Reader reader = reader_of(row.bytes);
        EXPECT_THAT(read(reader, row.width), fails(row.code, at_offset(row.offset)));
    }
}

TEST(Leb, PointsAtTheIntegerBehindOtherBytes) {
    const Bytes bytes{0x05, 0x80, 0x80, 0x80, 0x80, 0x10};
    Reader reader = reader_of(bytes);
    ASSERT_EQ(reader.leb_u32().take(), 5u);
    EXPECT_THAT(reader.leb_u32(), fails(too_large, at_offset(1)));
}

TEST(Reader, TakesVectorsOnlyWithTheirBytes) {
    const Bytes bytes{3, 'a', 'b', 'c', 3, 'a', 'b'};
    Reader reader = reader_of(bytes);
    EXPECT_EQ(reader.sized_bytes().take(), (ByteRange{1, 4}));
    EXPECT_THAT(reader.sized_bytes(), fails(ErrorCode::length_out_of_bounds, at_offset(4)));
}

TEST(Reader, BoundsACountByTheBytesThatAreLeft) {
    const Bytes bytes{4, 0, 0, 0, 0};
    EXPECT_EQ(reader_of(bytes).count(100).take(), 4u);
    EXPECT_THAT(
        reader_of(bytes).count(100, 2), fails(ErrorCode::unexpected_end_of_section, at_offset(0)));
    EXPECT_EQ(reader_of(bytes).count(4).take(), 4u);
    EXPECT_THAT(reader_of(bytes).count(3), fails(ErrorCode::too_many_items, at_offset(0)));
}

TEST(Reader, TakesFixedWidthsOnlyWhole) {
    const Bytes bytes{1, 2, 3, 4, 5, 6, 7, 8};
    EXPECT_EQ(reader_of(bytes).fixed_u32().take(), 0x0403'0201u);
    EXPECT_EQ(reader_of(bytes).fixed_u64().take(), 0x0807'0605'0403'0201u);
    Reader reader = reader_of(bytes);
    (void)reader.byte();
    EXPECT_THAT(reader.fixed_u64(), fails(cut_off, at_offset(8)));
}

}  // namespace
}  // namespace wrun
