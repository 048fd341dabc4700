// Spans of time that were measured one after the other, in ticks, and the figures made of them:
// quantiles, never means, as one preemption takes longer than a thousand cycles.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bench/cold/clock.hpp"

namespace wrun::cold {

/// Room is made and touched before: adding must not fault, as faults are counted.
class Samples {
public:
    explicit Samples(std::size_t count_max) : ticks_(count_max) {}
    void add(u64 ticks) noexcept {
        if (count_ < ticks_.size()) ticks_[count_++] = ticks;
    }
    void add(const Samples& others) {
        for (std::size_t i = 0; i < others.count_; ++i)
            add(others.ticks_[i]);
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// `part` of 1: 0.5 is the median.
    [[nodiscard]] u64 quantile(double part) const {
        if (count_ == 0) return 0;
        std::vector<u64> sorted(
            ticks_.begin(), ticks_.begin() + static_cast<std::ptrdiff_t>(count_));
        const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(count_ - 1));
        std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
        return sorted[static_cast<std::size_t>(at)];
    }
    /// {"count":…,"p50_ns":…,"p99_ns":…,"min_ns":…}
    [[nodiscard]] std::string json(const Clock& clock) const;

private:
    std::vector<u64> ticks_;
    std::size_t count_ = 0;
};

}  // namespace wrun::cold
