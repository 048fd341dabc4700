// The seam between the one walk over a function body and those who listen: the summariser (P0) and
// the code generator (P1). The walk owns all typing and decoding. A sink receives well-typed,
// *reachable* operations with decoded immediates; it never re-checks, never sees dead code and
// cannot fail except by resource (it remembers that itself).
//
// For each reachable operation, in order: `sink.at(offset, next)`, then
// `sink.emit_<name>(immediates…)`.
//   offset  byte offset of the opcode in the module, for trap tables and traces
//   next    the bytes behind this operation, for one opcode of lookahead. Only a Trusted walk's
//   sink may
//           read them (they are then known to be valid); a Checked walk passes them too, unread.
// Arguments by immediate kind (decoder/opcodes.hpp): none → (), i32 → (i32), i64 → (i64), f32 →
// (u32 bits), f64 → (u64 bits), mem → (MemArg), block → (BlockType), label → (u32 depth), labels →
// (LabelTable), func → (FuncIndex), local → (LocalIndex), global → (GlobalIndex), table →
// (TableIndex), memory → (MemoryIndex), data → (DataIndex), elem → (ElemIndex), type_table →
// (CallIndirect), data_memory → (DataIndex, MemoryIndex), memory_memory → (MemoryIndex to,
// MemoryIndex from), elem_table → (ElemIndex, TableIndex), table_table → (TableIndex to, TableIndex
// from), heap_type → (ValType, the null's reference type), types → (ValType).
//
// Structure: a block, loop or if is announced only when entered by reachable code; its `end` is
// then always announced, and its `else` too when the bytes have one, even if the code before it was
// dead. The function's own last `end` is announced as well. Behind an operation that ends a block
// (br, br_table, return, unreachable) nothing is announced until the matching else or end.
#pragma once

#include <concepts>

#include "base/types.hpp"
#include "decoder/opcodes.hpp"

namespace wrun {

template <class S>
concept FunctionSink = requires(S sink, u32 offset, const u8* next, BlockType type, u32 depth) {
    { sink.at(offset, next) } -> std::same_as<void>;
    { sink.emit_i32_add() } -> std::same_as<void>;
    { sink.emit_block(type) } -> std::same_as<void>;
    { sink.emit_br(depth) } -> std::same_as<void>;
    { sink.emit_end() } -> std::same_as<void>;
};

}  // namespace wrun
