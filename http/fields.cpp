// See fields.hpp.
#include "http/fields.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http {

FieldList::FieldList(std::span<const Field> fields) {
    rows_.reserve(fields.size());
    for (const Field& one : fields) {
        rows_.push_back({std::string{one.name}, std::string{one.value}});
        bytes_ += one.name.size() + one.value.size();
    }
}

bool FieldList::add(std::string_view name, std::string_view value, const Limits& limits) {
    const std::size_t bytes = name.size() + value.size();
    const bool has_room = rows_.size() < limits.fields_max && bytes <= limits.bytes_max &&
                          bytes_ <= limits.bytes_max - bytes;
    if (!has_room || !is_token(name) || !is_field_value(value)) return false;
    rows_.push_back({std::string{name}, std::string{value}});
    bytes_ += bytes;
    return true;
}

void FieldList::remove(std::string_view name) {
    std::erase_if(rows_, [&](const Row& row) {
        if (!is_same_name(row.name, name)) return false;
        bytes_ -= row.name.size() + row.value.size();
        return true;
    });
}

std::vector<Field> FieldList::views() const {
    std::vector<Field> result;
    result.reserve(rows_.size());
    for (const Row& row : rows_)
        result.push_back({row.name, row.value});
    return result;
}

bool FieldList::has(std::string_view name) const noexcept {
    return std::any_of(
        rows_.begin(), rows_.end(), [&](const Row& row) { return is_same_name(row.name, name); });
}

}  // namespace wrun::http
