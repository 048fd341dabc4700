// See plan.hpp.
#include "fuzz/differential/plan.hpp"

#include <iterator>

namespace wrun::differ {
namespace {

constexpr u32 edges_i32[] = {0, 1, 0xffff'ffff, 0x8000'0000, 0x7fff'ffff, 2, 0xffff'fffe, 31, 32,
    33, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1'0000, 0xfffc, 0xfff8, 0xffff'0000,
    0x8000'0001, 0xffff'fff8, 0x5555'5555, 0xdead'beef};

constexpr u64 edges_i64[] = {0, 1, ~u64{0}, u64{1} << 63, ~u64{0} >> 1, 2, 63, 64, 65, 0xff, 0xffff,
    0x7fff'ffff, 0x8000'0000, 0xffff'ffff, 0x1'0000'0000, 0xffff'ffff'8000'0000,
    0xffff'ffff'7fff'ffff, 0xffff'ffff'0000'0000, 0xffff'ffff'0000'0008, 0xdead'beef'0000'1000,
    0x0020'0000'0000'0001, 0x5555'5555'aaaa'aaaa};

constexpr u32 edges_f32[] = {0, 0x8000'0000, 0x3f80'0000, 0xbf80'0000, 0x3f00'0000, 0x3fc0'0000,
    0xbf00'0000, 0x7f80'0000, 0xff80'0000, 0x7fc0'0000, 0xffc0'0000, 0x7fa0'0001, 1, 0x8000'0001,
    0x0080'0000, 0x7f7f'ffff, 0xff7f'ffff, 0x4f00'0000, 0xcf00'0000, 0x4eff'ffff, 0x4f80'0000,
    0x5f00'0000, 0xdf00'0000, 0x5f80'0000, 0x4b00'0001, 0x42f6'e979};

constexpr u64 edges_f64[] = {0, 0x8000'0000'0000'0000, 0x3ff0'0000'0000'0000, 0xbff0'0000'0000'0000,
    0x3fe0'0000'0000'0000, 0x3ff8'0000'0000'0000, 0xbfe0'0000'0000'0000, 0x7ff0'0000'0000'0000,
    0xfff0'0000'0000'0000, 0x7ff8'0000'0000'0000, 0xfff8'0000'0000'0000, 0x7ff4'0000'0000'0001, 1,
    0x8000'0000'0000'0001, 0x0010'0000'0000'0000, 0x7fef'ffff'ffff'ffff, 0x41e0'0000'0000'0000,
    0xc1e0'0000'0000'0000, 0xc1e0'0000'0010'0000, 0x41df'ffff'ffc0'0000, 0x41f0'0000'0000'0000,
    0x43e0'0000'0000'0000, 0xc3e0'0000'0000'0000, 0x43f0'0000'0000'0000, 0x4330'0000'0000'0001,
    0x36a0'0000'0000'0000, 0x47ef'ffff'e000'0000, 0x405e'dd2f'1a9f'be77};

constexpr u64 key(u64 kind, u64 a, u64 b, u64 c) noexcept {
    return kind << 60 ^ a << 40 ^ b << 20 ^ c;
}

template <class T, std::size_t n>
u64 pick(const T (&table)[n], u64 random) noexcept {
    return table[(random >> 8) % n];
}

}  // namespace

u64 mix(u64 first, u64 second) noexcept {
    u64 z = first * 0x9e37'79b9'7f4a'7c15 + second + 0x9e37'79b9'7f4a'7c15;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

u64 Random::next() noexcept {
    state_ += 0x9e37'79b9'7f4a'7c15;
    return mix(state_, 0);
}

u32 Random::from_bytes(u32 bound) noexcept {
    u32 value = 0;
    for (u32 most = bound - 1; most != 0 && !bytes_.empty(); most >>= 8) {
        value = value << 8 | bytes_.front();
        bytes_ = bytes_.subspan(1);
    }
    return value % bound;
}

Value edge_value(Type type, u64 key) noexcept {
    const u64 random = mix(key, 1);
    const u64 bits = mix(key, 2);
    const bool small = random % 8 == 0;
    const bool arbitrary = random % 8 == 1;
    switch (type) {
        case Type::i32:
            return {type, small       ? bits % 64
                          : arbitrary ? static_cast<u32>(bits)
                                      : pick(edges_i32, random)};
        case Type::i64:
            return {type, small ? bits % 64 : arbitrary ? bits : pick(edges_i64, random)};
        case Type::f32: return {type, pick(edges_f32, random)};
        case Type::f64: return {type, pick(edges_f64, random)};
        case Type::externref: return {type, bits % 4};
        default: return {type, 0};
    }
}

Value argument(Type type, u32 round, u32 index, u32 param) noexcept {
    if (round == 0) return {type, 0};
    return edge_value(type, key(1, round, index, param));
}

Value host_result(Type type, u32 import, u64 count, u32 result) noexcept {
    return edge_value(type, key(2, count, import, result));
}

bool host_call_traps(u32 import, u64 count) noexcept {
    return mix(key(3, count, import, 0), 0) % 101 == 0;
}

Value global_value(Type type, u32 import) noexcept {
    return edge_value(type, key(4, 0, import, 0));
}

}  // namespace wrun::differ
