// Fields that concern one connection alone (RFC 9110, 7.6.1): not the handlers' business, and not
// to be passed on by whoever stands between two connections.
#pragma once

#include <span>

#include "http/exchange.hpp"

namespace wrun::http {

/// By its name.
[[nodiscard]] bool is_of_connection(std::string_view name) noexcept;
/// By its name, also where it is meant for the next proxy, or because one of the `Connection`
/// fields among `all` names it.
[[nodiscard]] bool is_hop_by_hop(std::string_view name, std::span<const Field> all) noexcept;

}  // namespace wrun::http
