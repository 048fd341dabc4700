// What the system says of private pages, by both ways, against what was done to them.
#include "base/os_pages.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>

#include "tests/base/private_mapping.hpp"

namespace wrun::os {
namespace {

constexpr u64 file_pages = 24;
constexpr u64 pages = 40;

class Mapping : public PrivateMapping {
public:
    Mapping() : PrivateMapping{file_pages, pages} {}
};

class Pages : public ::testing::TestWithParam<PageScanner::Way> {
protected:
    void SetUp() override {
        const auto best = PageScanner::open();
        ASSERT_TRUE(best.ok());
        if (GetParam() == PageScanner::Way::scan && best.value().way() != PageScanner::Way::scan) {
            GTEST_SKIP() << "the kernel is older than PAGEMAP_SCAN";
        }
        scanner = PageScanner::open(GetParam()).take();
    }
    std::set<u64> found(const Mapping& mapping) {
        std::vector<PageRun> runs;
        EXPECT_TRUE(scanner.find_private(mapping.data, pages * page_bytes, runs).ok());
        std::set<u64> all;
        u64 behind = 0;
        for (const PageRun& run : runs) {
            EXPECT_GT(run.count, 0u);
            EXPECT_TRUE(all.empty() || run.first > behind) << "ascending, and touching runs joined";
            behind = run.first + run.count;
            for (u64 page = run.first; page < behind; ++page)
                all.insert(page);
        }
        return all;
    }
    PageScanner scanner;
};

TEST_P(Pages, ArePrivateOnceWritten) {
    const Mapping mapping;
    EXPECT_EQ(found(mapping), std::set<u64>{});
    std::mt19937 random{1};
    std::set<u64> written;
    for (int i = 0; i < 30; ++i) {
        const u64 page = random() % pages;
        mapping.write(page);
        written.insert(page);
        ASSERT_EQ(found(mapping), written);
    }
    EXPECT_EQ(madvise(mapping.data, pages * page_bytes, MADV_DONTNEED), 0);
    EXPECT_EQ(found(mapping), std::set<u64>{});
}

TEST_P(Pages, OfAFileAreNotPrivateWhenRead) {
    const Mapping mapping;
    for (u64 page = 0; page < file_pages; ++page)
        (void)mapping.read(page);
    EXPECT_EQ(found(mapping), std::set<u64>{});
}

TEST_P(Pages, OfZerosMayBeNamedButOnlyByReading) {
    const Mapping mapping;
    (void)mapping.read(file_pages + 3);
    if (GetParam() == PageScanner::Way::scan) {
        EXPECT_EQ(found(mapping), std::set<u64>{});
    } else {
        EXPECT_LE(found(mapping).size(), 1u);
    }
}

TEST_P(Pages, AreFoundToTheEndHoweverManyRunsThereAre) {
    constexpr u64 many = 4096;
    void* const all = mmap(
        nullptr, many * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(all, MAP_FAILED);
    ASSERT_EQ(madvise(all, many * page_bytes, MADV_NOHUGEPAGE), 0);
    auto* const data = static_cast<u8*>(all);
    for (u64 page = 0; page < many; page += 2)
        *static_cast<volatile u8*>(data + page * page_bytes) = 1;
    std::vector<PageRun> runs;
    ASSERT_TRUE(scanner.find_private(data, many * page_bytes, runs).ok());
    ASSERT_EQ(runs.size(), many / 2);
    for (u32 i = 0; i < many / 2; ++i)
        EXPECT_EQ(runs[i], (PageRun{2 * i, 1}));
    munmap(all, many * page_bytes);
}

TEST_P(Pages, OfAChildAreTheChilds) {
    const Mapping mapping;
    mapping.write(1);
    const pid_t child = fork();
    if (child == 0) {
        mapping.write(2);
        _exit(found(mapping) == std::set<u64>{1, 2} ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(found(mapping), std::set<u64>{1});
}

TEST_P(Pages, ThatAreNotMappedAreNoError) {
    const Mapping mapping;
    ASSERT_EQ(munmap(mapping.data + 5 * page_bytes, page_bytes), 0);
    mapping.write(4);
    mapping.write(6);
    EXPECT_EQ(found(mapping), (std::set<u64>{4, 6}));
}

INSTANTIATE_TEST_SUITE_P(Ways, Pages,
    ::testing::Values(PageScanner::Way::scan, PageScanner::Way::read),
    [](const auto& tested) { return tested.param == PageScanner::Way::scan ? "scan" : "read"; });

TEST(Faults, AreCounted) {
    const Mapping mapping;
    const auto before = thread_fault_count();
    mapping.write(0);
    mapping.write(30);
    const auto after = thread_fault_count();
    ASSERT_TRUE(before && after);
    EXPECT_GE(*after, *before + 2);
    const auto again = thread_fault_count();
    mapping.write(0);
    mapping.write(30);
    EXPECT_EQ(thread_fault_count(), again) << "pages that are there cost no fault";
}

}  // namespace
}  // namespace wrun::os
