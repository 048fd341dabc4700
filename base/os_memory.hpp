// Address space from the operating system: reserved first, made usable piece by piece, given back
// whole. A MappedRegion owns its range and unmaps it; nothing it hands out ever moves. Failures are
// errors: `address_space` when a range cannot be reserved, `out_of_memory` (with the errno) when
// pages cannot be had.
#pragma once

#include "base/result.hpp"

namespace wrun::os {

inline constexpr u64 page_bytes = 4096;

[[nodiscard]] constexpr u64 round_up_to_page(u64 bytes) noexcept {
    return (bytes + page_bytes - 1) & ~(page_bytes - 1);
}

class MappedRegion {
public:
    MappedRegion() = default;
    MappedRegion(MappedRegion&& other) noexcept;
    MappedRegion& operator=(MappedRegion&& other) noexcept;
    ~MappedRegion();

    /// `bytes` (rounded up to pages) that nothing may touch yet and that cost no memory.
    [[nodiscard]] static Result<MappedRegion> reserve(u64 bytes) noexcept;
    /// Zeroed memory for reading and writing.
    [[nodiscard]] static Result<MappedRegion> allocate(u64 bytes) noexcept;
    /// Opens [offset, offset + bytes) for reading and writing; both are multiples of a page.
    [[nodiscard]] Result<void> make_writable(u64 offset, u64 bytes) noexcept;
    /// No huge pages here: a first touch must not clear two megabytes. Advice; failure is harmless.
    void refuse_huge_pages() noexcept;

    [[nodiscard]] u8* data() const noexcept { return data_; }
    [[nodiscard]] u64 size() const noexcept { return size_; }

private:
    MappedRegion(u8* data, u64 size) noexcept : data_{data}, size_{size} {}
    [[nodiscard]] static Result<MappedRegion> map(
        u64 bytes, int protection, int flags, int file) noexcept;

    u8* data_ = nullptr;
    u64 size_ = 0;
};

}  // namespace wrun::os
