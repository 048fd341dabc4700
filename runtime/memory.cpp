// Reservation and growth of linear memories.
#include "runtime/memory.hpp"

#include <algorithm>
#include <utility>

#include "base/limits.hpp"

namespace wrun::runtime {

namespace {

constexpr u64 pages_max = u64{1} << 47 >> 16;

/// What the type allows, in bytes; counts that do not fit an address space are cut.
u64 type_bytes_max(const Limits& limits) noexcept {
    const u64 language_max = limits.is_64 ? pages_max : limits::memory32_pages_max;
    return std::min(limits.max.value_or(language_max), language_max) * limits::wasm_page_bytes;
}

}  // namespace

Result<std::unique_ptr<Memory>> Memory::make(
    const MemoryType& type, u64 bytes_max, MemoryHeader* header, MemoryLayout layout) {
    auto memory = WRUN_TRY(reserve(type, bytes_max, layout));
    if (type.limits.min > memory->bytes_max_ / limits::wasm_page_bytes) {
        return Error{ErrorCode::memory_limit};
    }
    const u64 bytes = type.limits.min * limits::wasm_page_bytes;
    if (!memory->is_dense()) WRUN_TRY(memory->reservation_.make_writable(0, bytes));
    memory->header_->bytes = bytes;
    memory->become(type, bytes_max, header);
    return memory;
}

Result<std::unique_ptr<Memory>> Memory::reserve(
    const MemoryType& type, u64 bytes_max, MemoryLayout layout, MemoryBudget* budget) {
    std::unique_ptr<Memory> memory{new Memory};
    memory->become(type, bytes_max, nullptr);
    memory->layout_ = layout;
    memory->budget_ = budget;
    const u64 reach = memory->bytes_max_ / limits::wasm_page_bytes * limits::wasm_page_bytes;
    // Where accesses are checked (a 64-bit memory's are too) no access can find the guard; it is
    // there for the day when one does.
    const u64 reserved =
        is_uniform(type, layout) ? memory32_reservation_bytes : reach + os::page_bytes;
    memory->reservation_ = WRUN_TRY(os::MappedRegion::reserve(reserved));
    if (memory->is_dense()) WRUN_TRY(memory->reservation_.make_writable(0, reach));
    memory->header_->base = memory->reservation_.data();
    return memory;
}

Memory::~Memory() {
    if (budget_ != nullptr) budget_->give_back(charged_bytes_);
}

void Memory::become(const MemoryType& type, u64 bytes_max, MemoryHeader* header) noexcept {
    type_ = type;
    bytes_max_ = std::min(type_bytes_max(type.limits), bytes_max);
    MemoryHeader& next = header == nullptr ? own_header_ : *header;
    next = *header_;
    header_ = &next;
}

/// Counts as so many bytes from now on; false, and as many as before, when the budget has no more.
bool Memory::charge(u64 bytes) noexcept {
    if (budget_ == nullptr) return true;
    if (bytes > charged_bytes_) {
        if (!budget_->take(bytes - charged_bytes_)) return false;
    } else {
        budget_->give_back(charged_bytes_ - bytes);
    }
    charged_bytes_ = bytes;
    return true;
}

u64 Memory::pages() const noexcept {
    return header_->bytes / limits::wasm_page_bytes;
}

MemoryType Memory::type() const noexcept {
    MemoryType type = type_;
    type.limits.min = pages();
    return type;
}

std::optional<u64> Memory::grow(u64 pages) noexcept {
    const u64 before = header_->bytes;
    if (pages > (bytes_max_ - before) / limits::wasm_page_bytes) return std::nullopt;
    const u64 added = pages * limits::wasm_page_bytes;
    if (!charge(before + added)) return std::nullopt;
    if (!is_dense() && !reservation_.make_writable(before, added).ok()) {
        (void)charge(before);
        return std::nullopt;
    }
    header_->bytes = before + added;
    return before / limits::wasm_page_bytes;
}

Result<void> Memory::bind(const MemoryImage& image, u64 bytes) noexcept {
    const u64 before = std::exchange(header_->bytes, 0);
    if (bytes > bytes_max_ || image.bytes() > bytes) return Error{ErrorCode::memory_limit};
    if (!charge(std::max(before, bytes))) return Error{ErrorCode::pool_memory_limit};
    // Whatever may be accessed is mapped anew, so nothing of what was there can be left.
    if (image.file() >= 0) {
        WRUN_TRY(reservation_.map_private(0, image.bytes(), image.file()));
        WRUN_TRY(reservation_.map_zeros(image.bytes(), bytes - image.bytes()));
    } else {
        WRUN_TRY(reservation_.map_zeros(0, bytes));
        std::copy_n(image.data(), image.bytes(), reservation_.data());
    }
    header_->bytes = std::max(before, bytes);
    return shrink(bytes);
}

Result<void> Memory::map_pages(u64 begin, u64 bytes, int file, u64 file_offset) noexcept {
    if (begin > header_->bytes || bytes > header_->bytes - begin) {
        return Error{ErrorCode::memory_limit};
    }
    return reservation_.map_private(begin, bytes, file, file_offset);
}

void Memory::shrink_dirty(u64 bytes) noexcept {
    WRUN_CHECK(is_dense() && bytes <= header_->bytes);
    header_->bytes = bytes;
    (void)charge(bytes);
}

Result<void> Memory::shrink(u64 bytes) noexcept {
    WRUN_CHECK(bytes <= header_->bytes);
    const u64 surplus = header_->bytes - bytes;
    WRUN_TRY(is_dense() ? reservation_.drop(bytes, surplus) : reservation_.close(bytes, surplus));
    header_->bytes = bytes;
    (void)charge(bytes);
    return {};
}

}  // namespace wrun::runtime
