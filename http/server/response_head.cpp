// RFC 9112, 4 and 6; reason phrases as RFC 9110, 15 has them.
#include "http/server/response_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/connection_fields.hpp"
#include "http/text.hpp"

namespace wrun::http {

namespace {

struct Reason {
    u16 status;
    std::string_view text;
};

constexpr Reason reasons[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"},
    {203, "Non-Authoritative Information"}, {204, "No Content"}, {205, "Reset Content"},
    {206, "Partial Content"}, {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"},
    {303, "See Other"}, {304, "Not Modified"}, {307, "Temporary Redirect"},
    {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
    {404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"},
    {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
    {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
    {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
    {421, "Misdirected Request"}, {422, "Unprocessable Content"}, {426, "Upgrade Required"},
    {428, "Precondition Required"}, {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
    {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
    {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}};

}  // namespace

std::string_view reason_of(u32 status) noexcept {
    const auto* const found = std::find_if(std::begin(reasons), std::end(reasons),
        [status](const Reason& reason) { return reason.status == status; });
    return found == std::end(reasons) ? std::string_view{} : found->text;
}

std::string http_date(std::time_t seconds) {
    static constexpr std::string_view days = "SunMonTueWedThuFriSat";
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    // Not strftime: its names follow the locale.
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "xxx, %d xxx %Y %H:%M:%S GMT", &parts);
    std::string result = text.data();
    result.replace(0, 3, days.substr(static_cast<std::size_t>(parts.tm_wday) * 3, 3));
    result.replace(8, 3, months.substr(static_cast<std::size_t>(parts.tm_mon) * 3, 3));
    return result;
}

void append(Buffer& to, std::string_view text) {
    to.insert(to.end(), text.begin(), text.end());
}

void append_number(Buffer& to, u64 number, int base) {
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number, base).ptr;
    to.insert(to.end(), text.data(), end);
}

void ResponseHead::clear() noexcept {
    status_ = 0;
    has_date_ = false;
    content_length_.reset();
    text_.clear();
}

bool ResponseHead::set(u32 status, std::span<const Field> fields, u32 bytes_max) {
    clear();
    // 1xx are the server's own.
    if (status < 200 || status > 999) return false;
    for (const Field& field : fields) {
        if (!add(field) || text_.size() > bytes_max) return false;
    }
    status_ = status;
    return true;
}

bool ResponseHead::add(const Field& field) {
    if (!is_token(field.name) || !is_field_value(field.value)) return false;
    if (is_of_connection(field.name)) return true;  // the server's own
    if (is_same_name(field.name, "content-length")) {
        const std::optional<u64> length = parse_decimal(field.value);
        if (!length || content_length_.value_or(*length) != *length) return false;
        content_length_ = length;
        return true;
    }
    if (is_same_name(field.name, "date")) has_date_ = true;
    text_.append(field.name).append(": ").append(field.value).append("\r\n");
    return true;
}

void ResponseHead::write(Buffer& to, const Rest& rest) const {
    const std::string_view reason = reason_of(status_);
    // All that is not counted here is shorter. One growth instead of a dozen small ones: heads are
    // a tenth of what the server itself costs.
    const std::size_t begin = to.size();
    to.resize(begin + text_.size() + reason.size() + rest.date.size() + 200);
    u8* at = to.data() + begin;
    const auto put = [&at](std::string_view text) { at = std::copy(text.begin(), text.end(), at); };
    const auto put_number = [&at](u64 number) {
        char* const text = reinterpret_cast<char*>(at);
        at += std::to_chars(text, text + 20, number).ptr - text;
    };
    put("HTTP/1.1 ");
    put_number(status_);
    put(" ");
    put(reason);
    put("\r\n");
    put(text_);
    if (!has_date_) {
        put("date: ");
        put(rest.date);
        put("\r\n");
    }
    if (rest.framing == Framing::chunks) put("transfer-encoding: chunked\r\n");
    if (rest.framing == Framing::length) {
        put("content-length: ");
        put_number(rest.length);
        put("\r\n");
    }
    if (rest.is_closing) {
        put("connection: close\r\n");
    } else if (rest.minor_version == 0) {
        put("connection: keep-alive\r\n");
    }
    put("\r\n");
    to.resize(static_cast<std::size_t>(at - to.data()));
}

}  // namespace wrun::http
