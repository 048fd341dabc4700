// Pages of a file mapped privately, then anonymous ones, as a memory has them; for tests. Owns the
// file and the mapping.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "base/os_memory.hpp"

namespace wrun::os {

class PrivateMapping {
public:
    PrivateMapping(u64 file_pages, u64 pages) : pages_{pages} {
        file_ = static_cast<int>(syscall(SYS_memfd_create, "pages", 0));
        const std::vector<u8> content(file_pages * page_bytes, 7);
        EXPECT_EQ(
            pwrite(file_, content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
        void* const all = mmap(nullptr, pages * page_bytes, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(all, MAP_FAILED);
        EXPECT_EQ(mmap(all, file_pages * page_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_FIXED, file_, 0),
            all);
        EXPECT_EQ(madvise(all, pages * page_bytes, MADV_NOHUGEPAGE), 0);
        data = static_cast<u8*>(all);
    }
    ~PrivateMapping() {
        munmap(data, pages_ * page_bytes);
        close(file_);
    }
    PrivateMapping(const PrivateMapping&) = delete;
    PrivateMapping& operator=(const PrivateMapping&) = delete;

    void write(u64 page) const { *byte(page) = 1; }
    [[nodiscard]] u8 read(u64 page) const { return *byte(page); }

    u8* data = nullptr;

private:
    [[nodiscard]] volatile u8* byte(u64 page) const { return data + page * page_bytes + 100; }

    int file_ = -1;
    u64 pages_;
};

}  // namespace wrun::os
