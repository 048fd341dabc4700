// Operations too large for generated code (runtime/helpers.def), as plain functions over an
// instance: bounds are checked against the current sizes first, then they act, so none of them can
// fault. Generated code reaches them through `wrun_helper_table`; instantiation calls them for
// active segments.
#pragma once

#include "runtime/instance.hpp"

namespace wrun::runtime {

/// False when either range leaves its side; nothing is written then.
[[nodiscard]] bool memory_init(
    Instance& instance, u32 segment, u32 memory, u64 to, u64 from, u64 bytes) noexcept;
[[nodiscard]] bool table_init(
    Instance& instance, u32 segment, u32 table, u64 to, u64 from, u64 count) noexcept;

using HelperFunction = HelperResult (*)(Context*, u64 a, u64 b, u64 c, u32 imm0, u32 imm1);

}  // namespace wrun::runtime
