// Two kinds of statement about the program itself (never about its input): WRUN_ASSERT holds in
// debug builds only; WRUN_CHECK stays in release wherever memory safety rests on it.
#pragma once

namespace wrun {

/// Says where and stops the process. Reached only by a bug of ours.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace wrun

#define WRUN_CHECK(expression)                     \
    (__builtin_expect(!!(expression), 1) ? (void)0 \
                                         : ::wrun::check_failed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define WRUN_ASSERT(expression) ((void)sizeof(!(expression)))
#else
#define WRUN_ASSERT(expression) WRUN_CHECK(expression)
#endif
