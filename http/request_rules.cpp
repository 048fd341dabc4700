// The rules of RFC 9112 (3.2, 6, 9) and RFC 9110 (7.2, 7.6) that a parser of single fields cannot
// know.
#include "http/request_rules.hpp"

#include <algorithm>
#include <array>

#include "http/connection_fields.hpp"
#include "http/text.hpp"

namespace wrun::http {

namespace {

using CharSet = std::array<bool, 256>;

[[nodiscard]] constexpr CharSet alphanumeric_and(std::string_view marks) noexcept {
    CharSet set{};
    for (std::size_t c = '0'; c <= '9'; c++)
        set[c] = true;
    for (std::size_t c = 'a'; c <= 'z'; c++)
        set[c] = set[c - 'a' + 'A'] = true;
    for (const char mark : marks)
        set[static_cast<u8>(mark)] = true;
    return set;
}

// Of names and addresses (RFC 3986, 3.2.2) but the comma, which would be a list to some.
constexpr CharSet host_chars = alphanumeric_and("-._~!$&'()*+;=%");
constexpr CharSet address_chars = alphanumeric_and(":.");
constexpr CharSet digits = [] {
    CharSet set{};
    for (std::size_t c = '0'; c <= '9'; c++)
        set[c] = true;
    return set;
}();

[[nodiscard]] bool consists_of(std::string_view text, const CharSet& set) noexcept {
    return std::all_of(
        text.begin(), text.end(), [&set](char c) { return set[static_cast<u8>(c)]; });
}

[[nodiscard]] bool starts_with_name(std::string_view text, std::string_view name) noexcept {
    return text.size() >= name.size() && is_same_name(text.substr(0, name.size()), name);
}

/// What a proxy would read, and `Proxy`, which a program of the CGI would take for its own.
[[nodiscard]] bool is_of_proxy(std::string_view name) noexcept {
    return starts_with_name(name, "proxy") && (name.size() == 5 || name[5] == '-');
}

/// host [ ":" port ], or nothing.
[[nodiscard]] bool is_authority(std::string_view text) noexcept {
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos || !consists_of(text.substr(1, end - 1), address_chars)) return false;
        port = text.substr(end + 1);
        if (!port.empty() && !port.starts_with(':')) return false;
    } else {
        const auto colon = text.find(':');
        if (!consists_of(text.substr(0, colon), host_chars)) return false;
        if (colon != text.npos && colon == 0) return false;
        port = colon == text.npos ? std::string_view{} : text.substr(colon);
    }
    return port.empty() || (port.size() <= 6 && consists_of(port.substr(1), digits));
}

