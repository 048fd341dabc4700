// Paths that stay inside: opening, names, what they name, read-only grants. escape_test.cpp has
// those that want out.
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

using testing::HasSubstr;

class PathTest : public testing::Test {
protected:
    Folder folder;
    Guest guest{folder};
};

// ---- opening
// -------------------------------------------------------------------------------------

struct PathRow {
    std::string_view path;
    Errno expected;
};

TEST_F(PathTest, InterestingPaths) {
    folder.make("dir/nested");
    folder.write("dir/nested/file", "x");
    folder.link("nested", "dir/link");
    const PathRow rows[] = {
        {"dir/nested/file", Errno::success},
        {"dir/.//nested/../../dir/nested/../nested///./file", Errno::success},
        {"dir/link/file", Errno::success},
        {"dir/nested/", Errno::success},
        {"dir/nested///", Errno::success},
        {"dir/link/", Errno::success},
        {".", Errno::success},
        {"dir/..", Errno::success},
        {"", Errno::noent},
        {"/dir", Errno::notcapable},
        {"/", Errno::notcapable},
        {"..", Errno::notcapable},
        {"../", Errno::notcapable},
        {"dir/nested/../../../dir", Errno::notcapable},
        {"dir/nested/file/", Errno::notdir},
        {"dir/nested/file///", Errno::notdir},
        {"dir/nested/file/..", Errno::notdir},
        {"dir/missing", Errno::noent},
        {"missing/..", Errno::noent},
        {std::string_view{"dir/nested/file\0", 16}, Errno::inval},
        {std::string_view{"dir\0/nested", 11}, Errno::inval},
    };
    for (const PathRow& row : rows)
        EXPECT_EQ(guest.try_open(row.path, {.base = 0}), row.expected) << row.path;
}

