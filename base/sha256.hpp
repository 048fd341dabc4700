// SHA-256 (FIPS 180-4): names modules in the cache, where a name that two modules share would run
// the wrong program, so it has to be a cryptographic one. Two ways of the same function, the CPU's
// own instructions where it has them; both give the same digest. Plain values, no ownership.
#pragma once

#include <array>
#include <span>

#include "base/types.hpp"

namespace wrun {

using Sha256Digest = std::array<u8, 32>;

class Sha256 {
public:
    enum class Way : u8 { portable, sha_ni };

    /// The best way of this CPU.
    [[nodiscard]] static Way best_way() noexcept;

    Sha256() noexcept : Sha256{best_way()} {}
    /// `sha_ni` only where best_way() says so.
    explicit Sha256(Way way) noexcept;

    /// Appends to the message; pieces may be of any size.
    void update(std::span<const u8> bytes) noexcept;
    /// Of all that was appended. Nothing may be appended afterwards.
    [[nodiscard]] Sha256Digest finish() noexcept;

    [[nodiscard]] static Sha256Digest of(std::span<const u8> bytes) noexcept {
        Sha256 hash;
        hash.update(bytes);
        return hash.finish();
    }

    static constexpr std::size_t block_bytes = 64;
    using Words = std::array<u32, 8>;
    /// Takes `count` whole blocks into the state.
    using Compress = void (*)(Words& state, const u8* blocks, std::size_t count) noexcept;

private:
    Words state_;
    std::array<u8, block_bytes> rest_{};  // the block that is not yet full
    u64 size_ = 0;                        // of the message so far
    Compress compress_;
};

}  // namespace wrun
