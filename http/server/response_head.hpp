// The head of an answer: which fields a handler may give, and how they and the server's own become
// text. Nothing a handler gives can end a line or frame the message.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

[[nodiscard]] std::string_view reason_of(u32 status) noexcept;
/// Whether an answer of this status has no body by definition.
[[nodiscard]] constexpr bool is_bodiless(u32 status) noexcept {
    return status == 204 || status == 304;
}
/// "Sun, 06 Nov 1994 08:49:37 GMT" of a time since 1970.
[[nodiscard]] std::string http_date(std::time_t seconds);

/// Bytes on their way to a client.
using Buffer = std::vector<u8>;
void append(Buffer& to, std::string_view text);
void append_number(Buffer& to, u64 number, int base = 10);

class ResponseHead {
public:
    void clear() noexcept;
    /// False when a field cannot be sent or they are more than `bytes_max`.
    [[nodiscard]] bool set(u32 status, std::span<const Field> fields, u32 bytes_max);

    [[nodiscard]] u32 status() const noexcept { return status_; }  // 0: not set
    /// What the handler has promised.
    [[nodiscard]] std::optional<u64> content_length() const noexcept { return content_length_; }

    enum class Framing : u8 { length, chunks, close, none };
    struct Rest {
        Framing framing = Framing::length;
        u64 length = 0;
        bool is_closing = false;
        u8 minor_version = 1;  // the client's
        std::string_view date;
    };
    void write(Buffer& to, const Rest& rest) const;

private:
    [[nodiscard]] bool add(const Field& field);

    u32 status_ = 0;
    bool has_date_ = false;
    std::optional<u64> content_length_;
    std::string text_;
};

}  // namespace wrun::http
