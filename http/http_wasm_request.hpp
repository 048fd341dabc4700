// What an http-wasm guest sees and changes of one request and its answer, and the exchange that
// whatever is next sees. Phases: before next the guest may change the request and say an answer;
// next gets the request as it then is; behind it the guest may change next's answer if it has
// asked for that to be buffered.
#pragma once

#include <string>

#include "http/body_stream.hpp"
#include "http/fields.hpp"
#include "http/guest.hpp"

namespace wrun::http {

namespace features {
inline constexpr u32 buffer_request = 1;
inline constexpr u32 buffer_response = 2;
/// Trailers are not among them: they are empty, and setting one traps.
inline constexpr u32 supported = buffer_request | buffer_response;
}  // namespace features

class HttpWasmRequest {
public:
    HttpWasmRequest(Exchange& exchange, const HandlerOptions& options, u32 enabled);

    Exchange& exchange;
    const HandlerOptions& options;
    const FieldList::Limits limits;
    u32 enabled;  // features
    bool is_after_next = false;

    // ---- the request, as next will see it
    std::string method;
    std::string uri;
    FieldList request_fields;
    // ---- the answer
    u32 status = 200;
    FieldList response_fields;

    [[nodiscard]] bool has(u32 feature) const noexcept { return (enabled & feature) != 0; }

    struct Read {
        u32 bytes = 0;
        bool is_over = false;
        Transfer how = Transfer::ok;
    };
    /// Fills the buffer as far as there is something.
    [[nodiscard]] Read read_request(std::span<u8> to);
    [[nodiscard]] Read read_response(std::span<u8> to) noexcept;
    /// The first one replaces what is there. False beyond the limit.
    [[nodiscard]] bool write_request(std::span<const u8> bytes);
    [[nodiscard]] bool write_response(std::span<const u8> bytes);

    /// Whether the guest has said something in place of what next did not.
    [[nodiscard]] bool is_answered_after_next() const noexcept {
        return is_response_written_ && has(features::buffer_response);
    }
    /// The answer as the guest has left it. Ends the exchange.
    void finish();

private:
    friend class NextExchange;
    [[nodiscard]] bool append(std::string& to, std::span<const u8> bytes) const;
    [[nodiscard]] Exchange::Read pull(std::span<u8> to);

    // What was read of the client's body, if it is kept, or what the guest says instead.
    std::string request_body_;
    std::size_t request_at_ = 0;  // the guest's position in it
    bool is_request_replaced_ = false;
    bool is_request_cut_ = false;  // the guest has taken of it what next will not see
    std::string response_body_;
    std::size_t response_at_ = 0;
    bool is_response_written_ = false;  // by the guest, since the last phase began
    bool is_body_changed_ = false;      // what next said of its length is not true any more
};

/// The exchange of what is next: the request as the guest left it. The answer goes through, under
/// the fields that the guest has set, or is kept for it.
class NextExchange : public Exchange {
public:
    explicit NextExchange(HttpWasmRequest& of);

    [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    /// Whether there is an answer, whole.
    [[nodiscard]] bool is_finished() const noexcept { return is_finished_; }
    /// Whether the outer exchange has failed by it.
    [[nodiscard]] bool is_outer_failed() const noexcept { return is_outer_failed_; }

    [[nodiscard]] const Request& request() const noexcept override { return request_; }
    [[nodiscard]] const RouteMatch& route() const noexcept override { return outer_.route(); }
    [[nodiscard]] engine::Shard& shard() noexcept override { return outer_.shard(); }
    [[nodiscard]] Shelf& shelf() noexcept override { return outer_.shelf(); }
    [[nodiscard]] engine::CallLimits limits() const noexcept override { return outer_.limits(); }
    [[nodiscard]] Read read_body(std::span<u8> to) override;
    [[nodiscard]] std::size_t readable_bytes() const noexcept override;
    [[nodiscard]] bool is_body_read() const noexcept override;
    [[nodiscard]] bool begin(u32 status, std::span<const Field> fields) override;
    [[nodiscard]] bool is_begun() const noexcept override { return is_begun_; }
    [[nodiscard]] Transfer write(std::span<const u8> bytes) override;
    void finish() override { is_finished_ = is_begun_ && !failure_; }
    void fail(Failure why, std::string_view detail) override;
    [[nodiscard]] int wait(std::span<pollfd> descriptors, u64 until_ns) override {
        return outer_.wait(descriptors, until_ns);
    }
    void log(std::string_view line) override { outer_.log(line); }

private:
    HttpWasmRequest& of_;
    Exchange& outer_;
    Request request_;
    std::vector<Field> fields_;
    std::size_t body_at_ = 0;  // in what is kept of the body
    bool is_begun_ = false;
    bool is_finished_ = false;
    bool is_outer_failed_ = false;
    std::optional<Failure> failure_;
    std::string detail_;
};

/// Store::host_data() of http-wasm's instances.
struct HttpWasmContext : GuestContext {
    const HandlerOptions* options = nullptr;
    u32 features = 0;                    // of all requests, while there is none
    HttpWasmRequest* request = nullptr;  // absent while the module is prepared
    LineStream* log = nullptr;
};

/// Defines the module http_handler (http/http_wasm_imports.cpp).
[[nodiscard]] Result<void> define_http_handler(engine::Linker& linker);

}  // namespace wrun::http
