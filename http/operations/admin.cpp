// Routes and answers of the admin listener.
#include "http/operations/admin.hpp"

#include "base/json.hpp"
#include "base/os_thread.hpp"
#include "http/operations/access_log.hpp"

namespace wrun::http {

namespace {

struct Answer {
    u32 status = 200;
    std::string_view type;
    std::string text;
};

/// A handler that answers GET and HEAD with what a function makes.
class Page final : public Handler {
public:
    explicit Page(std::function<Answer()> make) : make_{std::move(make)} {}

    void handle(Exchange& exchange) const override {
        const std::string_view method = exchange.request().method;
        const bool is_asked = method == "GET" || method == "HEAD";
        const Answer answer =
            is_asked ? make_() : Answer{405, "text/plain; charset=utf-8", "only GET and HEAD\n"};
        // Nothing of it is to be kept, framed, sniffed or run.
        std::vector<Field> fields{{"Content-Type", answer.type}, {"Cache-Control", "no-store"},
            {"X-Content-Type-Options", "nosniff"},
            {"Content-Security-Policy",
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}};
        if (!is_asked) fields.push_back({"Allow", "GET, HEAD"});
        if (!exchange.begin(answer.status, fields)) return;
        const auto* const bytes = reinterpret_cast<const u8*>(answer.text.data());
        if (exchange.write({bytes, answer.text.size()}) == Transfer::ok) exchange.finish();
    }

private:
    std::function<Answer()> make_;
};

class AdminRouter final : public Router {
public:
    void add(std::string_view path, std::function<Answer()> make) {
        pages_.emplace_back(path, std::make_unique<Page>(std::move(make)));
    }
    [[nodiscard]] Route find(
        const Request& request, std::span<Field, segments_max>) const override {
        for (const auto& [path, page] : pages_) {
            if (request.path != path) continue;
            Route route;
            route.handler = page.get();
            route.match.pattern = path;
            return route;
        }
        return {};
    }
    [[nodiscard]] u32 count() const noexcept override { return 1; }

private:
    std::vector<std::pair<std::string_view, std::unique_ptr<Page>>> pages_;
};

constexpr std::string_view plain = "text/plain; charset=utf-8";

[[nodiscard]] u64 failures_of(const RouteFigures& route, Failure why) noexcept {
    return route.by_failure[static_cast<std::size_t>(why)].get();
}

[[nodiscard]] std::string time_text(u64 us) {
    if (us < 1000) return std::to_string(us) + " µs";
    if (us < 1'000'000) return std::to_string(us / 1000) + " ms";
    return std::to_string(us / 1'000'000) + " s";
}

[[nodiscard]] std::string bytes_text(u64 bytes) {
    if (bytes < u64{1} << 20) return std::to_string(bytes >> 10) + " KiB";
    return std::to_string(bytes >> 20) + " MiB";
}

void put_fact(std::string& page, std::string_view name, std::string_view value) {
    page += "<div><dt>";
    page += name;
    page += "</dt><dd>";
    page += html_escaped(value);
    page += "</dd></div>\n";
}

void put_cell(std::string& page, std::string_view text, bool is_bad = false) {
    page += is_bad ? "<td class=bad>" : "<td>";
    page += html_escaped(text);
    page += "</td>";
}

void put_row(std::string& page, const RouteFigures& route) {
    const u64 traps = failures_of(route, Failure::trap);
    const u64 late = failures_of(route, Failure::deadline);
    const u64 bad = failures_of(route, Failure::bad_response) +
                    failures_of(route, Failure::no_response) +
                    failures_of(route, Failure::internal);
    const u64 limited = failures_of(route, Failure::limit);
    page += "<tr><th scope=row>" +
            html_escaped(route.pattern.empty() ? "(no route)" : route.pattern) + "</th>";
    put_cell(page, route.component);
    put_cell(page, std::to_string(route.requests()));
    for (const double share : {0.5, 0.99, 0.999}) {
        const u64 us = route.quantile_us(share);
        put_cell(page, us == 0 ? "–" : "< " + time_text(us));
    }
    put_cell(page, std::to_string(traps), traps != 0);
    put_cell(page, std::to_string(late), late != 0);
    put_cell(page, std::to_string(bad), bad != 0);
    put_cell(page, std::to_string(limited), limited != 0);
    page += "</tr>\n";
}

constexpr std::string_view page_head = R"(<!doctype html>
<html lang=en><head><meta charset=utf-8><meta http-equiv=refresh content=5>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>wrun: status</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:2rem 0 .5rem}p{margin:.2rem 0;color:#57606a}
dl{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0}dl div{border:1px solid #d0d7de;border-radius:6px;
padding:.6rem 1rem;min-width:7rem}dt{color:#57606a;font-size:.85rem}dd{margin:0;font-size:1.2rem;
font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.4rem .7rem;border-bottom:1px solid #d0d7de;text-align:right;font-variant-numeric:tabular-nums}
th[scope=row],th:first-child,td:nth-child(2),th:nth-child(2){text-align:left;overflow-wrap:anywhere;font-weight:400}
thead th{color:#57606a;font-size:.85rem}.bad{color:#b42318;font-weight:600}.up{color:#116329}.down{color:#b42318}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}dt,p,thead th{color:#8d96a0}
dl div,th,td{border-color:#30363d}.bad,.down{color:#ff7b72}.up{color:#3fb950}}
</style></head><body>
)";

}  // namespace

std::string html_escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += c;
        }
    }
    return result;
}

