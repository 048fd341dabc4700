// Routes and answers of the admin listener.
#include "http/operations/admin.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/os_thread.hpp"
#include "base/printable.hpp"
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

/// Never less than it is: a bound that a person reads must hold.
[[nodiscard]] std::string time_text(u64 us) {
    constexpr std::array units{" µs", " ms", " s"};
    std::size_t unit = 0;
    u64 scale = 1;
    for (; unit + 1 < units.size() && us >= scale * 1000; ++unit)
        scale *= 1000;
    if (unit == 0 || us >= 10 * scale)
        return std::to_string((us + scale - 1) / scale) + units[unit];
    const u64 tenths = (us * 10 + scale - 1) / scale;
    return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + units[unit];
}

[[nodiscard]] std::string uptime_text(u64 s) {
    if (s < 60) return std::to_string(s) + " s";
    if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
    if (s < 86'400) return std::to_string(s / 3600) + " h " + std::to_string(s / 60 % 60) + " min";
    return std::to_string(s / 86'400) + " d " + std::to_string(s / 3600 % 24) + " h";
}

[[nodiscard]] std::string bytes_text(u64 bytes) {
    if (bytes < u64{1} << 20) return std::to_string(bytes >> 10) + " KiB";
    return std::to_string(bytes >> 20) + " MiB";
}

/// 1234567 as 1 234 567, by spaces at which no line ends.
[[nodiscard]] std::string grouped(u64 number) {
    const std::string digits = std::to_string(number);
    std::string result;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i != 0 && (digits.size() - i) % 3 == 0) result += "\u202f";
        result += digits[i];
    }
    return result;
}

/// What a manifest or a file's name says, as text of the page.
[[nodiscard]] std::string foreign(std::string_view text) {
    return html_escaped(printable(text));
}

void put_fact(
    std::string& page, std::string_view name, std::string_view value, bool is_bad = false) {
    page += is_bad ? "<div class=bad><dt>" : "<div><dt>";
    page += name;
    page += "</dt><dd>";
    page += html_escaped(value);
    page += "</dd></div>\n";
}

/// `label` says on a narrow page, where there is no row of headings, what it is.
void put_cell(
    std::string& page, std::string_view label, std::string_view text, std::string_view kind = {}) {
    page += "<td data-l=\"";
    page += label;
    page += '"';
    if (!kind.empty()) {
        page += " class=";
        page += kind;
    }
    page += '>';
    page += text;
    page += "</td>";
}

void put_count(std::string& page, std::string_view label, u64 count, bool is_failure) {
    put_cell(page, label, grouped(count), count == 0 ? "zero" : is_failure ? "bad" : "");
}

void put_latency(
    std::string& page, std::string_view label, const RouteFigures& route, double share) {
    const u64 us = route.quantile_us(share);
    // The last bucket has no end.
    const bool is_open = us == u64{1} << (RouteFigures::buckets - 1);
    if (us == 0) return put_cell(page, label, "–", "zero");
    put_cell(page, label, (is_open ? "≥ " + time_text(us / 2) : "&lt; " + time_text(us)));
}

void put_row(std::string& page, const RouteFigures& route) {
    page += "<tr><th scope=row><bdi>" +
            (route.pattern.empty() ? "(no route)" : foreign(route.pattern)) + "</bdi></th>";
    put_cell(page, "Component",
        route.component.empty() ? "–" : "<bdi>" + foreign(route.component) + "</bdi>", "text");
    put_count(page, "Requests", route.requests(), false);
    put_count(page, "2xx", route.by_class[2].get(), false);
    put_count(page, "3xx", route.by_class[3].get(), false);
    put_count(page, "4xx", route.by_class[4].get(), false);
    put_count(page, "5xx", route.by_class[5].get(), true);
    put_count(page, "No answer", route.by_class[0].get() + route.by_class[1].get(), true);
    put_latency(page, "p50", route, 0.5);
    put_latency(page, "p99", route, 0.99);
    put_latency(page, "p99.9", route, 0.999);
    put_count(page, "Traps", failures_of(route, Failure::trap), true);
    put_count(page, "Deadlines", failures_of(route, Failure::deadline), true);
    put_count(page, "Bad answers",
        failures_of(route, Failure::bad_response) + failures_of(route, Failure::no_response) +
            failures_of(route, Failure::internal),
        true);
    put_count(page, "Limits", failures_of(route, Failure::limit), true);
    page += "</tr>\n";
}

/// A person reads no more rows; /status and /metrics have all.
constexpr std::size_t rows_max = 500;