TEST_F(PathTest, LongPaths) {
    std::string path;
    while (path.size() + 2 < 4095)
        path += "./";
    folder.write("f", "x");
    EXPECT_EQ(guest.try_open(path + "f", {}), Errno::success) << path.size() + 1;
    EXPECT_EQ(guest.try_open(path + "..", {}), Errno::nametoolong) << path.size() + 2;
    EXPECT_EQ(guest.try_open(std::string(256, 'x'), {}), Errno::nametoolong);
    EXPECT_EQ(guest.try_open(std::string(100'000, 'x'), {}), Errno::nametoolong);
}

TEST_F(PathTest, PathsOutsideTheMemory) {
    const auto open = [&](u32 path, u32 length, u32 out) {
        return guest(areas::path_open, 3u, 0u, path, length, 0u, Rights{0}, Rights{0}, 0u, out);
    };
    EXPECT_EQ(open(Guest::memory_bytes - 2, 3, 64), Errno::fault);
    EXPECT_EQ(open(0xffff'ffff, 2, 64), Errno::fault);
    EXPECT_EQ(open(64, 0xffff'ffff, 64), Errno::fault);
    guest.set(Guest::memory_bytes - 1, '.');
    EXPECT_EQ(open(Guest::memory_bytes - 1, 1, 64), Errno::success);
    EXPECT_EQ(open(Guest::memory_bytes - 1, 1, Guest::memory_bytes - 3), Errno::fault);
}

TEST_F(PathTest, CreatingTruncatingAndExclusive) {
    EXPECT_EQ(guest.try_open("new", {}), Errno::noent);
    const u32 fd = guest.open("new", {.o_flags = oflags::creat, .base = rights::fd_write});
    guest.write(fd, "content");
    EXPECT_EQ(guest.try_open("new", {.o_flags = oflags::creat | oflags::excl}), Errno::exist);
    EXPECT_EQ(guest.try_open("new", {.o_flags = oflags::creat}), Errno::success);
    EXPECT_EQ(folder.read("new"), "content");
    EXPECT_EQ(guest.try_open("new", {.o_flags = oflags::trunc, .base = 0}), Errno::success);
    EXPECT_EQ(folder.read("new"), "");
    EXPECT_EQ(guest.try_open("d", {.o_flags = oflags::creat | oflags::directory}), Errno::inval);
    EXPECT_EQ(guest.try_open("x", {.o_flags = 16}), Errno::inval);
    EXPECT_EQ(guest.try_open("x", {.fd_flags = 32}), Errno::inval);
    EXPECT_EQ(guest.try_open("x", {.lookup = 2}), Errno::inval);
    EXPECT_EQ(guest.try_open("new/", {.o_flags = oflags::creat}), Errno::isdir);
}

TEST_F(PathTest, Directories) {
    folder.make("dir");
    folder.write("file", "");
    EXPECT_EQ(guest.try_open("dir", {.o_flags = oflags::directory}), Errno::success);
    EXPECT_EQ(guest.try_open("file", {.o_flags = oflags::directory}), Errno::notdir);
    EXPECT_EQ(guest.try_open("dir", {.base = rights::fd_write}), Errno::isdir);
    EXPECT_EQ(guest.try_open("dir", {.base = rights::fd_read | rights::fd_write}), Errno::isdir);
    const u32 dir =
        guest.open("dir", {.base = rights::all & ~rights::fd_write, .inheriting = rights::fd_read});
    ASSERT_EQ(guest(areas::fd_fdstat_get, dir, 64u), Errno::success);
    EXPECT_EQ(guest.get<u64>(72), rights::of_directory) << "what does not apply is dropped";
    EXPECT_EQ(guest.get<u64>(80), rights::fd_read);
    folder.write("dir/inner", "in");
    EXPECT_EQ(guest.read(guest.open("inner", {.fd = dir})), "in");
    EXPECT_EQ(guest.try_open("inner", {.fd = dir, .base = read_write}), Errno::notcapable)
        << "more than the directory passes on";
    EXPECT_EQ(guest.try_open("../file", {.fd = dir}), Errno::notcapable)
        << "a directory opened below is a root of its own";
}

TEST_F(PathTest, Symlinks) {
    folder.make("dir");
    folder.write("dir/file", "x");
    folder.link("dir/file", "to_file");
    folder.link("dir", "to_dir");
    folder.link("nowhere", "dangling");
    folder.link("loop", "loop");
    EXPECT_EQ(guest.try_open("to_file", {}), Errno::loop) << "not followed";
    EXPECT_EQ(guest.try_open("to_file", {.lookup = 1}), Errno::success);
    EXPECT_EQ(guest.try_open("to_dir", {.o_flags = oflags::directory}), Errno::notdir);
    EXPECT_EQ(
        guest.try_open("to_dir", {.lookup = 1, .o_flags = oflags::directory}), Errno::success);
    EXPECT_EQ(guest.try_open("to_dir/file", {}), Errno::success) << "only the last is not followed";
    EXPECT_EQ(guest.try_open("to_file/", {.lookup = 1}), Errno::notdir);
    EXPECT_EQ(guest.try_open("dangling", {}), Errno::loop);
    EXPECT_EQ(guest.try_open("dangling", {.lookup = 1}), Errno::noent);
    EXPECT_EQ(guest.try_open("loop", {.lookup = 1}), Errno::loop);
    EXPECT_EQ(guest.try_open("dangling", {.lookup = 1, .o_flags = oflags::creat}), Errno::success);
    EXPECT_TRUE(folder.has("nowhere")) << "made where the link leads, inside";
}

TEST_F(PathTest, PipesDoNotBlockWithNonblock) {
    ASSERT_EQ(::mkfifo(folder.at("pipe").c_str(), 0600), 0);
    EXPECT_EQ(guest.try_open("pipe", {.fd_flags = fdflags::nonblock}), Errno::success);
    EXPECT_EQ(guest.try_open("pipe", {.base = rights::fd_write, .fd_flags = fdflags::nonblock}),
        Errno::success);
}

TEST_F(PathTest, CreatingNeedsItsRights) {
    folder.write("file", "x");
    ASSERT_EQ(
        guest(areas::fd_fdstat_set_rights, 3u, rights::path_open, rights::all), Errno::success);
    EXPECT_EQ(guest.try_open("file", {}), Errno::success);
    EXPECT_EQ(guest.try_open("new", {.o_flags = oflags::creat}), Errno::notcapable);
    EXPECT_EQ(guest.try_open("file", {.o_flags = oflags::trunc}), Errno::notcapable);
    EXPECT_EQ(folder.read("file"), "x");
    EXPECT_EQ(guest.on_path(areas::path_unlink_file, 3, "file"), Errno::notcapable);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "d"), Errno::notcapable);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "d"), Errno::notcapable);
    EXPECT_EQ(guest.on_two_paths(areas::path_rename, 3, "file", 3, "b"), Errno::notcapable);
    EXPECT_EQ(guest.stat("file", false), Errno::notcapable);
}

// ---- names
// ---------------------------------------------------------------------------------------

TEST_F(PathTest, MakingAndRemovingDirectories) {
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "a"), Errno::success);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "a/b/"), Errno::success);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "a"), Errno::exist);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "a/."), Errno::exist);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "a/.."), Errno::exist);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, "x/y"), Errno::noent);
    EXPECT_EQ(guest.on_path(areas::path_create_directory, 3, ""), Errno::noent);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "a"), Errno::notempty);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "a/b/."), Errno::inval);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "a/b/.."), Errno::notempty);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "a/b/"), Errno::success);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "a"), Errno::success);
    folder.write("file", "");
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "file"), Errno::notdir);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 3, "file/"), Errno::notdir);
    EXPECT_EQ(guest.on_path(areas::path_remove_directory, 99, "file"), Errno::badf);
}

