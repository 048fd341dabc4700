// wasi_unstable: what it has otherwise than preview 1. The records are checked byte by byte, as the
// programs of that time read them.
#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

class UnstableTest : public testing::Test {
protected:
    UnstableTest() : guest{folder_with_a_file(folder)} { guest.preview = Preview::unstable; }
    static const Folder& folder_with_a_file(const Folder& folder) {
        folder.write("file", "0123456789");
        return folder;
    }
    Folder folder;
    Guest guest;
};

TEST_F(UnstableTest, SeeksFromWhereItsNumbersSay) {
    const u32 fd = guest.open("file", {.base = read_write});
    const struct {
        i64 offset;
        u32 whence;
        u64 at;
    } rows[] = {{3, 2, 3}, {2, 0, 5}, {-1, 1, 9}, {0, 0, 9}};
    for (const auto& row : rows) {
        EXPECT_EQ(guest(areas::fd_seek, fd, static_cast<u64>(row.offset), row.whence, Guest::out),
            Errno::success);
        EXPECT_EQ(guest.get<u64>(Guest::out), row.at) << row.whence;
        EXPECT_EQ(guest(areas::fd_tell, fd, Guest::out), Errno::success);
        EXPECT_EQ(guest.get<u64>(Guest::out), row.at);
    }
    EXPECT_EQ(guest(areas::fd_seek, fd, u64{0}, 3u, Guest::out), Errno::inval);
    guest.preview = Preview::preview1;
    EXPECT_EQ(guest(areas::fd_seek, fd, u64{4}, 0u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u64>(Guest::out), 4u);
}

TEST_F(UnstableTest, TellsOfFilesInItsRecord) {
    const u32 fd = guest.open("file", {.base = read_write});
    std::filesystem::create_hard_link(folder.at("file"), folder.at("again"));
    struct stat host {};
    ASSERT_EQ(::stat(folder.at("file").c_str(), &host), 0);
    for (const bool by_path : {false, true}) {
        for (u32 byte = 0; byte < 72; byte++)
            guest.set(Guest::out + byte, u8{0xee});
        EXPECT_EQ(
            by_path ? guest.stat("file", true) : guest(areas::fd_filestat_get, fd, Guest::out),
            Errno::success);
        EXPECT_EQ(guest.get<u64>(Guest::out + 8), host.st_ino);
        EXPECT_EQ(guest.get<u8>(Guest::out + 16), to_underlying(Filetype::regular_file));
        EXPECT_EQ(guest.get<u32>(Guest::out + 20), 2u);
        EXPECT_EQ(guest.get<u64>(Guest::out + 24), 10u);
        EXPECT_EQ(
            guest.get<u64>(Guest::out + 40), static_cast<u64>(host.st_mtim.tv_sec) * 1'000'000'000 +
                                                 static_cast<u64>(host.st_mtim.tv_nsec));
        EXPECT_EQ(guest.get<u8>(Guest::out + 56), 0xee) << "beyond the record";
    }
    // The last record that fits is shorter than preview 1's.
    EXPECT_EQ(guest(areas::fd_filestat_get, fd, Guest::memory_bytes - 56), Errno::success);
    EXPECT_EQ(guest(areas::fd_filestat_get, fd, Guest::memory_bytes - 55), Errno::fault);
    guest.preview = Preview::preview1;
    EXPECT_EQ(guest(areas::fd_filestat_get, fd, Guest::memory_bytes - 56), Errno::fault);
}

TEST_F(UnstableTest, WaitsForItsSubscriptions) {
    constexpr u32 in = 1u << 16, events = 1u << 17, record = 56;
    const u32 fd = guest.open("file", {.base = read_write | rights::poll_fd_readwrite});
    // A clock, which has a userdata of its own, and a descriptor that is ready.
    guest.set(in, u64{7});
    guest.set(in + 8, u8{0});
    guest.set(in + 16, u64{0xffff'ffff'ffff});
    guest.set(in + 24, u32{1});
    guest.set(in + 32, u64{60'000'000'000});
    guest.set(in + record, u64{8});
    guest.set(in + record + 8, u8{1});
    guest.set(in + record + 16, fd);
    EXPECT_EQ(guest(areas::poll_oneoff, in, events, 2u, Guest::out), Errno::success);
    ASSERT_EQ(guest.get<u32>(Guest::out), 1u);
    EXPECT_EQ(guest.get<u64>(events), 8u);
    EXPECT_EQ(guest.get<u16>(events + 8), to_underlying(Errno::success));
    EXPECT_EQ(guest.get<u8>(events + 10), 1);
    // The clock alone, long over.
    guest.set(in + 32, u64{1});
    guest.set(in + 48, u16{1});
    EXPECT_EQ(guest(areas::poll_oneoff, in, events, 1u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u64>(events), 7u);
    EXPECT_EQ(guest.get<u8>(events + 10), 0);
    guest.set(in + 48, u16{2});
    EXPECT_EQ(guest(areas::poll_oneoff, in, events, 1u, Guest::out), Errno::inval);
    EXPECT_EQ(
        guest(areas::poll_oneoff, Guest::memory_bytes - 48, events, 1u, Guest::out), Errno::fault);
}

TEST_F(UnstableTest, RaisesSignals) {
    const auto raised = [this](u32 signal) { return guest(areas::proc_raise, signal); };
    for (const u32 ignored : {0u, 16u, 17u, 22u, 27u})
        EXPECT_EQ(std::get<Errno>(raised(ignored)), Errno::success) << ignored;
    for (const u32 stops : {18u, 19u, 20u, 21u})
        EXPECT_EQ(std::get<Errno>(raised(stops)), Errno::notsup) << stops;
    EXPECT_EQ(std::get<Errno>(raised(31)), Errno::inval);
    for (const u32 ends : {1u, 6u, 9u, 15u, 23u, 30u})
        EXPECT_TRUE(std::holds_alternative<engine::HostResult>(raised(ends))) << ends;
}

}  // namespace
}  // namespace wrun::wasi
