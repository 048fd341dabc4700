// See memory_reset.hpp.
#include "runtime/memory_reset.hpp"

#include <algorithm>
#include <cstring>

namespace wrun::runtime {

Result<MemoryReset> MemoryReset::bind(Memory& memory, const MemoryImage& image, u64 bytes,
    std::optional<ResetWay> way, std::optional<os::PageScanner::Way> look) {
    WRUN_TRY(memory.bind(image, bytes));
    MemoryReset reset{memory, image, bytes};
    reset.way_ = way.value_or(bytes <= copied_bytes_max ? ResetWay::copy : ResetWay::learned);
    // A copy of the image that cannot be mapped again cannot be dropped either.
    if (image.bytes() != 0 && image.file() < 0) reset.way_ = ResetWay::copy;
    if (reset.way_ == ResetWay::learned) {
        auto scanner = os::PageScanner::open(look);
        if (scanner.ok() && memory.refuse_huge_pages().ok()) {
            reset.scanner_ = std::move(scanner).take();
            reset.hot_.reserve(hot_pages_max);
        } else {
            reset.way_ = ResetWay::drop;
        }
    }
    return reset;
}

void MemoryReset::begin() noexcept {
    if (way_ == ResetWay::learned) faults_ = os::thread_fault_count();
}

bool MemoryReset::end() {
    ++stats_.resets;
    if (memory_->bytes() != bytes_) {
        ++stats_.shrinks;
        if (!memory_->shrink(bytes_).ok()) return false;
        // What is mapped anew takes huge pages again.
        if (way_ == ResetWay::learned && !memory_->refuse_huge_pages().ok()) {
            way_ = ResetWay::drop;
        }
    }
    if (way_ == ResetWay::drop) return drop_all().ok();
    if (way_ == ResetWay::copy) {
        copy_all();
        return true;
    }
    const std::optional<u64> faults = os::thread_fault_count();
    const bool is_known = faults && faults_ && *faults == *faults_;
    faults_.reset();  // a run that did not begin knows nothing
    if (!is_known && !look().ok()) {
        hot_.clear();
        return drop_all().ok();
    }
    for (const u32 page : hot_)
        copy_page(page);
    stats_.pages_copied += hot_.size();
    return true;
}

/// Every private page becomes hot, or is dropped where there are too many.
Result<void> MemoryReset::look() {
    ++stats_.looks;
    found_.clear();
    WRUN_TRY(scanner_.find_private(memory_->base(), bytes_, found_));
    hot_.clear();
    for (const os::PageRun& run : found_) {
        const u32 kept = std::min(run.count, hot_pages_max - static_cast<u32>(hot_.size()));
        for (u32 i = 0; i < kept; ++i)
            hot_.push_back(run.first + i);
        if (kept == run.count) continue;
        const u32 dropped = run.count - kept;
        WRUN_TRY(
            memory_->drop(u64{run.first + kept} * os::page_bytes, u64{dropped} * os::page_bytes));
        stats_.pages_dropped += dropped;
    }
    return {};
}

Result<void> MemoryReset::drop_all() noexcept {
    return memory_->drop(0, bytes_);
}

void MemoryReset::copy_page(u32 page) noexcept {
    const u64 offset = u64{page} * os::page_bytes;
    u8* const to = memory_->base() + offset;
    if (offset < image_->bytes()) {
        std::memcpy(to, image_->data() + offset, os::page_bytes);
    } else {
        std::memset(to, 0, os::page_bytes);
    }
}

void MemoryReset::copy_all() noexcept {
    std::copy_n(image_->data(), image_->bytes(), memory_->base());
    std::fill_n(memory_->base() + image_->bytes(), bytes_ - image_->bytes(), u8{0});
    stats_.pages_copied += bytes_ / os::page_bytes;
}

}  // namespace wrun::runtime
