// Runs that write all over a memory, and whether the next one can tell. The image is the oracle:
// after each reset every byte is compared with it.
#include "runtime/memory_reset.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "base/limits.hpp"
#include "runtime/signals.hpp"

namespace wrun::runtime {
namespace {

constexpr u64 wasm_page = limits::wasm_page_bytes;

/// A memory with an image of so many pages of the system and so many more of zeros.
class Slot {
public:
    explicit Slot(u64 image_pages, u64 bytes, std::optional<ResetWay> way = std::nullopt,
        std::optional<os::PageScanner::Way> look = std::nullopt)
        : content_(image_pages * os::page_bytes) {
        std::mt19937_64 random{7};
        for (u8& byte : content_)
            byte = static_cast<u8>(random());
        // Holes, so that pages of the object itself are zeros.
        for (u64 page = 3; page + 1 < image_pages; page += 5)
            std::fill_n(
                content_.begin() + static_cast<i64>(page * os::page_bytes), os::page_bytes, u8{0});
        image = MemoryImage::make(content_).take();
        memory =
            Memory::make({{.min = 0, .max = std::nullopt, .is_64 = false}}, u64{1} << 30).take();
        finder.emplace(look);
        memory_reset.emplace(
            MemoryReset::bind(*memory, *image, bytes, finder->works(), way).take());
        bytes_ = bytes;
    }

    void begin() {
        watched.clear();
        if (memory_reset->watched()) watched.push_back(*memory_reset->watched());
        gate.begin(watched);
    }
    [[nodiscard]] bool end() { return memory_reset->reset(*finder, gate.end()); }

    /// The first byte that differs from the image; the size when none does.
    [[nodiscard]] u64 first_difference() const {
        if (memory->bytes() != bytes_) return ~u64{0};
        // Page by page, for speed; then byte by byte.
        static constexpr std::array<u8, os::page_bytes> zeros{};
        for (u64 at = 0; at < bytes_; at += os::page_bytes) {
            const u8* const is = memory->base() + at;
            const u8* const was = at < content_.size() ? content_.data() + at : zeros.data();
            if (std::memcmp(is, was, os::page_bytes) == 0) continue;
            return at + static_cast<u64>(std::mismatch(is, is + os::page_bytes, was).first - is);
        }
        return bytes_;
    }
    [[nodiscard]] bool is_pristine() const { return first_difference() == bytes_; }

