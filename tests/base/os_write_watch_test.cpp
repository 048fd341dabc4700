// What a refused page does to those who read and write it, for pages of a file and of nobody's,
// touched before or not.
#include "base/os_write_watch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "tests/base/private_mapping.hpp"

namespace wrun::os {
namespace {

constexpr u64 file_pages = 8;
constexpr u64 pages = 16;

// For the handler.
std::optional<WriteWatch> watch;
volatile sig_atomic_t signals = 0;

void on_bus(int, siginfo_t* info, void*) {
    signals = signals + 1;
    const u64 page = reinterpret_cast<u64>(info->si_addr) & ~(page_bytes - 1);
    if (info->si_code != BUS_ADRERR || !watch->allow(reinterpret_cast<u8*>(page), page_bytes)) {
        _exit(9);
    }
}

class WatchTest : public ::testing::Test {
protected:
    void SetUp() override {
        watch = WriteWatch::open();
        if (!watch) GTEST_SKIP() << "the system cannot refuse pages (userfaultfd of Linux 6.4)";
        struct sigaction action {};
        action.sa_sigaction = on_bus;
        action.sa_flags = SA_SIGINFO;
        ASSERT_EQ(sigaction(SIGBUS, &action, &before_), 0);
        mapping_.emplace(file_pages, pages);
        data = mapping_->data;
        signals = 0;
    }
    void TearDown() override {
        if (!watch) return;
        mapping_.reset();
        sigaction(SIGBUS, &before_, nullptr);
        watch->close();
    }

    void write(u64 page) const { mapping_->write(page); }
    [[nodiscard]] u8 read(u64 page) const { return mapping_->read(page); }
    [[nodiscard]] int signals_of_writing_all() const {
        const int before = signals;
        for (u64 page = 0; page < pages; ++page)
            write(page);
        return signals - before;
    }

    u8* data = nullptr;

private:
    std::optional<PrivateMapping> mapping_;
    struct sigaction before_ {};
};

TEST_F(WatchTest, EveryRefusedPageIsToldOnce) {
    write(1);
    write(9);
    EXPECT_EQ(read(2), 7);
    EXPECT_EQ(read(10), 0);
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    EXPECT_EQ(signals_of_writing_all(), 0) << "added is not refused";
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    EXPECT_EQ(signals_of_writing_all(), static_cast<int>(pages));
    EXPECT_EQ(signals_of_writing_all(), 0);
}

TEST_F(WatchTest, PagesThatNobodyTouchedAreRefusedToo) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    EXPECT_EQ(read(3), 7) << "reading is free";
    EXPECT_EQ(read(11), 0);
    EXPECT_EQ(signals, 0);
    EXPECT_EQ(signals_of_writing_all(), static_cast<int>(pages));
    EXPECT_EQ(read(3), 1);
}

TEST_F(WatchTest, OnlyWhatIsRefusedIsTold) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data + 2 * page_bytes, 3 * page_bytes));
    ASSERT_TRUE(watch->allow(data + 3 * page_bytes, page_bytes));
    EXPECT_EQ(signals_of_writing_all(), 2);
}

TEST_F(WatchTest, RemovingAllowsAll) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    ASSERT_TRUE(watch->remove(data, pages * page_bytes));
    EXPECT_EQ(signals_of_writing_all(), 0);
    EXPECT_FALSE(watch->allow(data, page_bytes)) << "it is not there any more";
}

TEST_F(WatchTest, WhatIsMappedAnewIsNotRefused) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    ASSERT_NE(mmap(data, 2 * page_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        MAP_FAILED);
    EXPECT_EQ(signals_of_writing_all(), static_cast<int>(pages) - 2);
}

TEST_F(WatchTest, TheSystemReadsButDoesNotWrite) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe(ends), 0);
    EXPECT_EQ(::write(ends[1], data + 100, 1), 1);
    EXPECT_EQ(::write(ends[1], data + 12 * page_bytes, 1), 1);
    EXPECT_EQ(::read(ends[0], data + 100, 1), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(signals, 0) << "of a system call there is only the error";
    for (const int end : ends)
        close(end);
}

TEST_F(WatchTest, AChildOfForkIsNotWatched) {
    ASSERT_TRUE(watch->add(data, pages * page_bytes));
    ASSERT_TRUE(watch->refuse(data, pages * page_bytes));
    const pid_t child = fork();
    if (child == 0) _exit(signals_of_writing_all() == 0 ? 0 : 1);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(signals_of_writing_all(), static_cast<int>(pages)) << "but its parent still is";
}

}  // namespace
}  // namespace wrun::os
