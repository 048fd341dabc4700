// See http_wasm_request.hpp.
#include "http/http_wasm_request.hpp"

#include <algorithm>
#include <cstring>

#include "http/spin/request_fields.hpp"

namespace wrun::http {
namespace {

std::span<const u8> bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

std::size_t take(std::string_view from, std::size_t at, std::span<u8> to) noexcept {
    const std::size_t bytes = std::min(to.size(), from.size() - at);
    if (bytes != 0) std::memcpy(to.data(), from.data() + at, bytes);
    return bytes;
}

[[nodiscard]] FieldList fields_of(const Exchange& exchange, const HandlerOptions& options) {
    if (!options.has_spin_fields) return FieldList{exchange.request().fields};
    spin::RequestFields fields;
    return FieldList{fields.build(exchange.request(), exchange.route())};
}

}  // namespace

HttpWasmRequest::HttpWasmRequest(Exchange& of, const HandlerOptions& with, u32 features_enabled)
    : exchange{of},
      options{with},
      limits{with.response_head_bytes_max, with.response_fields_max},
      enabled{features_enabled},
      method{of.request().method},
      uri{of.request().target},
      request_fields{fields_of(of, with)} {
    if (uri.empty()) uri = "/";
}

bool HttpWasmRequest::append(std::string& to, std::span<const u8> bytes) const {
    if (bytes.size() > options.buffered_bytes_max ||
        to.size() > options.buffered_bytes_max - bytes.size())
        return false;
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
}

/// From the client, kept if somebody will ask again.
Exchange::Read HttpWasmRequest::pull(std::span<u8> to) {
    const Exchange::Read read = exchange.read_body(to);
    if (read.how != Transfer::ok || !has(features::buffer_request)) return read;
    if (!append(request_body_, to.first(read.bytes))) return {Transfer::too_large, 0};
    return read;
}

HttpWasmRequest::Read HttpWasmRequest::read_request(std::span<u8> to) {
    Read result;
    while (result.bytes < to.size()) {
        const std::span<u8> rest = to.subspan(result.bytes);
        std::size_t bytes = take(request_body_, request_at_, rest);
        if (bytes == 0 && !is_request_replaced_) {
            const Exchange::Read read = pull(rest);
            if (read.how != Transfer::ok) return {0, false, read.how};
            bytes = read.bytes;
            if (!has(features::buffer_request) && bytes != 0) is_request_cut_ = true;
        }
        if (has(features::buffer_request) || is_request_replaced_) request_at_ += bytes;
        if (bytes == 0) {
            result.is_over = true;
            return result;
        }
        result.bytes += static_cast<u32>(bytes);
    }
    const bool has_all = request_at_ == request_body_.size();
    result.is_over = has_all && (is_request_replaced_ || exchange.is_body_read());
    return result;
}

HttpWasmRequest::Read HttpWasmRequest::read_response(std::span<u8> to) noexcept {
    const std::size_t bytes = take(response_body_, response_at_, to);
    response_at_ += bytes;
    return {static_cast<u32>(bytes), response_at_ == response_body_.size(), Transfer::ok};
}

bool HttpWasmRequest::write_request(std::span<const u8> bytes) {
    if (!std::exchange(is_request_replaced_, true)) {
        request_body_.clear();
        request_at_ = 0;
    }
    return append(request_body_, bytes);
}

bool HttpWasmRequest::write_response(std::span<const u8> bytes) {
    if (!std::exchange(is_response_written_, true)) {
        response_body_.clear();
        response_at_ = 0;
    }
    is_body_changed_ = true;
    return append(response_body_, bytes);
}

void HttpWasmRequest::finish() {
    // Only of HEAD can it be true of more than what is there.
    const bool is_length_kept = !is_body_changed_ && is_after_next;
    if (!is_length_kept && (method != "HEAD" || !response_body_.empty()))
        response_fields.remove("content-length");
    if (!exchange.begin(status, response_fields.views())) return;
    if (!response_body_.empty()) {
        const Transfer how = exchange.write(bytes_of(response_body_));
        if (how != Transfer::ok)
            return exchange.fail(how == Transfer::timed_out ? Failure::deadline : Failure::internal,
                "the client does not take the answer");
    }
    exchange.finish();
}

// ---- what next sees ----------------------------------------------------------------------------

NextExchange::NextExchange(HttpWasmRequest& of) : of_{of}, outer_{of.exchange} {
    request_ = outer_.request();
    request_.method = of.method;
    const std::string_view uri = of.uri;
    request_.target = uri;
    const std::size_t question = uri.find('?');
    request_.path = uri.substr(0, question);
    request_.query = question == std::string_view::npos ? "" : uri.substr(question + 1);
    if (of.is_request_replaced_) {
        request_.content_length = of.request_body_.size();
        of.request_fields.remove("content-length");
    } else if (of.is_request_cut_) {
        request_.content_length.reset();
        of.request_fields.remove("content-length");
    }
    fields_ = of.request_fields.views();
    request_.fields = fields_;
    of.is_after_next = true;
    of.is_response_written_ = false;
    // What the guest has said before stands before what next says, as the kit wants it.
    of.is_body_changed_ = !of.response_body_.empty();
    of.request_at_ = 0;
    of.response_at_ = 0;
}

Exchange::Read NextExchange::read_body(std::span<u8> to) {
    const std::size_t bytes = take(of_.request_body_, body_at_, to);
    body_at_ += bytes;
    if (bytes != 0 || of_.is_request_replaced_) return {Transfer::ok, bytes};
    const Read read = of_.pull(to);
    body_at_ = of_.request_body_.size();
    return read;
}

std::size_t NextExchange::readable_bytes() const noexcept {
    const std::size_t kept = of_.request_body_.size() - body_at_;
    return kept != 0 || of_.is_request_replaced_ ? kept : outer_.readable_bytes();
}

bool NextExchange::is_body_read() const noexcept {
    return body_at_ == of_.request_body_.size() &&
           (of_.is_request_replaced_ || outer_.is_body_read());
}

bool NextExchange::begin(u32 status, std::span<const Field> fields) {
    if (is_begun_ || failure_) {
        fail(Failure::bad_response, "the answer of what is next has begun twice");
        return false;
    }
    is_begun_ = true;
    of_.status = status;
    // What the guest has set before stays, unless next says it too.
    for (const Field& one : fields)
        of_.response_fields.remove(one.name);
    for (const Field& one : fields) {
        if (of_.response_fields.add(one.name, one.value, of_.limits)) continue;
        fail(Failure::bad_response, "the answer of what is next has a field that cannot be");
        return false;
    }
    if (of_.has(features::buffer_response)) return true;
    if (of_.is_body_changed_) of_.response_fields.remove("content-length");
    if (outer_.begin(status, of_.response_fields.views())) {
        const bool has_said = !of_.response_body_.empty();
        return !has_said || outer_.write(bytes_of(of_.response_body_)) == Transfer::ok;
    }
    is_outer_failed_ = true;
    failure_ = Failure::bad_response;
    return false;
}

Transfer NextExchange::write(std::span<const u8> bytes) {
    if (!of_.has(features::buffer_response)) return outer_.write(bytes);
    if (of_.append(of_.response_body_, bytes)) return Transfer::ok;
    fail(Failure::bad_response, "the answer of what is next is too large to be buffered");
    return Transfer::too_large;
}

void NextExchange::fail(Failure why, std::string_view detail) {
    if (failure_) return;
    failure_ = why;
    detail_ = detail;
}

}  // namespace wrun::http
