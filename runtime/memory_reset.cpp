// See memory_reset.hpp.
#include "runtime/memory_reset.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace wrun::runtime {

namespace {

/// Faults of this thread as they were counted last. Counting is a system call, and what has
/// happened since can only make us look once too often.
constinit thread_local std::optional<u64> counted_faults;

/// A child of fork() counts from zero, and its writes fault on pages that its parent has written.
constinit u32 process_generation = 0;

void watch_forks() noexcept {
    static constinit std::once_flag once;
    std::call_once(once, [] {
        (void)pthread_atfork(nullptr, nullptr, [] {
            ++process_generation;
            counted_faults.reset();
        });
    });
}

}  // namespace

// ---- knowing that there is nothing to find -----------------------------------------------------

void FaultGate::begin() noexcept {
    if (!counted_faults) counted_faults = os::thread_fault_count();
    faults_ = counted_faults;
    thread_ = &counted_faults;
    process_generation_ = process_generation;
}

bool FaultGate::end() noexcept {
    const std::optional<u64> before = std::exchange(faults_, std::nullopt);
    counted_faults = os::thread_fault_count();
    const bool is_quiet = before && counted_faults && *before == *counted_faults &&
                          thread_ == &counted_faults && process_generation_ == process_generation;
    // Looking takes faults itself: the next run shall not pay for them.
    if (!is_quiet) counted_faults.reset();
    return is_quiet;
}

PageFinder::PageFinder(std::optional<os::PageScanner::Way> way) noexcept {
    watch_forks();
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
    if (memory_->bytes() != bytes_ && !undo_growth()) return false;
    if (way_ == ResetWay::drop) return drop_all().ok();
    if (way_ == ResetWay::copy) {
        copy_all();
        return true;
    }
    if (!is_quiet && !look(finder).ok()) {
        hot_.clear();
        return drop_all().ok();
    }
    for (const u32 page : hot_)
        copy_page(page);
    stats_.pages_copied += hot_.size();
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

Result<void> MemoryReset::drop_all() noexcept {
    return memory_->drop(0, reach_bytes_);
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
    std::fill_n(memory_->base() + image_->bytes(), reach_bytes_ - image_->bytes(), u8{0});
    stats_.pages_copied += reach_bytes_ / os::page_bytes;
}

}  // namespace wrun::runtime
