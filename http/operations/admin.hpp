// The admin listener's answers: /healthz, /readyz, /metrics, /status and a page for people at /.
// Only for those who run the server: it has its own address, loopback unless told. Nothing here
// shows an environment, a variable's value or a configuration's text.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "http/operations/figures.hpp"
#include "http/router.hpp"

namespace wrun::http {

/// What is told beside the figures.
struct AdminFacts {
    std::string name;                    // of the application, or the module's file
    std::vector<std::string> addresses;  // where it serves
    std::atomic<bool> is_ready = true;   // false while it drains
    std::atomic<u64> reloads = 0;
    std::atomic<u64> failed_reloads = 0;
};

/// Borrows both.
[[nodiscard]] std::shared_ptr<const Router> make_admin_router(
    const Sources& sources, const AdminFacts& facts);

/// The page and the JSON, for tests.
[[nodiscard]] std::string status_page(const Sources& sources, const AdminFacts& facts);
[[nodiscard]] std::string status_json(const Sources& sources, const AdminFacts& facts);
/// Text within HTML, also within quotes.
[[nodiscard]] std::string html_escaped(std::string_view text);

}  // namespace wrun::http
