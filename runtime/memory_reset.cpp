// See memory_reset.hpp.
#include "runtime/memory_reset.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wrun::runtime {

PageFinder::PageFinder(std::optional<os::PageScanner::Way> way) noexcept {
    auto scanner = os::PageScanner::open(way);
    if (!scanner.ok()) return;
    scanner_ = std::move(scanner).take();
    works_ = true;
}

Result<std::span<const os::PageRun>> PageFinder::find(const u8* begin, u64 bytes) {
    found_.clear();
    if (!works_) return Error{ErrorCode::page_map};
    WRUN_TRY(scanner_.find_private(begin, bytes, found_));
    return std::span<const os::PageRun>{found_};
}

// ---- resetting ---------------------------------------------------------------------------------

Result<MemoryReset> MemoryReset::bind(Memory& memory, const MemoryImage& image, u64 bytes,
    bool can_look, std::optional<ResetWay> way) {
    WRUN_TRY(memory.bind(image, bytes));
    MemoryReset reset{memory, image, bytes};
    reset.way_ = way.value_or(ResetWay::learned);
    const bool can_learn = can_look && memory.refuse_huge_pages().ok();
    if (reset.way_ == ResetWay::learned && !can_learn) reset.way_ = ResetWay::drop;
    // A copy of the image that cannot be mapped again cannot be dropped either.
    if (image.bytes() != 0 && image.file() < 0) reset.way_ = ResetWay::copy;
    return reset;
}

bool MemoryReset::reset(PageFinder& finder, bool is_quiet) {
    ++stats_.resets;
    // A dense memory grows into pages that are not refused.
    if (watched_ && memory_->bytes() > watched_->bytes) is_quiet = false;
    if (memory_->bytes() != bytes_ && !undo_growth()) return false;
    if (!is_quiet || way_ != ResetWay::learned) stop_watching();
    if (way_ == ResetWay::drop) return drop_all().ok();
    if (way_ == ResetWay::copy) {
        copy_all();
        return true;
    }
    if (!is_quiet && !look(finder).ok()) {
        hot_.clear();
        return drop_all().ok();
    }
    copy_hot();
    return true;
}

/// Growth of a dense memory changes no mapping, and so costs nothing the second time.
bool MemoryReset::undo_growth() noexcept {
    ++stats_.shrinks;
    if (memory_->is_dense()) {
        reach_bytes_ = std::max(reach_bytes_, memory_->bytes());
        memory_->shrink_dirty(bytes_);
        return true;
    }
    if (!memory_->shrink(bytes_).ok()) return false;
    // What is mapped anew takes huge pages again.
    if (way_ == ResetWay::learned && !memory_->refuse_huge_pages().ok()) way_ = ResetWay::drop;
    return true;
}

/// Every private page becomes hot, or is dropped where there are too many.
Result<void> MemoryReset::look(PageFinder& finder) {
    ++stats_.looks;
    const auto found = WRUN_TRY(finder.find(memory_->base(), reach_bytes_));
    hot_.clear();
    for (const os::PageRun& run : found) {
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

bool MemoryReset::watch() noexcept {
    if (watched_) return true;
    if (way_ != ResetWay::learned || reach_bytes_ == 0 || reach_bytes_ > watched_bytes_max) {
        return false;
    }
    watched_ = WatchedRange::add(memory_->base(), reach_bytes_);
    if (!watched_) return false;
    u64 begin = 0;
    bool is_done = true;
    for (const u32 page : hot_) {
        const u64 at = u64{page} * os::page_bytes;
        is_done = is_done && watched_->refuse(begin, at - begin);
        begin = at + os::page_bytes;
    }
    is_done = is_done && watched_->refuse(begin, reach_bytes_ - begin);
    if (!is_done) stop_watching();
    return is_done;
}

void MemoryReset::stop_watching() noexcept {
    if (watched_) watched_->remove();
    watched_.reset();
}

Result<void> MemoryReset::drop_all() noexcept {
    return memory_->drop(0, reach_bytes_);
}

/// Pages in a row at once.
void MemoryReset::copy_hot() noexcept {
    const u32* const end = hot_.data() + hot_.size();
    for (const u32* first = hot_.data(); first != end;) {
        const u32* last = first + 1;
        while (last != end && *last == last[-1] + 1)
            ++last;
        copy(u64{*first} * os::page_bytes, static_cast<u64>(last - first) * os::page_bytes);
        first = last;
    }
    stats_.pages_copied += hot_.size();
}

void MemoryReset::copy_all() noexcept {
    copy(0, reach_bytes_);
    stats_.pages_copied += reach_bytes_ / os::page_bytes;
}

void MemoryReset::copy(u64 offset, u64 bytes) noexcept {
    u8* const to = memory_->base() + offset;
    const u64 of_image = offset < image_->bytes() ? std::min(image_->bytes() - offset, bytes) : 0;
    if (of_image != 0) std::memcpy(to, image_->data() + offset, of_image);
    if (of_image != bytes) std::memset(to + of_image, 0, bytes - of_image);
}

}  // namespace wrun::runtime
