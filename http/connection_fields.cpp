// See connection_fields.hpp.
#include "http/connection_fields.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http {

bool is_of_connection(std::string_view name) noexcept {
    // Asked of every field: most are told apart by their length.
    switch (name.size()) {
        case 2: return is_same_name(name, "te");
        case 7: return is_same_name(name, "trailer") || is_same_name(name, "upgrade");
        case 10: return is_same_name(name, "connection") || is_same_name(name, "keep-alive");
        case 16: return is_same_name(name, "proxy-connection");
        case 17: return is_same_name(name, "transfer-encoding");
        default: return false;
    }
}

bool is_hop_by_hop(std::string_view name, std::span<const Field> all) noexcept {
    if (is_of_connection(name) || is_same_name(name, "proxy-authenticate") ||
        is_same_name(name, "proxy-authorization"))
        return true;
    return std::any_of(all.begin(), all.end(), [name](const Field& one) {
        return is_same_name(one.name, "connection") && has_token(one.value, name);
    });
}

}  // namespace wrun::http
