// Every bound wrun sets on what comes from outside, in one place. A count is compared with its
// bound before anything is allocated or looped by it. Where other engines agree on a number (the
// JavaScript embedding's implementation limits), it is theirs, so that what runs elsewhere runs
// here.
#pragma once

#include "base/types.hpp"

namespace wrun::limits {

inline constexpr u32 module_bytes_max = u32{1} << 30;
inline constexpr u32 types_max = 1'000'000;
inline constexpr u32 functions_max = 1'000'000;
inline constexpr u32 imports_max = 1'000'000;
inline constexpr u32 exports_max = 1'000'000;
inline constexpr u32 globals_max = 1'000'000;
inline constexpr u32 tables_max = 100'000;
inline constexpr u32 memories_max = 100;
inline constexpr u32 data_segments_max = 100'000;
inline constexpr u32 elem_segments_max = 10'000'000;
inline constexpr u32 elem_items_max = 10'000'000;
inline constexpr u32 table_elements_max = 10'000'000;
inline constexpr u32 params_max = 1'000;
inline constexpr u32 results_max = 1'000;
inline constexpr u32 locals_max = 50'000;
/// A trap row keeps offsets within a body in 24 bits.
inline constexpr u32 function_bytes_max = (u32{1} << 24) - 1;
inline constexpr u32 br_table_targets_max = 65'520;
/// Control frames of one function; each costs a few dozen bytes while it is open.
inline constexpr u32 nesting_max = 1'000'000;
/// Slots (8 bytes) of one frame: locals, operands and saved registers.
inline constexpr u32 frame_slots_max = u32{1} << 24;
/// Machine code of a function or a module: so many bytes for each byte of wasm, and some for free.
/// Real programs need about two; the bound keeps hostile ones from multiplying their size.
inline constexpr u32 code_bytes_per_wasm_byte_max = 24;
inline constexpr u32 code_bytes_free = u32{1} << 20;
/// What a snapshot may keep of all memories, zeros between them left out.
inline constexpr u64 snapshot_bytes_max = u64{1} << 30;
inline constexpr u64 memory32_pages_max = 65'536;
inline constexpr u64 wasm_page_bytes = 65'536;

}  // namespace wrun::limits
