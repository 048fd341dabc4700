// What the library says of the processor against what the system says.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "base/os_cpu.hpp"

namespace wrun {
namespace {

TEST(Cpu, IsWhatTheSystemTells) {
    std::ifstream file{"/proc/cpuinfo"};
    std::string line;
    while (std::getline(file, line) && !line.starts_with("flags")) {
    }
    if (line.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags here";
    std::istringstream words{line.substr(line.find(':') + 1)};
    const std::set<std::string> flags{std::istream_iterator<std::string>{words}, {}};
    const Cpu& cpu = Cpu::host();
    EXPECT_EQ(cpu.ssse3, flags.contains("ssse3"));
    EXPECT_EQ(cpu.sse4_1, flags.contains("sse4_1"));
    EXPECT_EQ(cpu.sse4_2, flags.contains("sse4_2"));
    EXPECT_EQ(cpu.popcnt, flags.contains("popcnt"));
    EXPECT_EQ(cpu.lzcnt, flags.contains("abm"));
    EXPECT_EQ(cpu.bmi1, flags.contains("bmi1"));
    EXPECT_EQ(cpu.bmi2, flags.contains("bmi2"));
    EXPECT_EQ(cpu.avx, flags.contains("avx"));
    EXPECT_EQ(cpu.avx2, flags.contains("avx2"));
    EXPECT_EQ(cpu.sha, flags.contains("sha_ni"));
}

}  // namespace
}  // namespace wrun
