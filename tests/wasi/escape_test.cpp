// Paths that want out. Each row of the table is a way somebody got out of a sandbox before:
// symlinks,
// "..", absolute names, trailing slashes, /proc's magic links, links and renames across grants, and
// a directory swapped for a symlink between two looks. Behind the folder that is granted lies one
// that is not, with a file that must be neither read nor changed.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cstddef>
#include <thread>

#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

class EscapeTest : public testing::Test {
protected:
    EscapeTest() {
        outer.make("in/dir");
        outer.make("out");
        outer.write("out/secret", "secret");
        outer.write("in/dir/file", "file");
        outer.link("../out", "in/up");
        outer.link("../../out", "in/dir/up");
        outer.link("../out/secret", "in/up_file");
        outer.link("../out/new", "in/up_new");
        outer.link(outer.at("out"), "in/absolute");
        outer.link(outer.at("out/secret"), "in/absolute_file");
        outer.link("up", "in/up_twice");
        outer.link("..", "in/parent");
        outer.link("/", "in/root");
        outer.link("/proc/self/cwd", "in/cwd");
        outer.link("dir/../..", "in/around");
        Config config;
        config.stdio = {-1, -1, -1};
        config.preopens.push_back({outer.at("in"), "/", false, -1});
        guest.emplace(config);
    }
    void expect_nothing_happened() {
        EXPECT_EQ(outer.read("out/secret"), "secret");
        int entries = 0;
        for ([[maybe_unused]] const auto& entry :
            std::filesystem::directory_iterator{outer.at("out")})
            ++entries;
        EXPECT_EQ(entries, 1);
        EXPECT_FALSE(outer.has("x"));
    }
    Folder outer;
    std::optional<Guest> guest;
};

constexpr std::string_view ways_to_a_file[] = {
    "up/secret",
    "up_twice/secret",
    "dir/up/secret",
    "up_file",
    "absolute/secret",
    "absolute_file",
    "../out/secret",
    "dir/../../out/secret",
    "./../out/secret",
    "dir/.././../out/secret",
    "parent/out/secret",
    "around/out/secret",
    "root/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "cwd/CMakeLists.txt",
    "in/../../out/secret",
};

/// "in/../../out" fails for another reason: there is no "in" inside.
Errno refused(std::string_view path) {
    if (path.starts_with("in/")) return Errno::noent;
    return Errno::notcapable;
}

TEST_F(EscapeTest, Opening) {
    for (const std::string_view path : ways_to_a_file) {
        const bool link_at_end = path == "up_file" || path == "absolute_file";
        EXPECT_EQ(guest->try_open(path, {.lookup = 1}), refused(path)) << path;
        EXPECT_EQ(guest->try_open(path, {.lookup = 0}), link_at_end ? Errno::loop : refused(path))
            << path;
        EXPECT_EQ(guest->try_open(path, {.lookup = 1, .o_flags = oflags::trunc}), refused(path));
        EXPECT_EQ(guest->try_open(
                      path, {.lookup = 1, .o_flags = oflags::creat, .base = rights::fd_write}),
            refused(path))
            << path;
    }
    EXPECT_EQ(
        guest->try_open("up_new", {.lookup = 1, .o_flags = oflags::creat}), Errno::notcapable);
    expect_nothing_happened();
}

constexpr std::string_view ways_to_a_directory[] = {
    "up",
    "up/",
    "up//",
    "up/.",
    "dir/up/",
    "up_twice/",
    "absolute/",
    "..",
    "../",
    "../.",
    "dir/../..",
    "parent/",
    "parent/.",
    "root/",
    "cwd/",
    "around/",
    "/",
    "//",
};

TEST_F(EscapeTest, OpeningDirectories) {
    for (const std::string_view path : ways_to_a_directory) {
        EXPECT_EQ(
            guest->try_open(path, {.lookup = 1, .o_flags = oflags::directory}), Errno::notcapable)
            << path;
        if (path == "up") continue;
        EXPECT_EQ(guest->try_open(path, {.o_flags = oflags::directory}), Errno::notcapable) << path;
    }
}

TEST_F(EscapeTest, Asking) {
    for (const std::string_view path : ways_to_a_file) {
        EXPECT_EQ(guest->stat(path, true), refused(path)) << path;
        EXPECT_EQ(
            guest->on_path(areas::path_readlink, 3, std::string{path} + "/x", 4096u, 10u, 64u),
            refused(path))
            << path;
        EXPECT_EQ((*guest)(areas::path_filestat_set_times, 3u, 1u, guest->put(path),
                      static_cast<u32>(path.size()), u64{0}, u64{0}, fstflags::mtim),
            refused(path))
            << path;
    }
    for (const std::string_view path : ways_to_a_directory)
        EXPECT_EQ(guest->stat(path, true), Errno::notcapable) << path;
    EXPECT_EQ(guest->stat("absolute", false), Errno::success) << "the link itself is inside";
    expect_nothing_happened();
}

