// The one place where a broken invariant of ours ends the process.
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace wrun {

void check_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(
        stderr, "wrun: internal error: %s does not hold (%s:%d)\n", expression, file, line);
    std::abort();
}

}  // namespace wrun
