// Answers out of the bytes of a server's connection, whichever way these are cut; the counterpart
// of request_parser.hpp. No sockets: bytes go in, the body comes out into a buffer of the caller's.
// Interim answers (1xx) are skipped. Strict: what two readers could frame differently has failed,
// and nothing of the connection is to be believed any more.
#pragma once

#include <string>
#include <vector>

#include "http/exchange.hpp"
#include "http/parser_machine.hpp"

namespace wrun::http {

class ResponseParser {
public:
    enum class State : u8 { head, body, done, failed };

    static constexpr std::size_t head_bytes_max = std::size_t{64} << 10;
    static constexpr std::size_t fields_max = 256;
    static constexpr u32 interim_max = 16;

    /// To HEAD there is no body, whatever the fields say.
    explicit ResponseParser(bool is_of_head);
    ResponseParser(const ResponseParser&) = delete;
    ResponseParser& operator=(const ResponseParser&) = delete;

    /// Takes bytes and answers how many: all, or up to the end of the answer. Appends to `body`.
    [[nodiscard]] std::size_t feed(std::span<const u8> bytes, std::vector<u8>& body);
    /// The connection has ended: that may be the end of the body, or the failure.
    void finish(std::vector<u8>& body);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Of what failed, for the log.
    [[nodiscard]] std::string_view why() const noexcept { return why_; }

    // From the end of the head on.
    [[nodiscard]] u32 status() const noexcept { return status_; }
    /// Without those of the connection; with a Content-Length if it is true.
    [[nodiscard]] std::vector<Field> fields() const;
    /// Of one that is done: another request may follow on the connection.
    [[nodiscard]] bool is_kept_alive() const noexcept { return is_kept_alive_; }

private:
    struct Callbacks;
    struct Row {
        std::string name;
        std::string value;
    };
    void begin();
    [[nodiscard]] bool apply_rules();
    int fail(std::string_view why) noexcept;

    const bool is_of_head_;
    State state_ = State::head;
    bool is_interim_ = false;
    bool is_kept_alive_ = false;
    bool is_field_whole_ = true;
    u32 interim_ = 0;
    u32 status_ = 0;
    std::size_t head_bytes_ = 0;
    std::string_view why_;
    std::string protocol_;
    std::vector<Row> rows_;
    std::vector<u8>* body_ = nullptr;  // during feed()
    ParserMachine machine_;
};

}  // namespace wrun::http
