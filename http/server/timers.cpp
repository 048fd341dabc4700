// A hashed wheel: a slot also holds nodes of later turns, which are passed over.
#include "http/server/timers.hpp"

#include <algorithm>

namespace wrun::http {

TimerWheel::TimerWheel(u64 now_ns) noexcept : current_{now_ns / tick_ns} {
    for (Node& head : heads_)
        head.before = head.after = &head;
}

void TimerWheel::link(Node& head, Node& node) noexcept {
    node.before = head.before;
    node.after = &head;
    head.before->after = &node;
    head.before = &node;
}

void TimerWheel::unset(Node& node) noexcept {
    if (node.tick == never) return;
    node.before->after = node.after;
    node.after->before = node.before;
    node.tick = never;
}

void TimerWheel::set_no_later(Node& node, u64 at_ns) noexcept {
    const u64 tick = std::max(at_ns / tick_ns, current_) + 1;
    if (at_ns == never || tick >= node.tick) return;
    unset(node);
    node.tick = tick;
    link(heads_[tick % slots], node);
}

TimerWheel::Node* TimerWheel::take_due(u64 now_ns) noexcept {
    const u64 now = now_ns / tick_ns;
    // After a long sleep one turn sees all there is.
    if (now > current_ + slots) current_ = now - slots;
    for (; current_ <= now; current_++) {
        Node& head = heads_[current_ % slots];
        for (Node* node = head.after; node != &head; node = node->after) {
            if (node->tick > now) continue;
            unset(*node);
            return node;
        }
        // What is set during the current tick is due in the next.
        if (current_ == now) break;
    }
    return nullptr;
}

u64 TimerWheel::ns_until_next(u64 now_ns) const noexcept {
    for (u64 tick = current_ + 1; tick <= current_ + slots; tick++) {
        const Node& head = heads_[tick % slots];
        if (head.after == &head) continue;
        const u64 at_ns = tick * tick_ns;
        return at_ns > now_ns ? at_ns - now_ns : 0;
    }
    return never;
}

}  // namespace wrun::http
