// Bytes through a RequestParser, cut in any way, and what came of them as values to compare: the
// same bytes must come to the same values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/request_parser.hpp"

namespace wrun::http {

/// One request, or a refusal, as plain values.
struct Parsed {
    u16 status = 0;  // refused with; 0: not refused
    bool is_whole = false;
    std::string method, target, path, query, authority, body;
    std::vector<std::pair<std::string, std::string>> fields;
    bool is_kept_alive = false;
    friend bool operator==(const Parsed&, const Parsed&) = default;
};

[[nodiscard]] inline Parsed parsed(const RequestParser& parser, const std::vector<u8>& body) {
    Parsed result;
    if (parser.state() == RequestParser::State::failed) {
        result.status = parser.status();
        return result;
    }
    result.is_whole = parser.state() == RequestParser::State::done;
    if (!result.is_whole) return result;
    const Request& request = parser.request();
    result.method = request.method;
    result.target = request.target;
    result.path = request.path;
    result.query = request.query;
    result.authority = request.authority;
    result.body.assign(body.begin(), body.end());
    for (const Field& field : request.fields)
        result.fields.emplace_back(field.name, field.value);
    result.is_kept_alive = parser.is_kept_alive();
    return result;
}

/// All requests of `pieces` until one is refused; the last may be unfinished.
[[nodiscard]] inline std::vector<Parsed> parse(
    const std::vector<std::string_view>& pieces, const RequestLimits& limits = {}) {
    RequestParser parser{limits};
    std::vector<u8> body;
    std::vector<Parsed> results;
    for (const std::string_view piece : pieces) {
        std::span rest{reinterpret_cast<const u8*>(piece.data()), piece.size()};
        while (!rest.empty()) {
            rest = rest.subspan(parser.feed(rest, body));
            if (parser.state() == RequestParser::State::failed) break;
            if (parser.state() != RequestParser::State::done) continue;
            results.push_back(parsed(parser, body));
            parser.reset();
            body.clear();
        }
        if (parser.state() == RequestParser::State::failed) break;
    }
    if (parser.state() != RequestParser::State::empty) results.push_back(parsed(parser, body));
    return results;
}

[[nodiscard]] inline std::vector<std::string_view> bytewise(std::string_view text) {
    std::vector<std::string_view> pieces;
    for (std::size_t i = 0; i < text.size(); i++)
        pieces.push_back(text.substr(i, 1));
    return pieces;
}

}  // namespace wrun::http
