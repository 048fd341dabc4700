// Descriptors that are streams of the host's, states that share directories, and calls that wait
// where the host says.
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

/// What was written, and a text to be read piece by piece; where a piece ends one has to wait.
class Script : public Stream {
public:
    Answer<u32> read(std::span<const iovec> to, bool waits) override {
        if (pieces.empty()) return u32{0};
        if (pieces.front().empty()) {
            if (!waits) return Errno::again;
            ++waited;
            pieces.erase(pieces.begin());
        }
        u32 bytes = 0;
        std::string& piece = pieces.front();
        for (const iovec& one : to) {
            const std::size_t some = std::min(one.iov_len, piece.size());
            std::memcpy(one.iov_base, piece.data(), some);
            piece.erase(0, some);
            bytes += static_cast<u32>(some);
        }
        if (piece.empty() && pieces.size() == 1) pieces.clear();
        return bytes;
    }
    Answer<u32> write(std::span<const iovec> from, bool) override {
        u64 bytes = 0;
        for (const iovec& one : from) {
            if (one.iov_len < 100)
                written.append(static_cast<const char*>(one.iov_base), one.iov_len);
            bytes += one.iov_len;
        }
        largest = std::max(largest, bytes);
        return static_cast<u32>(bytes);
    }
    Readiness readiness(EventType event) const noexcept override {
        if (event == EventType::fd_write) return {};
        return {is_ready, pieces.empty() ? 0 : pieces.front().size(), pieces.empty()};
    }
    int waiting_number() const noexcept override { return -7; }

    std::vector<std::string> pieces;
    std::string written;
    u64 largest = 0;
    u32 waited = 0;
    bool is_ready = true;
};

struct Recorder : Waiter {
    int wait(std::span<pollfd> descriptors, u64 until_ns) override {
        ++waits;
        until = until_ns;
        numbers.clear();
        for (pollfd& one : descriptors) {
            numbers.push_back(one.fd);
            one.revents = one.fd >= 0 ? one.events : short{0};
        }
        if (then) then();
        if (is_ending) {
            errno = EINTR;
            return -1;
        }
        return static_cast<int>(descriptors.size());
    }
    u32 waits = 0;
    u64 until = 0;
    bool is_ending = false;
    std::vector<int> numbers;
    std::function<void()> then;
};

class StreamTest : public testing::Test {
protected:
    StreamTest() {
        config.stdio = {-1, -1, -1};
        config.streams = {&in, &out, &log};
        config.waiter = &waiter;
        guest.emplace(config);
    }
    Config config;
    Script in;
    Script out;
    Script log;
    Recorder waiter;
    std::optional<Guest> guest;
};

TEST_F(StreamTest, BytesGoThroughBuffers) {
    in.pieces = {"abcdef"};
    const u32 buffers = guest->iovecs({{1u << 16, 2}, {1u << 17, 3}});
    ASSERT_EQ((*guest)(areas::fd_read, 0u, buffers, 2u, 64u), Errno::success);
    EXPECT_EQ(guest->get<u32>(64), 5u);
    EXPECT_EQ(guest->text(1u << 16, 2) + guest->text(1u << 17, 3), "abcde");
    EXPECT_EQ(guest->read(0), "f");
    EXPECT_EQ(guest->read(0), "");
    EXPECT_EQ(guest->write(1, "hello"), Errno::success);
    EXPECT_EQ(guest->write(2, "oh"), Errno::success);
    EXPECT_EQ(out.written, "hello");
    EXPECT_EQ(log.written, "oh");
}

TEST_F(StreamTest, HaveOneDirection) {
    EXPECT_EQ(guest->write(0, "x"), Errno::notcapable);
    EXPECT_EQ(guest->read(1), "<notcapable>");
}

TEST_F(StreamTest, NothingIsATransferOfNothing) {
    in.pieces = {"", "late"};
    EXPECT_EQ((*guest)(areas::fd_read, 0u, guest->iovecs({{64, 0}}), 1u, 64u), Errno::success);
    EXPECT_EQ(guest->get<u32>(64), 0u);
    EXPECT_EQ(in.waited, 0u);
}

