// The cache: what it finds is what was kept, whatever happens to its folder and whoever else uses
// it.
#include "engine/cache.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/errors.hpp"
#include "base/sanitizers.hpp"
#include "engine/artifact.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

namespace fs = std::filesystem;
using engine::Cache;
using Bytes = std::vector<u8>;
using ModulePtr = std::shared_ptr<const engine::Module>;

constexpr u64 much = u64{1} << 30;

class CacheTest : public EngineTest {
protected:
    void SetUp() override {
        EngineTest::SetUp();
        std::string name = testing::TempDir() + "/wrun-cache-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        path_ = name + "/cache";
    }
    void TearDown() override {
        std::error_code ignored;
        if (!folder_.empty()) fs::remove_all(folder_, ignored);
    }

    Cache open(u64 bytes_max = much) { return Cache::open(path_, bytes_max).take(); }
    /// A program whose answer is a number.
    static Bytes answering(u32 number) {
        return wat::assemble(
            "(module (memory 1) (data (i32.const 8) \"some data\")"
            " (func (export \"answer\") (result i32) (i32.const " +
            std::to_string(number) + ")))");
    }
    ModulePtr compiled(const Bytes& wasm) { return engine::Module::compile(*engine, wasm).take(); }
    Result<void> keep(const Cache& cache, const Bytes& wasm) {
        return cache.keep(*compiled(wasm), Sha256::of(wasm));
    }
    ModulePtr find(const Cache& cache, const Bytes& wasm) {
        return cache.find(*engine, {}, Sha256::of(wasm));
    }
    /// "" when there is none.
    std::string answer(const ModulePtr& module) {
        if (module == nullptr) return "";
        instance = store->instantiate(module, linker).take().instance;
        return call("answer");
    }
    std::vector<fs::path> files(std::string_view ending = "") {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(path_))
            if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
        return found;
    }
    fs::path only_module() {
        const auto found = files(".wrun");
        EXPECT_EQ(found.size(), 1u);
        return found.at(0);
    }
    static void overwrite(const fs::path& path, u64 offset, u8 value) {
        ASSERT_EQ(chmod(path.c_str(), 0600), 0);
        const os::File file{::open(path.c_str(), O_RDWR)};
        ASSERT_TRUE(os::write_at(file.number(), offset, std::span{&value, 1}).ok());
    }

    std::string folder_;
    std::string path_;
};

TEST_F(CacheTest, FindsWhatWasKept) {
    const Cache cache = open();
    const Bytes wasm = answering(7);
    EXPECT_EQ(find(cache, wasm), nullptr);
    ASSERT_TRUE(keep(cache, wasm).ok());
    EXPECT_EQ(answer(find(cache, wasm)), "7");
    EXPECT_EQ(answer(find(open(), wasm)), "7") << "another process";
    EXPECT_EQ(find(cache, answering(8)), nullptr);
    EXPECT_EQ(cache.find(*engine, {engine::Bounds::checked}, Sha256::of(wasm)), nullptr);
    EXPECT_EQ(cache.contents().take().modules, 1u);
}

TEST_F(CacheTest, IsForItsOwnerAlone) {
    ASSERT_TRUE(keep(open(), answering(7)).ok());
    EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(only_module()).permissions(), fs::perms::owner_read);
}

TEST_F(CacheTest, AFolderThatOthersCanWriteToIsNotUsed) {
    (void)open();
    ASSERT_EQ(chmod(path_.c_str(), 0770), 0);
    EXPECT_EQ(Cache::open(path_, much).error().code, ErrorCode::cache_not_own);
    ASSERT_EQ(chmod(path_.c_str(), 0700), 0);
    EXPECT_TRUE(Cache::open(path_, much).ok());
    const std::string link = folder_ + "/link";
    ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
    EXPECT_FALSE(Cache::open(link, much).ok());
    EXPECT_FALSE(Cache::open(folder_ + "/absent/cache", much).ok());
    if (geteuid() == 0) {
        ASSERT_EQ(chown(path_.c_str(), 12345, 12345), 0);
        EXPECT_EQ(Cache::open(path_, much).error().code, ErrorCode::cache_not_own);
    }
}

