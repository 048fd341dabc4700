// The helper table. Operands are as wide as the memory's or table's index type; an i32 arrives
// zero-extended, and a register that broke that rule would only be out of bounds here. What takes
// long goes in pieces and stops between them when the run shall end: the stub that returns then
// leaves the guest, so that nobody sees what is half done.
#include "runtime/helpers.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/deadline.hpp"

namespace wrun::runtime {

namespace {

constexpr u64 failed_growth = ~u64{0};

[[nodiscard]] bool fits(u64 from, u64 count, u64 size) noexcept {
    return count <= size && from <= size - count;
}

[[nodiscard]] HelperResult trap_unless(bool done, TrapCode code) noexcept {
    return {0, done ? 0 : entry_status::trap_base + to_underlying(code)};
}

/// -1 as the index type of the memory or table says it.
[[nodiscard]] HelperResult growth(std::optional<u64> before, bool is_64) noexcept {
    const u64 failed = is_64 ? failed_growth : failed_growth >> 32;
    return {before.value_or(failed), 0};
}

/// Calls piece(begin, count) for [0, total) in pieces, upwards or from the end down.
template <class Piece>
void in_pieces(u64 total, u64 piece_max, bool is_upwards, Piece&& piece) {
    for (u64 done = 0; done < total && !is_interrupted();) {
        const u64 count = std::min(total - done, piece_max);
        piece(is_upwards ? done : total - done - count, count);
        done += count;
    }
}

constexpr u64 piece_bytes = u64{1} << 20;
constexpr u64 piece_references = piece_bytes / sizeof(Reference);

/// Like memmove. All of one piece is read before it is written, so only the order of pieces counts.
void move_in_pieces(void* target, const void* source, u64 bytes) {
    auto* const to = static_cast<u8*>(target);
    const auto* const from = static_cast<const u8*>(source);
    const bool is_upwards = reinterpret_cast<u64>(to) <= reinterpret_cast<u64>(from);
    in_pieces(bytes, piece_bytes, is_upwards,
        [&](u64 begin, u64 count) { std::memmove(to + begin, from + begin, count); });
}

void fill_in_pieces(Reference* to, Reference value, u64 count) {
    in_pieces(count, piece_references, true,
        [&](u64 begin, u64 some) { std::fill_n(to + begin, some, value); });
}

[[nodiscard]] bool copy_memory(Memory& target, Memory& source, u64 to, u64 from, u64 bytes) {
    if (!target.contains(to, bytes) || !source.contains(from, bytes)) return false;
    move_in_pieces(target.base() + to, source.base() + from, bytes);
    return true;
}

[[nodiscard]] bool fill_memory(Memory& memory, u64 to, u64 value, u64 bytes) {
    if (!memory.contains(to, bytes)) return false;
    u8* const begin = memory.base() + to;
    in_pieces(bytes, piece_bytes, true,
        [&](u64 at, u64 count) { std::memset(begin + at, static_cast<u8>(value), count); });
    return true;
}

[[nodiscard]] bool copy_table(Table& target, Table& source, u64 to, u64 from, u64 count) {
    if (!target.contains(to, count) || !source.contains(from, count)) return false;
    // A table that can hold nothing has no base.
    if (count != 0) {
        move_in_pieces(
            target.to_write(to, count).data(), source.base() + from, count * sizeof(Reference));
    }
    return true;
}

[[nodiscard]] bool fill_table(Table& table, u64 to, Reference value, u64 count) {
    if (!table.contains(to, count)) return false;
    fill_in_pieces(table.to_write(to, count).data(), value, count);
    return true;
}

HelperResult help_memory_grow(Context* context, u64 pages, u64, u64, u32 index, u32) {
    Memory& memory = *context->instance->memories[index];
    return growth(memory.grow(pages), memory.type().limits.is_64);
}

HelperResult help_memory_init(
    Context* context, u64 to, u64 from, u64 bytes, u32 segment, u32 memory) {
    return trap_unless(memory_init(*context->instance, segment, memory, to, from, bytes),
        TrapCode::memory_out_of_bounds);
}

HelperResult help_memory_copy(
    Context* context, u64 to, u64 from, u64 bytes, u32 target, u32 source) {
    const auto memories = context->instance->memories;
    return trap_unless(copy_memory(*memories[target], *memories[source], to, from, bytes),
        TrapCode::memory_out_of_bounds);
}

HelperResult help_memory_fill(Context* context, u64 to, u64 value, u64 bytes, u32 memory, u32) {
    return trap_unless(fill_memory(*context->instance->memories[memory], to, value, bytes),
        TrapCode::memory_out_of_bounds);
}

HelperResult help_data_drop(Context* context, u64, u64, u64, u32 segment, u32) {
    context->instance->dropped_data.add(segment);
    return {};
}

HelperResult help_table_init(
    Context* context, u64 to, u64 from, u64 count, u32 segment, u32 table) {
    return trap_unless(table_init(*context->instance, segment, table, to, from, count),
        TrapCode::table_out_of_bounds);
}

HelperResult help_table_copy(
    Context* context, u64 to, u64 from, u64 count, u32 target, u32 source) {
    const auto tables = context->instance->tables;
    return trap_unless(copy_table(*tables[target], *tables[source], to, from, count),
        TrapCode::table_out_of_bounds);
}

HelperResult help_table_fill(Context* context, u64 to, u64 value, u64 count, u32 table, u32) {
    return trap_unless(fill_table(*context->instance->tables[table], to, value, count),
        TrapCode::table_out_of_bounds);
}

HelperResult help_table_grow(Context* context, u64 init, u64 count, u64, u32 index, u32) {
    Table& table = *context->instance->tables[index];
    const auto before = table.grow(count, 0);
    // What is new counts as grown, not as written.
    if (before && init != 0) fill_in_pieces(table.header().base + *before, init, count);
    return growth(before, table.type().limits.is_64);
}

HelperResult help_elem_drop(Context* context, u64, u64, u64, u32 segment, u32) {
    context->instance->dropped_elems.add(segment);
    return {};
}

}  // namespace

bool memory_init(
    Instance& instance, u32 segment, u32 memory, u64 to, u64 from, u64 bytes) noexcept {
    const Memory& target = *instance.memories[memory];
    const auto source = instance.data_segment(segment);
    if (!target.contains(to, bytes) || !fits(from, bytes, source.size())) return false;
    if (bytes != 0) move_in_pieces(target.base() + to, source.data() + from, bytes);
    return true;
}

bool table_init(Instance& instance, u32 segment, u32 table, u64 to, u64 from, u64 count) noexcept {
    Table& target = *instance.tables[table];
    const auto source = instance.elem_segment(segment);
    if (!target.contains(to, count) || !fits(from, count, source.size())) return false;
    if (count != 0) {
        move_in_pieces(
            target.to_write(to, count).data(), source.data() + from, count * sizeof(Reference));
    }
    return true;
}

}  // namespace wrun::runtime

extern "C" const wrun::runtime::HelperFunction wrun_helper_table[];

extern "C" constinit const wrun::runtime::HelperFunction wrun_helper_table[] = {
#define WRUN_HELPER(name, operands, immediates, result) wrun::runtime::help_##name,
#include "runtime/helpers.def"
#undef WRUN_HELPER
};