TEST_F(StreamTest, OneTransferHasAnEndHoweverOftenBytesAreNamed) {
    Buffers list;
    std::vector<u8> memory(4u << 20);
    const engine::GuestMemory view{memory.data(), memory.size()};
    for (u32 index = 0; index < Buffers::count_max; ++index) {
        const u32 record[2] = {0, 4u << 20};
        std::memcpy(memory.data() + index * 8, record, 8);
    }
    ASSERT_TRUE(list.read(view, 0, Buffers::count_max, Buffers::Use::reads).ok());
    u64 bytes = 0;
    for (const iovec& one : list.for_one_transfer())
        bytes += one.iov_len;
    EXPECT_EQ(bytes, u64{1} << 31);
}

TEST_F(StreamTest, BlockAsTheGuestWants) {
    in.pieces = {"", "late"};
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, 0u, u32{fdflags::nonblock}), Errno::success);
    EXPECT_EQ(guest->read(0), "<again>");
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, 0u, 0u), Errno::success);
    EXPECT_EQ(guest->read(0), "late");
    EXPECT_EQ(in.waited, 1u);
}

TEST_F(StreamTest, AreWhatPipesAre) {
    ASSERT_EQ((*guest)(areas::fd_fdstat_get, 0u, 64u), Errno::success);
    EXPECT_EQ(guest->get<u8>(64), to_underlying(Filetype::unknown));
    ASSERT_EQ((*guest)(areas::fd_filestat_get, 1u, 64u), Errno::success);
    EXPECT_EQ((*guest)(areas::fd_seek, 0u, u64{0}, 0u, 64u), Errno::spipe);
    EXPECT_EQ((*guest)(areas::fd_tell, 1u, 64u), Errno::spipe);
    EXPECT_EQ((*guest)(areas::fd_sync, 1u), Errno::inval);
    EXPECT_EQ((*guest)(areas::fd_datasync, 1u), Errno::inval);
    EXPECT_EQ(
        (*guest)(areas::fd_pread, 0u, guest->iovecs({{64, 1}}), 1u, u64{0}, 64u), Errno::spipe);
    EXPECT_EQ(
        (*guest)(areas::fd_pwrite, 1u, guest->iovecs({{64, 1}}), 1u, u64{0}, 64u), Errno::spipe);
    EXPECT_EQ((*guest)(areas::fd_advise, 0u, u64{0}, u64{0}, 0u), Errno::spipe);
    EXPECT_EQ((*guest)(areas::fd_allocate, 1u, u64{0}, u64{0}), Errno::spipe);
    EXPECT_EQ((*guest)(areas::fd_filestat_set_size, 1u, u64{0}), Errno::notcapable);
    EXPECT_EQ((*guest)(areas::fd_filestat_set_times, 1u, u64{0}, u64{0}, 0u), Errno::notcapable);
    EXPECT_EQ((*guest)(areas::fd_prestat_get, 0u, 64u), Errno::badf);
    EXPECT_EQ((*guest)(areas::fd_readdir, 0u, 64u, 64u, u64{0}, 64u), Errno::notdir);
    EXPECT_EQ(guest->try_open("x", {.fd = 0}), Errno::notdir);
    EXPECT_EQ((*guest)(areas::sock_accept, 0u, 0u, 64u), Errno::notsock);
    EXPECT_EQ((*guest)(areas::sock_shutdown, 1u, 1u), Errno::notsock);
}

TEST_F(StreamTest, CanBeClosedAndRenumbered) {
    ASSERT_EQ((*guest)(areas::fd_renumber, 1u, 2u), Errno::success);
    EXPECT_EQ(guest->write(2, "moved"), Errno::success);
    EXPECT_EQ(out.written, "moved");
    EXPECT_EQ(guest->write(1, "gone"), Errno::badf);
    ASSERT_EQ((*guest)(areas::fd_close, 0u), Errno::success);
    EXPECT_EQ(guest->read(0), "<badf>");
    EXPECT_EQ(guest->state().reset(), "");
    EXPECT_EQ(guest->write(1, "back"), Errno::success);
    EXPECT_EQ(out.written, "movedback");
}

