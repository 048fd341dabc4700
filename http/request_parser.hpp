// Requests out of the bytes of a connection, whichever way these are cut. No sockets, no clock, no
// handler: bytes go in, and the parser stops behind a head that has a body and behind every
// request. It copies the head, so the views of request() live until the next reset(), and appends
// the body to a buffer of the caller's. What it refuses it names by a status; then the connection
// is to be closed, because nobody knows where the next request would begin.
#pragma once

#include "http/parser_machine.hpp"
#include "http/request_rules.hpp"

namespace wrun::http {

struct RequestLimits {
    u32 head_bytes_max = u32{32} << 10;  // request line and fields as sent
    u32 fields_max = 100;
    u32 target_bytes_max = u32{8} << 10;
    u64 body_bytes_max = u64{10} << 20;
};

class RequestParser {
public:
    enum class State : u8 {
        empty,   // nothing of a request has come
        head,    // some of it
        body,    // the head is there, the body is not whole
        done,    // the request is whole
        failed,  // see status()
    };

    /// `limits` are borrowed.
    explicit RequestParser(const RequestLimits& limits);
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;

    /// For the next request.
    void reset();
    /// Takes bytes and answers how many: all, or up to the end of the head of a request with a body
    /// (call again), or of the request. Takes none once it is done or failed.
    [[nodiscard]] std::size_t feed(std::span<const u8> bytes, std::vector<u8>& body);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Of a failed one: what to answer.
    [[nodiscard]] u16 status() const noexcept { return status_; }

    // From the end of the head on. The connection adds what it knows.
    [[nodiscard]] Request& request() noexcept { return request_; }
    [[nodiscard]] const Request& request() const noexcept { return request_; }
    [[nodiscard]] bool is_kept_alive() const noexcept { return head_.is_kept_alive; }
    [[nodiscard]] bool expects_continue() const noexcept { return head_.expects_continue; }
    [[nodiscard]] u64 body_bytes() const noexcept { return body_bytes_; }

private:
    struct Callbacks;
    struct Place {
        u32 begin = 0;
        u32 size = 0;
    };
    struct FieldPlaces {
        Place name;
        Place value;
    };

    [[nodiscard]] std::size_t skip_blank_line(std::span<const u8> bytes);
    [[nodiscard]] std::size_t execute(std::span<const u8> bytes);
    void fail(u16 status) noexcept;
    void note_error(int error);
    [[nodiscard]] u16 finish_head();
    void append(Place& place, const char* text, std::size_t size);
    [[nodiscard]] std::string_view view(Place place) const noexcept {
        return std::string_view{text_}.substr(place.begin, place.size);
    }

    /// Of a place in the piece that is being fed, counted from the request's first byte.
    [[nodiscard]] std::size_t offset(const char* at) const noexcept {
        return head_bytes_ + static_cast<std::size_t>(at - piece_);
    }

    const RequestLimits& limits_;
    State state_ = State::empty;
    u16 status_ = 0;
    u8 blank_bytes_ = 0;  // of the one empty line that may stand before a request
    u8 first_byte_ = 0;
    bool is_field_whole_ = true;
    bool has_version_ = false;
    const char* piece_ = nullptr;  // during feed()
    u32 head_bytes_ = 0;
    u64 body_bytes_ = 0;               // data alone
    u64 body_bytes_framed_ = 0;        // with what stands around them
    std::vector<u8>* body_ = nullptr;  // during feed()
    std::string text_;                 // target, names and values, one after the other
    Place target_;
    Place protocol_;
    std::vector<FieldPlaces> places_;
    std::string own_target_;
    Head head_;
    Request request_;
    ParserMachine machine_;
};

}  // namespace wrun::http
