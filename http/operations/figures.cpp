// Counting, and the text that Prometheus reads.
#include "http/operations/figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "base/os_thread.hpp"
#include "http/operations/access_log.hpp"

namespace wrun::http {

namespace {

[[nodiscard]] std::size_t bucket_of(u64 ns) noexcept {
    const u64 us = ns / 1000;
    const std::size_t bits = us == 0 ? 0 : 64 - static_cast<std::size_t>(__builtin_clzll(us));
    return std::min(bits, RouteFigures::buckets - 1);
}

/// Seconds of a number of nanoseconds, exactly.
[[nodiscard]] std::string seconds(u64 ns) {
    std::array<char, 40> text{};
    (void)std::snprintf(text.data(), text.size(), "%llu.%09llu",
        static_cast<unsigned long long>(ns / 1'000'000'000),
        static_cast<unsigned long long>(ns % 1'000'000'000));
    return text.data();
}

class Text {
public:
    void begin(std::string_view name, std::string_view kind, std::string_view help) {
        name_ = name;
        text_ += "# HELP ";
        text_ += name;
        text_ += ' ';
        text_ += help;
        text_ += "\n# TYPE ";
        text_ += name;
        text_ += ' ';
        text_ += kind;
        text_ += '\n';
    }
    void line(std::string_view labels, std::string_view value, std::string_view suffix = {}) {
        text_ += name_;
        text_ += suffix;
        if (!labels.empty()) {
            text_ += '{';
            text_ += labels;
            text_ += '}';
        }
        text_ += ' ';
        text_ += value;
        text_ += '\n';
    }
    void one(std::string_view name, std::string_view kind, std::string_view help, u64 value) {
        begin(name, kind, help);
        line({}, std::to_string(value));
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
    std::string_view name_;
};

[[nodiscard]] std::string labels_of(const RouteFigures& route) {
    return "http_route=\"" + prometheus_escaped(route.pattern) + "\",component=\"" +
           prometheus_escaped(route.component) + '"';
}

void put_histogram(Text& text, const RouteFigures& route) {
    const std::string labels = labels_of(route);
    u64 sum = 0;
    for (std::size_t i = 0; i < route.latency.size(); ++i) {
        sum += route.latency[i].get();
        const bool is_last = i + 1 == route.latency.size();
        const std::string bound = is_last ? "+Inf" : seconds((u64{1} << i) * 1000);
        text.line(labels + ",le=\"" + bound + '"', std::to_string(sum), "_bucket");
    }
    text.line(labels, seconds(route.latency_ns.get()), "_sum");
    text.line(labels, std::to_string(sum), "_count");
}

void put_routes(Text& text, const std::vector<RouteFigures>& routes) {
    text.begin("http_server_request_duration_seconds", "histogram",
        "From the begin of a request's handler to the end of its answer.");
    for (const RouteFigures& route : routes)
        put_histogram(text, route);
    text.begin("wrun_requests_total", "counter", "Requests by the class of their answer's status.");
    for (const RouteFigures& route : routes) {
        for (std::size_t i = 0; i < route.by_class.size(); ++i) {
            const std::string status = i == 0 ? "none" : std::to_string(i) + "xx";
            text.line(labels_of(route) + ",status=\"" + status + '"',
                std::to_string(route.by_class[i].get()));
        }
    }
    text.begin("wrun_failures_total", "counter", "Requests whose handler gave no good answer.");
    for (const RouteFigures& route : routes) {
        for (std::size_t i = 0; i < route.by_failure.size(); ++i) {
            const std::string why{name(static_cast<Failure>(i))};
            text.line(labels_of(route) + ",error_type=\"" + why + '"',
                std::to_string(route.by_failure[i].get()));
        }
    }
}

void put_server(Text& text, const Server& server) {
    const Totals totals = totals_of(server);
    text.one("http_server_active_requests", "gauge", "Requests with a handler.", totals.in_flight);
    text.one("wrun_queued_requests", "gauge", "Requests that wait for a handler.", totals.queued);
    text.one(
        "wrun_refused_requests_total", "counter", "Requests that waited in vain.", totals.refused);
    text.one("wrun_connections", "gauge", "Open connections.", totals.connections);
    text.one("wrun_connections_total", "counter", "Connections accepted.", totals.accepted);
    text.one("wrun_received_bytes_total", "counter", "Bytes from clients.", totals.bytes_in);
    text.one("wrun_sent_bytes_total", "counter", "Bytes to clients.", totals.bytes_out);
    text.one("wrun_threads", "gauge", "Threads that serve.", server.threads());
}

void put_pool(Text& text, const engine::PoolStats& stats) {
    text.one("wrun_slots", "gauge", "Places of instances: running, idle and spare.", stats.slots);
    text.one("wrun_guest_memory_bytes", "gauge", "Guests' memories, as large as they are.",
        stats.memory_bytes);
    text.one("wrun_binds_total", "counter", "Slots that were given another template, or a first.",
        stats.binds);
    text.one("wrun_background_binds_total", "counter", "Those no request had to wait for.",
        stats.background_binds);
    text.one("wrun_quarantined_slots_total", "counter", "Slots given up: they could not be reset.",
        stats.quarantined);
}

void put_process(Text& text, u64 began_ns) {
    rusage used{};
    (void)::getrusage(RUSAGE_SELF, &used);
    const auto ns = [](const timeval& time) {
        return static_cast<u64>(time.tv_sec) * 1'000'000'000 +
               static_cast<u64>(time.tv_usec) * 1000;
    };
    text.begin("process_cpu_seconds_total", "counter", "CPU time of the process.");
    text.line({}, seconds(ns(used.ru_utime) + ns(used.ru_stime)));
    text.one("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    text.begin("wrun_uptime_seconds", "gauge", "Since the server began.");
    text.line({}, seconds(os::monotonic_ns() - began_ns));
}

}  // namespace

u64 resident_bytes() noexcept {
    unsigned long long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
        if (std::fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
        (void)std::fclose(file);
    }
    return pages * static_cast<u64>(::sysconf(_SC_PAGESIZE));
}

Totals totals_of(const Server& server) noexcept {
    Totals totals;
    for (std::size_t i = 0; i < server.threads(); ++i) {
        const Counters& counters = server.counters(i);
        totals.connections += counters.connections.get();
        totals.accepted += counters.accepted.get();
        totals.in_flight += counters.in_flight.get();
        totals.queued += counters.queued.get();
        totals.refused += counters.refused.get();
        totals.bytes_in += counters.bytes_in.get();
        totals.bytes_out += counters.bytes_out.get();
    }
    return totals;
}

void RouteFigures::add(const RouteFigures& other) noexcept {
    const auto add_each = [](auto& to, const auto& from) {
        for (std::size_t i = 0; i < to.size(); ++i)
            to[i].add(from[i].get());
    };
    add_each(by_class, other.by_class);
    add_each(by_failure, other.by_failure);
    add_each(latency, other.latency);
    latency_ns.add(other.latency_ns.get());
}

u64 RouteFigures::requests() const noexcept {
    u64 sum = 0;
    for (const Count& count : by_class)
        sum += count.get();
    return sum;
}

u64 RouteFigures::quantile_us(double share) const noexcept {
    u64 all = 0;
    for (const Count& count : latency)
        all += count.get();
    const auto wanted = static_cast<u64>(static_cast<double>(all) * share);
    u64 sum = 0;
    for (std::size_t i = 0; i < latency.size(); ++i) {
        sum += latency[i].get();
        if (sum >= wanted && sum != 0) return u64{1} << i;
    }
    return 0;
}

RouteFigures& Figures::of(Part& part, const RouteMatch& route) noexcept {
    const bool is_full = part.routes.size() >= routes_max;
    const auto name = is_full ? std::pair<std::string_view, std::string_view>{"", ""}
                              : std::pair{route.pattern, route.component};
    const auto found = part.routes.find(name);
    if (found != part.routes.end()) return found->second;
    const std::lock_guard lock{part.mutex};
    RouteFigures& made = part.routes[Name{name}];
    made.pattern = name.first;
    made.component = name.second;
    return made;
}

void Figures::completed(const Completed& what) noexcept {
    RouteFigures& route = of(parts_[what.thread], what.route);
    const std::size_t status_class = what.status / 100;
    route.by_class[status_class < route.by_class.size() ? status_class : 0].add();
    if (what.failure) route.by_failure[static_cast<std::size_t>(*what.failure)].add();
    const u64 ns = what.end_ns - std::min(what.begin_ns, what.end_ns);
    route.latency[bucket_of(ns)].add();
    route.latency_ns.add(ns);
    if (then_ != nullptr) then_->completed(what);
}

void Figures::guest_line(
    const Request& request, const RouteMatch& route, std::string_view line) noexcept {
    if (then_ != nullptr) then_->guest_line(request, route, line);
}

std::vector<RouteFigures> Figures::routes() const {
    Routes sums;
    for (const Part& part : parts_) {
        const std::lock_guard lock{part.mutex};
        for (const auto& [name, figures] : part.routes) {
            const auto [sum, is_first] = sums.try_emplace(name, figures);
            if (!is_first) sum->second.add(figures);
        }
    }
    std::vector<RouteFigures> all;
    all.reserve(sums.size());
    for (auto& [name, figures] : sums)
        all.push_back(std::move(figures));
    return all;
}

std::string prometheus_escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\n') {
            result += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') result += '\\';
        result += c;
    }
    return result;
}

std::string prometheus_text(const Sources& sources) {
    Text text;
    put_routes(text, sources.figures.routes());
    put_server(text, sources.server);
    if (sources.pool != nullptr) put_pool(text, sources.pool->stats());
    put_process(text, sources.began_ns);
    return text.take();
}

}  // namespace wrun::http
