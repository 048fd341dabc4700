// The options of `wrun serve`.
#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/os_thread.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/message.hpp"
#include "cli/option_parts.hpp"
#include "http/text.hpp"
#include "http/upstream.hpp"

namespace wrun::cli {
namespace {

constexpr const char* usage =
    "Usage: wrun serve [OPTIONS] MODULE\n"
    "       wrun serve [OPTIONS] -f spin.toml\n\n"
    "Answers HTTP requests by WebAssembly: each by a fresh instance of a handler, which is a "
    "module\n"
    "that speaks WAGI (CGI over WASI's _start) or http-wasm. MODULE answers every path; a "
    "spin.toml\n"
    "says which component answers which route.\n";

constexpr const char* footer =
    "ADDRESS is HOST:PORT with a numeric host, [HOST]:PORT for IPv6, or unix:PATH. Without --addr "
    "it\n"
    "is 127.0.0.1:3000, or 0.0.0.0:$PORT if the environment has PORT. SIZE is a number of bytes, "
    "with\n"
    "K, M or G for powers of 1024; TIME is 1.5s, 500ms, 2m or 1h.\n"
    "SIGHUP loads the module or the spin.toml again; requests that have begun end with the old "
    "one.\n"
    "SIGTERM and SIGINT finish what has begun and end; a second one ends at once.\n"
    "Run it behind a proxy for TLS and HTTP/2.\n\n"
    "Exit code: 0 after SIGTERM or SIGINT; 1 when it cannot serve; 2 for wrong usage.";

/// An option's word and where its value goes once all are read.
struct Words {
    std::map<std::string, std::string> times;
    std::map<std::string, std::string> sizes;
    std::vector<std::string> addresses;
    std::string admin;
};

struct TimeOption {
    const char* name;
    const char* text;
    u64 http::ServerOptions::*field;
};
constexpr TimeOption time_options[] = {
    {"--timeout", "End a request's handler after so long (10s)", &http::ServerOptions::timeout_ns},
    {"--slice", "Let others go on when a guest has run for so long (10ms)",
        &http::ServerOptions::slice_ns},
    {"--queue-timeout", "Refuse a request that has waited for its turn so long (1s)",
        &http::ServerOptions::queue_ns},
    {"--idle-timeout", "Close a connection without a request for so long (1m)",
        &http::ServerOptions::idle_ns},
    {"--header-timeout", "Close one whose request's head takes so long (10s)",
        &http::ServerOptions::head_ns},
    {"--body-timeout", "And one that sends nothing of a body for so long (30s)",
        &http::ServerOptions::body_ns},
    {"--write-timeout", "And one that takes nothing of an answer for so long (30s)",
        &http::ServerOptions::write_ns},
};

struct CountOption {
    const char* name;
    const char* text;
    u32 http::ServerOptions::*field;
    u32 max;
};
constexpr CountOption count_options[] = {
    {"--threads", "Threads that serve; as many as there are CPUs unless told",
        &http::ServerOptions::threads, 1024},
    {"--max-in-flight", "Requests that are answered at once (1024)",
        &http::ServerOptions::in_flight_max, 1'000'000},
    {"--max-queue", "Requests that wait for their turn (4096)", &http::ServerOptions::queue_max,
        10'000'000},
    {"--max-connections", "Connections at once (10000)", &http::ServerOptions::connections_max,
        10'000'000},
};

bool take_port(std::string_view text, u16& port) {
    const std::optional<u16> number = http::parse_decimal<u16>(text);
    port = number.value_or(port);
    return number.has_value();
}

bool is_numeric(const std::string& host, bool is_v6) {
    in6_addr bytes{};
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, host.c_str(), &bytes) == 1;
}

std::optional<http::Endpoint> parse_endpoint(const std::string& word, std::string& why) {
    http::Endpoint endpoint;
    const std::string_view text = word;
    if (text.starts_with("unix:")) {
        endpoint.unix_path = text.substr(5);
        if (!endpoint.unix_path.empty()) return endpoint;
    } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
        std::string_view host = text.substr(0, colon);
        const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
        if (is_bracketed) host = host.substr(1, host.size() - 2);
        const bool is_v6 = host.find(':') != std::string_view::npos;
        endpoint.address = host == "localhost" ? "127.0.0.1" : host;
        if (is_v6 == is_bracketed && is_numeric(endpoint.address, is_v6) &&
            take_port(text.substr(colon + 1), endpoint.port))
            return endpoint;
    }
    why = "an address is such as 127.0.0.1:3000, [::1]:3000 or unix:/run/wrun.sock, not '" +
          printable(word, 100) + "'";
    return std::nullopt;
}

