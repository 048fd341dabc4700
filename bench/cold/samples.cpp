// See samples.hpp.
#include "bench/cold/samples.hpp"

#include <cmath>

namespace wrun::cold {

std::string Samples::json(const Clock& clock) const {
    const auto ns = [&](double part) {
        return std::to_string(
            std::llround(static_cast<double>(quantile(part)) * clock.ns_per_tick));
    };
    return "{\"count\":" + std::to_string(count_) + ",\"p50_ns\":" + ns(0.5) +
           ",\"p99_ns\":" + ns(0.99) + ",\"min_ns\":" + ns(0) + "}";
}

}  // namespace wrun::cold
