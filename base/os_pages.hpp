// Which pages of a mapping this process has to itself, that is, has written since they were mapped:
// in memory or swapped out. And how many page faults a thread has taken, from which one can know
// that there are no more such pages without looking for them.
#pragma once

#include <optional>
#include <vector>

#include "base/os_memory.hpp"

namespace wrun::os {

/// Faults that the calling thread has taken; nothing when the system does not tell.
[[nodiscard]] std::optional<u64> thread_fault_count() noexcept;

/// Consecutive pages of a range, counted from its begin.
struct PageRun {
    u32 first = 0;
    u32 count = 0;
    friend bool operator==(const PageRun&, const PageRun&) = default;
};

/// Owns a descriptor of the process's page map. One scanner serves one thread at a time.
class PageScanner {
public:
    /// PAGEMAP_SCAN answers in runs but came with Linux 6.7; the page map itself has a word for
    /// every page and may name untouched pages of zeros besides.
    enum class Way : u8 { scan, read };

    /// The best way there is, or the one asked for.
    [[nodiscard]] static Result<PageScanner> open(std::optional<Way> way = std::nullopt) noexcept;
    PageScanner() = default;
    PageScanner(PageScanner&& other) noexcept;
    PageScanner& operator=(PageScanner&& other) noexcept;
    ~PageScanner();

    [[nodiscard]] Way way() const noexcept { return way_; }
    /// Appends the private pages of [begin, begin + bytes), ascending; whole pages. After an error
    /// nothing is known. In a child of fork() it looks at the child.
    [[nodiscard]] Result<void> find_private(const u8* begin, u64 bytes, std::vector<PageRun>& runs);

private:
    [[nodiscard]] Result<void> reopen() noexcept;
    [[nodiscard]] Result<void> find_by_scan(
        const u8* begin, u64 bytes, std::vector<PageRun>& runs) const;
    [[nodiscard]] Result<void> find_by_read(
        const u8* begin, u64 bytes, std::vector<PageRun>& runs) const;

    int file_ = -1;
    int process_ = 0;  // whose page map the descriptor shows
    Way way_ = Way::scan;
};

}  // namespace wrun::os
