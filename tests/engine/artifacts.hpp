// Artifacts as bytes and as files without a name, for tests that damage them: writing any bytes
// and flipping bits (tests/support/artifact_sums.hpp repairs the sums).
#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/sanitizers.hpp"
#include "engine/artifact.hpp"
#include "tests/support/artifact_sums.hpp"

namespace wrun::test {

using Bytes = std::vector<u8>;

/// Sanitizers make all of it slower, and no single byte matters more to them than the next.
inline constexpr u32 slowness = has_address_sanitizer ? 16 : 1;

inline os::File memory_file(std::span<const u8> bytes) {
    os::File file{static_cast<int>(syscall(SYS_memfd_create, "artifact", 0))};
    EXPECT_TRUE(os::write_at(file.number(), 0, bytes).ok());
    return file;
}

inline Bytes bytes_of(const engine::ArtifactBytes& artifact) {
    Bytes bytes(artifact.header().file_bytes);
    for (const engine::ArtifactBytes::Piece& piece : artifact.pieces())
        std::copy(piece.bytes.begin(), piece.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(piece.offset));
    return bytes;
}

inline Bytes bytes_of(const engine::Module& module) {
    return bytes_of(engine::ArtifactBytes{module});
}

struct Flips {
    u64 begin;
    u64 end;
    u64 step;
};

/// Each bit of every `step`th byte of a file that holds `whole`, one at a time; `is_as_wanted`
/// looks at the file while it is flipped.
template <class Check>
void flip_each(
    const os::File& file, const Bytes& whole, const Flips& flips, const Check& is_as_wanted) {
    for (u64 at = flips.begin; at < flips.end; at += flips.step) {
        for (u32 bit = 0; bit < 8; ++bit) {
            const std::array damaged = {static_cast<u8>(whole[at] ^ (1u << bit))};
            ASSERT_TRUE(os::write_at(file.number(), at, damaged).ok());
            ASSERT_TRUE(is_as_wanted()) << at << " bit " << bit;
        }
        ASSERT_TRUE(os::write_at(file.number(), at, std::span{whole}.subspan(at, 1)).ok());
    }
}

}  // namespace wrun::test
