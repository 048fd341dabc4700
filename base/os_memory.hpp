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
    /// The first `bytes` of an open file, for reading.
    [[nodiscard]] static Result<MappedRegion> map_for_reading(int file, u64 bytes) noexcept;

    /// Has the pages of [offset, offset + bytes) at hand for writing at once, where the system can:
    /// each would otherwise be a fault of its own.
    void populate(u64 offset, u64 bytes) noexcept;
    /// Opens [offset, offset + bytes) for reading and writing; both are multiples of a page.
    [[nodiscard]] Result<void> make_writable(u64 offset, u64 bytes) noexcept;
    /// Replaces [offset, offset + bytes) by a private copy of a file's first bytes, readable and
    /// writable; both are multiples of a page. What was there is gone.
    [[nodiscard]] Result<void> map_private(u64 offset, u64 bytes, int file) noexcept {
        return map_private(offset, bytes, file, 0);
    }
    /// Likewise from `file_offset` on, a multiple of a page.
    [[nodiscard]] Result<void> map_private(
        u64 offset, u64 bytes, int file, u64 file_offset) noexcept;
    /// Replaces [offset, offset + bytes) by zeros, readable and writable.
    [[nodiscard]] Result<void> map_zeros(u64 offset, u64 bytes) noexcept;
    /// Makes [offset, offset + bytes) what reserve() gave: no access, no memory.
    [[nodiscard]] Result<void> close(u64 offset, u64 bytes) noexcept;
    /// Forgets what was written to [offset, offset + bytes): the file's bytes again, or zeros.
    [[nodiscard]] Result<void> drop(u64 offset, u64 bytes) noexcept;
    /// No huge pages in what is mapped now: a first touch must not clear two megabytes, and no page
    /// may become writable that nobody has touched. Mapping again takes it back.
    [[nodiscard]] Result<void> refuse_huge_pages() noexcept;

    [[nodiscard]] u8* data() const noexcept { return data_; }
    [[nodiscard]] u64 size() const noexcept { return size_; }

private:
    MappedRegion(u8* data, u64 size) noexcept : data_{data}, size_{size} {}
    [[nodiscard]] static Result<MappedRegion> map(
        u64 bytes, int protection, int flags, int file) noexcept;
    [[nodiscard]] Result<void> replace(
        u64 offset, u64 bytes, int protection, int flags, int file, u64 file_offset = 0) noexcept;
    void check_range(u64 offset, u64 bytes) const noexcept;

    u8* data_ = nullptr;
    u64 size_ = 0;
};

}  // namespace wrun::os
