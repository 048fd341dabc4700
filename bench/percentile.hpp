// Of samples, never a mean: one preemption takes longer than a thousand of them.
#pragma once

#include <cstddef>
#include <vector>

namespace wrun::bench {

/// `part` of 0 is the least, 0.5 the median, 1 the largest. There is a sample at least.
[[nodiscard]] inline double percentile(const std::vector<double>& sorted, double part) {
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace wrun::bench