/// --addr, or PORT of the environment as platforms give it, or the default.
bool take_addresses(const Words& words, ServeOptions& options, std::string& why) {
    std::vector<std::string> addresses = words.addresses;
    const char* const port = std::getenv("PORT");
    options.has_address = !addresses.empty() || (port != nullptr && *port != 0);
    if (addresses.empty())
        addresses.push_back(
            options.has_address ? std::string{"0.0.0.0:"} + port : "127.0.0.1:3000");
    for (const std::string& word : addresses) {
        auto endpoint = parse_endpoint(word, why);
        if (!endpoint && words.addresses.empty())
            why = "PORT in the environment is a number up to 65535, not '" + printable(port, 100) +
                  "' (--addr goes before it)";
        if (!endpoint) return false;
        options.server.endpoints.push_back(std::move(*endpoint));
    }
    if (words.admin.empty()) return true;
    options.admin = parse_endpoint(words.admin, why);
    if (!options.admin) why = "--admin-addr: " + why;
    return options.admin.has_value();
}

bool take_times(const Words& words, ServeOptions& options, std::string& why) {
    for (const TimeOption& one : time_options) {
        const auto said = words.times.find(one.name);
        if (said == words.times.end()) continue;
        const auto time = parse_time(one.name, said->second, why);
        if (!time) return false;
        options.server.*one.field = *time;
    }
    const auto drain = words.times.find("--drain-timeout");
    if (drain == words.times.end()) return true;
    const auto time = parse_time(drain->first, drain->second, why);
    if (time) options.drain_ns = *time;
    return time.has_value();
}

bool take_sizes(const Words& words, ServeOptions& options, std::string& why) {
    for (const auto& [name, word] : words.sizes) {
        const std::optional<u64> size = parse_size(word, why);
        if (!size) {
            why = name + ": " + why;
            return false;
        }
        if (name == "--max-body") options.server.request.body_bytes_max = *size;
        if (name == "--max-response") options.server.response_bytes_max = *size;
        if (name == "--max-total-memory") options.guests_memory_bytes_max = *size;
        if (name == "--max-header") {
            if (*size < 1024 || *size > u64{1} << 20) {
                why = "--max-header may be from 1K to 1M";
                return false;
            }
            options.server.request.head_bytes_max = static_cast<u32>(*size);
        }
    }
    return true;
}

