// Which sanitizers a test is built with, for tests whose size depends on it.
#pragma once

namespace wrun::test {

#if !defined(__has_feature)
#define WRUN_HAS_FEATURE(name) 0
#else
#define WRUN_HAS_FEATURE(name) __has_feature(name)
#endif

#if defined(__SANITIZE_ADDRESS__) || WRUN_HAS_FEATURE(address_sanitizer)
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || WRUN_HAS_FEATURE(thread_sanitizer)
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif

#undef WRUN_HAS_FEATURE

}  // namespace wrun::test
