// The guests whose starting, running and resetting is measured: the same bytes for every subject.
// Each exports `handle`, i32 → i32, and its result depends on what it finds in its memory or table,
// so that a wrong result tells an instance that was not as new. The image that a memory begins with
// is full of known words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace wrun::cold {

/// Which pages a handler writes. Every second one of `mixed` lies beside the one before it, as
/// pages of a stack and a heap do; none of `scattered`.
enum class Layout : u8 { mixed, scattered };

struct Handler {
    std::string_view name;
    std::string_view does;  // for people
    u32 argument = 0;       // of `handle`
    u32 expected = 0;       // its result in an instance that is as new
    u32 pages_written = 0;  // of 4 KiB, of those there are at the start
    u64 memory_bytes = 0;
    Layout layout = Layout::mixed;
    bool only_writes = true;  // nothing but pages: what plain C++ can stand in for
    std::string wat;

    /// Assembled; ends the program without the wheel that assembles.
    [[nodiscard]] std::vector<u8> wasm() const;
};

inline constexpr u32 page_bytes = 4096;

/// All of them, in the order of the tables.
[[nodiscard]] const std::vector<Handler>& handlers();
[[nodiscard]] const Handler* find_handler(std::string_view name);

/// What a memory holds at the start.
[[nodiscard]] std::vector<u8> pristine(u64 memory_bytes);

/// What `handle` of a handler that only writes does to the memory, and its result.
u32 handle_natively(u8* memory, u64 memory_bytes, Layout layout, u32 pages) noexcept;

}  // namespace wrun::cold
