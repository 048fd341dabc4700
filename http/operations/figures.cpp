// Counting, and the text that Prometheus reads.
#include "http/operations/figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "base/os_thread.hpp"
#include "http/operations/access_log.hpp"

namespace wrun::http {

namespace {

using Buckets = std::array<std::atomic<u64>, Counters::buckets>;

void add(std::atomic<u64>& count, u64 n = 1) noexcept {
    count.fetch_add(n, std::memory_order_relaxed);
}

[[nodiscard]] u64 get(const std::atomic<u64>& count) noexcept {
    return count.load(std::memory_order_relaxed);
}

[[nodiscard]] std::size_t bucket_of(u64 ns) noexcept {
    const u64 us = ns / 1000;
    const std::size_t bits = us == 0 ? 0 : 64 - static_cast<std::size_t>(__builtin_clzll(us));
    return std::min(bits, Counters::buckets - 1);
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
        sum += get(route.latency[i]);
        const bool is_last = i + 1 == route.latency.size();
        const std::string bound = is_last ? "+Inf" : seconds((u64{1} << i) * 1000);
        text.line(labels + ",le=\"" + bound + '"', std::to_string(sum), "_bucket");
    }
    text.line(labels, seconds(get(route.latency_ns)), "_sum");
    text.line(labels, std::to_string(sum), "_count");
}

void put_routes(Text& text, const std::vector<const RouteFigures*>& routes) {
    text.begin("http_server_request_duration_seconds", "histogram",
        "From the begin of a request's handler to the end of its answer.");
    for (const RouteFigures* const route : routes)
        put_histogram(text, *route);
    text.begin("wrun_requests_total", "counter", "Requests by the class of their answer's status.");
    for (const RouteFigures* const route : routes) {
        for (std::size_t i = 0; i < route->by_class.size(); ++i) {
            const std::string status = i == 0 ? "none" : std::to_string(i) + "xx";
            text.line(labels_of(*route) + ",status=\"" + status + '"',
                std::to_string(get(route->by_class[i])));
        }
    }
    text.begin("wrun_failures_total", "counter", "Requests whose handler gave no good answer.");
    for (const RouteFigures* const route : routes) {
        for (std::size_t i = 0; i < route->by_failure.size(); ++i) {
            const std::string why{name(static_cast<Failure>(i))};
            text.line(labels_of(*route) + ",error_type=\"" + why + '"',
                std::to_string(get(route->by_failure[i])));
        }
    }
}

void put_server(Text& text, const Server& server) {
    u64 connections = 0, accepted = 0, in_flight = 0, queued = 0, refused = 0, in = 0, out = 0;
    for (std::size_t i = 0; i < server.threads(); ++i) {
        const Counters& counters = server.counters(i);
        connections += counters.connections.get();
        accepted += counters.accepted.get();
        in_flight += counters.in_flight.get();
        queued += counters.queued.get();
        refused += counters.refused.get();
        in += counters.bytes_in.get();
        out += counters.bytes_out.get();
    }
    text.one("http_server_active_requests", "gauge", "Requests with a handler.", in_flight);
    text.one("wrun_queued_requests", "gauge", "Requests that wait for a handler.", queued);
    text.one("wrun_refused_requests_total", "counter", "Requests that waited in vain.", refused);
    text.one("wrun_connections", "gauge", "Open connections.", connections);
    text.one("wrun_connections_total", "counter", "Connections accepted.", accepted);
    text.one("wrun_received_bytes_total", "counter", "Bytes from clients.", in);
    text.one("wrun_sent_bytes_total", "counter", "Bytes to clients.", out);
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

[[nodiscard]] u64 resident_bytes() noexcept {
    unsigned long long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
        if (std::fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
        (void)std::fclose(file);
    }
    return pages * static_cast<u64>(::sysconf(_SC_PAGESIZE));
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

u64 RouteFigures::requests() const noexcept {
    u64 sum = 0;
    for (const std::atomic<u64>& count : by_class)
        sum += get(count);
    return sum;
}

u64 RouteFigures::quantile_us(double share) const noexcept {
    u64 all = 0;
    for (const std::atomic<u64>& count : latency)
        all += get(count);
    const auto wanted = static_cast<u64>(static_cast<double>(all) * share);
    u64 sum = 0;
    for (std::size_t i = 0; i < latency.size(); ++i) {
        sum += get(latency[i]);
        if (sum >= wanted && sum != 0) return u64{1} << i;
    }
    return 0;
}

RouteFigures& Figures::of(const RouteMatch& route) noexcept {
    const std::lock_guard lock{mutex_};
    const bool is_full = routes_.size() >= routes_max;
    const auto key = is_full ? std::pair<std::string_view, std::string_view>{"", ""}
                             : std::pair{route.pattern, route.component};
    const auto found = by_name_.find(key);
    if (found != by_name_.end()) return *found->second;
    routes_.push_back(std::make_unique<RouteFigures>());
    RouteFigures& made = *routes_.back();
    made.pattern = key.first;
    made.component = key.second;
    by_name_.emplace(std::pair<std::string, std::string>{key}, &made);
    return made;
}

void Figures::completed(const Completed& what) noexcept {
    RouteFigures& route = of(what.route);
    const std::size_t status_class = what.status / 100;
    add(route.by_class[status_class < route.by_class.size() ? status_class : 0]);
    if (what.failure) add(route.by_failure[static_cast<std::size_t>(*what.failure)]);
    const u64 ns = what.end_ns - std::min(what.begin_ns, what.end_ns);
    add(route.latency[bucket_of(ns)]);
    add(route.latency_ns, ns);
    if (then_ != nullptr) then_->completed(what);
}

void Figures::guest_line(
    const Request& request, const RouteMatch& route, std::string_view line) noexcept {
    if (then_ != nullptr) then_->guest_line(request, route, line);
}

std::vector<const RouteFigures*> Figures::routes() const {
    const std::lock_guard lock{mutex_};
    std::vector<const RouteFigures*> all;
    for (const auto& route : routes_)
        all.push_back(route.get());
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
