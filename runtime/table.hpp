// A table of references (spec: §4.2.7). Address space for its largest size is reserved once, so the
// base never moves. Owns it; the header that generated code reads lies where the owner says.
// Elements are FuncRecord addresses or the host's numbers, 0 is null.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/os_memory.hpp"
#include "decoder/types.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

class Table {
public:
    /// `elements_max` bounds the size, whatever the type says. `header`, when given, is borrowed
    /// and filled; it must outlive the table.
    [[nodiscard]] static Result<std::unique_ptr<Table>> make(
        const TableType& type, u64 elements_max, Reference init, TableHeader* header = nullptr);
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

    os::MappedRegion reservation_;
    TableHeader own_header_{};
    TableHeader* header_ = &own_header_;
    TableType type_;
    u64 elements_max_ = 0;  // of type and bound, the smaller
};

}  // namespace wrun::runtime