TEST_F(CacheTest, WhatIsNoPlainFileOfOursIsMissing) {
    const Cache cache = open();
    const Bytes wasm = answering(7);
    ASSERT_TRUE(keep(cache, wasm).ok());
    const fs::path entry = only_module();
    const fs::path aside = folder_ + "/aside";
    const auto refused = [&](const char* what, const std::function<void()>& change) {
        change();
        EXPECT_EQ(find(cache, wasm), nullptr) << what;
        fs::remove_all(entry);
        ASSERT_TRUE(keep(cache, wasm).ok()) << what;
        EXPECT_EQ(answer(find(cache, wasm)), "7") << what;
    };
    refused("a link", [&] {
        fs::rename(entry, aside);
        fs::create_symlink(aside, entry);
    });
    refused("a pipe", [&] {
        fs::remove(entry);
        ASSERT_EQ(mkfifo(entry.c_str(), 0600), 0);
    });
    refused("a folder", [&] {
        fs::remove(entry);
        fs::create_directory(entry);
    });
    refused("writable by a group", [&] { ASSERT_EQ(chmod(entry.c_str(), 0620), 0); });
    refused("writable by all", [&] { ASSERT_EQ(chmod(entry.c_str(), 0602), 0); });
    if (geteuid() == 0)
        refused("somebody else's", [&] { ASSERT_EQ(chown(entry.c_str(), 12345, 12345), 0); });
    refused("empty", [&] {
        fs::permissions(entry, fs::perms::owner_all);
        fs::resize_file(entry, 0);
    });
    refused("cut off", [&] {
        fs::permissions(entry, fs::perms::owner_all);
        fs::resize_file(entry, fs::file_size(entry) - 4096);
    });
    refused("damaged", [&] { overwrite(entry, 4100, 0xa5); });
}

TEST_F(CacheTest, AnEntryUnderAnothersNameIsMissing) {
    const Cache cache = open();
    ASSERT_TRUE(keep(cache, answering(7)).ok());
    const fs::path seven = only_module();
    fs::rename(seven, folder_ + "/seven");
    ASSERT_TRUE(keep(cache, answering(8)).ok());
    const fs::path eight = only_module();
    fs::rename(folder_ + "/seven", eight);
    EXPECT_EQ(find(cache, answering(8)), nullptr);
    ASSERT_TRUE(keep(cache, answering(8)).ok());
    EXPECT_EQ(answer(find(cache, answering(8))), "8");
}

