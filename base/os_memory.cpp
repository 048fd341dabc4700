// Address space by mmap (Linux).
#include "base/os_memory.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace wrun::os {

MappedRegion::MappedRegion(MappedRegion&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

MappedRegion& MappedRegion::operator=(MappedRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedRegion::~MappedRegion() {
    if (data_ != nullptr) WRUN_CHECK(munmap(data_, size_) == 0);
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

Result<void> MappedRegion::make_writable(u64 offset, u64 bytes) noexcept {
    WRUN_ASSERT(offset % page_bytes == 0);
    WRUN_ASSERT(bytes % page_bytes == 0);
    WRUN_CHECK(offset <= size_);
    WRUN_CHECK(bytes <= size_ - offset);
    if (bytes == 0) return {};
    if (mprotect(data_ + offset, bytes, PROT_READ | PROT_WRITE) != 0) {
        return Error{ErrorCode::out_of_memory, static_cast<u16>(errno)};
    }
    return {};
}

void MappedRegion::refuse_huge_pages() noexcept {
    if (data_ != nullptr) (void)madvise(data_, size_, MADV_NOHUGEPAGE);
}

}  // namespace wrun::os