TEST_F(EscapeTest, NamesBehindALink) {
    for (const std::string directory : {"up/", "up_twice/", "dir/up/", "absolute/", "../out/",
             "parent/out/", "dir/../../out/", "up//", "up/./", "around/out/"}) {
        SCOPED_TRACE(directory);
        const std::string secret = directory + "secret";
        const std::string fresh = directory + "x";
        const auto refusal = Errno::notcapable;
        EXPECT_EQ(guest->on_path(areas::path_unlink_file, 3, secret), refusal);
        EXPECT_EQ(guest->on_path(areas::path_remove_directory, 3, secret), refusal);
        EXPECT_EQ(guest->on_path(areas::path_create_directory, 3, fresh), refusal);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, secret, 3, "stolen"), refusal);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, "dir/file", 3, fresh), refusal);
        EXPECT_EQ((*guest)(areas::path_link, 3u, 0u, guest->put(secret),
                      static_cast<u32>(secret.size()), 3u, guest->put("stolen"), 6u),
            refusal);
        EXPECT_EQ((*guest)(areas::path_link, 3u, 0u, guest->put("dir/file"), 8u, 3u,
                      guest->put(fresh), static_cast<u32>(fresh.size())),
            refusal);
        EXPECT_EQ((*guest)(areas::path_symlink, guest->put("y"), 1u, 3u, guest->put(fresh),
                      static_cast<u32>(fresh.size())),
            refusal);
    }
    EXPECT_FALSE(outer.has("in/stolen"));
    expect_nothing_happened();
}

/// A slash behind a symlink makes the kernel follow it even where the call says not to.
TEST_F(EscapeTest, TrailingSlashesFollowNothing) {
    for (const std::string link : {"up/", "up//", "absolute/", "root/", "parent/"}) {
        SCOPED_TRACE(link);
        EXPECT_EQ(guest->on_path(areas::path_unlink_file, 3, link), Errno::notdir);
        EXPECT_EQ(guest->on_path(areas::path_remove_directory, 3, link), Errno::notdir);
        EXPECT_EQ(guest->on_path(areas::path_create_directory, 3, link), Errno::exist);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, link, 3, "stolen"), Errno::notdir);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, "dir", 3, link), Errno::notdir);
        EXPECT_EQ((*guest)(areas::path_link, 3u, 0u, guest->put(link),
                      static_cast<u32>(link.size()), 3u, guest->put("stolen"), 6u),
            Errno::notdir);
    }
    EXPECT_EQ(guest->on_path(areas::path_create_directory, 3, "up_new/"), Errno::exist);
    EXPECT_FALSE(outer.has("in/stolen"));
    expect_nothing_happened();
}

TEST_F(EscapeTest, TheLastDotsAreLookedAtToo) {
    for (const std::string path : {"..", "../", "dir/../..", "up/.", "up/..", "parent/."}) {
        EXPECT_EQ(guest->on_path(areas::path_create_directory, 3, path), Errno::notcapable) << path;
        EXPECT_EQ(guest->on_path(areas::path_remove_directory, 3, path), Errno::notcapable) << path;
        EXPECT_EQ(guest->on_path(areas::path_unlink_file, 3, path), Errno::notcapable) << path;
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, path, 3, "x"), Errno::notcapable);
        EXPECT_EQ(guest->on_two_paths(areas::path_rename, 3, "dir", 3, path), Errno::notcapable);
    }
    expect_nothing_happened();
}

TEST_F(EscapeTest, MagicLinksOfProc) {
    Config config;
    config.stdio = {-1, -1, -1};
    config.preopens.push_back({"/proc/self", "/", false, -1});
    Guest inspector{config};
    for (const std::string_view path : {"cwd", "root", "exe", "cwd/", "root/etc/passwd"})
        EXPECT_EQ(inspector.try_open(path, {.lookup = 1}), Errno::loop) << path;
    EXPECT_EQ(inspector.try_open("status", {}), Errno::success);
}

TEST_F(EscapeTest, AcrossGrants) {
    outer.make("second");
    Config config;
    config.stdio = {-1, -1, -1};
    config.preopens.push_back({outer.at("in"), "/in", false, -1});
    config.preopens.push_back({outer.at("second"), "/second", false, -1});
    Guest two{config};
    EXPECT_EQ(two.try_open("../second", {.lookup = 1}), Errno::notcapable)
        << "a neighbour is reached by its own descriptor";
    EXPECT_EQ(two.on_two_paths(areas::path_rename, 3, "dir/file", 4, "moved"), Errno::success);
    EXPECT_EQ(two.on_two_paths(areas::path_rename, 4, "moved", 3, "up/x"), Errno::notcapable);
    EXPECT_EQ(two.on_two_paths(areas::path_rename, 3, "up", 4, "up"), Errno::success);
    EXPECT_EQ(two.try_open("up/secret", {.fd = 4, .lookup = 1}), Errno::notcapable)
        << "a link that was moved still leads out";
    expect_nothing_happened();
}

