// The words and classes of error codes, from base/errors.def.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace wrun {

enum class ErrorClass : u8 { malformed, invalid, unlinkable, unsupported, limit, io };

/// The spec's words for a code ("type mismatch"). Static text.
[[nodiscard]] std::string_view message(ErrorCode code) noexcept;
[[nodiscard]] ErrorClass error_class(ErrorCode code) noexcept;
/// "malformed", "invalid", … as written in messages.
[[nodiscard]] std::string_view name(ErrorClass kind) noexcept;
/// The whole sentence: message, feature or errno where the code has one, and the byte offset.
[[nodiscard]] std::string describe(Error error);

}  // namespace wrun
