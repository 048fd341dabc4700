// The two records that describe a file to the guest, made from the host's stat and from a
// descriptor. Shared by the descriptor and the path areas.
#pragma once

#include <sys/stat.h>

#include "wasi/call.hpp"

namespace wrun::wasi {

/// Into guest memory, as the call's preview has it. `descriptor` when the file is open, so that a
/// socket's kind can be told.
[[nodiscard]] Errno store_filestat(
    const Call& call, u32 address, const struct stat& status, int descriptor = -1) noexcept;
[[nodiscard]] Record<fdstat_record::size> fdstat(const Descriptor& descriptor) noexcept;

}  // namespace wrun::wasi