/// The guest makes the way out itself, step by step, with nothing but what it may do.
TEST_F(EscapeTest, HomeMade) {
    ASSERT_EQ(
        (*guest)(areas::path_symlink, guest->put("../../out"), 9u, 3u, guest->put("dir/l"), 5u),
        Errno::success);
    EXPECT_EQ(guest->try_open("dir/l/secret", {.lookup = 1}), Errno::notcapable);
    const u32 dir = guest->open("dir", {.base = rights::of_directory, .inheriting = rights::all});
    EXPECT_EQ(guest->try_open("../dir/file", {.fd = dir}), Errno::notcapable);
    // A directory that is moved up while it is held open does not take its holder along.
    ASSERT_EQ(guest->on_path(areas::path_create_directory, 3, "dir/deep"), Errno::success);
    const u32 deep =
        guest->open("dir/deep", {.base = rights::of_directory, .inheriting = rights::all});
    ASSERT_EQ(guest->on_two_paths(areas::path_rename, 3, "dir/deep", 3, "shallow"), Errno::success);
    EXPECT_EQ(guest->try_open("..", {.fd = deep}), Errno::notcapable);
    EXPECT_EQ(guest->try_open("../../out/secret", {.fd = deep}), Errno::notcapable);
    expect_nothing_happened();
}

/// One thread swaps a directory for a symlink that leads out, as fast as it can; the guest walks
/// through it in every way there is. It may fail, it may succeed inside, it never gets out.
TEST_F(EscapeTest, SwappedWhileLooking) {
    outer.make("in/swap");
    outer.write("in/swap/secret", "inside");
    outer.link("../out", "in/link");
    std::atomic<bool> done = false;
    std::thread swapper{[&] {
        const std::string a = outer.at("in/swap");
        const std::string b = outer.at("in/link");
        while (!done)
            ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 2u);
    }};
    int inside = 0;
    int refused_count = 0;
    // On a busy machine the other thread may wait long for its turn.
    const auto raced = [&] { return inside > 0 && refused_count > 0; };
    for (int round = 0; round < 3000 || (!raced() && round < 300'000); ++round) {
        const Errno opened = guest->try_open("swap/secret", {.lookup = 1});
        if (opened == Errno::success) {
            const u32 fd = guest->get<u32>(Guest::out);
            ASSERT_EQ(guest->read(fd, 6), "inside") << "round " << round;
            static_cast<void>((*guest)(areas::fd_close, fd));
            ++inside;
        } else {
            ASSERT_TRUE(opened == Errno::notcapable || opened == Errno::again) << name(opened);
            ++refused_count;
        }
        static_cast<void>(guest->on_path(areas::path_create_directory, 3, "swap/made"));
        static_cast<void>(guest->on_path(areas::path_remove_directory, 3, "swap/made"));
        static_cast<void>(guest->on_path(areas::path_unlink_file, 3, "swap/made"));
        static_cast<void>(
            (*guest)(areas::path_symlink, guest->put("t"), 1u, 3u, guest->put("swap/made"), 9u));
        static_cast<void>(guest->on_path(areas::path_unlink_file, 3, "swap/made"));
        static_cast<void>(guest->on_two_paths(areas::path_rename, 3, "dir/file", 3, "swap/moved"));
        static_cast<void>(guest->on_two_paths(areas::path_rename, 3, "swap/moved", 3, "dir/file"));
        if (round % 64 == 0) guest->rewind();
    }
    done = true;
    swapper.join();
    EXPECT_GT(inside, 0) << "the race was never run";
    EXPECT_GT(refused_count, 0) << "the race was never run";
    expect_nothing_happened();
}

// ---- a kernel that has no openat2, or may not be asked
// ----------------------------------------------

/// Runs `check` in a process where openat2 fails with `error`; its answer is whether it held.
bool without_openat2(int error, bool (*check)()) {
    const pid_t child = ::fork();
    if (child == 0) {
        sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<u32>(error)),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(2);
        if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(2);
        ::_exit(check() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string error_of_granting() {
    Config config;
    config.preopens.push_back({"/tmp", "/", false, -1});
    const State::Made made = State::make(config);
    return made.state ? "" : made.error;
}

TEST(WithoutOpenat2, MissingIsSaidWithKernelAndRemedy) {
    EXPECT_TRUE(without_openat2(ENOSYS, [] {
        const std::string error = error_of_granting();
        return error.find("5.6") != std::string::npos && error.find("/tmp") != std::string::npos &&
               error.find("newer kernel") != std::string::npos;
    }));
}

TEST(WithoutOpenat2, RefusedIsSaidWithSeccompAndRemedy) {
    EXPECT_TRUE(without_openat2(EPERM, [] {
        const std::string error = error_of_granting();
        return error.find("seccomp") != std::string::npos &&
               error.find("5.6") != std::string::npos && error.find("allow") != std::string::npos;
    }));
}

TEST(WithoutOpenat2, WithoutDirectoriesEverythingElseWorks) {
    EXPECT_TRUE(without_openat2(ENOSYS, [] { return State::make(Config{}).state != nullptr; }));
}

}  // namespace
}  // namespace wrun::wasi