TEST_F(StreamTest, ChangesAreSeen) {
    std::string why;
    EXPECT_EQ(guest->state().find_changed_descriptor(why), std::nullopt);
    ASSERT_EQ((*guest)(areas::fd_renumber, 1u, 2u), Errno::success);
    EXPECT_EQ(guest->state().find_changed_descriptor(why), 1u);
    guest.emplace(config);
    ASSERT_EQ((*guest)(areas::fd_renumber, 1u, 2u), Errno::success);
    ASSERT_EQ(guest->state().reset(), "");
    EXPECT_EQ(guest->state().find_changed_descriptor(why), std::nullopt);
}

TEST_F(StreamTest, FlagsAreAChangeUnlessTheyAreKept) {
    std::string why;
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, 2u, u32{fdflags::nonblock}), Errno::success);
    EXPECT_EQ(guest->state().find_changed_descriptor(why), 2u);
    EXPECT_THAT(
        guest->state().keep_stdio_flags(), testing::ElementsAre(0, 0, u16{fdflags::nonblock}));
    EXPECT_EQ(guest->state().find_changed_descriptor(why), std::nullopt);
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, 2u, 0u), Errno::success);
    EXPECT_EQ(guest->state().find_changed_descriptor(why), 2u);
    ASSERT_EQ(guest->state().reset(), "");
    EXPECT_EQ(guest->state().find_changed_descriptor(why), std::nullopt);
    ASSERT_EQ((*guest)(areas::fd_close, 2u), Errno::success);
    EXPECT_THAT(guest->state().keep_stdio_flags(), testing::ElementsAre(0, 0, 0));
    EXPECT_EQ(guest->state().find_changed_descriptor(why), 2u);
}

TEST_F(StreamTest, AnotherStreamIsAnotherFile) {
    const auto table_of = [](Stream& stream) {
        DescriptorTable table{8};
        Descriptor descriptor;
        descriptor.stream = &stream;
        table.place(1, std::move(descriptor));
        return table;
    };
    EXPECT_EQ(table_of(out).find_difference(table_of(out)), std::nullopt);
    EXPECT_EQ(table_of(out).find_difference(table_of(log)), 1u);
}

// ---- waiting -----------------------------------------------------------------------------------

constexpr u32 subscriptions = 1u << 16;
constexpr u32 events = 1u << 17;

TEST_F(StreamTest, PollWaitsWhereTheHostSays) {
    in.is_ready = false;
    in.pieces = {"12345"};
    guest->set(subscriptions + 8, u8{1});  // fd_read of 0
    guest->set(subscriptions + 48 + 8, u8{0});
    guest->set(subscriptions + 48 + 16, 1u);
    guest->set(subscriptions + 48 + 24, u64{3'600'000'000'000});
    waiter.then = [&] { in.is_ready = waiter.waits == 2; };
    ASSERT_EQ((*guest)(areas::poll_oneoff, subscriptions, events, 2u, 64u), Errno::success);
    EXPECT_EQ(waiter.waits, 2u) << "early is not yet";
    EXPECT_EQ(waiter.numbers, std::vector<int>{-7});
    EXPECT_NE(waiter.until, Waiter::never);
    EXPECT_EQ(guest->get<u32>(64), 1u);
    EXPECT_EQ(guest->get<u8>(events + 10), 1u);
    EXPECT_EQ(guest->get<u64>(events + 16), 5u);
}

TEST_F(StreamTest, PollOfWhatIsReadyWaitsForNothing) {
    guest->set(subscriptions + 8, u8{2});
    guest->set(subscriptions + 16, 1u);
    ASSERT_EQ((*guest)(areas::poll_oneoff, subscriptions, events, 1u, 64u), Errno::success);
    EXPECT_NE(waiter.until, Waiter::never);
    EXPECT_EQ(guest->get<u16>(events + 24), 0u);
    in.pieces.clear();
    guest->set(subscriptions + 8, u8{1});
    guest->set(subscriptions + 16, 0u);
    ASSERT_EQ((*guest)(areas::poll_oneoff, subscriptions, events, 1u, 64u), Errno::success);
    EXPECT_EQ(guest->get<u16>(events + 24), eventflags::hangup);
}

