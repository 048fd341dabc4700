// See code_lookup.hpp.
#include "runtime/code_lookup.hpp"

#include <algorithm>

#include "runtime/lazy_code.hpp"

namespace wrun::runtime {

namespace {

/// The part of an image that holds an offset; an empty one when none does.
[[nodiscard]] CodeUnit unit_at(const CodeImage& image, u64 offset) noexcept {
    if (image.lazy == nullptr) {
        return {0, image.code_bytes, 0, image.function_count, image.functions, image.rows,
            image.row_count};
    }
    const CodeUnit* const* const units = image.lazy->units;
    const CodeUnit* const* const end = units + image.lazy->count.load(std::memory_order_acquire);
    const CodeUnit* const* const after = std::upper_bound(units, end, offset,
        [](u64 wanted, const CodeUnit* unit) { return wanted < unit->code_begin; });
    if (after == units || offset >= after[-1]->code_end) return {};
    return *after[-1];
}

}  // namespace

std::optional<FunctionAt> function_at(const CodeImage& image, u64 offset) noexcept {
    if (image.lazy != nullptr && offset / jump_table_entry_bytes < image.function_count) {
        const u32 function = static_cast<u32>(offset / jump_table_entry_bytes);
        return FunctionAt{function, function * jump_table_entry_bytes, FunctionAt::unknown};
    }
    const CodeUnit unit = unit_at(image, offset);
    const FunctionCode* const end = unit.functions + unit.function_count;
    const FunctionCode* const after = std::upper_bound(unit.functions, end, offset,
        [](u64 wanted, const FunctionCode& function) { return wanted < function.code_begin; });
    if (after == unit.functions || offset >= after[-1].code_end) return std::nullopt;
    const u32 position = static_cast<u32>(after - 1 - unit.functions);
    return FunctionAt{unit.first_function + position, after[-1].code_begin, after[-1].wasm_offset};
}

const TrapRow* row_at(const CodeImage& image, u64 offset) noexcept {
    if (offset >= image.code_bytes) return nullptr;
    const CodeUnit unit = unit_at(image, offset);
    const TrapRow* const end = unit.rows + unit.row_count;
    const TrapRow* const row = std::lower_bound(unit.rows, end, offset,
        [](const TrapRow& left, u64 wanted) { return left.code_offset < wanted; });
    return row != end && row->code_offset == offset ? row : nullptr;
}

}  // namespace wrun::runtime
