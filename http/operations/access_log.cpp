// Text for people, JSON for programs; the same facts in both.
#include "http/operations/access_log.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include "base/json.hpp"
#include "base/printable.hpp"
#include "http/text.hpp"

namespace wrun::http {

namespace {

constexpr std::size_t target_bytes_max = 2048;
constexpr std::size_t detail_bytes_max = 4096;

[[nodiscard]] std::string client_of(const Request& request) {
    if (request.client_address.empty()) return "unix";
    return host_and_port(request.client_address, request.client_port);
}

/// Fields that lines about one request have in common.
void open_line(
    JsonWriter& json, std::string_view kind, const Request& request, const RouteMatch& route) {
    json.open('{').key("time").value(std::string_view{utc_timestamp()});
    json.key("kind").value(kind);
    json.key("id").value(request.id);
    json.key("component").value(route.component);
}

[[nodiscard]] std::string json_of(const Completed& what) {
    JsonWriter json;
    open_line(json, "request", what.request, what.route);
    json.key("route").value(what.route.pattern);
    json.key("client").value(std::string_view{client_of(what.request)});
    json.key("method").value(what.request.method);
    json.key("target").value(what.request.target.substr(0, target_bytes_max));
    json.key("status").value(what.status);
    json.key("request_bytes").value(what.request_bytes);
    json.key("response_bytes").value(what.response_bytes);
    json.key("duration_us").value((what.end_ns - what.begin_ns) / 1000);
    if (what.failure) {
        json.key("failure").value(name(*what.failure));
        json.key("detail").value(what.detail.substr(0, detail_bytes_max));
    }
    if (const Field* const parent = what.request.find("traceparent"))
        json.key("traceparent").value(parent->value.substr(0, 64));
    json.close('}');
    return json.text();
}

[[nodiscard]] std::string text_of(const Completed& what) {
    std::string line = utc_timestamp() + ' ' + client_of(what.request) + ' ';
    line += printable(what.request.method, 32) + ' ';
    line += printable(what.request.target, target_bytes_max) + ' ';
    line += std::to_string(what.status) + ' ' + std::to_string(what.response_bytes) + "B ";
    line += std::to_string((what.end_ns - what.begin_ns) / 1000) + "us id=";
    line += what.request.id;
    if (!what.route.component.empty()) line += " component=" + printable(what.route.component);
    if (what.failure) {
        line += " failed=";
        line += name(*what.failure);
        if (!what.detail.empty()) line += ": " + printable(what.detail, detail_bytes_max);
    }
    return line;
}

[[nodiscard]] std::string notice_of(LogFormat format, std::string_view text) {
    if (format == LogFormat::text) return utc_timestamp() + " wrun: " + std::string{text};
    JsonWriter json;
    json.open('{').key("time").value(std::string_view{utc_timestamp()});
    json.key("kind").value(std::string_view{"server"}).key("line").value(text).close('}');
    return json.text();
}

template <LogFormat format>
[[nodiscard]] std::string lost_line_in(u64 lines) {
    const std::string count = std::to_string(lines);
    return notice_of(format, count + (lines == 1 ? " line was" : " lines were") + " lost here");
}

}  // namespace

Journal::LostLine lost_line(LogFormat format) noexcept {
    return format == LogFormat::text ? &lost_line_in<LogFormat::text>
                                     : &lost_line_in<LogFormat::json>;
}

std::string_view name(Failure failure) noexcept {
    switch (failure) {
        case Failure::trap: return "trap";
        case Failure::deadline: return "deadline";
        case Failure::bad_response: return "bad_response";
        case Failure::no_response: return "no_response";
        case Failure::limit: return "limit";
        case Failure::internal: return "internal";
    }
    return "unknown";
}

std::string utc_timestamp() {
    timespec now{};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    std::tm parts{};
    (void)gmtime_r(&now.tv_sec, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 8> fraction{};
    (void)std::snprintf(
        fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000));
    return std::string{text.data(), length} + fraction.data();
}

void AccessLog::completed(const Completed& what) noexcept {
    if (!options_.requests && !what.failure) return;
    journal_.add(options_.format == LogFormat::json ? json_of(what) : text_of(what));
}

void AccessLog::guest_line(
    const Request& request, const RouteMatch& route, std::string_view line) noexcept {
    const std::size_t bytes_max = options_.guest_line_bytes_max;
    if (options_.format == LogFormat::json) {
        JsonWriter json;
        open_line(json, "guest", request, route);
        json.key("line").value(line.substr(0, bytes_max));
        json.close('}');
        journal_.add(json.text());
        return;
    }
    journal_.add(utc_timestamp() + " guest id=" + std::string{request.id} + " " +
                 printable(route.component) + ": " + printable(line, bytes_max));
}

void AccessLog::notice(std::string_view text) noexcept {
    journal_.add(notice_of(options_.format, text));
}

}  // namespace wrun::http
