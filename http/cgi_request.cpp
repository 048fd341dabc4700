// See cgi_request.hpp.
#include "http/cgi_request.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "http/routes.hpp"
#include "http/text.hpp"

namespace wrun::http {
namespace {

/// "USER_ID" for "user-id". Empty when another name would be the same variable (Foo_Bar and
/// Foo-Bar), or none could be: such fields are left out, whoever sent them.
std::string variable_name(std::string_view name) {
    std::string result;
    result.reserve(name.size());
    for (const char c : name) {
        const bool is_plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_plain && c != '-') return {};
        result += c == '-' ? '_' : to_upper(c);
    }
    return result;
}

/// Secrets that a program has no need of, what concerns the connection, and Proxy, which as
/// HTTP_PROXY would tell many clients of HTTP whom to trust.
bool is_kept_back(std::string_view name) noexcept {
    constexpr std::string_view names[] = {
        "authorization", "connection", "proxy", "proxy-authorization"};
    return std::any_of(std::begin(names), std::end(names),
        [&](std::string_view one) { return is_same_name(name, one); });
}

/// All fields of that name as one, as HTTP allows.
std::string joined(std::span<const Field> fields, std::size_t first) {
    const std::string_view name = fields[first].name;
    std::string result{fields[first].value};
    const std::string_view between = is_same_name(name, "cookie") ? "; " : ", ";
    for (const Field& field : fields.subspan(first + 1)) {
        if (!is_same_name(field.name, name)) continue;
        result += between;
        result += field.value;
    }
    return result;
}

struct Authority {
    std::string_view host;
    std::string_view port;
};

Authority split(std::string_view authority) noexcept {
    const std::size_t colon = authority.rfind(':');
    const std::size_t bracket = authority.rfind(']');
    const bool has_port =
        colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    if (!has_port) return {authority, {}};
    return {authority.substr(0, colon), authority.substr(colon + 1)};
}

void add_fields(std::span<const Field> fields, wasi::StringList& to) {
    const auto is_repeated = [&](std::size_t index) {
        return std::any_of(fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(index),
            [&](const Field& before) { return is_same_name(before.name, fields[index].name); });
    };
    for (std::size_t index = 0; index < fields.size(); ++index) {
        if (is_kept_back(fields[index].name) || is_repeated(index)) continue;
        const std::string name = variable_name(fields[index].name);
        if (name.empty()) continue;
        const std::string value = joined(fields, index);
        to.add({"HTTP_", name, "=", is_utf8(value) ? value : "CORRUPT VALUE"});
    }
}

}  // namespace

void add_cgi_arguments(
    const Request& request, std::string_view template_text, wasi::StringList& to) {
    // Piece by piece, so that what a client sends is not read as part of the template.
    std::string text;
    std::string query{request.query};
    std::replace(query.begin(), query.end(), '&', ' ');
    std::string_view left = template_text;
    while (!left.empty()) {
        const auto take = [&](std::string_view what, std::string_view by) {
            if (!left.starts_with(what)) return false;
            text += by;
            left.remove_prefix(what.size());
            return true;
        };
        if (take("${SCRIPT_NAME}", request.path) || take("${ARGS}", query)) continue;
        text += left.front();
        left.remove_prefix(1);
    }
    left = text;
    while (!left.empty()) {
        const std::size_t end = std::min(left.find(' '), left.size());
        if (end != 0) to.add({left.substr(0, end)});
        left.remove_prefix(std::min(end + 1, left.size()));
    }
}

bool is_cgi_variable(std::string_view name) noexcept {
    constexpr std::string_view names[] = {"AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE",
        "GATEWAY_INTERFACE", "PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "REMOTE_ADDR",
        "REMOTE_HOST", "REMOTE_USER", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT",
        "SERVER_PROTOCOL", "SERVER_SOFTWARE", "X_BASE_PATH", "X_CLIENT_ADDR", "X_COMPONENT_ROUTE",
        "X_FULL_URL", "X_MATCHED_ROUTE", "X_RAW_COMPONENT_ROUTE", "X_RAW_PATH_INFO"};
    return name.starts_with("HTTP_") || name.starts_with("X_PATH_MATCH_") ||
           std::find(std::begin(names), std::end(names), name) != std::end(names);
}

wasi::StringList cgi_constants(std::span<const std::string> configured) {
    wasi::StringList made{configured};
    for (const std::string_view one : {"AUTH_TYPE=", "GATEWAY_INTERFACE=CGI/1.1",
             "REMOTE_USER=", "SERVER_SOFTWARE=WAGI/1", "X_BASE_PATH=/"})
        made.add({one});
    return made;
}

void add_cgi_variables(
    const Request& request, const RouteMatch& route, u64 body_bytes, wasi::StringList& to) {
    const auto [host, named_port] = split(request.authority);
    const std::string own_port =
        std::to_string(request.server_port == 0 ? 80 : request.server_port);
    const std::string_view port = named_port.empty() ? std::string_view{own_port} : named_port;
    const std::string_view server = host.empty() ? request.server_address : host;
    std::string authority{request.authority};
    if (authority.empty()) (authority = server) += ":" + own_port;
    const std::string path_info = to_utf8_lossy(percent_decoded(route.path_info));
    const Field* const type = request.find("content-type");
    const std::string_view address = request.client_address;
    const std::string client =
        address.empty() ? std::string{} : host_and_port(address, request.client_port);
    const std::string_view route_path = without_wildcard(route.pattern);

    to.add({"CONTENT_LENGTH=", std::to_string(body_bytes)});
    to.add({"CONTENT_TYPE=", type == nullptr ? std::string_view{} : type->value});
    to.add({"PATH_INFO=", path_info});
    to.add({"PATH_TRANSLATED=", path_info});
    to.add({"QUERY_STRING=", request.query});
    to.add({"REMOTE_ADDR=", address});
    to.add({"REMOTE_HOST=", address});
    to.add({"REQUEST_METHOD=", request.method});
    to.add({"SCRIPT_NAME=", route.base.empty() ? route_path : route.base});
    to.add({"SERVER_NAME=", server});
    to.add({"SERVER_PORT=", port});
    to.add({"SERVER_PROTOCOL=", request.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1"});
    to.add({"X_CLIENT_ADDR=", client});
    to.add({"X_COMPONENT_ROUTE=", route_path});
    to.add({"X_FULL_URL=", request.scheme, "://", authority, request.target});
    to.add({"X_MATCHED_ROUTE=", route.pattern});
    to.add({"X_RAW_COMPONENT_ROUTE=", route.pattern});
    to.add({"X_RAW_PATH_INFO=", route.path_info});
    for (const Field& segment : route.segments) {
        const std::string name = variable_name(segment.name);
        if (!name.empty()) to.add({"X_PATH_MATCH_", name, "=", segment.value});
    }
    add_fields(request.fields, to);
}

}  // namespace wrun::http
