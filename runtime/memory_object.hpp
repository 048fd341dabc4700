// Memory objects of the system (memfd): bytes without a name that can be mapped many times. Where a
// system refuses them, or limits how large a file may be, there is none and others make do with a
// copy.
#pragma once

#include <span>

#include "base/result.hpp"

namespace wrun::runtime {

/// A descriptor, closed on exec, of `size` zeros; -1 when there is none to be had. `name` shows in
/// /proc.
[[nodiscard]] int make_memory_object(const char* name, u64 size) noexcept;
/// `bytes` end within the object.
[[nodiscard]] Result<void> write_memory_object(
    int file, u64 offset, std::span<const u8> bytes) noexcept;
/// Whatever holds the object, its bytes and size stay as they are.
[[nodiscard]] Result<void> seal_memory_object(int file) noexcept;

}  // namespace wrun::runtime
