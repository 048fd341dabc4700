// See swap_file.hpp.
#include "tests/support/swap_file.hpp"

#include <fcntl.h>
#include <sys/swap.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace wrun::test {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint32_t page_count = 8192;

/// The first page of a swap area, as mkswap(8) writes it.
std::vector<char> header() {
    std::vector<char> page(page_bytes);
    const std::array<std::uint32_t, 2> version_and_last_page = {1, page_count - 1};
    std::memcpy(page.data() + 1024, version_and_last_page.data(), sizeof version_and_last_page);
    std::memcpy(page.data() + page_bytes - 10, "SWAPSPACE2", 10);
    return page;
}

bool write_area(int file) {
    const std::vector<char> first = header();
    const std::vector<char> other(page_bytes);
    for (std::uint32_t page = 0; page < page_count; ++page) {
        if (::write(file, page == 0 ? first.data() : other.data(), page_bytes) !=
            static_cast<ssize_t>(page_bytes))
            return false;
    }
    return fsync(file) == 0;
}

}  // namespace

SwapFile::SwapFile() : path_{"/var/tmp/wrun-swap-XXXXXX"} {
    const int file = mkostemp(path_.data(), O_CLOEXEC);
    if (file < 0) {
        path_.clear();
        why_ = std::string{"no file: "} + std::strerror(errno);
        return;
    }
    if (!write_area(file)) why_ = std::string{"cannot write the file: "} + std::strerror(errno);
    close(file);
    if (why_.empty() && swapon(path_.c_str(), 0) != 0) why_ = std::strerror(errno);
}

SwapFile::~SwapFile() {
    if (path_.empty()) return;
    if (is_on()) static_cast<void>(swapoff(path_.c_str()));
    static_cast<void>(unlink(path_.c_str()));
}

std::uint64_t swapped_pages(const void* begin, std::uint64_t bytes) {
    constexpr std::uint64_t swapped = std::uint64_t{1} << 62;
    std::vector<std::uint64_t> entries(bytes / page_bytes);
    const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const auto first = reinterpret_cast<std::uintptr_t>(begin) / page_bytes;
    const ssize_t got = pread(file, entries.data(), entries.size() * sizeof(std::uint64_t),
        static_cast<off_t>(first * sizeof(std::uint64_t)));
    close(file);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < entries.size() && got > static_cast<ssize_t>(i * 8); ++i)
        count += (entries[i] & swapped) != 0;
    return count;
}

}  // namespace wrun::test
