// Handlers that answer always the same, without a guest: `static_response` of a spin.toml, the
// health and info of an application, what a path gets that is refused.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

class FixedAnswer final : public Handler {
public:
    using OwnedField = std::pair<std::string, std::string>;

    /// Fields that a response can have, none that frame it. To HEAD the body is not sent, its
    /// length is; an answer that can have no body (204, 304) is given none.
    FixedAnswer(u32 status, std::vector<OwnedField> fields, std::string body);
    // Views point into it.
    FixedAnswer(const FixedAnswer&) = delete;
    FixedAnswer& operator=(const FixedAnswer&) = delete;

    void handle(Exchange& exchange) const override;

private:
    u32 status_;
    std::vector<OwnedField> owned_;
    std::string body_;
    std::vector<Field> fields_;
};

}  // namespace wrun::http
