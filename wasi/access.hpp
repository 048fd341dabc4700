// Kinds of what a guest can learn of the world outside its memory. While a module initialises
// itself to be frozen, what it learns will be in every instance that starts from it, so a state may
// refuse a kind: then the functions of that kind trap. wasi/functions.def says which function is of
// which.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/types.hpp"

namespace wrun::wasi {

enum class Access : u8 { none, args, env, clock, random, files };

class AccessSet {
public:
    constexpr AccessSet(std::initializer_list<Access> kinds) noexcept {
        for (const Access kind : kinds)
            add(kind);
    }
    [[nodiscard]] static constexpr AccessSet all() noexcept {
        return {
            Access::none, Access::args, Access::env, Access::clock, Access::random, Access::files};
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

}  // namespace wrun::wasi
