// The encoder's buffer: however often it grows, the code is the same; where it cannot grow, nothing
// is written outside it, what lay there before stays, and the encoder says so.
#include <asmjit/x86.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "codegen/x64/encoder.hpp"

namespace wrun::codegen::x64 {
namespace {

using asmjit::CodeBufferFlags;
namespace x86 = asmjit::x86;

/// One of everything that writes: short and long hand forms, labels that stay open for a while,
/// fields patched by position, asmjit's forms, data. The same `seed` gives the same code.
void emit_mix(Encoder& code, u32 rounds, u32 seed) {
    std::minstd_rand random(seed);
    const Mem mem = Mem::at(Gp::r12, Gp::r13, 3, 0x12345678);
    Label near_label;
    Label far_label;
    Label table;
    code.bind_l(table);
    for (u32 round = 0; round < rounds; ++round) {
        const Gp reg{static_cast<u8>(random() % 16)};
        const u32 value = static_cast<u32>(random());
        switch (random() % 18) {
            case 0: code.leave_(); break;
            case 1: code.alu_rr(value & 1, Alu::add, reg, Gp::r9); break;
            case 2: code.alu_mi(true, Alu::cmp, mem, static_cast<i32>(value)); break;
            case 3: code.mov_ri(reg, u64{value} << 17); break;
            case 4: code.mov16_mi(mem, static_cast<u16>(value)); break;
            case 5: code.movs_rm(true, Fp{9}, mem); break;
            case 6: code.jcc_l(Cc::e, near_label); break;
            case 7: code.jmp_l(far_label); break;
            case 8:
                code.bind_l(near_label);
                near_label = {};
                break;
            case 9: code.jmp_l(table); break;
            case 10: code.patch32(code.call_rel32(), value); break;
            case 11: code.popcnt(x86::gpq(to_underlying(reg)), x86::r10); break;
            case 12: code.roundsd(x86::xmm3, x86::xmm12, asmjit::imm(9)); break;
            case 13:
                code.mov(x86::ptr(x86::r12, x86::r13, 3, 0x1234567, 8), asmjit::imm(-3));
                break;
            case 14: code.align(asmjit::AlignMode::kCode, 64); break;
            case 15: code.data64(value); break;
            case 16: code.align_code(16); break;
            case 17: {
                std::vector<u8> data(value % 150, static_cast<u8>(value));
                code.embed(data.data(), data.size());
                break;
            }
            default: break;
        }
    }
    code.bind_l(near_label);
    code.bind_l(far_label);
}

/// An encoder over a buffer of `capacity` bytes to begin with.
struct Growing {
    asmjit::CodeHolder holder;
    Encoder code;
    explicit Growing(std::size_t capacity) : code(prepared(holder, capacity)) {}