TEST_F(PathTest, Unlinking) {
    folder.make("dir");
    folder.write("file", "");
    folder.link("dir", "link");
    const PathRow rows[] = {
        {"dir", Errno::isdir},
        {"dir/", Errno::isdir},
        {".", Errno::isdir},
        {"dir/..", Errno::isdir},
        {"file/", Errno::notdir},
        {"link/", Errno::notdir},
        {"missing", Errno::noent},
        {"missing/", Errno::noent},
        {"link", Errno::success},
        {"file", Errno::success},
    };
    for (const PathRow& row : rows)
        EXPECT_EQ(guest.on_path(areas::path_unlink_file, 3, row.path), row.expected) << row.path;
    EXPECT_TRUE(folder.has("dir")) << "a link goes, not what it names";
}

TEST_F(PathTest, Renaming) {
    folder.make("dir");
    folder.make("empty");
    folder.make("full");
    folder.write("full/file", "");
    folder.write("file", "content");
    folder.write("other", "");
    folder.link("dir", "link");
    struct Row {
        std::string_view source;
        std::string_view target;
        Errno expected;
    };
    const Row rows[] = {
        {"missing", "x", Errno::noent},
        {"dir", "full", Errno::notempty},
        {"dir", "file", Errno::notdir},
        {"file", "dir", Errno::isdir},
        {"file/", "x", Errno::notdir},
        {"file", "x/", Errno::notdir},
        {"link/", "x", Errno::notdir},
        {"dir", "dir/sub", Errno::inval},
        {".", "x", Errno::busy},
        {"dir/..", "x", Errno::busy},
        {"dir", "full/..", Errno::busy},
        {"file", "other", Errno::success},
        {"dir/", "empty/", Errno::success},
        {"link", "moved", Errno::success},
    };
    for (const Row& row : rows)
        EXPECT_EQ(
            guest.on_two_paths(areas::path_rename, 3, row.source, 3, row.target), row.expected)
            << row.source << " to " << row.target;
    EXPECT_EQ(folder.read("other"), "content");
    EXPECT_EQ(std::filesystem::read_symlink(folder.at("moved")), "dir");
}