void put_routes(std::string& page, std::vector<RouteFigures> routes) {
    page += "<h2>Routes</h2>\n";
    if (routes.empty()) {
        page += "<p>No request has come yet.</p>\n";
        return;
    }
    if (routes.size() > rows_max) {
        std::stable_sort(routes.begin(), routes.end(),
            [](const auto& a, const auto& b) { return a.requests() > b.requests(); });
        page += "<p>The busiest " + std::to_string(rows_max) + " of " + grouped(routes.size()) +
                "; /status has all.</p>\n";
        routes.resize(rows_max);
    }
    page +=
        "<div class=scroll><table><thead><tr><th rowspan=2>Route</th><th rowspan=2>Component</th>"
        "<th rowspan=2>Requests</th><th colspan=5 scope=colgroup>Answers</th>"
        "<th colspan=3 scope=colgroup>Latency, upper bounds</th>"
        "<th colspan=4 scope=colgroup>Failures</th></tr>\n"
        "<tr><th>2xx</th><th>3xx</th><th>4xx</th><th>5xx</th><th>None</th><th>p50</th><th>p99</th>"
        "<th>p99.9</th><th>Traps</th><th>Deadlines</th><th>Bad answers</th><th>Limits</th></tr>"
        "</thead><tbody>\n";
    for (const RouteFigures& route : routes)
        put_row(page, route);
    page += "</tbody></table></div>\n";
}

constexpr std::string_view page_head = R"(<!doctype html>
<html lang=en><head><meta charset=utf-8><meta http-equiv=refresh content=5>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta name=color-scheme content="light dark">
<title>wrun: status</title>
<style>
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#fff;--tile:#f6f8fa;--bad:#b42318;--good:#116329}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--back:#0d1117;--tile:#151b23;
--bad:#ff7b72;--good:#3fb950}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:88rem;padding:0 1rem;color:var(--ink);
background:var(--back)}
h1{font-size:1.4rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.2rem 0;color:var(--soft);overflow-wrap:anywhere}
.up,.down{font-size:.85rem;font-weight:600;border:1px solid;border-radius:1rem;padding:.1rem .6rem;
vertical-align:middle;white-space:nowrap}.up{color:var(--good)}.down{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.6rem;margin:1.2rem 0}
dl div{border:1px solid var(--line);border-radius:6px;padding:.5rem .8rem;background:var(--tile)}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-size:1.2rem}
dd,td{font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .55rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
tr:first-child>th:first-child,tr:first-child>th:nth-child(2),th[scope=row],.text{text-align:left}
th[scope=row],.text{white-space:normal;overflow-wrap:anywhere;min-width:8rem}
th[scope=row]{font-weight:600}th[scope=colgroup]{text-align:center}
thead th{color:var(--soft);font-size:.85rem;font-weight:500;vertical-align:bottom}
.zero{color:var(--soft);opacity:.75}.bad,.bad dd{color:var(--bad);font-weight:600}
@media(max-width:62rem){thead{display:none}table,tbody{display:block}
tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr));gap:.1rem .8rem;
border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;margin:0 0 .7rem;background:var(--tile)}
th[scope=row],.text{grid-column:1/-1}th[scope=row],td{border:0;padding:0;text-align:left;min-width:0}
td::before{content:attr(data-l);display:block;color:var(--soft);font-size:.8rem;font-weight:400}
.text::before{display:inline;margin-right:.5rem}}
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
    std::vector<RouteFigures> routes = sources.figures.routes();
    u64 requests = 0;
    u64 traps = 0;
    for (const RouteFigures& route : routes) {
        requests += route.requests();
        traps += failures_of(route, Failure::trap);
    }
    std::string page{page_head};
    page += "<h1><bdi>" + foreign(facts.name) + "</bdi> <span class=" + (is_ready ? "up" : "down") +
            ">" + (is_ready ? "serving" : "draining") + "</span></h1>\n<p>";
    for (const std::string& address : facts.addresses)
        page += foreign(address) + " · ";
    const std::size_t threads = sources.server.threads();
    page += std::to_string(threads) + (threads == 1 ? " thread" : " threads") + " · up " +
            uptime_text((os::monotonic_ns() - sources.began_ns) / 1'000'000'000) + "</p>\n<dl>\n";
    put_fact(page, "Requests", grouped(requests));
    put_fact(page, "In flight", grouped(totals.in_flight));
    put_fact(page, "Queued", grouped(totals.queued));
    put_fact(page, "Refused", grouped(totals.refused), totals.refused != 0);
    put_fact(page, "Traps", grouped(traps), traps != 0);
    put_fact(page, "Connections", grouped(totals.connections));
    if (sources.pool != nullptr) {
        const engine::PoolStats pool = sources.pool->stats();
        put_fact(page, "Instances ready", grouped(pool.slots));
        put_fact(page, "Made so far", grouped(pool.binds));
        put_fact(page, "Guests’ memory", bytes_text(pool.memory_bytes));
        put_fact(page, "Given up", grouped(pool.quarantined), pool.quarantined != 0);
    }
    put_fact(page, "Process memory", bytes_text(resident_bytes()));
    const u64 failed = facts.failed_reloads.load();
    put_fact(page, "Reloads",
        grouped(facts.reloads.load()) + (failed == 0 ? "" : ", " + grouped(failed) + " failed"),
        failed != 0);
    page += "</dl>\n";
    put_routes(page, std::move(routes));
    page += "</body></html>\n";
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
