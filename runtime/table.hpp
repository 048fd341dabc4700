// A table of references (spec: §4.2.7). A small one begins in a block of the heap, whose pages are
// there already, and moves to addresses of its own, reserved for its largest size, when it grows;
// shrunk again it is back in the block. Larger ones lie there from the beginning. Owns both; the
// header that generated code reads, for the base too, lies where the owner says. Elements are
// FuncRecord addresses or the host's numbers, 0 is null.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "base/os_memory.hpp"
#include "decoder/types.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

/// The elements that several tables may have together. One thread's at a time.
struct TableBudget {
    u64 elements_max = 0;
    u64 used = 0;
};

class Table {
public:
    /// `elements_max` bounds the size, whatever the type says. `header`, when given, is borrowed
    /// and filled; it must outlive the table, as `budget` must, which its elements count against.
    [[nodiscard]] static Result<std::unique_ptr<Table>> make(const TableType& type,
        u64 elements_max, Reference init, TableHeader* header = nullptr,
        TableBudget* budget = nullptr);
    ~Table();
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    [[nodiscard]] TableHeader& header() const noexcept { return *header_; }
    [[nodiscard]] const Reference* base() const noexcept { return header_->base; }
    [[nodiscard]] u64 size() const noexcept { return header_->size; }
    /// With the current size as minimum: what import matching asks (spec: §4.5.3).
    [[nodiscard]] TableType type() const noexcept;

    [[nodiscard]] bool contains(u64 index, u64 count) const noexcept {
        return count <= header_->size && index <= header_->size - count;
    }
    [[nodiscard]] std::optional<Reference> get(u64 index) const noexcept;
    /// False, and nothing is written, when a place lies outside.
    [[nodiscard]] bool set(u64 index, Reference value) noexcept { return fill(index, value, 1); }
    [[nodiscard]] bool fill(u64 index, Reference value, u64 count) noexcept;
    /// [index, index + count), which contains() has found inside, to be written.
    [[nodiscard]] std::span<Reference> to_write(u64 index, u64 count) noexcept {
        header_->is_written |= u64{count != 0};
        return {header_->base + index, count};
    }
    /// Likewise, all of them soon: their pages are had at once.
    void expect_writes(u64 index, u64 count) noexcept;
    /// The size before; nothing when the type, the bound or the system refuses.
    [[nodiscard]] std::optional<u64> grow(u64 count, Reference init) noexcept;
    /// Takes back what it has grown by beyond `size`; the elements below are as they are.
    [[nodiscard]] Result<void> shrink(u64 size) noexcept;
    /// Whether an element may have been written since the flag was cleared.
    [[nodiscard]] bool is_written() const noexcept { return header_->is_written != 0; }
    void clear_is_written() noexcept { header_->is_written = 0; }

private:
    Table() = default;
    /// Whether it may have so many elements from now on; then it counts as having them.
    [[nodiscard]] bool charge(u64 elements) noexcept;
    /// Zeros in the reservation, which is made at the first use.
    [[nodiscard]] Result<void> commit(u64 begin, u64 elements) noexcept;
    [[nodiscard]] bool is_in_block() const noexcept {
        return block_ != nullptr && header_->base == block_.get();
    }

    struct Free {
        void operator()(Reference* block) const noexcept { std::free(block); }
    };
    std::unique_ptr<Reference, Free> block_;
    u64 block_elements_ = 0;
    os::MappedRegion reservation_;
    TableHeader own_header_{};
    TableHeader* header_ = &own_header_;
    TableType type_;
    u64 elements_max_ = 0;  // of type and bound, the smaller
    TableBudget* budget_ = nullptr;
    u64 charged_ = 0;
};

}  // namespace wrun::runtime