TEST_F(PathTest, Linking) {
    folder.make("dir");
    folder.write("file", "content");
    folder.link("nowhere", "dangling");
    const auto link = [&](std::string_view source, std::string_view target, u32 lookup = 0) {
        return guest(areas::path_link, 3u, lookup, guest.put(source),
            static_cast<u32>(source.size()), 3u, guest.put(target),
            static_cast<u32>(target.size()));
    };
    EXPECT_EQ(link("file", "dir/second"), Errno::success);
    EXPECT_EQ(folder.read("dir/second"), "content");
    EXPECT_EQ(link("file", "file"), Errno::exist);
    EXPECT_EQ(link("file", "dir"), Errno::exist);
    EXPECT_EQ(link("file", "dangling"), Errno::exist);
    EXPECT_EQ(link("file", "new/"), Errno::noent);
    EXPECT_EQ(link("file", "dir/"), Errno::exist);
    EXPECT_EQ(link("file", "."), Errno::exist);
    EXPECT_EQ(link("file/", "new"), Errno::notdir);
    EXPECT_EQ(link("dir", "new"), Errno::perm);
    EXPECT_EQ(link("dir/", "new"), Errno::perm);
    EXPECT_EQ(link(".", "new"), Errno::perm);
    EXPECT_EQ(link("missing", "new"), Errno::noent);
    EXPECT_EQ(link("dangling", "another", 1), Errno::inval);
    EXPECT_EQ(link("dangling", "another"), Errno::success) << "the link itself gets a second name";
    EXPECT_TRUE(std::filesystem::is_symlink(folder.at("another")));
}

TEST_F(PathTest, Symlinking) {
    folder.make("dir");
    folder.write("file", "");
    const auto link = [&](std::string_view text, std::string_view path) {
        return guest(areas::path_symlink, guest.put(text), static_cast<u32>(text.size()), 3u,
            guest.put(path), static_cast<u32>(path.size()));
    };
    EXPECT_EQ(link("dir/x", "a"), Errno::success);
    EXPECT_EQ(std::filesystem::read_symlink(folder.at("a")), "dir/x");
    EXPECT_EQ(link("x", "a"), Errno::exist);
    EXPECT_EQ(link("x", "dir"), Errno::exist);
    EXPECT_EQ(link("x", "dir/"), Errno::exist);
    EXPECT_EQ(link("x", "file/"), Errno::exist);
    EXPECT_EQ(link("x", "new/"), Errno::noent);
    EXPECT_EQ(link("x", "dir/.."), Errno::exist);
    EXPECT_EQ(link("", "b"), Errno::noent);
    EXPECT_EQ(link("/", "b"), Errno::notcapable);
    EXPECT_EQ(link("/etc/passwd", "b"), Errno::notcapable);
}

