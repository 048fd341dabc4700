// What a request's head must be beyond its grammar, so that nobody before or behind this server can
// understand another request than we do: one Host, one way to know the body's length, a target of a
// known form. Where the RFCs leave a choice between mending and refusing, it is refused. A pure
// function over the fields as they came; it removes those that concern the connection alone.
#pragma once

#include <string>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

/// Statuses that refuse a request, beside those of its limits.
inline constexpr u16 bad_request = 400;
inline constexpr u16 body_too_large = 413;
inline constexpr u16 target_too_long = 414;
inline constexpr u16 expectation_failed = 417;
inline constexpr u16 head_too_large = 431;
inline constexpr u16 not_implemented = 501;
inline constexpr u16 version_not_supported = 505;

struct Head {
    std::string_view method;
    std::string_view target;  // becomes origin form
    std::string_view authority;
    u8 minor_version = 1;
    std::vector<Field> fields;  // in order; those of the connection are taken out
    std::optional<u64> content_length;
    bool is_chunked = false;
    bool is_kept_alive = true;  // as far as the client goes
    bool expects_continue = false;
};

/// 0, or the status that refuses it. `own_target` holds the target where it is not a part of the
/// one that came.
[[nodiscard]] u16 apply_rules(Head& head, std::string& own_target);

}  // namespace wrun::http
