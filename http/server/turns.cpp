// Queues by route, asked in a circle.
#include "http/server/turns.hpp"

#include <algorithm>

namespace wrun::http {

Turns::Turns(std::shared_ptr<const Router> router, u32 threads, u32 in_flight_max)
    : router_{std::move(router)} {
    constexpr u32 in_flight_min = 4;  // of fewer none is spared
    routes_.resize(std::max<u32>(router_->count(), 1));
    if (routes_.size() > 1 && in_flight_max >= in_flight_min)
        reserve_ = std::max<u32>(in_flight_max / 8, 1);
    for (u32 i = 0; i < routes_.size(); i++) {
        const u64 all = router_->in_flight_max(i);
        routes_[i].in_flight_max = static_cast<u32>((all + threads - 1) / threads);
    }
}

bool Turns::has_turn(u32 route, u32 free) const noexcept {
    return has_room(routes_[route], free) && routes_[route].waiting.empty();
}

void Turns::wait(u32 route, ServedExchange& exchange) {
    routes_[route].waiting.push_back(&exchange);
    waiting_++;
}

void Turns::forget(u32 route, ServedExchange& exchange) {
    auto& waiting = routes_[route].waiting;
    const auto found = std::find(waiting.begin(), waiting.end(), &exchange);
    if (found == waiting.end()) return;
    waiting.erase(found);
    waiting_--;
}

ServedExchange* Turns::next(u32 free) {
    if (waiting_ == 0 || free == 0) return nullptr;
    for (std::size_t i = 1; i <= routes_.size(); i++) {
        const std::size_t at = (last_ + i) % routes_.size();
        Route& route = routes_[at];
        if (route.waiting.empty() || !has_room(route, free)) continue;
        last_ = at;
        ServedExchange* const exchange = route.waiting.front();
        route.waiting.pop_front();
        waiting_--;
        return exchange;
    }
    return nullptr;
}

ServedExchange* Turns::to_give_way(u32 route) {
    const auto longest = std::max_element(routes_.begin(), routes_.end(),
        [](const Route& a, const Route& b) { return a.waiting.size() < b.waiting.size(); });
    if (longest->waiting.size() <= routes_[route].waiting.size() + 1) return nullptr;
    ServedExchange* const exchange = longest->waiting.back();
    longest->waiting.pop_back();
    waiting_--;
    return exchange;
}

}  // namespace wrun::http
