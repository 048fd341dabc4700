// Address space by mmap (Linux).
#include "base/os_memory.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace wrun::os {

namespace {

[[nodiscard]] Error out_of_memory() noexcept {
    return {ErrorCode::out_of_memory, static_cast<u16>(errno)};
}

}  // namespace

MappedRegion::MappedRegion(MappedRegion&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

MappedRegion& MappedRegion::operator=(MappedRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedRegion::~MappedRegion() {
    // The system may refuse to split a mapping. What stays is nobody's any more.
    if (data_ != nullptr) (void)munmap(data_, size_);
}

Result<MappedRegion> MappedRegion::map(u64 bytes, int protection, int flags, int file) noexcept {
    if (bytes == 0) return MappedRegion{};
    if (bytes > ~u64{0} - page_bytes) return Error{ErrorCode::address_space};
    const u64 size = round_up_to_page(bytes);
    void* const data = mmap(nullptr, size, protection, flags, file, 0);
    if (data == MAP_FAILED) return Error{ErrorCode::address_space, static_cast<u16>(errno)};
    return MappedRegion{static_cast<u8*>(data), size};
}

Result<MappedRegion> MappedRegion::reserve(u64 bytes) noexcept {
    return map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

Result<MappedRegion> MappedRegion::allocate(u64 bytes) noexcept {
    auto region = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!region.ok()) return Error{ErrorCode::out_of_memory, region.error().detail};
    return region;
}

Result<MappedRegion> MappedRegion::map_for_reading(int file, u64 bytes) noexcept {
    // Private: older systems let nobody share what is sealed against writing, not even to read.
    auto region = map(bytes, PROT_READ, MAP_PRIVATE, file);
    if (!region.ok()) return Error{ErrorCode::out_of_memory, region.error().detail};
    return region;
}

void MappedRegion::check_range(u64 offset, u64 bytes) const noexcept {
    WRUN_CHECK(offset % page_bytes == 0 && bytes % page_bytes == 0);
    WRUN_CHECK(offset <= size_ && bytes <= size_ - offset);
}

void MappedRegion::populate(u64 offset, u64 bytes) noexcept {
    // By number: it came with Linux 5.14, and not with every header.
    constexpr int populate_write = 23;
    const u64 size = round_up_to_page(bytes);
    check_range(offset, size);
    if (size == 0) return;
    (void)madvise(data_ + offset, size, populate_write);
}

Result<void> MappedRegion::make_writable(u64 offset, u64 bytes) noexcept {
    check_range(offset, bytes);
    if (bytes == 0) return {};
    if (mprotect(data_ + offset, bytes, PROT_READ | PROT_WRITE) != 0) {
        return out_of_memory();
    }
    return {};
}

Result<void> MappedRegion::replace(
    u64 offset, u64 bytes, int protection, int flags, int file, u64 file_offset) noexcept {
    check_range(offset, bytes);
    if (bytes == 0) return {};
    if (mmap(data_ + offset, bytes, protection, MAP_PRIVATE | MAP_FIXED | flags, file,
            static_cast<off_t>(file_offset)) == MAP_FAILED) {
        return out_of_memory();
    }
    return {};
}

Result<void> MappedRegion::map_private(u64 offset, u64 bytes, int file, u64 file_offset) noexcept {
    return replace(offset, bytes, PROT_READ | PROT_WRITE, 0, file, file_offset);
}

Result<void> MappedRegion::map_zeros(u64 offset, u64 bytes) noexcept {
    return replace(offset, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
}

Result<void> MappedRegion::close(u64 offset, u64 bytes) noexcept {
    return replace(offset, bytes, PROT_NONE, MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

Result<void> MappedRegion::drop(u64 offset, u64 bytes) noexcept {
    check_range(offset, bytes);
    if (bytes != 0 && madvise(data_ + offset, bytes, MADV_DONTNEED) != 0) return out_of_memory();
    return {};
}

Result<void> MappedRegion::refuse_huge_pages() noexcept {
    if (data_ != nullptr && madvise(data_, size_, MADV_NOHUGEPAGE) != 0) return out_of_memory();
    return {};
}

}  // namespace wrun::os