    std::shared_ptr<const MemoryImage> image;
    std::unique_ptr<Memory> memory;
    std::optional<PageFinder> finder;
    std::optional<MemoryReset> memory_reset;
    WriteGate gate;
    std::vector<WatchedRange> watched;  // of the run

private:
    std::vector<u8> content_;
    u64 bytes_ = 0;
};

bool is_zero(const u8* begin, const u8* end) {
    return std::all_of(begin, end, [](u8 byte) { return byte == 0; });
}

/// Whether the system itself may not read there.
bool is_closed(const u8* address) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    const bool closed = ::write(ends[1], address, 1) == -1 && errno == EFAULT;
    for (const int file : {ends[0], ends[1]})
        ::close(file);
    return closed;
}

/// What a guest and its host functions do to a memory.
void misbehave(Memory& memory, std::mt19937_64& random, int source) {
    const u64 size = memory.bytes();
    const auto at = [&](u64 room) { return random() % (memory.bytes() - room); };
    switch (random() % 8) {
        case 0:
        case 1:
        case 2:
            for (u64 i = random() % 12; i-- > 0;)
                memory.base()[at(1)] = static_cast<u8>(random() | 1);
            break;
        case 3: std::memset(memory.base() + at(9000), 0x5a, 9000); break;
        case 4: {
            // The system writes, as read(2) of a host function does.
            const std::span<u8> to{memory.base() + at(20'000), 20'000};
            let_system_write(to);
            EXPECT_EQ(::read(source, to.data(), to.size()), 20'000);
            break;
        }
        case 5: std::memmove(memory.base() + at(5000), memory.base() + at(5000), 5000); break;
        case 6:
            if (size < 64 * wasm_page && memory.grow(1 + random() % 3)) {
                EXPECT_TRUE(is_zero(memory.base() + size, memory.base() + memory.bytes()));
                memory.base()[memory.bytes() - 1] = 0xee;
                memory.base()[size] = 0xee;
            }
            break;
        default: break;  // a run that only reads
    }
    for (u64 i = random() % 4; i-- > 0;)
        (void)*static_cast<volatile u8*>(memory.base() + at(1));
}

struct Shape {
    const char* name;
    u64 image_pages;
    u64 bytes;
    ResetWay way;
    os::PageScanner::Way look = os::PageScanner::Way::scan;
    Watch watch = Watch::faults;
};

[[nodiscard]] bool can_watch() {
    static const bool can = [] {
        auto watch = os::WriteWatch::open();
        if (watch) watch->close();
        return watch.has_value();
    }();
    return can;
}
constexpr const char* cannot_watch = "the system cannot refuse pages (userfaultfd of Linux 6.4)";

class Resets : public ::testing::TestWithParam<Shape> {
protected:
    void SetUp() override {
        ASSERT_TRUE(install_signal_handlers().ok() && prepare_thread_for_signals().ok());
        if (GetParam().watch == Watch::writes && !can_watch()) GTEST_SKIP() << cannot_watch;
        if (GetParam().way != ResetWay::learned) return;
        const auto best = os::PageScanner::open();
        if (best.ok() && best.value().way() == GetParam().look) return;
        if (GetParam().look == os::PageScanner::Way::read) return;
        GTEST_SKIP() << "the kernel is older than PAGEMAP_SCAN";
    }
};

TEST_P(Resets, LeaveNothingBehind) {
    const Shape& shape = GetParam();
    Slot slot{shape.image_pages, shape.bytes, shape.way, shape.look};
    ASSERT_EQ(slot.memory_reset->way(), shape.way);
    const int source = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(source, 0);
    ASSERT_TRUE(slot.is_pristine());
    std::mt19937_64 random{42};
    int watched_cycles = 0;
    for (int cycle = 0; cycle < 3000; ++cycle) {
        if (shape.watch == Watch::writes && random() % 2 == 0) {
            ASSERT_TRUE(slot.memory_reset->watch());
            ++watched_cycles;
        }
        slot.begin();
        for (u64 i = random() % 4; i-- > 0;)
            misbehave(*slot.memory, random, source);
        ASSERT_TRUE(slot.end()) << cycle;
        ASSERT_EQ(slot.first_difference(), shape.bytes) << cycle;
        ASSERT_TRUE(cycle % 100 != 0 || is_closed(slot.memory->base() + shape.bytes));
    }
    close(source);
    EXPECT_TRUE(shape.watch == Watch::faults || watched_cycles > 1000);
}

INSTANTIATE_TEST_SUITE_P(Ways, Resets,
    ::testing::Values(Shape{"drop", 40, 8 * wasm_page, ResetWay::drop},
        Shape{"learned_scan", 40, 8 * wasm_page, ResetWay::learned, os::PageScanner::Way::scan},
        Shape{"learned_read", 40, 8 * wasm_page, ResetWay::learned, os::PageScanner::Way::read},
        Shape{"learned_without_image", 0, 8 * wasm_page, ResetWay::learned},
        // More pages than may be hot.
        Shape{"learned_large", 300, 24 * wasm_page, ResetWay::learned},
        Shape{"watched", 40, 8 * wasm_page, ResetWay::learned, os::PageScanner::Way::scan,
            Watch::writes},
        Shape{"watched_without_image", 0, 8 * wasm_page, ResetWay::learned,
            os::PageScanner::Way::scan, Watch::writes},
        Shape{"watched_large", 300, 24 * wasm_page, ResetWay::learned, os::PageScanner::Way::scan,
            Watch::writes},
        Shape{"copy", 10, wasm_page, ResetWay::copy}),
    [](const auto& tested) { return tested.param.name; });

TEST(Reset, TakesNoFaultAndNoLookInSteadyState) {
    Slot slot{40, 8 * wasm_page, ResetWay::learned};
    const auto run = [&] {
        slot.begin();
        for (const u64 page : {0u, 7u, 39u, 40u, 100u})
            slot.memory->base()[page * os::page_bytes + 5] = 1;
        ASSERT_TRUE(slot.end());
    };
    for (int i = 0; i < 4; ++i)
        run();
    const u64 looks = slot.memory_reset->stats().looks;
    const auto faults = os::thread_fault_count();
    for (int i = 0; i < 100; ++i)
        run();
    EXPECT_EQ(os::thread_fault_count(), faults);
    EXPECT_EQ(slot.memory_reset->stats().looks, looks);
    EXPECT_EQ(std::vector<u32>(
                  slot.memory_reset->hot_pages().begin(), slot.memory_reset->hot_pages().end()),
        (std::vector<u32>{0, 7, 39, 40, 100}));
    EXPECT_TRUE(slot.is_pristine());
}

class WatchedReset : public ::testing::Test {
protected:
    void SetUp() override {
        if (!can_watch()) GTEST_SKIP() << cannot_watch;
        ASSERT_TRUE(install_signal_handlers().ok() && prepare_thread_for_signals().ok());
        run({7, 39, 40});
        ASSERT_TRUE(slot.memory_reset->watch());
        looks = slot.memory_reset->stats().looks;
    }
    void run(std::initializer_list<u64> written) {
        slot.begin();
        for (const u64 page : written)
            write(page);
        ASSERT_TRUE(slot.end());
        ASSERT_TRUE(slot.is_pristine());
    }
    void write(u64 page) {
        *static_cast<volatile u8*>(slot.memory->base() + page * os::page_bytes + 5) = 1;
    }
    [[nodiscard]] u64 new_looks() const { return slot.memory_reset->stats().looks - looks; }

    static constexpr u64 pages = 8 * wasm_page / os::page_bytes;
    Slot slot{40, 8 * wasm_page, ResetWay::learned};
    u64 looks = 0;
};

TEST_F(WatchedReset, IsQuietOnPagesThatAreHot) {
    run({7, 39, 40});
    const auto faults = os::thread_fault_count();
    for (int i = 0; i < 100; ++i) {
        slot.begin();
        for (const u64 page : {7u, 39u, 40u})
            write(page);
        ASSERT_TRUE(slot.gate.end());
        ASSERT_TRUE(slot.memory_reset->reset(*slot.finder, true));
    }
    EXPECT_EQ(os::thread_fault_count(), faults);
    EXPECT_EQ(new_looks(), 0u);
    EXPECT_TRUE(slot.memory_reset->watched());
    EXPECT_TRUE(slot.is_pristine());
}

TEST_F(WatchedReset, SeesTheFirstWriteToEveryOtherPage) {
    for (u64 page = 0; page < pages; ++page) {
        ASSERT_TRUE(slot.memory_reset->watch());
        const u64 before = new_looks();
        const auto hot = slot.memory_reset->hot_pages();
        const bool is_hot = std::find(hot.begin(), hot.end(), page) != hot.end();
        run({page});
        EXPECT_EQ(new_looks() - before, is_hot ? 0u : 1u) << page;
        EXPECT_EQ(slot.memory_reset->watched().has_value(), is_hot) << page;
    }
}

TEST_F(WatchedReset, AllowsAllWhereThereAreManyWrites) {
    slot.begin();
    for (u64 page = 0; page < pages; page += 2)
        write(page);
    // Whichever way it was allowed, once is enough.
    for (u64 page = 0; page < pages; ++page)
        write(page);
    ASSERT_TRUE(slot.end());
    EXPECT_TRUE(slot.is_pristine());
    EXPECT_EQ(new_looks(), 1u);
}

TEST_F(WatchedReset, LetsTheSystemWriteWhereToldTo) {
    const int source = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    slot.begin();
    const std::span<u8> to{slot.memory->base() + 100 * os::page_bytes - 50, 2 * os::page_bytes};
    EXPECT_EQ(::read(source, to.data(), to.size()), -1);
    let_system_write(to);
    EXPECT_EQ(::read(source, to.data(), to.size()), static_cast<ssize_t>(to.size()));
    close(source);
    ASSERT_TRUE(slot.end());
    EXPECT_EQ(new_looks(), 1u);
    EXPECT_TRUE(slot.is_pristine());
}

TEST_F(WatchedReset, IsOverInAChildOfFork) {
    const pid_t child = fork();
    if (child == 0) {
        for (const u64 page : {3u, 50u, 7u})
            run({page});
        const bool can_again = slot.memory_reset->watch();
        for (const u64 page : {4u, 51u, 7u})
            run({page});
        _exit(can_again && slot.is_pristine() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    run({7});
    EXPECT_EQ(new_looks(), 0u) << "but not in its parent";
    run({3, 50});
    EXPECT_EQ(new_looks(), 1u);
}

TEST_F(WatchedReset, AFaultOfAnotherKindIsNotTakenForAWrite) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto touch_beyond_the_end_of_a_file = [&] {
        slot.begin();
        const int file = memfd_create("empty", 0);
        void* const page =
            mmap(nullptr, os::page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        *static_cast<volatile u8*>(page) = 1;
        _exit(0);
    };
    // A sanitizer has a way of its own to end.
    EXPECT_EXIT(
        touch_beyond_the_end_of_a_file(), [](int status) { return status != 0; }, "");
}

TEST(Reset, DoesNotWatchWhatIsTooLargeOrNotLearned) {
    Slot dropped{4, wasm_page, ResetWay::drop};
    EXPECT_FALSE(dropped.memory_reset->watch());
    Slot large{4, MemoryReset::watched_bytes_max + wasm_page, ResetWay::learned};
    EXPECT_FALSE(large.memory_reset->watch());
    Slot empty{0, 0, ResetWay::learned};
    EXPECT_FALSE(empty.memory_reset->watch());
}

TEST(Reset, LearnsWhereTheSystemTellsAndDropsElsewhere) {
    EXPECT_EQ(Slot(1, wasm_page).memory_reset->way(), ResetWay::learned);
    EXPECT_EQ(Slot(0, 0).memory_reset->way(), ResetWay::learned);
    const auto image = MemoryImage::make(std::vector<u8>(10, 1)).take();
    const auto memory =
        Memory::make({{.min = 0, .max = std::nullopt, .is_64 = false}}, wasm_page).take();
    const auto reset = MemoryReset::bind(*memory, *image, wasm_page, false).take();
    EXPECT_EQ(reset.way(), ResetWay::drop);
}

TEST(Reset, KeepsFewPagesHot) {
    Slot slot{0, 64 * wasm_page, ResetWay::learned};
    slot.begin();
    std::memset(slot.memory->base(), 1, 64 * wasm_page);
    ASSERT_TRUE(slot.end());
    EXPECT_EQ(slot.memory_reset->hot_pages().size(), MemoryReset::hot_pages_max);
    EXPECT_EQ(slot.memory_reset->stats().pages_dropped, 64 * 16 - u64{MemoryReset::hot_pages_max});
    EXPECT_TRUE(slot.is_pristine());
}

TEST(Reset, LooksWhenItWasNotToldThatARunBegan) {
    Slot slot{8, 4 * wasm_page, ResetWay::learned};
    for (int i = 0; i < 3; ++i) {
        slot.begin();
        ASSERT_TRUE(slot.end());
    }
    const u64 looks = slot.memory_reset->stats().looks;
    slot.memory->base()[3 * os::page_bytes] = 9;
    ASSERT_TRUE(slot.end());
    EXPECT_EQ(slot.memory_reset->stats().looks, looks + 1);
    EXPECT_TRUE(slot.is_pristine());
}

TEST(Reset, SeesWhatAChildOfForkWrites) {
    Slot slot{20, 4 * wasm_page, ResetWay::learned};
    slot.begin();
    slot.memory->base()[0] = 1;
    ASSERT_TRUE(slot.end());
    const pid_t child = fork();
    if (child == 0) {
        slot.begin();
        slot.memory->base()[5 * os::page_bytes] = 1;
        slot.memory->base()[30 * os::page_bytes] = 1;
        _exit(slot.end() && slot.is_pristine() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    slot.begin();
    slot.memory->base()[6 * os::page_bytes] = 1;
    ASSERT_TRUE(slot.end());
    EXPECT_TRUE(slot.is_pristine());
}

/// Takes one page fault; a sanitizer's look at its shadow would be another one.
__attribute__((no_sanitize("address"))) void touch_one(volatile u8* page) {
    *page = 1;
}

/// A child counts its faults from zero: it may get to its parent's number in the midst of a run.
TEST(Reset, IsNotFooledByAChildWithAsManyFaults) {
    Slot slot{20, 4 * wasm_page, ResetWay::learned};
    const auto run = [&] {
        slot.begin();
        slot.memory->base()[0] = 1;
        ASSERT_TRUE(slot.end());
    };
    for (int i = 0; i < 4; ++i)
        run();
    // Pages for the child to fault on, as many as it may need.
    const u64 spare_bytes = (os::thread_fault_count().value() + 1000) * os::page_bytes;
    auto spare = os::MappedRegion::allocate(spare_bytes).take();
    ASSERT_TRUE(spare.refuse_huge_pages().ok());
    run();
    const u64 faults = os::thread_fault_count().value();
    slot.begin();
    const pid_t child = fork();
    if (child == 0) {
        slot.memory->base()[7 * os::page_bytes] = 1;
        u64 at = 0;
        while (os::thread_fault_count().value() < faults && at < spare_bytes) {
            touch_one(spare.data() + at);
            at += os::page_bytes;
        }
        const bool is_met = os::thread_fault_count() == faults;
        _exit(!is_met ? 2 : slot.end() && slot.is_pristine() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_NE(status, 2 << 8) << "the test did not get where it wanted";
    EXPECT_EQ(status, 0);
}

/// Huge pages would appear without a fault of the guest's thread: they must be refused.
TEST(Reset, IsNotFooledByHugePagesMadeByAnotherThread) {
#ifndef MADV_COLLAPSE
    constexpr int MADV_COLLAPSE = 25;
#endif
    constexpr u64 huge = u64{2} << 20;
    constexpr u64 bytes = 4 * huge;
    Slot slot{0, bytes, ResetWay::learned};
    std::atomic<bool> done = false;
    std::atomic<u64> tries = 0;
    std::atomic<u64> collapsed = 0;
    std::thread other{[&] {
        while (!done) {
            const u64 base = reinterpret_cast<u64>(slot.memory->base());
            for (u64 at = (base + huge - 1) & ~(huge - 1); at + huge <= base + bytes; at += huge) {
                ++tries;
                void* const page = slot.memory->base() + (at - base);
                collapsed += madvise(page, huge, MADV_COLLAPSE) == 0;
            }
        }
    }};
    std::mt19937_64 random{3};
    for (int cycle = 0; cycle < 2000; ++cycle) {
        slot.begin();
        for (int i = 0; i < 4; ++i)
            slot.memory->base()[random() % bytes] = 1;
        if (cycle % 500 == 499) (void)slot.memory->grow(40);
        ASSERT_TRUE(slot.end());
        ASSERT_TRUE(cycle % 20 != 0 || slot.is_pristine()) << cycle;
    }
    done = true;
    other.join();
    EXPECT_TRUE(slot.is_pristine());
    EXPECT_GT(tries, 0u);
    EXPECT_EQ(collapsed, 0u);
}

/// Whether every mapping of [begin, begin + bytes) carries the flag.
bool refuses_huge_pages(const u8* begin, u64 bytes) {
    const u64 first = reinterpret_cast<u64>(begin);
    std::ifstream maps{"/proc/self/smaps"};
    bool is_inside = false;
    u64 covered = 0;
    for (std::string line; std::getline(maps, line);) {
        u64 low = 0;
        u64 high = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &low, &high) == 2) {
            is_inside = low < first + bytes && high > first;
            if (is_inside) covered += std::min(high, first + bytes) - std::max(low, first);
        } else if (is_inside && line.starts_with("VmFlags:") &&
                   line.find(" nh") == std::string::npos) {
            return false;
        }
    }
    return covered == bytes;
}

TEST(Reset, RefusesHugePagesWhateverIsMappedAnew) {
    Slot slot{40, 8 * wasm_page, ResetWay::learned};
    EXPECT_TRUE(refuses_huge_pages(slot.memory->base(), 8 * wasm_page));
    for (int i = 0; i < 3; ++i) {
        slot.begin();
        ASSERT_TRUE(slot.memory->grow(40).has_value());
        EXPECT_TRUE(refuses_huge_pages(slot.memory->base(), 48 * wasm_page)) << i;
        ASSERT_TRUE(slot.end());
        EXPECT_TRUE(refuses_huge_pages(slot.memory->base(), 8 * wasm_page)) << i;
    }
}

TEST(Reset, RebindsToAnotherImage) {
    Slot first{40, 8 * wasm_page, ResetWay::learned};
    first.begin();
    std::memset(first.memory->base(), 0x77, 8 * wasm_page);
    ASSERT_TRUE(first.memory->grow(2).has_value());
    first.memory->base()[9 * wasm_page] = 0x77;
    // Not even reset: what was there is gone with its mapping.
    const std::vector<u8> other(5000, 3);
    const auto image = MemoryImage::make(other).take();
    auto reset = MemoryReset::bind(*first.memory, *image, 9 * wasm_page, true).take();
    EXPECT_EQ(first.memory->bytes(), 9 * wasm_page);
    const u8* const base = first.memory->base();
    EXPECT_TRUE(std::all_of(base, base + 5000, [](u8 byte) { return byte == 3; }));
    EXPECT_TRUE(is_zero(base + 5000, base + 9 * wasm_page));
    ASSERT_TRUE(first.memory->grow(1).has_value());
    EXPECT_EQ(base[9 * wasm_page], 0);
}

TEST(ResetDeathTest, WorksWhereThereAreNoMemoryObjects) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [](auto resource) {
        const rlimit none{0, 0};
        setrlimit(resource, &none);
        Slot slot{10, 8 * wasm_page, ResetWay::learned};
        slot.begin();
        std::memset(slot.memory->base() + 100, 1, 50'000);
        _exit(slot.end() && slot.is_pristine() ? 5 : 6);
    };
    EXPECT_EXIT(body(RLIMIT_FSIZE), ::testing::ExitedWithCode(5), "");
    EXPECT_EXIT(body(RLIMIT_NOFILE), ::testing::ExitedWithCode(5), "");
}

TEST(Image, IsWhatWasGivenAndCannotChange) {
    std::vector<u8> content(3 * os::page_bytes + 10);
    content[2 * os::page_bytes] = 9;
    const auto image = MemoryImage::make(content).take();
    EXPECT_EQ(image->bytes(), 3 * os::page_bytes) << "zeros behind are left out";
    EXPECT_EQ(image->data()[2 * os::page_bytes], 9);
    const u8 byte = 1;
    EXPECT_EQ(pwrite(image->file(), &byte, 1, 0), -1);
    EXPECT_EQ(ftruncate(image->file(), 0), -1);
    EXPECT_EQ(mmap(nullptr, os::page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, image->file(), 0),
        MAP_FAILED);
}

}  // namespace
}  // namespace wrun::runtime