TEST_F(PathTest, ReadingLinks) {
    folder.link("some/where", "link");
    folder.write("file", "");
    const u32 buffer = guest.put("............");
    EXPECT_EQ(
        guest.on_path(areas::path_readlink, 3, "link", buffer, 12u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u32>(Guest::out), 10u);
    EXPECT_EQ(guest.text(buffer, 12), "some/where..");
    EXPECT_EQ(
        guest.on_path(areas::path_readlink, 3, "link", buffer, 4u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u32>(Guest::out), 4u);
    EXPECT_EQ(
        guest.on_path(areas::path_readlink, 3, "link", buffer, 0u, Guest::out), Errno::success);
    EXPECT_EQ(guest.get<u32>(Guest::out), 0u);
    EXPECT_EQ(guest.on_path(areas::path_readlink, 3, "file", buffer, 4u, Guest::out), Errno::inval);
    EXPECT_EQ(guest.on_path(areas::path_readlink, 3, "none", buffer, 4u, Guest::out), Errno::noent);
    EXPECT_EQ(
        guest.on_path(areas::path_readlink, 3, "link", Guest::memory_bytes - 1, 2u, Guest::out),
        Errno::fault);
}

// ---- what a path names
// -----------------------------------------------------------------------------

TEST_F(PathTest, FiletypesByPath) {
    folder.make("dir");
    folder.write("file", "");
    folder.link("dir", "link");
    ASSERT_EQ(::mkfifo(folder.at("pipe").c_str(), 0600), 0);
    const os::File socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string place = folder.at("socket");
    ASSERT_LT(place.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, place.c_str(), place.size() + 1);
    ASSERT_EQ(
        ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    struct Row {
        std::string_view path;
        bool follow;
        Filetype expected;
    };
    const Row rows[] = {
        {"dir", false, Filetype::directory},
        {".", false, Filetype::directory},
        {"file", true, Filetype::regular_file},
        {"link", false, Filetype::symbolic_link},
        {"link", true, Filetype::directory},
        {"link/", false, Filetype::directory},
        {"pipe", true, Filetype::unknown},
        {"socket", true, Filetype::socket_stream},
    };
    for (const Row& row : rows) {
        ASSERT_EQ(guest.stat(row.path, row.follow), Errno::success) << row.path;
        EXPECT_EQ(guest.get<u8>(Guest::out + 16), to_underlying(row.expected)) << row.path;
    }
    EXPECT_EQ(guest.stat("file/", true), Errno::notdir);
    EXPECT_EQ(guest.stat("none", true), Errno::noent);
}

TEST_F(PathTest, TimesByPath) {
    folder.write("file", "");
    folder.link("file", "link");
    const auto set = [&](u32 lookup, u64 time) {
        return guest(areas::path_filestat_set_times, 3u, lookup, guest.put("link"), 4u, u64{0},
            time, fstflags::mtim);
    };
    const auto mtim = [&](bool follow) {
        EXPECT_EQ(guest.stat("link", follow), Errno::success);
        return guest.get<u64>(Guest::out + 48);
    };
    ASSERT_EQ(set(0, 1'000'000'001), Errno::success);
    ASSERT_EQ(set(1, 2'000'000'002), Errno::success);
    EXPECT_EQ(mtim(false), 1'000'000'001u);
    EXPECT_EQ(mtim(true), 2'000'000'002u);
    EXPECT_EQ(guest(areas::path_filestat_set_times, 3u, 2u, guest.put("link"), 4u, u64{0}, u64{0},
                  fstflags::mtim),
        Errno::inval);
}

// ---- read-only grants
// --------------------------------------------------------------------------------

class ReadOnlyTest : public testing::Test {
protected:
    ReadOnlyTest() {
        folder.make("dir");
        folder.write("file", "content");
        folder.write("dir/inner", "inside");
        folder.link("file", "link");
        Config config = Guest::with_folder(folder, true);
        config.preopens.push_back({writable.path(), "/rw", false, -1});
        guest.emplace(config);
    }
    Folder folder;
    Folder writable;
    std::optional<Guest> guest;
};

TEST_F(ReadOnlyTest, ReadingWorks) {
    EXPECT_EQ(guest->read(guest->open("file")), "content");
    const u32 dir = guest->open("dir", {.base = rights::of_directory, .inheriting = rights::all});
    EXPECT_EQ(guest->read(guest->open("inner", {.fd = dir})), "inside");
    EXPECT_EQ(guest->read(guest->open("file", {.o_flags = oflags::creat})), "content");
    EXPECT_EQ(guest->stat("link", false), Errno::success);
}

TEST_F(ReadOnlyTest, NothingCanBeChanged) {
    const u32 dir = guest->open("dir", {.base = rights::of_directory, .inheriting = rights::all});
    struct Grant {
        u32 fd;
        std::string there;
    };
    for (const Grant& grant : {Grant{3, "file"}, Grant{dir, "inner"}}) {
        const auto& [fd, there] = grant;
        SCOPED_TRACE(there);
        EXPECT_EQ(guest->try_open(there, {.fd = fd, .base = rights::fd_write}), Errno::rofs);
        EXPECT_EQ(guest->try_open(there, {.fd = fd, .o_flags = oflags::trunc}), Errno::rofs);
        EXPECT_EQ(guest->try_open("new", {.fd = fd, .o_flags = oflags::creat}), Errno::rofs);
        EXPECT_EQ(guest->try_open(there, {.fd = fd, .o_flags = oflags::creat | oflags::excl}),
            Errno::exist);
        EXPECT_EQ(guest->on_path(areas::path_unlink_file, fd, there), Errno::rofs);
        EXPECT_EQ(guest->on_path(areas::path_create_directory, fd, "new"), Errno::rofs);
        EXPECT_EQ(guest->on_path(areas::path_remove_directory, fd, "dir"), Errno::rofs);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, fd, there, fd, "new"), Errno::rofs);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, fd, there, 4, "new"), Errno::rofs);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 4, "any", fd, "new"), Errno::rofs);
        EXPECT_EQ((*guest)(areas::path_symlink, guest->put("x"), 1u, fd, guest->put("l"), 1u),
            Errno::rofs);
        EXPECT_EQ((*guest)(areas::path_filestat_set_times, fd, 0u, guest->put(there),
                      static_cast<u32>(there.size()), u64{0}, u64{0}, fstflags::mtim),
            Errno::rofs);
        const u32 file =
            guest->open(there, {.fd = fd, .base = rights::of_file & ~rights::fd_write});
        EXPECT_EQ((*guest)(areas::fd_filestat_set_size, file, u64{0}), Errno::rofs);
        EXPECT_EQ((*guest)(areas::fd_filestat_set_times, file, u64{0}, u64{0}, fstflags::mtim),
            Errno::rofs);
        EXPECT_EQ((*guest)(areas::fd_allocate, file, u64{0}, u64{100}), Errno::rofs);
        EXPECT_EQ(guest->write(file, "x"), Errno::notcapable);
    }
    EXPECT_EQ(
        (*guest)(areas::fd_filestat_set_times, 3u, u64{0}, u64{0}, fstflags::mtim), Errno::rofs);
    EXPECT_EQ(folder.read("file"), "content");
    EXPECT_FALSE(folder.has("new"));
}

TEST_F(ReadOnlyTest, NoLinkLeadsToAWritableName) {
    const auto link = [&](u32 source_fd, std::string_view source, u32 target_fd) {
        return (*guest)(areas::path_link, source_fd, 0u, guest->put(source),
            static_cast<u32>(source.size()), target_fd, guest->put("new"), 3u);
    };
    writable.write("mine", "");
    EXPECT_EQ(link(3, "file", 4), Errno::rofs);
    EXPECT_EQ(link(4, "mine", 3), Errno::rofs);
    EXPECT_EQ(link(4, "mine", 4), Errno::success);
}

// ---- granting
// ------------------------------------------------------------------------------------------

TEST(Grant, WhatIsNoDirectoryIsAnErrorWithItsName) {
    Folder folder;
    folder.write("file", "");
    Config config;
    config.preopens.push_back({folder.at("file"), "/", false, -1});
    EXPECT_THAT(State::make(config).error, HasSubstr(folder.at("file")));
    config.preopens[0].host_path = folder.at("missing");
    EXPECT_THAT(State::make(config).error, HasSubstr("No such file"));
    config.preopens[0].host_path = std::string("a\0b", 3);
    EXPECT_THAT(State::make(config).error, HasSubstr("zero byte"));
}

TEST(Grant, AnOpenDirectoryIsDuplicated) {
    Folder folder;
    folder.write("file", "x");
    Config config;
    config.stdio = {-1, -1, -1};
    os::File directory{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY)};
    config.preopens.push_back({"", "/", false, directory.number()});
    Guest guest{config};
    directory = os::File{};
    EXPECT_EQ(guest.read(guest.open("file")), "x");
}

TEST(Grant, MoreDirectoriesThanDescriptors) {
    Folder folder;
    Config config;
    config.descriptors_max = 4;
    config.preopens.assign(2, {folder.path(), "/", false, -1});
    EXPECT_THAT(State::make(config).error, HasSubstr("more directories"));
}

}  // namespace
}  // namespace wrun::wasi
