// See table_router.hpp.
#include "http/table_router.hpp"

#include "http/fixed_answer.hpp"

namespace wrun::http {
namespace {

static_assert(RouteTable::names_max == segments_max);

constexpr std::string_view replacement = "\xef\xbf\xbd";

/// How many bytes of well-formed UTF-8 begin here; 0: none.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<u8>(text[at]) : u8{0};
    };
    const u8 first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return 0;
    for (std::size_t at = 1; at < length; ++at)
        if ((byte(at) & 0xc0) != 0x80) return 0;
    // Longer than needed, surrogates, beyond the last character.
    const u8 second = byte(1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return length;
}

[[nodiscard]] std::vector<FixedAnswer::OwnedField> content_type(std::string_view type) {
    return {{"content-type", std::string{type}}};
}

}  // namespace

std::string json_string(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string json = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const u8 c = static_cast<u8>(text[0]);
        if (length == 0) {
            json += replacement;
        } else if (c == '"' || c == '\\') {
            (json += '\\') += static_cast<char>(c);
        } else if (c < 0x20 || c == 0x7f) {
            ((json += "\\u00") += digits[c >> 4]) += digits[c & 15];
        } else {
            json += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return json + "\"";
}

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
    std::string info = "{\"name\":" + json_string(name);
    if (!version.empty()) info += ",\"version\":" + json_string(version);
    reserve("/.well-known/spin/health",
        &keep(std::make_unique<FixedAnswer>(200, content_type("text/plain"), "OK")));
    reserve("/.well-known/spin/info",
        &keep(std::make_unique<FixedAnswer>(200, content_type("application/json"), info + "}")));
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