/// Every byte may be in a target: no controls, spaces or fragments, nothing beyond ASCII.
[[nodiscard]] bool is_target_text(std::string_view text) noexcept {
    return std::all_of(
        text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

/// scheme "://" authority path: leaves the path, and the authority that the target names.
[[nodiscard]] u16 take_absolute(Head& head, std::string& own_target) {
    std::string_view rest = head.target;
    if (starts_with_name(rest, "http://")) {
        rest.remove_prefix(7);
    } else if (starts_with_name(rest, "https://")) {
        rest.remove_prefix(8);
    } else {
        return bad_request;
    }
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    head.authority = rest.substr(0, end);
    if (head.authority.empty() || !is_authority(head.authority)) return bad_request;
    head.target = rest.substr(end);
    if (!head.target.starts_with('/')) {
        own_target.assign(1, '/');
        own_target.append(head.target);
        head.target = own_target;
    }
    return 0;
}

[[nodiscard]] u16 apply_target(Head& head, std::string& own_target) {
    if (head.method == "CONNECT") return not_implemented;
    if (!is_target_text(head.target)) return bad_request;
    if (head.target.starts_with('/')) return 0;
    if (head.target == "*") return head.method == "OPTIONS" ? 0 : bad_request;
    return take_absolute(head, own_target);
}

/// What the fields say together.
class FieldRules {
public:
    explicit FieldRules(Head& head) noexcept : head_{head} {}

    /// Notes one; 0 or the status that refuses. Sets `is_kept` where it is for handlers.
    [[nodiscard]] u16 note(const Field& field, bool& is_kept) {
        const std::string_view name = field.name;
        is_kept = !is_of_connection(name) && !is_of_proxy(name);
        switch (name.size()) {
            case 4: return is_same_name(name, "host") ? note_host(field.value) : u16{0};
            case 6: return is_same_name(name, "expect") ? note_expect(field.value) : u16{0};
            case 10:
                if (is_same_name(name, "connection")) note_connection(field.value);
                return 0;
            case 14:
                return is_same_name(name, "content-length") ? note_length(field.value) : u16{0};
            case 17:
                return is_same_name(name, "transfer-encoding") ? note_encoding(field.value)
                                                               : u16{0};
            default: return 0;
        }
    }

    [[nodiscard]] u16 finish() {
        if (head_.is_chunked && (head_.content_length || head_.minor_version == 0))
            return bad_request;
        if (hosts_ > 1 || (hosts_ == 0 && head_.minor_version > 0)) return bad_request;
        if (head_.minor_version == 0) {
            head_.is_kept_alive = asks_to_keep_ && !asks_to_close_;
            head_.expects_continue = false;
        } else {
            head_.is_kept_alive = !asks_to_close_;
        }
        if (!named_.empty())
            std::erase_if(head_.fields, [this](const Field& f) { return is_named(f); });
        return 0;
    }

private:
    [[nodiscard]] u16 note_host(std::string_view value) {
        hosts_++;
        if (!is_authority(value)) return bad_request;
        // RFC 9112, 3.2.2 lets the target win; two answers to one question are an attack or a bug.
        if (!head_.authority.empty() && !is_same_name(head_.authority, value)) return bad_request;
        head_.authority = value;
        return 0;
    }

    [[nodiscard]] u16 note_length(std::string_view value) {
        const std::optional<u64> length = parse_decimal(value);
        if (!length || head_.content_length.value_or(*length) != *length) return bad_request;
        head_.content_length = length;
        return 0;
    }

    /// Nothing but `chunked`, once: every other word has been read differently by somebody.
    [[nodiscard]] u16 note_encoding(std::string_view value) {
        if (head_.is_chunked) return bad_request;
        head_.is_chunked = true;
        return is_same_name(value, "chunked") ? u16{0} : not_implemented;
    }

    [[nodiscard]] u16 note_expect(std::string_view value) {
        head_.expects_continue = is_same_name(value, "100-continue");
        return head_.expects_continue ? u16{0} : expectation_failed;
    }

    void note_connection(std::string_view list) {
        for_each_token(list, [this](std::string_view token) {
            if (is_same_name(token, "close")) {
                asks_to_close_ = true;
            } else if (is_same_name(token, "keep-alive")) {
                asks_to_keep_ = true;
            } else if (!is_same_name(token, "host") && !is_same_name(token, "content-length")) {
                // Those two are no client's to take away.
                named_.push_back(token);
            }
        });
    }

    [[nodiscard]] bool is_named(const Field& field) const noexcept {
        return std::any_of(named_.begin(), named_.end(),
            [&](std::string_view name) { return is_same_name(name, field.name); });
    }

    Head& head_;
    u32 hosts_ = 0;
    bool asks_to_close_ = false;
    bool asks_to_keep_ = false;
    std::vector<std::string_view> named_;
};

}  // namespace

u16 apply_rules(Head& head, std::string& own_target) {
    if (const u16 status = apply_target(head, own_target); status != 0) return status;
    FieldRules rules{head};
    std::size_t kept = 0;
    for (const Field& field : head.fields) {
        bool is_kept = true;
        if (const u16 status = rules.note(field, is_kept); status != 0) return status;
        if (is_kept) head.fields[kept++] = field;
    }
    head.fields.resize(kept);
    return rules.finish();
}

}  // namespace wrun::http
