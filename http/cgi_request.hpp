// What a CGI program is told of a request: its arguments and environment (RFC 3875, and what WAGI
// and Spin add). docs/http-handlers.md lists every variable.
#pragma once

#include <string>

#include "http/exchange.hpp"
#include "wasi/state.hpp"

namespace wrun::http {

/// `template_text`: "${SCRIPT_NAME} ${ARGS}". False when it cannot be said without a zero byte.
[[nodiscard]] bool cgi_arguments(
    const Request& request, std::string_view template_text, wasi::StringList& to);

/// Whether a request sets that variable, so that nobody else may.
[[nodiscard]] bool is_cgi_variable(std::string_view name) noexcept;

/// `body_bytes`: what there is to be read. Fails likewise.
[[nodiscard]] bool cgi_environment(const Request& request, const RouteMatch& route, u64 body_bytes,
    std::span<const std::string> configured, wasi::StringList& to);

}  // namespace wrun::http
