// What a CGI program is told of a request: its arguments and environment (RFC 3875, and what WAGI
// and Spin add). docs/http-handlers.md lists every variable.
#pragma once

#include <string>

#include "http/exchange.hpp"
#include "wasi/state.hpp"

namespace wrun::http {

// What a client sends can be such that no list of strings can say it: ask whether they are sound.

/// `template_text`: "${SCRIPT_NAME} ${ARGS}".
void add_cgi_arguments(
    const Request& request, std::string_view template_text, wasi::StringList& to);

/// Whether a request sets that variable, so that nobody else may.
[[nodiscard]] bool is_cgi_variable(std::string_view name) noexcept;

/// The variables that are the same for all requests, after those that are configured.
[[nodiscard]] wasi::StringList cgi_constants(std::span<const std::string> configured);

/// All others. `body_bytes`: what there is to be read.
void add_cgi_variables(
    const Request& request, const RouteMatch& route, u64 body_bytes, wasi::StringList& to);

}  // namespace wrun::http
