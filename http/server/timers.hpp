// Coarse times of many connections: a wheel whose slots are ticks of 32 ms. Setting a time costs a
// few stores and no system call; one that is only ever put off, as idle times are, costs nothing:
// who is called early looks for itself and sets it anew. Never late by more than two ticks.
#pragma once

#include <array>

#include "base/types.hpp"

namespace wrun::http {

class TimerWheel {
public:
    static constexpr u64 tick_ns = u64{32'000'000};
    static constexpr u64 never = ~u64{0};

    /// Belongs to whoever is called; must be unset before it ends.
    struct Node {
        Node* before = nullptr;
        Node* after = nullptr;
        u64 tick = never;
        void* owner = nullptr;
    };

    explicit TimerWheel(u64 now_ns) noexcept;
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    /// Calls at `at_ns` or before; keeps an earlier time that is set already.
    void set_no_later(Node& node, u64 at_ns) noexcept;
    static void unset(Node& node) noexcept;
    /// One whose time has come, unset; none: all have been called.
    [[nodiscard]] Node* take_due(u64 now_ns) noexcept;
    /// How long nothing is due; `never` when nothing is set.
    [[nodiscard]] u64 ns_until_next(u64 now_ns) const noexcept;

private:
    static constexpr std::size_t slots = 512;
    static void link(Node& head, Node& node) noexcept;

    u64 current_;  // ticks before this have been looked at
    std::array<Node, slots> heads_;
};

}  // namespace wrun::http
