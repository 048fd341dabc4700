// See table_router.hpp.
#include "http/table_router.hpp"

#include "base/json.hpp"
#include "http/fixed_answer.hpp"

namespace wrun::http {
namespace {

static_assert(RouteTable::names_max == segments_max);

[[nodiscard]] std::vector<FixedAnswer::OwnedField> content_type(std::string_view type) {
    return {{"content-type", std::string{type}}};
}

}  // namespace

TableRouter::TableRouter() : limits_(1, 0) {
    refusal_ = &keep(std::make_unique<FixedAnswer>(
        400, content_type("text/plain; charset=utf-8"), "Bad Request: the path is ambiguous\n"));
}

const Handler& TableRouter::keep(std::unique_ptr<const Handler> handler) {
    handlers_.push_back(std::move(handler));
    return *handlers_.back();
}

RouteTable::Added TableRouter::add(std::string_view pattern, std::string_view component,
    const Handler& handler, u32 in_flight_max) {
    RouteTable::Added added = table_.add(pattern, component);
    if (!added.ok()) return added;
    targets_.push_back({&handler, static_cast<u32>(limits_.size())});
    limits_.push_back(in_flight_max);
    added.number = targets_.back().number;
    return added;
}

void TableRouter::add_well_known(std::string_view name, std::string_view version) {
    const auto reserve = [this](std::string_view pattern, const Handler* handler) {
        if (table_.add(pattern, "wrun").ok()) targets_.push_back({handler, 0});
    };
    JsonWriter info;
    info.open('{').key("name").value(name);
    if (!version.empty()) info.key("version").value(version);
    info.close('}');
    reserve("/.well-known/spin/health",
        &keep(std::make_unique<FixedAnswer>(200, content_type("text/plain"), "OK")));
    reserve("/.well-known/spin/info",
        &keep(std::make_unique<FixedAnswer>(200, content_type("application/json"), info.text())));
    reserve("/.well-known/spin/...", nullptr);
}

Route TableRouter::find(const Request& request, std::span<Field, segments_max> segments) const {
    const RouteTable::Found found = table_.find(request.path, segments);
    if (found.answer == RouteTable::Answer::none) return {};
    if (found.answer == RouteTable::Answer::refused)
        return {.handler = refusal_, .match = {}, .number = 0};
    const Target& target = targets_[found.number];
    return {.handler = target.handler, .match = found.match, .number = target.number};
}

u32 TableRouter::count() const noexcept {
    return static_cast<u32>(limits_.size());
}

u32 TableRouter::in_flight_max(u32 number) const noexcept {
    return number < limits_.size() ? limits_[number] : 0;
}

}  // namespace wrun::http
