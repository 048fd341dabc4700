// The code range: mappings that are never writable and executable, pages that come back, the
// registry.
#include "runtime/code_range.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::CodeRegion;
using runtime::CodeWriter;

struct Mapping {
    u64 begin = 0;
    u64 end = 0;
    std::string permissions;
};

std::vector<Mapping> mappings() {
    std::vector<Mapping> result;
    std::ifstream file{"/proc/self/maps"};
    for (std::string line; std::getline(file, line);) {
        Mapping mapping;
        char permissions[5] = {};
        unsigned long begin = 0;
        unsigned long end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, permissions) == 3) {
            result.push_back({begin, end, permissions});
        }
    }
    return result;
}

std::string permissions_at(const void* address) {
    const u64 wanted = reinterpret_cast<u64>(address);
    for (const Mapping& mapping : mappings()) {
        if (wanted >= mapping.begin && wanted < mapping.end)
            return mapping.permissions.substr(0, 3);
    }
    return "";
}

/// The error of the kernel's own try to write a word there.
int write_to(u64 address) {
    const auto size = static_cast<long>(sizeof(u64));
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, address, size) == 0 ? 0 : errno;
}

CodeWriter written(u64 bytes, u8 fill) {
    EXPECT_TRUE(runtime::reserve_code_range().ok());
    auto writer = CodeWriter::make(bytes).take();
    EXPECT_TRUE(writer.write(0, std::vector<u8>(bytes, fill)).ok());
    return writer;
}

TEST(CodeRange, PublishesCodeForExecutionAndTheRestForReading) {
    auto writer = written(3 * os::page_bytes, 0xcc);
    const std::array<u8, 3> part = {1, 2, 3};
    ASSERT_TRUE(writer.write(os::page_bytes - 1, part).ok());
    const CodeRegion region = std::move(writer).publish(os::page_bytes).take();
    EXPECT_EQ(permissions_at(region.data()), "r-x");
    EXPECT_EQ(permissions_at(region.data() + os::page_bytes), "r--");
    EXPECT_EQ(permissions_at(region.data() + 2 * os::page_bytes), "r--");
    EXPECT_EQ(region.data()[3 * os::page_bytes - 1], 0xcc);
    for (u64 i = 0; i < 5; ++i) {
        const u8 expected[] = {0xcc, 1, 2, 3, 0xcc};
        EXPECT_EQ(region.data()[os::page_bytes - 2 + i], expected[i]) << i;
    }
    EXPECT_TRUE(runtime::code_range.holds(reinterpret_cast<u64>(region.data())));
}

TEST(CodeRange, HasNoMappingThatIsWritableAndExecutable) {
    Guest guest;
    (void)guest.run(GuestFunction::add, {1, 2});
    const auto writer = written(os::page_bytes, 0);
    for (const Mapping& mapping : mappings()) {
        const bool both = mapping.permissions[1] == 'w' && mapping.permissions[2] == 'x';
        EXPECT_FALSE(both) << std::hex << mapping.begin;
    }
}

TEST(CodeRangeDeathTest, WorksWhereThereAreNoMemoryObjects) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [](auto resource) {
        // No descriptor, no memory object; no bytes in a file, none of use.
        const rlimit none{0, 0};
        setrlimit(resource, &none);
        Guest guest;
        const bool adds = guest.run(GuestFunction::add, {40, 2}).value() == 42;
        // What was copied is no more writable than what is mapped.
        const u64 page = reinterpret_cast<u64>(guest.context.image->code);
        const bool is_sealed = write_to(page) == EFAULT;
        _exit(adds && is_sealed ? 5 : 6);
    };
    EXPECT_EXIT(body(RLIMIT_NOFILE), ::testing::ExitedWithCode(5), "");
    EXPECT_EXIT(body(RLIMIT_FSIZE), ::testing::ExitedWithCode(5), "");
}

TEST(CodeRange, TakesPagesBackAndHandsThemOutAgain) {
    const u8* first_data = nullptr;
    {
        const auto first = written(2 * os::page_bytes, 1).publish(os::page_bytes).take();
        first_data = first.data();
        EXPECT_EQ(permissions_at(first_data), "r-x");
    }
    EXPECT_EQ(permissions_at(first_data), "---");
    const auto second = written(2 * os::page_bytes, 2).publish(os::page_bytes).take();
    EXPECT_EQ(second.data(), first_data);
    EXPECT_EQ(second.data()[0], 2);
}

TEST(CodeRange, JoinsGapsInAnyOrder) {
    const auto size = [](const CodeRegion& region) { return region.size(); };
    std::vector<CodeRegion> regions;
    for (int i = 0; i < 5; ++i) {
        regions.push_back(written(os::page_bytes, 1).publish(os::page_bytes).take());
    }
    EXPECT_EQ(size(regions[0]), os::page_bytes);
    const u8* const begin = regions[0].data();
    for (const std::size_t i : {1u, 3u, 2u, 0u, 4u})
        regions[i] = CodeRegion{};
    const auto large = written(5 * os::page_bytes, 2).publish(os::page_bytes).take();
    EXPECT_EQ(large.data(), begin);
}

TEST(CodeRange, DoesNotLeakMappings) {
    const std::size_t before = mappings().size();
    for (int i = 0; i < 1000; ++i) {
        (void)written(4 * os::page_bytes, 1).publish(2 * os::page_bytes).take();
    }
    EXPECT_LE(mappings().size(), before + 2);
}

TEST(CodeRange, FindsTheImageOfAnAddress) {
    Guest first;
    Guest second;
    for (const Guest* guest : {&first, &second}) {
        const auto found =
            runtime::find_image(reinterpret_cast<u64>(guest->entry(GuestFunction::add)));
        EXPECT_EQ(found.owner, guest);
    }
    const u64 end =
        reinterpret_cast<u64>(first.context.image->code) + first.context.image->code_bytes;
    EXPECT_EQ(runtime::find_image(end - 1).owner, &first);
    EXPECT_NE(runtime::find_image(end).owner, &first);
    EXPECT_EQ(runtime::find_image(0).image, nullptr);
}

}  // namespace
}  // namespace wrun::test
