// Descriptors: bytes in and out, what they are, their numbers, listings.
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class FdTest : public testing::Test {
protected:
    u32 create(std::string_view name, Rights base = read_write, u32 fd_flags = 0) {
        return guest.open(name, {.o_flags = oflags::creat, .base = base, .fd_flags = fd_flags});
    }
    u64 seek(u32 fd, i64 offset, u32 whence) {
        const Errno error = guest(areas::fd_seek, fd, static_cast<u64>(offset), whence, Guest::out);
        return error == Errno::success ? guest.get<u64>(Guest::out)
                                       : 0xbad'0000u + to_underlying(error);
    }
    Folder folder;
    Guest guest{folder};
};

TEST_F(FdTest, WritesAndReadsBack) {
    const u32 fd = create("file");
    EXPECT_EQ(fd, 0u) << "the lowest free number, as there are no standard streams";
    EXPECT_EQ(guest.write(fd, "hello"), Errno::success);
    EXPECT_EQ(guest.get<u32>(Guest::out), 5u);
    EXPECT_EQ(folder.read("file"), "hello");
    EXPECT_EQ(guest.read(fd), "");
    EXPECT_EQ(seek(fd, 1, 0), 1u);
    EXPECT_EQ(guest.read(fd), "ello");
}

TEST_F(FdTest, ScatteredTransfersKeepTheirOrder) {
    const u32 fd = create("file");
    const u32 text = guest.put("abcdef");
    const u32 list = guest.iovecs({{text + 4, 2}, {0xffff'fff0, 0}, {text, 3}});
    ASSERT_EQ(guest(areas::fd_write, fd, list, 3u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u32>(Guest::out), 5u);
    EXPECT_EQ(folder.read("file"), "efabc");
    const u32 buffer = guest.put("........");
    const u32 into = guest.iovecs({{buffer + 5, 2}, {buffer, 3}});
    ASSERT_EQ(guest(areas::fd_pread, fd, into, 2u, u64{0}, Guest::out), Errno::success);
    EXPECT_EQ(guest.text(buffer, 8), "abc..ef.");
}

struct BadList {
    const char* what;
    u32 address;
    u32 length;
    Errno expected;
};

TEST_F(FdTest, EveryVectorIsChecked) {
    const u32 fd = create("file");
    constexpr u32 end = Guest::memory_bytes;
    const BadList rows[] = {
        {"up to the end", end - 4, 4, Errno::success},
        {"one byte beyond", end - 4, 5, Errno::fault},
        {"behind the end", end + 1, 1, Errno::fault},
        {"wraps around 4 GiB", 0xffff'fff0, 0x20, Errno::fault},
        {"largest length", 16, 0xffff'ffff, Errno::fault},
        {"nothing, nowhere", 0xffff'ffff, 0, Errno::success},
    };
    for (const BadList& row : rows) {
        for (const u32 place : {0u, 1u}) {
            std::vector<Guest::Piece> pieces = {{64, 1}, {64, 1}};
            pieces[place] = {row.address, row.length};
            const u32 list = guest.iovecs(pieces);
            EXPECT_EQ(guest(areas::fd_write, fd, list, 2u, Guest::out), row.expected) << row.what;
            EXPECT_EQ(guest(areas::fd_read, fd, list, 2u, Guest::out), row.expected) << row.what;
            EXPECT_EQ(guest(areas::fd_pread, fd, list, 2u, u64{0}, Guest::out), row.expected);
            EXPECT_EQ(guest(areas::fd_pwrite, fd, list, 2u, u64{0}, Guest::out), row.expected);
        }
    }
}

TEST_F(FdTest, TheListItselfIsChecked) {
    const u32 fd = create("file");
    constexpr u32 end = Guest::memory_bytes;
    EXPECT_EQ(guest(areas::fd_write, fd, end - 8, 1u, Guest::out), Errno::success);
    EXPECT_EQ(guest(areas::fd_write, fd, end - 7, 1u, Guest::out), Errno::fault);
    EXPECT_EQ(guest(areas::fd_write, fd, 0xffff'fff8u, 2u, Guest::out), Errno::fault);
    EXPECT_EQ(guest(areas::fd_write, fd, 64u, Buffers::count_max, Guest::out), Errno::success);
    EXPECT_EQ(guest(areas::fd_write, fd, 64u, Buffers::count_max + 1, Guest::out), Errno::inval);
    EXPECT_EQ(guest(areas::fd_write, fd, 64u, 0xffff'ffffu, Guest::out), Errno::inval);
    EXPECT_EQ(guest(areas::fd_write, fd, 64u, 0u, Guest::out), Errno::success);
}

TEST_F(FdTest, NothingIsWrittenWhenTheCountCannotBeStored) {
    const u32 fd = create("file");
    const u32 list = guest.iovecs({{guest.put("text"), 4}});
    EXPECT_EQ(guest(areas::fd_write, fd, list, 1u, Guest::memory_bytes - 3), Errno::fault);
    EXPECT_EQ(folder.read("file"), "");
}

TEST_F(FdTest, Positions) {
    const u32 fd = create("file");
    guest.write(fd, "0123456789");
    EXPECT_EQ(seek(fd, -4, 1), 6u);
    EXPECT_EQ(guest(areas::fd_tell, fd, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u64>(Guest::out), 6u);
    EXPECT_EQ(seek(fd, 1000, 2), 1010u);
    EXPECT_EQ(seek(fd, -11, 0), 0xbad'0000u + to_underlying(Errno::inval));
    EXPECT_EQ(seek(fd, 0, 3), 0xbad'0000u + to_underlying(Errno::inval));
    EXPECT_EQ(seek(99, 0, 0), 0xbad'0000u + to_underlying(Errno::badf));
    EXPECT_EQ(guest(areas::fd_tell, fd, Guest::memory_bytes - 7), Errno::fault);
}

TEST_F(FdTest, TransfersAtAnOffsetLeaveThePositionAlone) {
    const u32 fd = create("file");
    guest.write(fd, "abc");
    const u32 list = guest.iovecs({{guest.put("XY"), 2}});
    ASSERT_EQ(guest(areas::fd_pwrite, fd, list, 1u, u64{1}, Guest::out), Errno::success);
    EXPECT_EQ(folder.read("file"), "aXY");
    EXPECT_EQ(seek(fd, 0, 1), 3u);
    EXPECT_EQ(guest(areas::fd_pwrite, fd, list, 1u, u64{1} << 63, Guest::out), Errno::inval);
    EXPECT_EQ(guest(areas::fd_pread, fd, list, 1u, ~u64{0}, Guest::out), Errno::inval);
}

TEST_F(FdTest, RightsDecideWhatADescriptorCanDo) {
    folder.write("file", "text");
    const u32 reader = guest.open("file", {.base = rights::fd_read});
    EXPECT_EQ(guest.write(reader, "x"), Errno::notcapable);
    EXPECT_EQ(seek(reader, 0, 0), 0xbad'0000u + to_underlying(Errno::notcapable));
    EXPECT_EQ(guest.read(reader), "text");
    const u32 writer = guest.open("file", {.base = rights::fd_write});
    EXPECT_EQ(guest.read(writer), "<notcapable>");
    EXPECT_EQ(guest.write(writer, "x"), Errno::success);
    const u32 teller = guest.open("file", {.base = rights::fd_read | rights::fd_tell});
    EXPECT_EQ(seek(teller, 0, 1), 0u) << "asking is allowed";
    EXPECT_EQ(seek(teller, 1, 1), 0xbad'0000u + to_underlying(Errno::notcapable));
}

TEST_F(FdTest, RightsCanOnlyBeGivenUp) {
    const u32 fd = create("file");
    ASSERT_EQ(guest(areas::fd_fdstat_set_rights, fd, rights::fd_read, Rights{0}), Errno::success);
    EXPECT_EQ(guest.write(fd, "x"), Errno::notcapable);
    EXPECT_EQ(guest(areas::fd_fdstat_set_rights, fd, read_write, Rights{0}), Errno::notcapable);
    EXPECT_EQ(guest(areas::fd_fdstat_set_rights, fd, rights::fd_read, rights::fd_read),
        Errno::notcapable);
    ASSERT_EQ(guest(areas::fd_fdstat_set_rights, 3u, rights::of_directory & ~rights::path_open,
                  rights::all),
        Errno::success);
    EXPECT_EQ(guest.try_open("file", {}), Errno::notcapable);
}

TEST_F(FdTest, FdstatRecord) {
    const u32 fd = create("file", read_write, fdflags::append | fdflags::sync);
    ASSERT_EQ(guest(areas::fd_fdstat_get, fd, 64u), Errno::success);
    EXPECT_EQ(guest.get<u8>(64), to_underlying(Filetype::regular_file));
    EXPECT_EQ(guest.get<u16>(66), fdflags::append | fdflags::sync);
    EXPECT_EQ(guest.get<u64>(72), read_write);
    EXPECT_EQ(guest.get<u64>(80), 0u);
    ASSERT_EQ(guest(areas::fd_fdstat_get, 3u, 64u), Errno::success);
    EXPECT_EQ(guest.get<u8>(64), to_underlying(Filetype::directory));
    EXPECT_EQ(guest.get<u64>(72), rights::of_directory);
    EXPECT_EQ(guest.get<u64>(80), rights::all);
    EXPECT_EQ(guest(areas::fd_fdstat_get, fd, Guest::memory_bytes - 23), Errno::fault);
    EXPECT_EQ(guest(areas::fd_fdstat_get, 77u, 64u), Errno::badf);
}

TEST_F(FdTest, FilestatRecord) {
    folder.write("file", "12345");
    const u32 fd = guest.open("file", {.base = rights::fd_filestat_get});
    struct stat status {};
    ASSERT_EQ(::stat(folder.at("file").c_str(), &status), 0);
    for (const bool by_path : {false, true}) {
        ASSERT_EQ(by_path ? guest.stat("file", false) : guest(areas::fd_filestat_get, fd, 64u),
            Errno::success);
        EXPECT_EQ(guest.get<u64>(64), status.st_dev);
        EXPECT_EQ(guest.get<u64>(72), status.st_ino);
        EXPECT_EQ(guest.get<u64>(80), to_underlying(Filetype::regular_file));
        EXPECT_EQ(guest.get<u64>(88), 1u);
        EXPECT_EQ(guest.get<u64>(96), 5u);
        EXPECT_EQ(guest.get<u64>(112), static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000 +
                                           static_cast<u64>(status.st_mtim.tv_nsec));
    }
    EXPECT_EQ(guest(areas::fd_filestat_get, fd, Guest::memory_bytes - 63), Errno::fault);
    EXPECT_EQ(guest(areas::fd_filestat_get, guest.open("file"), 64u), Errno::notcapable);
}

TEST_F(FdTest, SizesAndTimes) {
    const u32 fd = create("file", rights::fd_write | rights::fd_filestat_set_size |
                                      rights::fd_filestat_set_times | rights::fd_allocate);
    EXPECT_EQ(guest(areas::fd_filestat_set_size, fd, u64{7}), Errno::success);
    EXPECT_EQ(folder.read("file"), std::string(7, '\0'));
    EXPECT_EQ(guest(areas::fd_filestat_set_size, fd, u64{1} << 63), Errno::inval);
    const Errno allocated = guest(areas::fd_allocate, fd, u64{5}, u64{10});
    if (allocated != Errno::notsup) {
        EXPECT_EQ(allocated, Errno::success);
        EXPECT_EQ(folder.read("file").size(), 15u);
    }
    EXPECT_EQ(guest(areas::fd_allocate, fd, u64{0}, u64{0}), Errno::inval);
    EXPECT_EQ(guest(areas::fd_filestat_set_times, fd, u64{5}, u64{7'000'000'001},
                  fstflags::atim | fstflags::mtim),
        Errno::success);
    struct stat status {};
    ASSERT_EQ(::stat(folder.at("file").c_str(), &status), 0);
    EXPECT_EQ(status.st_atim.tv_nsec, 5);
    EXPECT_EQ(status.st_mtim.tv_sec, 7);
    EXPECT_EQ(status.st_mtim.tv_nsec, 1);
    EXPECT_EQ(guest(areas::fd_filestat_set_times, fd, u64{0}, u64{0},
                  fstflags::mtim | fstflags::mtim_now),
        Errno::inval);
}

TEST_F(FdTest, SyncAndAdvise) {
    const u32 fd = create(
        "file", rights::fd_write | rights::fd_sync | rights::fd_datasync | rights::fd_advise);
    EXPECT_EQ(guest(areas::fd_sync, fd), Errno::success);
    EXPECT_EQ(guest(areas::fd_datasync, fd), Errno::success);
    for (u32 advice = 0; advice < 6; ++advice)
        EXPECT_EQ(guest(areas::fd_advise, fd, u64{0}, u64{10}, advice), Errno::success) << advice;
    EXPECT_EQ(guest(areas::fd_advise, fd, u64{0}, u64{10}, 6u), Errno::inval);
    EXPECT_EQ(guest(areas::fd_advise, fd, ~u64{0}, u64{10}, 0u), Errno::inval);
    EXPECT_EQ(guest(areas::fd_sync, 9u), Errno::badf);
}

TEST_F(FdTest, FlagsOfOwnFiles) {
    const u32 fd = create("file", read_write | rights::fd_fdstat_set_flags);
    guest.write(fd, "ab");
    ASSERT_EQ(guest(areas::fd_fdstat_set_flags, fd, fdflags::append), Errno::success);
    seek(fd, 0, 0);
    guest.write(fd, "cd");
    EXPECT_EQ(folder.read("file"), "abcd");
    ASSERT_EQ(guest(areas::fd_fdstat_set_flags, fd, 0u), Errno::success);
    seek(fd, 0, 0);
    guest.write(fd, "ef");
    EXPECT_EQ(folder.read("file"), "efcd");
    EXPECT_EQ(guest(areas::fd_fdstat_set_flags, fd, fdflags::sync), Errno::notsup);
    EXPECT_EQ(guest(areas::fd_fdstat_set_flags, fd, 32u), Errno::inval);
}

TEST_F(FdTest, ADirectoryIsNoFile) {
    EXPECT_EQ(guest.read(3), "<notcapable>");
    EXPECT_EQ(guest.write(3, "x"), Errno::notcapable);
    EXPECT_EQ(seek(3, 0, 1), 0xbad'0000u + to_underlying(Errno::notcapable));
    EXPECT_EQ(guest(areas::fd_allocate, 3u, u64{0}, u64{1}), Errno::notcapable);
    EXPECT_EQ(guest(areas::fd_filestat_set_size, 3u, u64{0}), Errno::notcapable);
    const u32 file = create("file", rights::all & ~rights::sock_accept);
    EXPECT_EQ(guest.try_open("x", {.fd = file}), Errno::notdir);
    EXPECT_EQ(guest(areas::fd_readdir, file, 64u, 100u, u64{0}, 4096u), Errno::notdir);
}

TEST_F(FdTest, Preopens) {
    Config config = Guest::with_folder(folder, false);
    config.preopens.push_back({folder.path(), "some/where", false, -1});
    Guest two{config};
    ASSERT_EQ(two(areas::fd_prestat_get, 4u, 64u), Errno::success);
    EXPECT_EQ(two.get<u8>(64), 0u);
    EXPECT_EQ(two.get<u32>(68), 10u);
    EXPECT_EQ(two(areas::fd_prestat_dir_name, 4u, 128u, 9u), Errno::nametoolong);
    ASSERT_EQ(two(areas::fd_prestat_dir_name, 4u, 128u, 11u), Errno::success);
    EXPECT_EQ(two.text(128, 11), std::string("some/where\0", 11));
    EXPECT_EQ(two(areas::fd_prestat_dir_name, 4u, Guest::memory_bytes - 9, 10u), Errno::fault);
    EXPECT_EQ(two(areas::fd_prestat_get, 5u, 64u), Errno::badf);
    const u32 directory = two.open(".", {.o_flags = oflags::directory});
    EXPECT_EQ(two(areas::fd_prestat_get, directory, 64u), Errno::badf) << "open, but no preopen";
}

TEST_F(FdTest, NumbersAreTheLowestFree) {
    Config config = Guest::with_folder(folder, false);
    config.stdio = {-1, STDOUT_FILENO, -1};
    Guest some{config};
    folder.write("file", "");
    EXPECT_EQ(some.open("file"), 0u);
    EXPECT_EQ(some.open("file"), 2u);
    EXPECT_EQ(some.open("file"), 4u);
    EXPECT_EQ(some(areas::fd_close, 2u), Errno::success);
    EXPECT_EQ(some(areas::fd_close, 2u), Errno::badf);
    EXPECT_EQ(some.open("file"), 2u);
    EXPECT_EQ(some.open("file"), 5u);
}

TEST_F(FdTest, Renumber) {
    folder.write("a", "aaa");
    folder.write("b", "bbb");
    const u32 a = guest.open("a");
    const u32 b = guest.open("b");
    EXPECT_EQ(guest(areas::fd_renumber, a, a), Errno::success);
    EXPECT_EQ(guest(areas::fd_renumber, a, b), Errno::success);
    EXPECT_EQ(guest.read(b), "aaa");
    EXPECT_EQ(guest.read(a), "<badf>");
    EXPECT_EQ(guest(areas::fd_renumber, b, a), Errno::badf) << "the target must be open";
    EXPECT_EQ(guest(areas::fd_renumber, a, b), Errno::badf);
    EXPECT_EQ(guest(areas::fd_renumber, 0xffff'ffffu, b), Errno::badf);
    EXPECT_EQ(guest(areas::fd_renumber, 3u, b), Errno::success) << "a preopen moves with its name";
    EXPECT_EQ(guest(areas::fd_prestat_get, b, 64u), Errno::success);
    EXPECT_EQ(guest(areas::fd_prestat_get, 3u, 64u), Errno::badf);
}

TEST_F(FdTest, TheTableHasAnEnd) {
    Config config = Guest::with_folder(folder, false);
    config.descriptors_max = 10;
    Guest small{config};
    folder.write("file", "");
    for (int count = 0; count < 9; ++count)
        small.open("file");
    EXPECT_EQ(small.try_open("file", {}), Errno::mfile);
    EXPECT_EQ(small.try_open("new", {.o_flags = oflags::creat}), Errno::mfile);
    EXPECT_FALSE(folder.has("new")) << "nothing is made that cannot be opened";
    EXPECT_EQ(small(areas::fd_close, 7u), Errno::success);
    EXPECT_EQ(small.open("file"), 7u);
}

// ---- standard streams --------------------------------------------------------------------------

struct Pipe {
    Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
    ~Pipe() { close_both(); }
    void close_both() {
        for (int& end : ends) {
            if (end >= 0) ::close(end);
            end = -1;
        }
    }
    int ends[2] = {-1, -1};
};

TEST(Stdio, IsBorrowedAndNeverClosed) {
    Pipe pipe;
    Config config;
    config.stdio = {pipe.ends[0], pipe.ends[1], -1};
    Guest guest{config};
    EXPECT_EQ(guest.write(1, "through"), Errno::success);
    EXPECT_EQ(guest.read(0), "through");
    EXPECT_EQ(guest.write(0, "x"), Errno::notcapable);
    EXPECT_EQ(guest.read(1), "<notcapable>");
    EXPECT_EQ(guest.read(2), "<badf>");
    EXPECT_EQ(guest(areas::fd_close, 1u), Errno::success);
    EXPECT_EQ(guest.write(1, "x"), Errno::badf);
    EXPECT_NE(::fcntl(pipe.ends[1], F_GETFD), -1) << "still the host's";
}

TEST(Stdio, ADescriptorThatIsNotOpenIsAbsentForGood) {
    const int closed = ::dup(0);
    ::close(closed);
    Config config;
    config.stdio = {0, closed, 2};
    Guest guest{config};
    const os::File other{::fcntl(0, F_DUPFD_CLOEXEC, closed)};
    ASSERT_EQ(other.number(), closed) << "the number means another file by now";
    EXPECT_EQ(guest.write(1, "x"), Errno::badf);
}

TEST(Stdio, ADirectoryThereGrantsNothing) {
    Folder folder;
    folder.write("file", "secret");
    const os::File directory{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY)};
    Config config;
    config.stdio = {directory.number(), -1, -1};
    Guest guest{config};
    EXPECT_EQ(guest.try_open("file", {.fd = 0}), Errno::notcapable);
    EXPECT_EQ(guest(areas::fd_readdir, 0u, 4096u, 100u, u64{0}, 64u), Errno::notcapable);
    EXPECT_EQ(guest.stat("file", true, 0), Errno::notcapable);
}

TEST(Stdio, PipesHaveNoPosition) {
    Pipe pipe;
    Config config;
    config.stdio = {pipe.ends[0], pipe.ends[1], -1};
    Guest guest{config};
    EXPECT_EQ(guest(areas::fd_seek, 0u, u64{0}, 1u, 64u), Errno::spipe);
    EXPECT_EQ(guest(areas::fd_tell, 1u, 64u), Errno::spipe);
    EXPECT_EQ(guest(areas::fd_pread, 0u, 64u, 0u, u64{0}, 64u), Errno::spipe);
}

TEST(Stdio, NonblockingIsTheGuestsAloneAndDoesNotBlock) {
    Pipe pipe;
    Config config;
    config.stdio = {pipe.ends[0], -1, -1};
    Guest guest{config};
    ASSERT_EQ(guest(areas::fd_fdstat_set_flags, 0u, fdflags::nonblock), Errno::success);
    EXPECT_EQ(::fcntl(pipe.ends[0], F_GETFL) & O_NONBLOCK, 0) << "other processes share this file";
    EXPECT_EQ(guest.read(0), "<again>");
    ASSERT_EQ(::write(pipe.ends[1], "now", 3), 3);
    EXPECT_EQ(guest.read(0), "now");
    EXPECT_EQ(guest(areas::fd_fdstat_set_flags, 0u, fdflags::append), Errno::notsup);
}

TEST(Stdio, ABlockingGuestWaitsOnANonblockingFile) {
    Pipe pipe;
    ASSERT_EQ(::fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK), 0);
    Config config;
    config.stdio = {pipe.ends[0], -1, -1};
    Guest guest{config};
    std::thread later{[&] {
        ::usleep(20'000);
        ASSERT_EQ(::write(pipe.ends[1], "late", 4), 4);
    }};
    EXPECT_EQ(guest.read(0), "late");
    later.join();
}

TEST(Stdio, AReaderThatIsGoneIsAnError) {
    Pipe pipe;
    ::close(std::exchange(pipe.ends[0], -1));
    struct sigaction ignore {};
    struct sigaction before {};
    ignore.sa_handler = SIG_IGN;
    ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
    Config config;
    config.stdio = {-1, pipe.ends[1], -1};
    Guest guest{config};
    EXPECT_EQ(guest.write(1, "x"), Errno::pipe);
    ASSERT_EQ(::sigaction(SIGPIPE, &before, nullptr), 0);
}

TEST(Stdio, AFullDeviceIsAnError) {
    const os::File full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    if (!full) GTEST_SKIP() << "no /dev/full here";
    Config config;
    config.stdio = {-1, full.number(), -1};
    Guest guest{config};
    EXPECT_EQ(guest.write(1, "x"), Errno::nospc);
}

TEST(Stdio, OnlyATerminalLooksLikeOne) {
    const os::File null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const os::File terminal{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    Config config;
    config.stdio = {null.number(), terminal.number(), -1};
    Guest guest{config};
    constexpr Rights position = rights::fd_seek | rights::fd_tell;
    ASSERT_EQ(guest(areas::fd_fdstat_get, 0u, 64u), Errno::success);
    EXPECT_EQ(guest.get<u8>(64), to_underlying(Filetype::character_device));
    EXPECT_EQ(guest.get<u64>(72) & position, position);
    if (!terminal) GTEST_SKIP() << "no terminals here";
    ASSERT_EQ(guest(areas::fd_fdstat_get, 1u, 64u), Errno::success);
    EXPECT_EQ(guest.get<u64>(72) & position, 0u);
}

TEST(Stdio, ASignalDoesNotEndARead) {
    Pipe pipe;
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};  // without SA_RESTART
    ASSERT_EQ(::sigaction(SIGUSR1, &quiet, &before), 0);
    Config config;
    config.stdio = {pipe.ends[0], -1, -1};
    Guest guest{config};
    const pthread_t self = ::pthread_self();
    std::thread disturber{[&] {
        for (int count = 0; count < 5; ++count) {
            ::usleep(5'000);
            ::pthread_kill(self, SIGUSR1);
        }
        ASSERT_EQ(::write(pipe.ends[1], "!", 1), 1);
    }};
    EXPECT_EQ(guest.read(0), "!");
    disturber.join();
    ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

// ---- listings ----------------------------------------------------------------------------------

struct Entry {
    u64 next;
    u64 ino;
    std::string name;
    u8 type;
};

class ReaddirTest : public testing::Test {
protected:
    /// One call; the entries that are whole.
    std::vector<Entry> list(u32 length, u64 cookie) {
        constexpr u32 buffer = 8192;
        error = guest(areas::fd_readdir, 3u, buffer, length, cookie, Guest::out);
        if (error != Errno::success) return {};
        used = guest.get<u32>(Guest::out);
        std::vector<Entry> entries;
        for (u32 at = 0; at + 24 <= used;) {
            const u32 length_of_name = guest.get<u32>(buffer + at + 16);
            if (at + 24 + length_of_name > used) break;
            entries.push_back({guest.get<u64>(buffer + at), guest.get<u64>(buffer + at + 8),
                guest.text(buffer + at + 24, length_of_name), guest.get<u8>(buffer + at + 20)});
            at += 24 + length_of_name;
        }
        return entries;
    }
    Folder folder;
    Guest guest{folder};
    u32 used = 0;
    Errno error = Errno::success;
};

TEST_F(ReaddirTest, NamesTypesAndInodes) {
    folder.write("file", "");
    folder.make("folder");
    folder.link("nowhere", "link");
    ASSERT_EQ(::mkfifo(folder.at("pipe").c_str(), 0600), 0);
    std::map<std::string, u8> types;
    for (const Entry& entry : list(4096, 0))
        types[entry.name] = entry.type;
    EXPECT_LT(used, 4096u);
    using T = Filetype;
    const std::map<std::string, u8> expected = {{".", to_underlying(T::directory)},
        {"..", to_underlying(T::directory)}, {"file", to_underlying(T::regular_file)},
        {"folder", to_underlying(T::directory)}, {"link", to_underlying(T::symbolic_link)},
        {"pipe", to_underlying(T::unknown)}};
    EXPECT_EQ(types, expected);
    struct stat status {};
    ASSERT_EQ(::stat(folder.at("file").c_str(), &status), 0);
    for (const Entry& entry : list(4096, 0))
        EXPECT_EQ(entry.ino == status.st_ino, entry.name == "file") << entry.name;
}

TEST_F(ReaddirTest, SmallBuffersMissNothing) {
    std::set<std::string> expected = {".", ".."};
    for (u32 number = 0; number < 300; ++number) {
        const std::string name = "file." + std::to_string(number) + std::string(number % 40, 'x');
        folder.write(name, "");
        expected.insert(name);
    }
    for (const u32 length : {72u, 100u, 256u, 1000u, 4096u, 100'000u}) {
        std::multiset<std::string> seen;
        u64 cookie = 0;
        for (int call = 0; call < 1000; ++call) {
            const std::vector<Entry> entries = list(length, cookie);
            ASSERT_EQ(error, Errno::success);
            for (const Entry& entry : entries)
                seen.insert(entry.name);
            if (used < length) break;
            ASSERT_FALSE(entries.empty()) << "72 bytes hold every name here";
            cookie = entries.back().next;
        }
        EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), expected) << length;
        EXPECT_EQ(seen.size(), expected.size()) << "each once, with " << length;
    }
}

TEST_F(ReaddirTest, AnEntryIsCutWhereTheBufferEnds) {
    for (const u32 length : {0u, 1u, 23u, 24u, 25u}) {
        list(length, 0);
        EXPECT_EQ(used, length);
    }
}

TEST_F(ReaddirTest, BadArguments) {
    EXPECT_EQ(
        guest(areas::fd_readdir, 3u, Guest::memory_bytes - 10, 11u, u64{0}, 64u), Errno::fault);
    EXPECT_EQ(guest(areas::fd_readdir, 3u, 16u, 0xffff'ffffu, u64{0}, 64u), Errno::fault);
    EXPECT_EQ(
        guest(areas::fd_readdir, 3u, 4096u, 100u, u64{0}, Guest::memory_bytes - 3), Errno::fault);
    EXPECT_EQ(guest(areas::fd_readdir, 3u, 4096u, 100u, ~u64{0}, 64u), Errno::inval);
    EXPECT_EQ(guest(areas::fd_readdir, 5u, 4096u, 100u, u64{0}, 64u), Errno::badf);
}

TEST_F(ReaddirTest, RemovingWhileListing) {
    for (int number = 0; number < 50; ++number)
        folder.write("f" + std::to_string(number), "");
    std::multiset<std::string> seen;
    u64 cookie = 0;
    for (int call = 0; call < 100; ++call) {
        const std::vector<Entry> entries = list(100, cookie);
        ASSERT_EQ(error, Errno::success);
        for (const Entry& entry : entries) {
            seen.insert(entry.name);
            if (entry.name[0] == 'f') ::unlink(folder.at(entry.name).c_str());
        }
        if (used < 100) break;
        cookie = entries.back().next;
    }
    EXPECT_EQ(seen.size(), 52u);
}

// ---- sockets -----------------------------------------------------------------------------------

class SocketTest : public testing::Test {
protected:
    SocketTest() {
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        Config config;
        config.stdio = {ends[0], ends[0], -1};
        guest.emplace(config);
    }
    ~SocketTest() override {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    int ends[2] = {-1, -1};
    std::optional<Guest> guest;
};

TEST_F(SocketTest, SendsAndReceives) {
    const u32 text = guest->put("hello");
    const u32 list = guest->iovecs({{text, 5}});
    ASSERT_EQ((*guest)(areas::sock_send, 1u, list, 1u, 0u, Guest::out), Errno::success);
    char buffer[8] = {};
    ASSERT_EQ(::read(ends[1], buffer, sizeof buffer), 5);
    EXPECT_STREQ(buffer, "hello");
    ASSERT_EQ(::write(ends[1], "abc", 3), 3);
    for (const u32 flags : {1u, 0u}) {
        ASSERT_EQ((*guest)(areas::sock_recv, 0u, list, 1u, flags, Guest::out, 80u), Errno::success);
        EXPECT_EQ(guest->get<u32>(Guest::out), 3u);
        EXPECT_EQ(guest->text(text, 3), "abc");
    }
    EXPECT_EQ((*guest)(areas::sock_recv, 0u, list, 1u, 4u, Guest::out, 80u), Errno::inval);
    EXPECT_EQ((*guest)(areas::sock_send, 1u, list, 1u, 1u, Guest::out), Errno::inval);
}

TEST_F(SocketTest, ShutsDown) {
    EXPECT_EQ((*guest)(areas::sock_shutdown, 1u, 0u), Errno::inval);
    EXPECT_EQ((*guest)(areas::sock_shutdown, 1u, 4u), Errno::inval);
    EXPECT_EQ((*guest)(areas::sock_shutdown, 1u, 2u), Errno::success);
    char byte = 0;
    EXPECT_EQ(::read(ends[1], &byte, 1), 0);
    EXPECT_EQ((*guest)(areas::sock_accept, 0u, 0u, 64u), Errno::notcapable);
}

TEST(Socket, OnlySocketsAreSockets) {
    Guest guest{Config{}};
    EXPECT_EQ(guest(areas::sock_shutdown, 42u, 1u), Errno::badf);
    const os::File null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    Config config;
    config.stdio = {-1, null.number(), -1};
    Guest other{config};
    EXPECT_EQ(other(areas::sock_shutdown, 1u, 1u), Errno::notsock);
    EXPECT_EQ(other(areas::sock_send, 1u, 64u, 0u, 0u, 64u), Errno::notsock);
}

int open_files() {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        static_cast<void>(entry);
        ++count;
    }
    return count;
}

/// What the next guest of the same state finds is what the first one found.
TEST(StateReset, GivesDescriptorsAsTheyWereGranted) {
    Folder folder;
    folder.write("file", "text");
    Config config = Guest::with_folder(folder, false);
    config.stdio = {0, 1, 2};
    Guest guest{config};
    const int before = open_files();
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(guest.open("file"), 4u);
        EXPECT_EQ(guest.read(4), "text");
        EXPECT_EQ(guest.open("file"), 5u);
        EXPECT_EQ(guest(areas::fd_fdstat_set_rights, 3u, Rights{0}, Rights{0}), Errno::success);
        EXPECT_EQ(guest(areas::fd_renumber, 4u, 1u), Errno::success);
        EXPECT_EQ(guest(areas::fd_close, 2u), Errno::success);
        ASSERT_EQ(guest.state().reset(), "");
        EXPECT_EQ(open_files(), before);
        EXPECT_EQ(guest.read(4), "<badf>");
        EXPECT_EQ(guest.read(1), "<notcapable>") << "standard output is there to be written";
        EXPECT_EQ(guest.write(2, ""), Errno::success);
        EXPECT_EQ(guest(areas::fd_prestat_get, 3u, 64u), Errno::success);
    }
}

TEST(StateReset, SaysWhatIsGone) {
    auto folder = std::make_unique<Folder>();
    Guest guest{*folder};
    ASSERT_EQ(guest.state().reset(), "");
    EXPECT_EQ(guest(areas::fd_close, 3u), Errno::success);
    folder.reset();
    EXPECT_THAT(guest.state().reset(), testing::HasSubstr("cannot open the directory"));
}

}  // namespace
}  // namespace wrun::wasi
