// Times: preview 1 counts nanoseconds in 64 bits, the host has seconds and nanoseconds. What a
// guest cannot express (before 1970, after 2554) is clamped.
#pragma once

#include <sys/stat.h>

#include <array>
#include <ctime>
#include <optional>

#include "wasi/errno.hpp"
#include "wasi/layout.hpp"

namespace wrun::wasi {

[[nodiscard]] u64 nanoseconds(const timespec& time) noexcept;
[[nodiscard]] timespec timespec_of(u64 nanoseconds) noexcept;
/// The host's clock behind a guest's clock id.
[[nodiscard]] std::optional<clockid_t> host_clock(u32 clock) noexcept;
[[nodiscard]] u64 now(clockid_t clock) noexcept;

/// Access and modification time for utimensat(2), out of fst_flags; `inval` for flags that exclude
/// each other.
[[nodiscard]] Answer<std::array<timespec, 2>> file_times(
    u64 atim, u64 mtim, u32 fst_flags) noexcept;

}  // namespace wrun::wasi
