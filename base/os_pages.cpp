// The page map of Linux: PAGEMAP_SCAN and /proc/self/pagemap.
#include "base/os_pages.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace wrun::os {

namespace {

// Of <linux/fs.h> since 6.7; Debian 12's does not have them.
struct ScanRegion {
    u64 begin;
    u64 end;
    u64 categories;
};
struct ScanRequest {
    u64 size;
    u64 flags;
    u64 begin;
    u64 end;
    u64 walk_end;
    u64 regions;
    u64 region_count;
    u64 pages_max;
    u64 category_inverted;
    u64 category_mask;
    u64 category_anyof_mask;
    u64 return_mask;
};
static_assert(sizeof(ScanRequest) == 96);
constexpr unsigned long scan_request = _IOWR('f', 16, ScanRequest);
constexpr u64 category_file = 1 << 2;
constexpr u64 category_present = 1 << 3;
constexpr u64 category_swapped = 1 << 4;
constexpr u64 category_zero_page = 1 << 5;

// A word of /proc/self/pagemap.
constexpr u64 entry_present = u64{1} << 63;
constexpr u64 entry_swapped = u64{1} << 62;
constexpr u64 entry_file = u64{1} << 61;

[[nodiscard]] Error system_error() noexcept {
    return {ErrorCode::page_map, static_cast<u16>(errno)};
}

/// Joins what touches the run before.
void append(std::vector<PageRun>& runs, PageRun run) {
    if (!runs.empty() && runs.back().first + runs.back().count == run.first) {
        runs.back().count += run.count;
    } else {
        runs.push_back(run);
    }
}

[[nodiscard]] u64 address_of(const u8* pointer) noexcept {
    return reinterpret_cast<u64>(pointer);
}

}  // namespace

std::optional<u64> thread_fault_count() noexcept {
    rusage usage;  // filled whole
    if (getrusage(RUSAGE_THREAD, &usage) != 0) return std::nullopt;
    return static_cast<u64>(usage.ru_minflt) + static_cast<u64>(usage.ru_majflt);
}

PageScanner::PageScanner(PageScanner&& other) noexcept
    : file_{std::exchange(other.file_, -1)}, process_{other.process_}, way_{other.way_} {}

PageScanner& PageScanner::operator=(PageScanner&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(process_, other.process_);
    std::swap(way_, other.way_);
    return *this;
}

PageScanner::~PageScanner() {
    if (file_ >= 0) close(file_);
}

Result<PageScanner> PageScanner::open(std::optional<Way> way) noexcept {
    PageScanner scanner;
    WRUN_TRY(scanner.reopen());
    if (way) {
        scanner.way_ = *way;
        return scanner;
    }
    // Of an empty range, to see whether the system knows the request.
    ScanRequest request{};
    request.size = sizeof request;
    const bool known = ioctl(scanner.file_, scan_request, &request) >= 0;
    scanner.way_ = known ? Way::scan : Way::read;
    return scanner;
}

/// A descriptor shows the process that opened it, also in a child that inherits it.
Result<void> PageScanner::reopen() noexcept {
    const int file = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file < 0) return system_error();
    if (file_ >= 0) close(file_);
    file_ = file;
    process_ = getpid();
    return {};
}

Result<void> PageScanner::find_private(const u8* begin, u64 bytes, std::vector<PageRun>& runs) {
    WRUN_CHECK(address_of(begin) % page_bytes == 0 && bytes % page_bytes == 0);
    if (process_ != getpid()) WRUN_TRY(reopen());
    return way_ == Way::scan ? find_by_scan(begin, bytes, runs) : find_by_read(begin, bytes, runs);
}

Result<void> PageScanner::find_by_scan(
    const u8* begin, u64 bytes, std::vector<PageRun>& runs) const {
    std::array<ScanRegion, 64> regions;
    const u64 base = address_of(begin);
    ScanRequest request{};
    request.size = sizeof request;
    request.end = base + bytes;
    request.regions = reinterpret_cast<u64>(regions.data());
    request.region_count = regions.size();
    request.category_inverted = category_file | category_zero_page;
    request.category_mask = category_file | category_zero_page;
    request.category_anyof_mask = category_present | category_swapped;
    request.return_mask = category_present | category_swapped;
    // The system stops when the regions are full: on to the end, or pages are missed.
    for (request.begin = base; request.begin < request.end; request.begin = request.walk_end) {
        const int found = ioctl(file_, scan_request, &request);
        if (found < 0) {
            if (errno == EINTR) {
                request.walk_end = request.begin;
                continue;
            }
            return system_error();
        }
        if (request.walk_end <= request.begin) return Error{ErrorCode::page_map, 0};
        for (const ScanRegion& region : std::span{regions}.first(static_cast<u32>(found))) {
            append(runs, {static_cast<u32>((region.begin - base) / page_bytes),
                             static_cast<u32>((region.end - region.begin) / page_bytes)});
        }
    }
    return {};
}

Result<void> PageScanner::find_by_read(
    const u8* begin, u64 bytes, std::vector<PageRun>& runs) const {
    std::array<u64, 512> entries;
    const u64 first = address_of(begin) / page_bytes;
    const u64 count = bytes / page_bytes;
    for (u64 done = 0; done < count;) {
        const u64 wanted = std::min<u64>(count - done, entries.size());
        const ssize_t got = pread(file_, entries.data(), wanted * sizeof(u64),
            static_cast<off_t>((first + done) * sizeof(u64)));
        if (got < 0 && errno == EINTR) continue;
        if (got < static_cast<ssize_t>(sizeof(u64))) return system_error();
        const u64 read = static_cast<u64>(got) / sizeof(u64);
        for (u64 i = 0; i < read; ++i) {
            const u64 entry = entries[i];
            if ((entry & (entry_present | entry_swapped)) == 0 || (entry & entry_file) != 0) {
                continue;
            }
            append(runs, {static_cast<u32>(done + i), 1});
        }
        done += read;
    }
    return {};
}

}  // namespace wrun::os
