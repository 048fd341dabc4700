// Which sanitizers this is built with, for GCC and clang alike: WRUN_ASAN and WRUN_TSAN for code
// that must be absent without them, constants for all else.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define WRUN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WRUN_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define WRUN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WRUN_TSAN 1
#endif
#endif

namespace wrun {

#ifdef WRUN_ASAN
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif

#ifdef WRUN_TSAN
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif

}  // namespace wrun
