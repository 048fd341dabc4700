// See request_fields.hpp.
#include "http/spin/request_fields.hpp"

#include <algorithm>
#include <array>

#include "http/routes.hpp"
#include "http/text.hpp"

namespace wrun::http::spin {
namespace {

constexpr std::string_view path_match = "spin-path-match-";
constexpr std::array<std::string_view, 7> names = {"spin-full-url", "spin-path-info",
    "spin-matched-route", "spin-component-route", "spin-raw-component-route", "spin-base-path",
    "spin-client-addr"};

[[nodiscard]] bool begins_with(std::string_view name, std::string_view lower) noexcept {
    return name.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), name.begin(),
               [](char expected, char c) { return to_folded(c) == expected; });
}

}  // namespace

bool is_spin_field(std::string_view name) noexcept {
    return begins_with(name, path_match) || std::ranges::any_of(names, [name](auto known) {
        return name.size() == known.size() && begins_with(name, known);
    });
}

std::span<const Field> RequestFields::build(const Request& request, const RouteMatch& match) {
    fields_.clear();
    text_.clear();
    for (const Field& field : request.fields)
        if (!is_spin_field(field.name)) fields_.push_back(field);

    // text_ must not move once it is looked at.
    const std::string_view host = request.authority.empty() ? "localhost" : request.authority;
    std::size_t bytes = request.scheme.size() + 3 + host.size() + request.target.size();
    bytes += request.client_address.size() + 8;
    for (const Field& segment : match.segments)
        bytes += path_match.size() + segment.name.size();
    text_.reserve(bytes);
    const auto joined = [this](std::initializer_list<std::string_view> parts) {
        const std::size_t begin = text_.size();
        for (const std::string_view part : parts)
            text_ += part;
        return std::string_view{text_}.substr(begin);
    };

    fields_.push_back({names[0], joined({request.scheme, "://", host, request.target})});
    fields_.push_back({names[1], match.path_info});
    fields_.push_back({names[2], match.pattern});
    fields_.push_back({names[3], without_wildcard(match.pattern)});
    fields_.push_back({names[4], match.pattern});
    fields_.push_back({names[5], "/"});
    // Over a unix socket there is none.
    if (!request.client_address.empty()) {
        fields_.push_back(
            {names[6], joined({host_and_port(request.client_address, request.client_port)})});
    }
    for (const Field& segment : match.segments) {
        const std::size_t begin = text_.size();
        text_ += path_match;
        for (const char c : segment.name)
            text_ += to_lower(c);
        fields_.push_back({std::string_view{text_}.substr(begin), segment.value});
    }
    return fields_;
}

}  // namespace wrun::http::spin