void describe_server(CLI::App& app, Words& words, ServeOptions& options) {
    each(app.add_option("--addr", words.addresses, "Listen there, perhaps in several places"),
        "ADDRESS");
    app.add_option("--admin-addr", words.admin,
           "Answer /healthz, /readyz, /metrics, /status and a status page at /, there")
        ->type_name("ADDRESS");
    for (const CountOption& one : count_options) {
        app.add_option(one.name, options.server.*one.field, one.text)
            ->type_name("COUNT")
            ->check(CLI::Range(u32{1}, one.max).description(""));
    }
    app.add_option("--max-in-flight-per-route", options.route_in_flight_max,
           "Of them, for one route; as many as --max-in-flight unless told")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 1'000'000).description(""));
    for (const TimeOption& one : time_options)
        app.add_option(one.name, words.times[one.name], one.text)->type_name("TIME");
    app.add_option("--drain-timeout", words.times["--drain-timeout"],
           "At the end, wait so long for requests that have begun (10s)")
        ->type_name("TIME");
    const std::pair<const char*, const char*> sizes[] = {
        {"--max-header", "Bytes of a request's head (32K)"},
        {"--max-body", "Bytes of a request's body (10M)"},
        {"--max-response", "Bytes of an answer's body; no limit unless told"},
        {"--max-total-memory", "Bytes of all guests' memories together (16G)"}};
    for (const auto& [name, text] : sizes)
        app.add_option(name, words.sizes[name], text)->type_name("SIZE");
    app.add_flag("--trust-proxy", options.server.is_proxy_trusted,
        "Believe X-Forwarded-For, -Proto and -Host: only behind a proxy that sets them");
}

void describe_log(CLI::App& app, ServeOptions& options) {
    app.add_option("--log-file", options.log_file, "Write the log there, not to standard error")
        ->type_name("FILE");
    const std::map<std::string, http::LogFormat> formats{
        {"text", http::LogFormat::text}, {"json", http::LogFormat::json}};
    app.add_option("--log-format", options.log.format, "Lines for people (text) or programs (json)")
        ->transform(CLI::CheckedTransformer(formats).description(""))
        ->type_name("text|json");
    app.add_flag("!--no-access-log", options.log.requests,
        "Only failures and what guests say, not every request");
}

/// A word that was not given is not there.
void forget_empty(std::map<std::string, std::string>& words) {
    std::erase_if(words, [](const auto& word) { return word.second.empty(); });
}

}  // namespace

Options parse_serve(const std::vector<std::string>& arguments) {
    RawOptions raw;
    Words words;
    ServeOptions options;
    options.server.threads = os::usable_cpu_count();
    CLI::App app;
    app.formatter(std::make_shared<HelpText>(usage));
    app.footer(footer);
    app.add_option("MODULE", options.run.module, "A WebAssembly file")->type_name("");
    app.add_option("-f,--from", options.manifest, "Serve what a spin.toml says")->type_name("FILE");
    each(
        app.add_option("--variable", options.manifest_variables, "Set a variable of the spin.toml"),
        "NAME=VALUE");
    describe_server(app, words, options);
    describe_log(app, options);
    describe_grants(app, raw, options.run);
    describe_limits(app, raw, true);
    describe_bounds(app, options.run.compile.bounds);
    describe_loading(app, raw, options.run);
    app.add_option("--config", options.config, "What http-wasm's get_config gives")
        ->type_name("TEXT");
    app.add_option("--upstream", options.upstream,
           "Pass on what http-wasm's handlers let through, to http://HOST:PORT[/prefix]")
        ->type_name("URL");
    app.add_option("--reuse", options.reuse,
           "Let an instance answer so many requests: what it keeps, the next one sees (1)")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 1'000'000).description(""));
    app.add_flag("--watch", options.watch, "Load it again when its files change");
    app.add_flag("--check-config", options.check_config, "Say what is wrong with it, and end");
    if (const auto finished = read(app, arguments)) return *finished;
    forget_empty(words.times);
    forget_empty(words.sizes);
    std::string why;
    if (!options.upstream.empty()) why = http::Upstream::check(options.upstream);
    if (!why.empty()) return wrong_usage("--upstream: " + why);
    if (options.run.module.empty() == !options.manifest)
        return wrong_usage("name a MODULE or a spin.toml by -f, one of them");
    if (!take_addresses(words, options, why) || !take_times(words, options, why) ||
        !take_sizes(words, options, why) || !take_limits(raw, options.run, why) ||
        !take_grants(raw, options.run, why) || !take_taint(raw, options.run, why))
        return wrong_usage(why);
    return options;
}

}  // namespace wrun::cli
