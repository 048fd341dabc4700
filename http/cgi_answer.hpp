// A CGI program's standard output as an answer: fields, a blank line, then the body as it is. What
// it says first is held until there is much of it, the program waits, or ends: so one that fails
// soon is answered with a status that says so.
#pragma once

#include <string>
#include <vector>

#include "http/body_stream.hpp"
#include "http/exchange.hpp"
#include "wasi/stream.hpp"

namespace wrun::http {

struct CgiLimits {
    u32 head_bytes_max = 64u << 10;
    u32 fields_max = 256;
};

class CgiAnswer : public wasi::Stream, public Holder {
public:
    static constexpr std::size_t held_bytes_max = 8 * 1024;

    CgiAnswer(Exchange& exchange, const CgiLimits& limits) noexcept
        : exchange_{exchange}, limits_{limits} {}

    [[nodiscard]] wasi::Answer<u32> write(std::span<const iovec> from, bool waits) override;
    void let_go() override;
    /// The program has ended, well or with a status that is not 0. Finishes the exchange, or fails
    /// it.
    void finish(u32 exit_status);
    /// For who fails the exchange for another reason: whether it has failed already.
    [[nodiscard]] bool is_failed() const noexcept { return phase_ == Phase::failed; }

private:
    enum class Phase : u8 { head, held, begun, failed };

    [[nodiscard]] bool take(std::string_view bytes);
    [[nodiscard]] std::string_view take_head(std::string_view bytes);
    [[nodiscard]] bool read_head();
    [[nodiscard]] bool read_field(std::string_view line);
    [[nodiscard]] bool read_status(std::string_view value);
    [[nodiscard]] bool count(std::size_t bytes);
    [[nodiscard]] bool send(std::string_view bytes);
    bool fail(Failure why, std::string_view detail);
    [[nodiscard]] bool has_no_body() const noexcept;

    Exchange& exchange_;
    const CgiLimits limits_;
    Phase phase_ = Phase::head;
    std::string head_;            // without CR; later what its fields are views of
    std::size_t line_begin_ = 0;  // of the head's line that has not ended
    std::vector<Field> fields_;
    std::optional<u32> status_;
    std::optional<u64> length_;  // that was promised
    bool has_type_ = false;
    bool has_location_ = false;
    u64 sent_bytes_ = 0;  // of the body, held ones too
    std::string held_;
};

}  // namespace wrun::http
