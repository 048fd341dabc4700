// The operations of the matrix: each row of decoder/ops.def that computes or accesses memory as one
// case or more, with its operands' types, the bytes around it and the values to try. Rows with a
// plain signature make their cases by themselves; the others are written out in cases_by_hand.cpp.
// A row that has no case and no excuse fails the run.
#pragma once

#include <string>
#include <vector>

#include "decoder/opcodes.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun::matrix {

using build::Bytes;

/// What every module of the matrix has, in this order, so that cases may name it by number.
namespace world {
// Types (one result each unless said): number → number for each of i32, i64, f32, f64, then others.
inline constexpr u32 type_unary = 0;      // + 0…3
inline constexpr u32 type_wrap = 4;       // i64 → i32
inline constexpr u32 type_nothing = 5;    // nothing → nothing
inline constexpr u32 type_many = 6;       // i64 → i32 i64 f32 f64 i32 i64 f32 f64
inline constexpr u32 type_mixed = 7;      // i32 f64 i64 f32 i32 i64 i64 i32 i64 → i64
inline constexpr u32 type_tested = 8;     // the function under test: i64 i64 i64 i32 → nothing
inline constexpr u32 type_driver = 9;     // i32 i32 i32 i32 → nothing
inline constexpr u32 type_none_i32 = 10;  // nothing → i32
// Functions: of the host, number → the same number; then the guest's.
inline constexpr u32 host_same = 0;  // + 0…3 by type
inline constexpr u32 same = 4;       // + 0…3 by type
inline constexpr u32 wrap = 8;
inline constexpr u32 nothing = 9;
inline constexpr u32 many = 10;
inline constexpr u32 mixed = 11;
inline constexpr u32 none_i32 = 12;
inline constexpr u32 driver = 13;
inline constexpr u32 first_tested = 14;
// Globals: imported ones, whose upper halves the host poisons, then the module's own.
inline constexpr u32 imported_global = 0;  // + 0…3 by type
inline constexpr u32 own_global = 4;       // + 0…3 by type
// Tables: the functions under test; references to try: function, null, function, null, a function
// of another type; one that is full.
inline constexpr u32 table_tested = 0;
inline constexpr u32 table_tried = 1;
inline constexpr u32 table_full = 2;
inline constexpr u32 tried_size = 5;
// Segments.
inline constexpr u32 data_tried = 0;    // passive, 16 bytes
inline constexpr u32 data_dropped = 1;  // passive
inline constexpr u32 elements_tried = 0;
inline constexpr u32 elements_dropped = 1;
inline constexpr u32 data_tried_bytes = 16;
// Memory: 3 pages, no more. The first and last 4096 bytes are the cases'; the rest is the driver's.
inline constexpr u64 page_bytes = 65'536;
inline constexpr u64 memory_bytes = 3 * page_bytes;
inline constexpr u64 tried_bytes = 4096;
inline constexpr u32 out = 65'536;         // result, then checksum, of the function under test
inline constexpr u32 cursor = out + 16;    // the tuple being tried
inline constexpr u32 tuples = out + 1024;  // operands: 3 × 8 bytes each
inline constexpr u32 tuples_max = (131'072 - tuples) / 24;
inline constexpr u32 results = 131'072;  // 16 bytes for each tuple
inline constexpr u32 results_max = (memory_bytes - tried_bytes - results) / 16;
// Locals of a function under test.
inline constexpr u32 raw =
    0;  // + 0…2: operands as 64 bits; of narrow ones the upper half is poison
inline constexpr u32 tuple = 3;   // where they lie
inline constexpr u32 result = 4;  // + 0…3 by type
inline constexpr u32 checksum = 8;
inline constexpr u32 result_ref = 9;
inline constexpr u32 operand = 10;  // + 0…2
}  // namespace world

/// Position of a number type among the world's.
[[nodiscard]] u32 index_of(ValType type);

struct Case {
    Op op{};
    std::string name;
    std::vector<ValType> operands;
    std::vector<std::vector<u64>> values;  // of each operand, the most telling first
    std::optional<ValType> result;
    Bytes before;             // opened before the operands are there
    Bytes code;               // the operation, and whatever closes what `before` opened
    bool any_nan = false;     // which NaN it makes is the engine's choice
    bool accesses = false;    // memory
    bool is_boolean = false;  // i32 result of 0 or 1
};

/// A value of type `type` folded into the checksum and off the stack.
[[nodiscard]] Bytes fold(ValType type);

[[nodiscard]] std::vector<Case> all_cases();
/// Appends the rows whose operands have no plain signature.
void add_cases_by_hand(std::vector<Case>& cases);

/// Rows without a case, and why: none of them computes or accesses memory by itself.
struct Excuse {
    Op op;
    const char* why;
};
[[nodiscard]] const std::vector<Excuse>& excuses();

/// Rows of the table that have neither, and rows that have both, as text; empty when all is well.
[[nodiscard]] std::string uncovered_rows(const std::vector<Case>& cases);

/// Values at the edges of a type, the most telling first; few of them where they come in pairs.
[[nodiscard]] const std::vector<u64>& edges(ValType type, bool in_pairs);

}  // namespace wrun::matrix
