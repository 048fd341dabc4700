// Reservation, growth and access of tables.
#include "runtime/table.hpp"

#include <algorithm>

namespace wrun::runtime {

namespace {

constexpr u64 committed_bytes(u64 elements) noexcept {
    return os::round_up_to_page(elements * sizeof(Reference));
}

/// Above, pages that nobody touches are worth more than the system calls.
constexpr u64 block_elements_max = 128 * 1024 / sizeof(Reference);

}  // namespace

Result<std::unique_ptr<Table>> Table::make(const TableType& type, u64 elements_max, Reference init,
    TableHeader* header, TableBudget* budget) {
    // Far above every table that fits into memory, far below where the byte count overflows.
    constexpr u64 language_max = u64{1} << 40;
    std::unique_ptr<Table> table{new Table};
    table->type_ = type;
    table->elements_max_ =
        std::min({type.limits.max.value_or(language_max), elements_max, language_max});
    const u64 size = type.limits.min;
    table->budget_ = budget;
    if (size > table->elements_max_ || !table->charge(size)) return Error{ErrorCode::table_limit};
    if (header != nullptr) table->header_ = header;
    *table->header_ = {nullptr, size, 0, 0};
    if (size <= block_elements_max) {
        // At least one, so that the block is there and an empty table has a base.
        table->block_elements_ = std::max<u64>(size, 1);
        table->block_.reset(
            static_cast<Reference*>(std::calloc(table->block_elements_, sizeof(Reference))));
        if (table->block_ == nullptr) return Error{ErrorCode::out_of_memory};
        table->header_->base = table->block_.get();
    } else {
        WRUN_TRY(table->commit(0, size));
        table->header_->base = reinterpret_cast<Reference*>(table->reservation_.data());
    }
    if (init != 0) std::fill_n(table->header_->base, size, init);
    return table;
}

Table::~Table() {
    (void)charge(0);
}

bool Table::charge(u64 elements) noexcept {
    if (budget_ == nullptr) return true;
    const u64 others = budget_->used - charged_;
    if (elements > charged_ && elements > budget_->elements_max - others) return false;
    budget_->used = others + elements;
    charged_ = elements;
    return true;
}

Result<void> Table::commit(u64 begin, u64 elements) noexcept {
    if (reservation_.data() == nullptr) {
        reservation_ = WRUN_TRY(os::MappedRegion::reserve(committed_bytes(elements_max_)));
    }
    const u64 old_bytes = committed_bytes(begin);
    return reservation_.make_writable(old_bytes, committed_bytes(begin + elements) - old_bytes);
}

TableType Table::type() const noexcept {
    TableType type = type_;
    type.limits.min = size();
    return type;
}

std::optional<Reference> Table::get(u64 index) const noexcept {
    if (index >= header_->size) return std::nullopt;
    return header_->base[index];
}

void Table::expect_writes(u64 index, u64 count) noexcept {
    // Fewer fault as quickly.
    constexpr u64 bytes_min = 4 * os::page_bytes;
    const u64 begin = index * sizeof(Reference) / os::page_bytes * os::page_bytes;
    const u64 end = (index + count) * sizeof(Reference);
    if (!is_in_block() && end - begin >= bytes_min) reservation_.populate(begin, end - begin);
}

bool Table::fill(u64 index, Reference value, u64 count) noexcept {
    if (!contains(index, count)) return false;
    const auto elements = to_write(index, count);
    std::fill(elements.begin(), elements.end(), value);
    return true;
}

std::optional<u64> Table::grow(u64 count, Reference init) noexcept {
    const u64 before = header_->size;
    if (count > elements_max_ - before) return std::nullopt;
    if (count == 0) return before;
    if (!charge(before + count)) return std::nullopt;
    const auto committed = is_in_block() ? commit(0, before + count) : commit(before, count);
    if (!committed.ok()) {
        (void)charge(before);
        return std::nullopt;
    }
    if (is_in_block()) {
        auto* const base = reinterpret_cast<Reference*>(reservation_.data());
        std::copy_n(header_->base, before, base);
        header_->base = base;
    }
    // The rest of the last page may hold nothing but zeros: elements beyond the size are never
    // written.
    if (init != 0) std::fill_n(header_->base + before, count, init);
    header_->size = before + count;
    return before;
}

Result<void> Table::shrink(u64 size) noexcept {
    WRUN_CHECK(size <= header_->size);
    (void)charge(size);
    if (is_in_block()) {
        std::fill(header_->base + size, header_->base + header_->size, Reference{0});
        header_->size = size;
        return {};
    }
    const bool returns = size <= block_elements_;
    if (returns) std::copy_n(header_->base, size, block_.get());
    // Zeroing is dearer than a system call and the faults that follow it from some pages on.
    constexpr u64 zeroed_bytes_max = 16 * os::page_bytes;
    const u64 kept = returns ? 0 : size;
    const u64 kept_bytes = committed_bytes(kept);
    const u64 grown_bytes = committed_bytes(header_->size) - kept_bytes;
    if (grown_bytes > zeroed_bytes_max) {
        WRUN_TRY(reservation_.drop(kept_bytes, grown_bytes));
        header_->size = kept_bytes / sizeof(Reference);
    }
    std::fill(header_->base + kept, header_->base + header_->size, Reference{0});
    if (returns) {
        std::fill(block_.get() + size, block_.get() + block_elements_, Reference{0});
        header_->base = block_.get();
    }
    header_->size = size;
    return {};
}

}  // namespace wrun::runtime
