// Whoever changes an artifact can also write sums that fit: what tests of damage do, to see that
// more than the sums is checked.
#pragma once

#include <cstring>
#include <vector>

#include "base/checksum.hpp"
#include "engine/artifact_format.hpp"

namespace wrun::test {

[[nodiscard]] inline engine::ArtifactHeader& header_of(std::vector<u8>& artifact) {
    return *reinterpret_cast<engine::ArtifactHeader*>(artifact.data());
}

/// `artifact` has at least a header.
inline void repair_sums(std::vector<u8>& artifact) {
    engine::ArtifactHeader& header = header_of(artifact);
    const std::span all{artifact};
    for (engine::StoredSection& section : header.sections) {
        if (section.offset <= all.size() && section.bytes <= all.size() - section.offset)
            section.sum = checksum(all.subspan(section.offset, section.bytes));
    }
    constexpr u64 begin = engine::artifact_header_bytes;
    if (header.checked_end >= begin && header.checked_end <= all.size())
        header.checked_sum = checksum(all.subspan(begin, header.checked_end - begin));
    const u64 sum = checksum(all.first(engine::artifact_header_sum_offset));
    std::memcpy(artifact.data() + engine::artifact_header_sum_offset, &sum, sizeof sum);
}

}  // namespace wrun::test
