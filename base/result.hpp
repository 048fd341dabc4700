// Errors are values: a Result<T> holds a T or an Error, and WRUN_TRY takes the one or returns the
// other. An Error is code + byte offset (8 bytes), so small results travel in registers; its text
// is built only when asked for (base/errors.hpp).
#pragma once

#include <utility>

#include "base/check.hpp"
#include "base/types.hpp"

namespace wrun {

enum class ErrorCode : u16 {
    ok,
#define WRUN_ERROR(name, kind, text) name,
#include "base/errors.def"
#undef WRUN_ERROR
};

/// What went wrong and at which byte of the module (`no_offset` when it is not about bytes).
/// `detail` is a number that the message may show: an index, an opcode, a feature, an errno.
struct [[nodiscard]] Error {
    static constexpr u32 no_offset = 0xffff'ffff;
    ErrorCode code{};
    u16 detail{};
    u32 offset = no_offset;
};
static_assert(sizeof(Error) == 8);

template <class T>
class [[nodiscard]] Result {
public:
    constexpr explicit(false) Result(T value) : value_{std::move(value)} {}
    constexpr explicit(false) Result(Error error) : error_{error} {
        WRUN_ASSERT(error.code != ErrorCode::ok);
    }
    [[nodiscard]] constexpr bool ok() const noexcept { return error_.code == ErrorCode::ok; }
    [[nodiscard]] constexpr Error error() const noexcept { return error_; }
    [[nodiscard]] constexpr T& value() & noexcept {
        WRUN_ASSERT(ok());
        return value_;
    }
    [[nodiscard]] constexpr const T& value() const& noexcept {
        WRUN_ASSERT(ok());
        return value_;
    }
    [[nodiscard]] constexpr T take() && noexcept {
        WRUN_ASSERT(ok());
        return std::move(value_);
    }

private:
    T value_{};
    Error error_{};
};

template <>
class [[nodiscard]] Result<void> {
public:
    constexpr Result() = default;
    constexpr explicit(false) Result(Error error) : error_{error} {}
    [[nodiscard]] constexpr bool ok() const noexcept { return error_.code == ErrorCode::ok; }
    [[nodiscard]] constexpr Error error() const noexcept { return error_; }
    constexpr void take() && noexcept {}

private:
    Error error_{};
};

}  // namespace wrun

#define WRUN_TRY(expression)                \
    (__extension__({                        \
        auto wrun_result = (expression);    \
        if (!wrun_result.ok()) [[unlikely]] \
            return wrun_result.error();     \
        std::move(wrun_result).take();      \
    }))
