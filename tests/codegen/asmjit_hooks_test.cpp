// asmjit's debugging hooks are ours: in this program, and in a shared library, which Debian's
// archive alone cannot be linked into.
#include <asmjit/core.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include "base/types.hpp"

namespace wrun::codegen {
namespace {

TEST(AsmjitHooks, print_nothing) {
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    asmjit::DebugUtils::debugOutput("text");
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(AsmjitHooks, name_every_error) {
    for (asmjit::Error error = 0; error <= asmjit::kErrorCount; ++error) {
        EXPECT_THAT(asmjit::DebugUtils::errorAsString(error), testing::StartsWith("asmjit: "));
    }
}

TEST(AsmjitHooksDeathTest, end_like_our_own_checks) {
    EXPECT_DEATH(asmjit::DebugUtils::assertionFailed("file", 7, "something"),
        "internal error: something does not hold \\(file:7\\)");
}

TEST(AsmjitHooks, let_a_shared_library_be_linked_and_loaded) {
    void* library = dlopen(WRUN_SHARED_EMITTER, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto emit =
        reinterpret_cast<std::size_t (*)(void*, std::size_t)>(dlsym(library, "wrun_test_emit"));
    ASSERT_NE(emit, nullptr) << dlerror();
    std::array<u8, 64> code{};
    const std::size_t size = emit(code.data(), code.size());
    EXPECT_THAT(std::vector<u8>(code.begin(), code.begin() + size),
        testing::ElementsAre(0xb8, 0xff, 0x00, 0xff, 0x00,  // mov eax, 0xff00ff
            0xf3, 0x0f, 0xb8, 0xc0,                         // popcnt eax, eax
            0xc3));
    // Of asmjit nothing may be seen from outside.
    EXPECT_EQ(dlsym(library, "_ZN6asmjit8_abi_1_910DebugUtils13errorAsStringEj"), nullptr);
    dlclose(library);
}

/// The text that asmjit's own hooks print: its object was not taken from the archive.
TEST(AsmjitHooks, replace_those_of_the_archive) {
    for (const char* path : {WRUN_SHARED_EMITTER, "/proc/self/exe"}) {
        std::ifstream file(path, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(file)), {});
        ASSERT_FALSE(bytes.empty());
        const std::string printed = std::string("[asm") + "jit] Assertion failed";
        EXPECT_EQ(bytes.find(printed), std::string::npos) << path;
    }
}

}  // namespace
}  // namespace wrun::codegen
