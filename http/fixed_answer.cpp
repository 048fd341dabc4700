// See fixed_answer.hpp.
#include "http/fixed_answer.hpp"

namespace wrun::http {

FixedAnswer::FixedAnswer(u32 status, std::vector<OwnedField> fields, std::string body)
    : status_{status}, owned_{std::move(fields)}, body_{std::move(body)} {
    // Known beforehand, the length lets a connection go on.
    if (status_ != 204 && status_ != 304)
        owned_.emplace_back("content-length", std::to_string(body_.size()));
    fields_.reserve(owned_.size());
    for (const OwnedField& field : owned_)
        fields_.push_back({field.first, field.second});
}

void FixedAnswer::handle(Exchange& exchange) const {
    if (!exchange.begin(status_, fields_)) return;
    if (!body_.empty() && exchange.request().method != "HEAD") {
        const std::span bytes{reinterpret_cast<const u8*>(body_.data()), body_.size()};
        if (exchange.write(bytes) != Transfer::ok) return;
    }
    exchange.finish();
}

}  // namespace wrun::http