TEST_F(StreamTest, AnEndOfTheWaitIsTheEnd) {
    in.is_ready = false;
    waiter.is_ending = true;
    guest->set(subscriptions + 8, u8{1});
    EXPECT_EQ((*guest)(areas::poll_oneoff, subscriptions, events, 1u, 64u), Errno::intr);
    EXPECT_EQ(waiter.waits, 1u);
    EXPECT_EQ((*guest)(areas::sched_yield), Errno::intr);
}

TEST_F(StreamTest, FilesThatCouldBlockAreWaitedForFirst) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    config.stdio[0] = ends[0];
    config.streams[0] = nullptr;
    guest.emplace(config);
    waiter.then = [&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); };
    EXPECT_EQ(guest->read(0), "x") << "nothing was there before somebody waited";
    EXPECT_EQ(waiter.numbers, std::vector<int>{ends[0]});
    for (const int end : ends)
        ::close(end);
}

TEST_F(StreamTest, NamedPipesBlockNobody) {
    Folder folder;
    ASSERT_EQ(::mkfifo(folder.at("pipe").c_str(), 0600), 0);
    config.preopens.push_back({folder.path(), "/", false, -1});
    guest.emplace(config);
    const u32 fd = guest->open("pipe");  // without a writer this would never return
    const int writer = ::open(folder.at("pipe").c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(writer, 0);
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, fd, 0u), Errno::notcapable);
    waiter.then = [&] { EXPECT_EQ(::write(writer, "late", 4), 4); };
    EXPECT_EQ(guest->read(fd), "late");
    EXPECT_EQ(waiter.waits, 1u);
    ::close(writer);
}

