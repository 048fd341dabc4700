// What a WASI function answers: Errno is preview 1's error number (success included), Answer<T> a
// value or such a number. WRUN_TRY works on Answers in functions that give an Answer or an Errno.
// The numbers and their mapping from the host's are the rows of wasi/errno.def.
#pragma once

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/result.hpp"
#include "base/types.hpp"

namespace wrun::wasi {

enum class Errno : u16 {
#define WRUN_ERRNO(name, text, number, host) name = number,
#include "wasi/errno.def"
#undef WRUN_ERRNO
};

/// The guest's number for one of the host's; `io` for numbers that WASI does not know.
[[nodiscard]] Errno errno_of_host(int host) noexcept;
/// For the call that just failed.
[[nodiscard]] inline Errno last_errno() noexcept {
    return errno_of_host(errno);
}
/// "noent", … as the specification writes it.
[[nodiscard]] std::string_view name(Errno error) noexcept;

template <class T>
class [[nodiscard]] Answer {
public:
    explicit(false) Answer(T value) : value_{std::move(value)} {}
    explicit(false) Answer(Errno error) noexcept : error_{error} {
        WRUN_ASSERT(error != Errno::success);
    }
    [[nodiscard]] bool ok() const noexcept { return error_ == Errno::success; }
    [[nodiscard]] Errno error() const noexcept { return error_; }
    [[nodiscard]] T take() && noexcept {
        WRUN_ASSERT(ok());
        return std::move(value_);
    }

private:
    T value_{};
    Errno error_ = Errno::success;
};

template <>
class [[nodiscard]] Answer<void> {
public:
    Answer() = default;
    /// `success` is allowed here: an Errno says all there is to say.
    explicit(false) Answer(Errno error) noexcept : error_{error} {}
    [[nodiscard]] bool ok() const noexcept { return error_ == Errno::success; }
    [[nodiscard]] Errno error() const noexcept { return error_; }
    void take() && noexcept {}

private:
    Errno error_ = Errno::success;
};

/// Of the few host calls that answer the number itself.
[[nodiscard]] inline Errno errno_of_host_or_success(int host) noexcept {
    return host == 0 ? Errno::success : errno_of_host(host);
}
/// What a host call that answers 0 or -1 did.
[[nodiscard]] inline Errno errno_of_call(int result) noexcept {
    return result == 0 ? Errno::success : last_errno();
}

}  // namespace wrun::wasi
