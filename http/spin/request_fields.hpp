// The fields that Spin adds to a request ("spin-full-url" and so on), which tell a guest how it was
// reached. What a client sends under these names never comes through.
#pragma once

#include <string>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http::spin {

/// Whether a field's name is one of Spin's, also with "_" for "-": as variables of CGI the two are
/// the same.
[[nodiscard]] bool is_spin_field(std::string_view name) noexcept;

/// A request's fields without those that only Spin may set, then Spin's own. Borrows the request
/// and the match; reusable, so that a thread allocates once.
class RequestFields {
public:
    [[nodiscard]] std::span<const Field> build(const Request& request, const RouteMatch& match);

private:
    std::vector<Field> fields_;
    std::string text_;
};

}  // namespace wrun::http::spin
