// Kinds of what a guest can learn of the world outside its memory. While a module initialises
// itself to be frozen, what it learns will be in every instance that starts from it, so a state may
// refuse a kind: then the functions of that kind trap. wasi/functions.def says which function is of
// which.
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>

#include "base/types.hpp"

namespace wrun::wasi {

/// Snapshots keep sets of these as bits: a new kind goes behind the others.
enum class Access : u8 { none, args, env, clock, random, files };

class AccessSet {
public:
    constexpr AccessSet() = default;
    constexpr AccessSet(std::initializer_list<Access> kinds) noexcept {
        for (const Access kind : kinds)
            add(kind);
    }
    [[nodiscard]] static constexpr AccessSet all() noexcept {
        return {
            Access::none, Access::args, Access::env, Access::clock, Access::random, Access::files};
    }
    [[nodiscard]] static constexpr AccessSet from_bits(u32 bits) noexcept {
        AccessSet set;
        set.bits_ = bits;
        return set;
    }
    [[nodiscard]] constexpr u32 bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    [[nodiscard]] constexpr AccessSet without(AccessSet others) const noexcept {
        return from_bits(bits_ & ~others.bits_);
    }
    constexpr void add(Access kind) noexcept { bits_ |= bit(kind); }
    [[nodiscard]] constexpr bool has(Access kind) const noexcept {
        return (bits_ & bit(kind)) != 0;
    }
    friend constexpr bool operator==(const AccessSet&, const AccessSet&) noexcept = default;

private:
    [[nodiscard]] static constexpr u32 bit(Access kind) noexcept {
        return 1u << static_cast<u32>(kind);
    }
    u32 bits_ = 0;
};

/// "clock", as it is written in messages and options.
[[nodiscard]] constexpr std::string_view name(Access kind) noexcept {
    constexpr std::string_view names[] = {"none", "args", "env", "clock", "random", "files"};
    return names[static_cast<std::size_t>(kind)];
}

/// What can be allowed or refused by name.
inline constexpr std::array access_kinds = {
    Access::args, Access::env, Access::clock, Access::random, Access::files};

}  // namespace wrun::wasi