std::string status_page(const Sources& sources, const AdminFacts& facts) {
    const Totals totals = totals_of(sources.server);
    const bool is_ready = facts.is_ready.load();
    std::string page{page_head};
    page += "<h1>" + html_escaped(facts.name) + " <span class=" + (is_ready ? "up" : "down") + ">" +
            (is_ready ? "serving" : "draining") + "</span></h1>\n<p>";
    for (const std::string& address : facts.addresses)
        page += html_escaped(address) + " ";
    page += "· " + std::to_string(sources.server.threads()) + " threads · up " +
            time_text((os::monotonic_ns() - sources.began_ns) / 1000) + "</p>\n<dl>\n";
    put_fact(page, "in flight", std::to_string(totals.in_flight));
    put_fact(page, "queued", std::to_string(totals.queued));
    put_fact(page, "refused", std::to_string(totals.refused));
    put_fact(page, "connections", std::to_string(totals.connections));
    if (sources.pool != nullptr) {
        const engine::PoolStats pool = sources.pool->stats();
        put_fact(page, "slots", std::to_string(pool.slots));
        put_fact(page, "guest memory", bytes_text(pool.memory_bytes));
        put_fact(page, "slots given up", std::to_string(pool.quarantined));
    }
    put_fact(page, "reloads",
        std::to_string(facts.reloads.load()) + " (" + std::to_string(facts.failed_reloads.load()) +
            " failed)");
    page +=
        "</dl>\n<h2>Routes</h2>\n<div class=scroll><table><thead><tr><th>Route</th>"
        "<th>Component</th><th>Requests</th><th>p50</th><th>p99</th><th>p99.9</th><th>Traps</th>"
        "<th>Deadlines</th><th>Bad answers</th><th>Refused</th></tr></thead><tbody>\n";
    for (const RouteFigures& route : sources.figures.routes())
        put_row(page, route);
    page += "</tbody></table></div>\n</body></html>\n";
    return page;
}

std::string status_json(const Sources& sources, const AdminFacts& facts) {
    const Totals totals = totals_of(sources.server);
    JsonWriter json;
    json.open('{').key("name").value(std::string_view{facts.name});
    json.key("ready").value(facts.is_ready.load());
    json.key("uptime_ms").value((os::monotonic_ns() - sources.began_ns) / 1'000'000);
    json.key("threads").value(sources.server.threads());
    json.key("in_flight").value(totals.in_flight).key("queued").value(totals.queued);
    json.key("refused").value(totals.refused).key("connections").value(totals.connections);
    json.key("reloads").value(facts.reloads.load());
    json.key("failed_reloads").value(facts.failed_reloads.load());
    if (sources.pool != nullptr) {
        const engine::PoolStats pool = sources.pool->stats();
        json.key("slots").value(pool.slots).key("guest_memory_bytes").value(pool.memory_bytes);
        json.key("quarantined").value(pool.quarantined);
    }
    json.key("routes").open('[');
    for (const RouteFigures& route : sources.figures.routes()) {
        json.open('{').key("route").value(std::string_view{route.pattern});
        json.key("component").value(std::string_view{route.component});
        json.key("requests").value(route.requests());
        json.key("p50_us").value(route.quantile_us(0.5));
        json.key("p99_us").value(route.quantile_us(0.99));
        json.key("failures").open('{');
        for (std::size_t i = 0; i < RouteFigures::failures; ++i)
            json.key(name(static_cast<Failure>(i)))
                .value(failures_of(route, static_cast<Failure>(i)));
        json.close('}').close('}');
    }
    json.close(']').close('}');
    return json.text() + '\n';
}

std::shared_ptr<const Router> make_admin_router(const Sources& sources, const AdminFacts& facts) {
    auto router = std::make_shared<AdminRouter>();
    router->add("/healthz", [] { return Answer{200, plain, "ok\n"}; });
    router->add("/readyz", [&facts] {
        return facts.is_ready.load() ? Answer{200, plain, "ready\n"}
                                     : Answer{503, plain, "draining\n"};
    });
    router->add("/metrics", [&sources] {
        return Answer{200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(sources)};
    });
    router->add("/status", [&sources, &facts] {
        return Answer{200, "application/json", status_json(sources, facts)};
    });
    router->add("/", [&sources, &facts] {
        return Answer{200, "text/html; charset=utf-8", status_page(sources, facts)};
    });
    return router;
}

}  // namespace wrun::http