    static asmjit::CodeHolder* prepared(asmjit::CodeHolder& holder, std::size_t capacity) {
        holder.init(asmjit::Environment(asmjit::Arch::kX64));
        holder.reserveBuffer(&holder.textSection()->buffer(), capacity);
        return &holder;
    }
    asmjit::CodeBuffer& buffer() { return holder.textSection()->buffer(); }
    std::string_view bytes() const {
        return {reinterpret_cast<const char*>(code.bufferData()), code.position()};
    }
};

TEST(EncoderBuffer, grows_to_the_same_code) {
    constexpr u32 rounds = 100'000;
    constexpr std::size_t megabyte = 1 << 20;
    Growing big(8 * megabyte);
    emit_mix(big.code, rounds, 7);
    ASSERT_EQ(big.buffer().capacity(), 8 * megabyte);  // did not grow
    ASSERT_GT(big.code.position(), megabyte);

    Growing small(33);
    emit_mix(small.code, rounds, 7);
    EXPECT_FALSE(small.code.out_of_memory());
    EXPECT_TRUE(small.bytes() == big.bytes());
}

/// Every form meets the end of the first buffer at some capacity.
TEST(EncoderBuffer, grows_wherever_its_end_lies) {
    constexpr u32 rounds = 60;
    for (u32 seed = 1; seed <= 8; ++seed) {
        Growing big(1 << 16);
        emit_mix(big.code, rounds, seed);
        ASSERT_EQ(big.buffer().capacity(), std::size_t{1} << 16);
        for (std::size_t capacity = 1; capacity < big.bytes().size() + 64; ++capacity) {
            Growing small(capacity);
            emit_mix(small.code, rounds, seed);
            ASSERT_FALSE(small.code.out_of_memory());
            ASSERT_TRUE(small.bytes() == big.bytes())
                << "seed " << seed << " capacity " << capacity;
        }
    }
}

/// asmjit measures what is used by its own forms only: with few of them or none it must not be
/// misled.
TEST(EncoderBuffer, grows_by_hand_forms) {
    for (const u32 every : {1U, 10'000U, std::numeric_limits<u32>::max()}) {
        Growing big(1 << 20);
        Growing small(64);
        for (Growing* each : {&big, &small}) {
            for (u32 i = 0; i < 60'000; ++i) {
                each->code.mov_ri(Gp::rax, 0x1234'5678'9abc'def0);
                if (i % every == every - 1) each->code.popcnt(x86::rax, x86::rcx);
                ASSERT_LE(each->code.position(), each->buffer().capacity());
            }
        }
        EXPECT_TRUE(small.bytes() == big.bytes());
    }
}

/// An encoder over memory that must not grow, with `canary` on both sides of it.
struct Fixed {
    static constexpr std::size_t side = 4096;
    static constexpr u8 canary = 0xa5;
    std::vector<u8> storage;
    std::size_t capacity;
    asmjit::CodeHolder holder;
    Encoder code;
    explicit Fixed(std::size_t capacity_)
        : storage(capacity_ + 2 * side, canary), capacity(capacity_), code(prepared()) {}

    asmjit::CodeHolder* prepared() {
        holder.init(asmjit::Environment(asmjit::Arch::kX64));
        asmjit::CodeBuffer& buffer = holder.textSection()->buffer();
        buffer._data = storage.data() + side;
        buffer._capacity = capacity;
        buffer._flags = CodeBufferFlags::kIsFixed | CodeBufferFlags::kIsExternal;
        return &holder;
    }
    [[nodiscard]] bool canaries_live() const {
        const auto is_canary = [](u8 byte) { return byte == canary; };
        return std::all_of(storage.begin(), storage.begin() + side, is_canary) &&
               std::all_of(storage.end() - side, storage.end(), is_canary);
    }
    [[nodiscard]] std::string bytes(std::size_t size) const {
        return {reinterpret_cast<const char*>(storage.data()) + side, size};
    }
};

/// Code that ends in a long instruction, so that it can end close to the end of a buffer.
void emit_kept(Encoder& code) {
    emit_mix(code, 30, 2);
    code.alu_mi(true, Alu::cmp, Mem::at(Gp::r12, Gp::r13, 3, 0x12345678), 0x12345678);
}

TEST(EncoderBuffer, that_cannot_grow_keeps_what_it_held) {
    Growing reference(1 << 16);
    emit_kept(reference.code);
    const std::string kept(reference.bytes());
    // The least spare room: 32 bytes where the last instruction, of 12, began.
    for (std::size_t spare = 20; spare < 200; ++spare) {
        SCOPED_TRACE(testing::Message() << spare << " bytes to spare");
        Fixed fixed(kept.size() + spare);
        emit_kept(fixed.code);
        ASSERT_FALSE(fixed.code.out_of_memory());
        const u32 position = fixed.code.position();
        ASSERT_EQ(fixed.bytes(position), kept);
        for (u32 seed = 1; seed <= 20; ++seed) {
            emit_mix(fixed.code, 200, seed);
            ASSERT_TRUE(fixed.code.out_of_memory());
            ASSERT_LE(fixed.code.position(), fixed.capacity);
            ASSERT_TRUE(fixed.canaries_live());
            fixed.code.rewind(position);
            ASSERT_FALSE(fixed.code.out_of_memory());
            ASSERT_EQ(fixed.code.position(), position);
            ASSERT_EQ(fixed.bytes(position), kept);
        }
    }
}

TEST(EncoderBuffer, that_cannot_grow_says_so_until_rewound) {
    Fixed fixed(48);
    fixed.code.leave_();
    EXPECT_FALSE(fixed.code.out_of_memory());
    for (int i = 0; i < 100; ++i)
        fixed.code.mov_ri(Gp::r15, 0x1234'5678'9abc'def0);
    EXPECT_TRUE(fixed.code.out_of_memory());
    fixed.code.popcnt(x86::rax, x86::rcx);
    EXPECT_TRUE(fixed.code.out_of_memory());
    EXPECT_TRUE(fixed.canaries_live());
    fixed.code.rewind(1);
    EXPECT_FALSE(fixed.code.out_of_memory());
    fixed.code.ud2_();
    EXPECT_FALSE(fixed.code.out_of_memory());
    EXPECT_EQ(fixed.bytes(3), "\xc9\x0f\x0b");
}

TEST(EncoderBuffer, grows_again_once_it_can) {
    const u32 rounds = 3000;
    Growing reference(1 << 20);
    emit_mix(reference.code, rounds, 5);

    Growing starved(300);
    starved.code.leave_();
    const u32 position = starved.code.position();
    starved.buffer()._flags = CodeBufferFlags::kIsFixed;
    emit_mix(starved.code, rounds, 5);
    EXPECT_TRUE(starved.code.out_of_memory());
    starved.buffer()._flags = CodeBufferFlags::kNone;
    // Not by itself: code is missing.
    emit_mix(starved.code, rounds, 5);
    EXPECT_TRUE(starved.code.out_of_memory());
    EXPECT_EQ(starved.buffer().capacity(), 300U);
    starved.code.rewind(position - 1);
    emit_mix(starved.code, rounds, 5);
    EXPECT_FALSE(starved.code.out_of_memory());
    EXPECT_TRUE(starved.bytes() == reference.bytes());
}

TEST(EncoderBuffer, takes_no_data_beyond_its_bounds) {
    const std::vector<u8> data(64, 1);
    Fixed fixed(64);
    EXPECT_EQ(fixed.code.embed(data.data(), 64), asmjit::kErrorOutOfMemory);
    EXPECT_TRUE(fixed.code.out_of_memory());
    EXPECT_TRUE(fixed.canaries_live());

    fixed.code.rewind(0);
    EXPECT_EQ(fixed.code.embed(data.data(), 48), asmjit::kErrorOk);
    EXPECT_FALSE(fixed.code.out_of_memory());

    Growing growing(64);
    for (const std::size_t size : {std::size_t{std::numeric_limits<i32>::max()},
             std::size_t{1} << 32, std::numeric_limits<std::size_t>::max()}) {
        growing.code.leave_();
        EXPECT_EQ(growing.code.embed(data.data(), size), asmjit::kErrorOutOfMemory);
        EXPECT_TRUE(growing.code.out_of_memory());
        growing.code.leave_();
        growing.code.rewind(0);
    }
}

TEST(EncoderBufferDeathTest, an_instruction_that_asmjit_refuses_is_a_bug) {
    Growing growing(64);
    EXPECT_DEATH(
        growing.code.emit(x86::Inst::kIdAdd, x86::xmm1, x86::eax), "internal error.*asmjit");
}

TEST(EncoderBufferDeathTest, rsp_is_no_index) {
    Growing growing(64);
    EXPECT_DEBUG_DEATH(
        growing.code.lea(true, Gp::rax, Mem::at(Gp::rax, Gp::rsp, 0, 8)), "internal error");
}

}  // namespace
}  // namespace wrun::codegen::x64
