// Field names, which compare without case.
#include "http/exchange.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http {

bool is_same_name(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
        [](char left, char right) { return to_lower(left) == to_lower(right); });
}

const Field* Request::find(std::string_view name) const noexcept {
    const auto found = std::find_if(fields.begin(), fields.end(),
        [name](const Field& field) { return is_same_name(field.name, name); });
    return found == fields.end() ? nullptr : &*found;
}

}  // namespace wrun::http