// As after the end of the system: the file is there, its pages are not.
TEST_F(CacheTest, WhatIsOlderThanTheSystemIsCheckedWhole) {
    const Bytes wasm = answering(7);
    ASSERT_TRUE(keep(open(), wasm).ok());
    const fs::path entry = only_module();
    const auto late = [&] {
        return Cache::open(path_, much, os::calendar_ns() + 1'000'000'000).take();
    };
    EXPECT_EQ(answer(find(late(), wasm)), "7");
    // The last page is code.
    const u64 size = fs::file_size(entry);
    overwrite(entry, size - 4096 + 3, 0xa5);
    EXPECT_NE(find(open(), wasm), nullptr) << "code is not looked at by every start";
    EXPECT_EQ(find(late(), wasm), nullptr);
}

// ---- notes -------------------------------------------------------------------------------------

class Notes : public CacheTest {
protected:
    os::FileStatus write(const Bytes& wasm) {
        const os::File file{::open(file_name().c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600)};
        EXPECT_TRUE(os::write_at(file.number(), 0, wasm).ok());
        return os::status_of(file.number()).take();
    }
    os::FileStatus status() {
        return os::status_of(os::File::open_for_reading(file_name()).take().number()).take();
    }
    std::string file_name() { return folder_ + "/module.wasm"; }
};

TEST_F(Notes, NameTheModuleOfAFileThatWasLeftAlone) {
    const Cache cache = open();
    const Bytes wasm = answering(7);
    const os::FileStatus written = write(wasm);
    ASSERT_TRUE(keep(cache, wasm).ok());
    ASSERT_TRUE(cache.note(written, Sha256::of(wasm)).ok());
    EXPECT_TRUE(files(".note").empty()) << "it could still change within the same time";
    EXPECT_EQ(cache.find(*engine, {}, written), nullptr);

    std::this_thread::sleep_for(std::chrono::nanoseconds{Cache::settled_ns + 100'000'000});
    ASSERT_TRUE(cache.note(written, Sha256::of(wasm)).ok());
    EXPECT_EQ(files(".note").size(), 1u);
    EXPECT_EQ(answer(cache.find(*engine, {}, status())), "7");
    EXPECT_EQ(cache.find(*engine, {engine::Bounds::checked}, status()), nullptr);

    // Whatever of a status is another, it is another file.
    for (const auto& change : std::vector<std::function<void(os::FileStatus&)>>{
             [](os::FileStatus& file) { ++file.bytes; }, [](os::FileStatus& file) { ++file.inode; },
             [](os::FileStatus& file) { ++file.device; },
             [](os::FileStatus& file) { ++file.modified_ns; },
             [](os::FileStatus& file) { ++file.changed_ns; }}) {
        os::FileStatus other = status();
        change(other);
        EXPECT_EQ(cache.find(*engine, {}, other), nullptr);
    }
    // Written again, with the former time: only the system's own time tells.
    const timespec times[2] = {{written.modified_ns / 1'000'000'000, 0},
        {written.modified_ns / 1'000'000'000, written.modified_ns % 1'000'000'000}};
    (void)write(answering(8));
    ASSERT_EQ(utimensat(AT_FDCWD, file_name().c_str(), times, 0), 0);
    EXPECT_EQ(status().modified_ns, written.modified_ns);
    EXPECT_EQ(cache.find(*engine, {}, status()), nullptr);

    // A damaged note, in each byte.
    const fs::path note = files(".note").at(0);
    ASSERT_TRUE(cache.find(*engine, {}, written) != nullptr);
    for (u64 at = 0; at < fs::file_size(note); ++at) {
        const os::File file{(chmod(note.c_str(), 0600), ::open(note.c_str(), O_RDWR))};
        u8 byte = 0;
        ASSERT_TRUE(os::read_at(file.number(), at, std::span{&byte, 1}).ok());
        const u8 other = byte ^ 0x10;
        ASSERT_TRUE(os::write_at(file.number(), at, std::span{&other, 1}).ok());
        EXPECT_EQ(cache.find(*engine, {}, written), nullptr) << at;
        ASSERT_TRUE(os::write_at(file.number(), at, std::span{&byte, 1}).ok());
    }
    ASSERT_TRUE(cache.find(*engine, {}, written) != nullptr);
}

// ---- eviction ----------------------------------------------------------------------------------

void set_time(const fs::path& path, i64 seconds_ago) {
    const i64 then = os::calendar_ns() / 1'000'000'000 - seconds_ago;
    const timespec times[2] = {{then, 0}, {then, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

TEST_F(CacheTest, EvictsWhatWasLongestNotUsed) {
    ASSERT_TRUE(keep(open(), answering(1)).ok());
    const fs::path first = only_module();
    const u64 size = fs::file_size(first);
    const Cache cache = open(3 * size);
    for (const u32 number : {2u, 3u}) {
        ASSERT_TRUE(keep(cache, answering(number)).ok());
    }
    for (const fs::path& path : files(".wrun"))
        set_time(path, 3600);
    set_time(first, 7200);
    EXPECT_EQ(answer(find(cache, answering(1))), "1") << "now it is the one that was used last";
    ASSERT_TRUE(keep(cache, answering(4)).ok());
    EXPECT_EQ(files(".wrun").size(), 3u);
    EXPECT_EQ(answer(find(cache, answering(1))), "1");
    EXPECT_EQ(answer(find(cache, answering(4))), "4");

    const Cache tiny = open(size - 1);
    ASSERT_TRUE(keep(tiny, answering(5)).ok());
    EXPECT_EQ(find(tiny, answering(5)), nullptr) << "larger than all there may be";
    ASSERT_TRUE(cache.prune(size).ok());
    EXPECT_EQ(files(".wrun").size(), 1u);
    ASSERT_TRUE(cache.prune(0).ok());
    EXPECT_TRUE(files().empty());
}

TEST_F(CacheTest, SweepsWhatKilledWritersLeft) {
    const Cache cache = open();
    const fs::path left = path_ + "/1-0-0.tmp";
    const fs::path foreign = path_ + "/somebody's";
    for (const fs::path& path : {left, foreign})
        (void)os::File{::open(path.c_str(), O_CREAT | O_RDWR, 0600)};
    ASSERT_TRUE(cache.prune(0).ok());
    EXPECT_TRUE(fs::exists(left)) << "it may be being written";
    set_time(left, 7200);
    ASSERT_TRUE(cache.prune(0).ok());
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(foreign)) << "nothing that is not ours";
}

// ---- killed, crowded, full ---------------------------------------------------------------------

/// Runs `body` in a child that is stopped at the entry and the exit of every system call, and kills
/// it at the n-th stop. True when it ended before.
bool killed_at(u32 stop, const std::function<void()>& body) {
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
        (void)raise(SIGSTOP);
        body();
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) return true;
    for (u32 i = 0; i < stop; ++i) {
        EXPECT_EQ(ptrace(PTRACE_SYSCALL, child, nullptr, nullptr), 0);
        EXPECT_EQ(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
            return true;
        }
    }
    EXPECT_EQ(kill(child, SIGKILL), 0);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return false;
}

TEST_F(CacheTest, AWriterMayBeKilledAtEverySystemCall) {
    const Bytes wasm = answering(7);
    const Bytes other = answering(8);
    const Cache cache = open();
    const ModulePtr module = compiled(wasm);
    u32 found = 0;
    u32 stop = 0;
    for (;; ++stop) {
        std::error_code ignored;
        for (const fs::path& path : files())
            fs::remove(path, ignored);
        ASSERT_TRUE(keep(cache, other).ok());
        os::FileStatus status;
        status.is_regular = true;
        const bool ended = killed_at(stop, [&] {
            const bool kept = cache.keep(*module, Sha256::of(wasm)).ok() &&
                              cache.note(status, Sha256::of(wasm)).ok();
            if (!kept) _exit(1);
        });
        const ModulePtr after = find(cache, wasm);
        if (after != nullptr) {
            ++found;
            ASSERT_EQ(answer(after), "7") << stop;
        }
        ASSERT_EQ(answer(find(cache, other)), "8") << stop;
        for (const fs::path& path : files(".wrun"))
            ASSERT_TRUE(engine::verify_artifact(os::File::open_for_reading(path).take()).ok());
        const ModulePtr by_note = cache.find(*engine, {}, status);
        ASSERT_TRUE(by_note == nullptr || answer(by_note) == "7") << stop;
        ASSERT_TRUE(keep(cache, wasm).ok()) << stop;
        ASSERT_EQ(answer(find(cache, wasm)), "7") << stop;
        if (ended) break;
    }
    EXPECT_GT(stop, 50u) << "there are that many calls at least";
    EXPECT_GT(found, 1u) << "some are behind the rename";
    EXPECT_LT(found, stop) << "most are before";
}

TEST_F(CacheTest, SixteenProcessesAtOnceNeverRunTheWrongModule) {
    constexpr u32 processes = 16;
    constexpr u32 rounds = has_address_sanitizer ? 10 : 60;
    std::vector<Bytes> wasms;
    for (u32 number = 0; number < 5; ++number)
        wasms.push_back(answering(number));
    ASSERT_TRUE(keep(open(), wasms[0]).ok());
    // Room for two, so that something is evicted all the time.
    const u64 room = 2 * fs::file_size(only_module()) + 8192;
    std::vector<pid_t> children;
    for (u32 process = 0; process < processes; ++process) {
        const pid_t child = fork();
        if (child != 0) {
            children.push_back(child);
            continue;
        }
        const auto cache = Cache::open(path_, room);
        if (!cache.ok()) _exit(2);
        for (u32 round = 0; round < rounds; ++round) {
            const u32 number = (round * 7 + process) % 5;
            ModulePtr module = find(cache.value(), wasms[number]);
            if (module == nullptr) {
                module = compiled(wasms[number]);
                if (!cache.value().keep(*module, Sha256::of(wasms[number])).ok()) _exit(3);
            }
            if (answer(module) != std::to_string(number)) _exit(4);
            // Killed in the midst of it, some of them.
            if (process >= 12 && round == rounds / 2) (void)kill(getpid(), SIGKILL);
        }
        _exit(0);
    }
    for (u32 process = 0; process < processes; ++process) {
        int status = 0;
        ASSERT_EQ(waitpid(children[process], &status, 0), children[process]);
        if (process < 12) {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        }
    }
    for (const fs::path& path : files(".wrun"))
        EXPECT_TRUE(engine::verify_artifact(os::File::open_for_reading(path).take()).ok());
    EXPECT_LE(open().contents().take().bytes, room + 8 * 65536);
}

/// 0 when all went well; 77 when the system does not let us try.
int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << status;
    return WEXITSTATUS(status);
}

TEST_F(CacheTest, AFileThatMayNotGrowIsNotKept) {
    const Bytes wasm = answering(7);
    const Cache cache = open();
    const ModulePtr module = compiled(wasm);
    for (const rlim_t bytes : {0u, 1u, 4096u, 10'000u, 20'000u}) {
        EXPECT_EQ(in_child([&] {
            const rlimit limit{bytes, bytes};
            if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 77;
            const Result<void> kept = cache.keep(*module, Sha256::of(wasm));
            return !kept.ok() && kept.error().detail == EFBIG ? 0 : 1;
        }),
            0);
        EXPECT_TRUE(files().empty()) << bytes;
        EXPECT_EQ(find(cache, wasm), nullptr);
    }
}

TEST_F(CacheTest, AFullOrReadOnlyDiskIsAnError) {
    const Bytes wasm = answering(7);
    const Bytes other = answering(8);
    const ModulePtr module = compiled(wasm);
    const ModulePtr another = compiled(other);
    ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
    const int outcome = in_child([&] {
        if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
        (void)mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        u32 full = 0;
        for (u32 kib = 4; kib <= 64; kib += 4) {
            const std::string size = "mode=700,size=" + std::to_string(kib) + "k";
            if (mount("tmpfs", path_.c_str(), "tmpfs", 0, size.c_str()) != 0) return 77;
            const auto cache = Cache::open(path_, much);
            if (!cache.ok()) return 1;
            const bool kept = cache.value().keep(*module, Sha256::of(wasm)).ok();
            if (kept != (answer(find(cache.value(), wasm)) == "7")) return 2;
            full += u32{!kept};
            if (!kept && !files().empty()) return 3;
            if (kept) {
                if (mount("none", path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
                    return 77;
                const auto reading = Cache::open(path_, much);
                if (!reading.ok() || answer(find(reading.value(), wasm)) != "7") return 4;
                if (reading.value().keep(*another, Sha256::of(other)).ok()) return 5;
            }
            (void)umount2(path_.c_str(), MNT_DETACH);
        }
        return full > 2 && full < 16 ? 0 : 6;
    });
    if (outcome == 77) GTEST_SKIP() << "nothing can be mounted here";
    EXPECT_EQ(outcome, 0);
}

// A file system whose files are not executed: code is copied, and runs all the same.
TEST_F(CacheTest, AFolderWhereNothingIsExecutedWorks) {
    const Bytes wasm = answering(7);
    const ModulePtr module = compiled(wasm);
    ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
    const int outcome = in_child([&] {
        if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
        (void)mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        if (mount("tmpfs", path_.c_str(), "tmpfs", MS_NOEXEC, "mode=700") != 0) return 77;
        const auto cache = Cache::open(path_, much);
        if (!cache.ok() || !cache.value().keep(*module, Sha256::of(wasm)).ok()) return 1;
        return answer(find(cache.value(), wasm)) == "7" ? 0 : 2;
    });
    if (outcome == 77) GTEST_SKIP() << "nothing can be mounted here";
    EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace wrun::test