TEST_F(StreamTest, NoFlagMakesAFileBlockTheThread) {
    Folder folder;
    ASSERT_EQ(::mkfifo(folder.at("pipe").c_str(), 0600), 0);
    config.preopens.push_back({folder.path(), "/", false, -1});
    guest.emplace(config);
    const u32 fd = guest->open("pipe", {.base = rights::fd_read | rights::fd_fdstat_set_flags});
    const int writer = ::open(folder.at("pipe").c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_EQ((*guest)(areas::fd_fdstat_set_flags, fd, 0u), Errno::success);
    const int host = std::move(guest->state().descriptors().get(fd)).take()->number();
    EXPECT_NE(::fcntl(host, F_GETFL) & O_NONBLOCK, 0);
    ::close(writer);
}

TEST_F(StreamTest, SleepsAreTheWaiters) {
    guest->set(subscriptions + 8, u8{0});
    guest->set(subscriptions + 16, 1u);
    guest->set(subscriptions + 24, u64{1'000'000});
    ASSERT_EQ((*guest)(areas::poll_oneoff, subscriptions, events, 1u, 64u), Errno::success);
    EXPECT_GE(waiter.waits, 1u);
    EXPECT_EQ((*guest)(areas::sched_yield), Errno::success);
    EXPECT_EQ(waiter.until, 0u);
}

// ---- directories of many -----------------------------------------------------------------------

class DirectoriesTest : public testing::Test {
protected:
    DirectoriesTest() {
        folder.write("a", "1");
        folder.write("b", "2");
        std::string error;
        EXPECT_TRUE(directories.open({{folder.path(), "/data", true, -1}}, error)) << error;
        config.stdio = {-1, -1, -1};
        config.directories = &directories;
    }
    static std::vector<u8> list(Guest& guest) {
        EXPECT_EQ(guest(areas::fd_readdir, 3u, 1u << 16, 4096u, u64{0}, 64u), Errno::success);
        const std::string text = guest.text(1u << 16, guest.get<u32>(64));
        return {text.begin(), text.end()};
    }
    off_t position() const {
        return ::lseek(directories.rows()[0].directory.number(), 0, SEEK_CUR);
    }
    Folder folder;
    Directories directories;
    Config config;
};

TEST_F(DirectoriesTest, AreGrantedUnderTheirNames) {
    Guest guest{config};
    ASSERT_EQ(guest(areas::fd_prestat_get, 3u, 64u), Errno::success);
    EXPECT_EQ(guest.get<u32>(68), 5u);
    EXPECT_EQ(guest.read(guest.open("a")), "1");
    EXPECT_EQ(guest.try_open("new", {.o_flags = oflags::creat}), Errno::rofs);
    EXPECT_EQ(guest.try_open("../x", {}), Errno::notcapable);
}

TEST_F(DirectoriesTest, NothingAGuestDoesIsSeenByAnother) {
    Guest one{config};
    Guest other{config};
    EXPECT_FALSE(list(one).empty());
    EXPECT_EQ(position(), 0) << "one guest's listing moved the position of all";
    const int flags = ::fcntl(directories.rows()[0].directory.number(), F_GETFL);
    ASSERT_EQ(one(areas::fd_fdstat_set_flags, 3u, u32{fdflags::nonblock}), Errno::success);
    EXPECT_EQ(::fcntl(directories.rows()[0].directory.number(), F_GETFL), flags);
    ASSERT_EQ(one(areas::fd_fdstat_set_rights, 3u, u64{rights::path_open}, u64{0}), Errno::success);
    ASSERT_EQ(one(areas::fd_filestat_set_times, 3u, u64{0}, u64{0}, 0u), Errno::rofs);
    ASSERT_EQ(one(areas::fd_close, 3u), Errno::success);
    ASSERT_EQ(other(areas::fd_fdstat_get, 3u, 64u), Errno::success);
    EXPECT_EQ(other.get<u16>(64 + fdstat_record::flags), 0u);
    EXPECT_EQ(other.get<u64>(64 + fdstat_record::base), rights::of_directory);
    EXPECT_EQ(other.read(other.open("b")), "2");
    EXPECT_EQ(list(other), list(other));
    EXPECT_EQ(one.state().reset(), "");
    EXPECT_EQ(one.read(one.open("b")), "2");
}

TEST_F(DirectoriesTest, ListingsOnManyThreadsAreWhole) {
    for (int index = 0; index < 200; ++index)
        folder.write("file-" + std::to_string(index), "");
    Guest first{config};
    const std::vector<u8> whole = list(first);
    std::vector<std::thread> threads;
    std::atomic<u32> different = 0;
    for (int count = 0; count < 4; ++count)
        threads.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                Guest guest{config};
                if (list(guest) != whole) ++different;
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(different, 0u);
}

TEST_F(DirectoriesTest, CountAsDescriptors) {
    config.descriptors_max = 3;
    EXPECT_NE(State::make(config).error, "");
}

TEST(StringLists, AreBuiltOfParts) {
    StringList list;
    list.add({"NAME", "=", "value"});
    list.add({});
    EXPECT_TRUE(list.is_sound());
    EXPECT_EQ(list.text(), (std::string_view{"NAME=value\0\0", 12}));
    EXPECT_EQ(list.offsets(), (std::vector<u32>{0, 11}));
}

TEST(StringLists, FollowEachOther) {
    const std::vector<std::string> strings = {"a", "bc"};
    StringList list{strings};
    const StringList same = list;
    list.add_all(same);
    EXPECT_TRUE(list.is_sound());
    EXPECT_EQ(list.text(), (std::string_view{"a\0bc\0a\0bc\0", 10}));
    EXPECT_EQ(list.offsets(), (std::vector<u32>{0, 2, 5, 7}));
}

TEST(StringLists, AreUnsoundWithAZeroByte) {
    // Whatever lies beside it, wherever it is.
    for (const char around : {'a', '\1', '\x7f', '\x80', '\xff'}) {
        for (std::size_t size = 1; size < 20; ++size) {
            StringList list;
            list.add({std::string(size, around)});
            EXPECT_TRUE(list.is_sound());
            for (std::size_t at = 0; at < size; ++at) {
                std::string text(size, around);
                text[at] = '\0';
                StringList with_zero;
                with_zero.add({text});
                with_zero.add({"B=1"});
                EXPECT_FALSE(with_zero.is_sound()) << size << ' ' << at;
            }
        }
    }
}

}  // namespace
}  // namespace wrun::wasi
