// See outbound_hosts.hpp.
#include "http/spin/outbound_hosts.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "http/text.hpp"

namespace wrun::http::spin {
namespace {

constexpr bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

/// The port that a scheme has by itself; 0: none that is known.
[[nodiscard]] u16 port_of(std::string_view scheme) noexcept {
    struct Row {
        std::string_view scheme;
        u16 port;
    };
    constexpr Row rows[] = {{"http", 80}, {"https", 443}, {"postgres", 5432}, {"mysql", 3306},
        {"redis", 6379}, {"mqtt", 1883}};
    const auto* const found = std::ranges::find(rows, scheme, &Row::scheme);
    return found == std::end(rows) ? u16{0} : found->port;
}

/// An address, or one with the number of its bits that count.
[[nodiscard]] bool parse_network(std::string_view text, AllowedHost& to) {
    const std::size_t slash = text.find('/');
    std::string_view address = text.substr(0, slash);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    const std::string terminated{address};
    if (terminated.find('\0') != std::string::npos) return false;
    to.is_ipv6 = address.find(':') != std::string_view::npos;
    to.network = {};
    if (::inet_pton(to.is_ipv6 ? AF_INET6 : AF_INET, terminated.c_str(), to.network.data()) != 1)
        return false;
    const u8 bits_max = to.is_ipv6 ? 128 : 32;
    to.prefix_bits = bits_max;
    if (slash != std::string_view::npos) {
        const auto bits = parse_decimal<u8>(text.substr(slash + 1));
        if (!bits || *bits > bits_max) return false;
        to.prefix_bits = *bits;
    }
    // What is beyond the prefix does not count, so it is not kept.
    for (u32 bit = to.prefix_bits; bit < 128; ++bit)
        to.network[bit / 8] = static_cast<u8>(to.network[bit / 8] & ~(0x80u >> (bit % 8)));
    to.kind = AllowedHost::Kind::network;
    return true;
}

[[nodiscard]] bool is_domain(std::string_view name) noexcept {
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : name) {
        if (c == '.' ? label == 0 : !(is_letter(c) || is_digit(c) || c == '-' || c == '_'))
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
    }
    // A last label of digits alone would be an address, and one that is wrong.
    const std::string_view last = name.substr(name.rfind('.') + 1);
    return label != 0 && !std::ranges::all_of(last, is_digit);
}

[[nodiscard]] std::string lower(std::string_view text) {
    std::string result{text};
    for (char& c : result)
        c = to_lower(c);
    return result;
}

[[nodiscard]] std::string_view parse_host(std::string_view host, AllowedHost& to) {
    if (host == "*") return {};
    if (host == "self" || host == "self.alt") {
        to.kind = AllowedHost::Kind::itself;
        return {};
    }
    if (host.starts_with('{')) return "lists of hosts are not supported";
    if (parse_network(host, to)) return {};
    if (host.ends_with('/')) host.remove_suffix(1);
    if (host.find('/') != std::string_view::npos) return "has a path, or a network that is none";
    to.kind = AllowedHost::Kind::name;
    if (host.starts_with("*.")) {
        host.remove_prefix(2);
        to.kind = AllowedHost::Kind::subdomains;
    }
    if (host.find('*') != std::string_view::npos)
        return "\"*\" stands for a whole host, or for what is before a domain (\"*.example.com\")";
    if (!is_domain(host)) return "its host is neither a name, an address nor a network";
    to.name = lower(host);
    return {};
}

[[nodiscard]] std::string_view parse_port(std::string_view port, AllowedHost& to) {
    if (port == "*") return {};
    if (port.empty()) {
        to.port_first = to.port_last = port_of(to.scheme);
        return to.port_first == 0 ? "has no port, and its scheme no usual one (\":*\" is any port)"
                                  : "";
    }
    if (port.starts_with('{')) return "lists of ports are not supported";
    const std::size_t dots = port.find("..");
    const auto first = parse_decimal<u16>(port.substr(0, dots));
    if (!first) return "its port is neither a number nor a range";
    to.port_first = to.port_last = *first;
    if (dots == std::string_view::npos) return {};
    // The end of a range is not in it.
    const auto end = parse_decimal<u16>(port.substr(dots + 2));
    if (!end) return "its port is neither a number nor a range";
    if (*end <= *first) return "its range of ports is empty (its end is not in it)";
    to.port_last = static_cast<u16>(*end - 1);
    return {};
}

[[nodiscard]] std::string_view parse(std::string_view text, AllowedHost& to) {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos)
        return "has no scheme (\"https://example.com\"; everything is \"*://*:*\")";
    const std::string_view scheme = text.substr(0, colon);
    if (scheme.starts_with('{')) return "lists of schemes are not supported";
    if (scheme != "*") {
        if (scheme.empty() || !std::ranges::all_of(scheme, is_letter))
            return "its scheme is not of letters";
        to.scheme = lower(scheme);
    }
    std::string_view host = text.substr(colon + 3);
    std::string_view port;
    AllowedHost whole;
    // Colons are parts of an IPv6 address too.
    const std::size_t last = host.rfind(':');
    if (last != std::string_view::npos && !parse_network(host, whole)) {
        port = host.substr(last + 1);
        host = host.substr(0, last);
        const std::size_t slash = port.find('/');
        if (slash != std::string_view::npos) {
            if (slash + 1 != port.size()) return "has a path";
            port.remove_suffix(1);
        }
    }
    const std::string_view wrong = parse_port(port, to);
    return wrong.empty() ? parse_host(host, to) : wrong;
}

}  // namespace

std::optional<AllowedHost> parse_allowed_host(std::string_view text, std::string& why) {
    AllowedHost host;
    why = parse(text, host);
    if (!why.empty()) return {};
    return host;
}

}  // namespace wrun::http::spin
