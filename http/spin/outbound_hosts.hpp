// The entries of `allowed_outbound_hosts`: "scheme://host[:port]", each part a wildcard where Spin
// has one. Checked when a manifest is read; what goes out will be held against them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace wrun::http::spin {

struct AllowedHost {
    enum class Kind : u8 {
        any,         // *
        itself,      // self: relative requests
        name,        // example.com, in small letters
        subdomains,  // *.example.com: what ends in ".example.com"
        network,     // 10.0.0.0/8, or one address
    };
    std::string scheme;  // empty: any
    Kind kind = Kind::any;
    std::string name;
    std::array<u8, 16> network{};  // the first four bytes of IPv4
    bool is_ipv6 = false;
    u8 prefix_bits = 0;
    u16 port_first = 0;
    u16 port_last = 0xffff;  // both included
};

/// Nothing, and the reason in `why`, which does not repeat the text: it may come from a secret.
[[nodiscard]] std::optional<AllowedHost> parse_allowed_host(
    std::string_view text, std::string& why);

}  // namespace wrun::http::spin
