// Write protection of single pages that tells the thread which writes: SIGBUS (BUS_ADRERR) is
// raised there, again and again, until the page is allowed. Unlike mprotect it splits no mapping,
// and reading stays free. A system call that is to write to a refused page fails with EFAULT. What
// is mapped anew is neither refused nor added. Linux 6.4, where userfaultfd(2) is not forbidden.
#pragma once

#include <optional>

#include "base/os_memory.hpp"

namespace wrun::os {

/// A handle that owns nothing, so that signal handlers may use one that is never destroyed.
/// Ranges are whole pages. Nothing here is an error: what cannot be had is false.
class WriteWatch {
public:
    /// Of this process: in a child of fork() it must only be closed, as it would change the
    /// parent's pages.
    [[nodiscard]] static std::optional<WriteWatch> open() noexcept;
    void close() noexcept;

    /// Before pages of [begin, begin + bytes), all of it mapped, can be refused; none is yet.
    [[nodiscard]] bool add(const u8* begin, u64 bytes) const noexcept;
    /// Allows all pages again.
    [[nodiscard]] bool remove(const u8* begin, u64 bytes) const noexcept;
    [[nodiscard]] bool refuse(const u8* begin, u64 bytes) const noexcept;
    /// Safe in a signal handler. False where nothing was added.
    [[nodiscard]] bool allow(const u8* begin, u64 bytes) const noexcept;

private:
    int file_ = -1;
};

}  // namespace wrun::os
