// See cgi_answer.hpp.
#include "http/cgi_answer.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "http/text.hpp"

namespace wrun::http {

wasi::Answer<u32> CgiAnswer::write(std::span<const iovec> from, bool) {
    u32 taken = 0;
    for (const iovec& one : from) {
        std::string_view left{static_cast<const char*>(one.iov_base), one.iov_len};
        while (!left.empty()) {
            // Long writes look now and then whether the run shall end.
            constexpr std::size_t piece_bytes = 256 * 1024;
            if (engine::is_interrupted()) return wasi::Errno::intr;
            const std::string_view piece = left.substr(0, piece_bytes);
            if (!take(piece)) return wasi::Errno::pipe;
            taken += static_cast<u32>(piece.size());
            left.remove_prefix(piece.size());
        }
    }
    return taken;
}

bool CgiAnswer::take(std::string_view bytes) {
    if (phase_ == Phase::head) bytes = take_head(bytes);
    if (phase_ == Phase::failed) return false;
    if (bytes.empty()) return true;
    if (!count(bytes.size())) return false;
    if (phase_ == Phase::held) {
        if (held_.size() + bytes.size() <= held_bytes_max) {
            held_ += bytes;
            return true;
        }
        let_go();
    }
    return phase_ == Phase::begun && send(bytes);
}

/// What is behind the head.
std::string_view CgiAnswer::take_head(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const bool is_ended = end < bytes.size();
        const std::string_view line = bytes.substr(0, end);
        bytes.remove_prefix(end + (is_ended ? 1 : 0));
        std::copy_if(
            line.begin(), line.end(), std::back_inserter(head_), [](char c) { return c != '\r'; });
        if (head_.size() > limits_.head_bytes_max) {
            fail(Failure::bad_response, "the head of the answer is too large");
            return {};
        }
        if (!is_ended) break;
        if (head_.size() == line_begin_) {
            if (read_head()) phase_ = Phase::held;
            return bytes;
        }
        head_ += '\n';
        line_begin_ = head_.size();
    }
    return {};
}

bool CgiAnswer::read_head() {
    std::string_view left = head_;
    while (!left.empty()) {
        const std::size_t end = left.find('\n');
        if (!read_field(left.substr(0, end))) return false;
        left.remove_prefix(end + 1);
    }
    if (!has_type_ && !has_location_ && !status_)
        return fail(Failure::no_response,
            "the head of the answer has neither Content-Type nor Location nor Status");
    if (!status_) status_ = has_location_ ? 302 : 200;
    return true;
}

bool CgiAnswer::read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;  // no field: left out
    const std::string_view name = trimmed(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (is_same_name(name, "status")) return read_status(value);
    if (is_same_name(name, "content-length")) {
        const auto length = parse_decimal(value);
        if (!length || (length_ && *length_ != *length))
            return fail(Failure::bad_response, "the answer's Content-Length is no number, or two");
        if (length_) return true;
        length_ = length;
    }
    has_type_ |= is_same_name(name, "content-type");
    has_location_ |= is_same_name(name, "location");
    if (fields_.size() == limits_.fields_max)
        return fail(Failure::bad_response, "the answer has too many fields");
    fields_.push_back({name, value});
    return true;
}

bool CgiAnswer::read_status(std::string_view value) {
    const auto number = parse_decimal(value.substr(0, value.find_first_of(" \t")));
    // What is below 200 is no answer yet.
    if (!number || *number < 200 || *number > 599)
        return fail(Failure::bad_response, "the answer's Status is none");
    if (status_ && *status_ != *number)
        return fail(Failure::bad_response, "the answer has two Statuses");
    status_ = static_cast<u32>(*number);
    return true;
}

bool CgiAnswer::has_no_body() const noexcept {
    return exchange_.request().method == "HEAD" || status_ == 204 || status_ == 304;
}

bool CgiAnswer::count(std::size_t bytes) {
    sent_bytes_ += bytes;
    if (!length_ || sent_bytes_ <= *length_) return true;
    return fail(Failure::bad_response, "the answer is longer than its Content-Length");
}

bool CgiAnswer::send(std::string_view bytes) {
    const auto* const data = reinterpret_cast<const u8*>(bytes.data());
    switch (exchange_.write({data, bytes.size()})) {
        case Transfer::ok: return true;
        case Transfer::timed_out:
            return fail(Failure::deadline, "the client does not take the answer");
        case Transfer::too_large:
        case Transfer::gone: break;
    }
    return fail(Failure::internal, "the client is gone");
}

void CgiAnswer::let_go() {
    if (phase_ != Phase::held) return;
    if (!exchange_.begin(*status_, fields_)) {
        phase_ = Phase::failed;  // as the exchange has
        return;
    }
    phase_ = Phase::begun;
    if (!held_.empty()) static_cast<void>(send(std::exchange(held_, {})));
}

bool CgiAnswer::fail(Failure why, std::string_view detail) {
    if (phase_ != Phase::failed) exchange_.fail(why, detail);
    phase_ = Phase::failed;
    return false;
}

void CgiAnswer::finish(u32 exit_status) {
    if (phase_ == Phase::failed) return;
    if (exit_status != 0) {
        fail(Failure::no_response, "the program exited with status " + std::to_string(exit_status));
        return;
    }
    if (phase_ == Phase::head) {
        fail(Failure::no_response, head_.empty() ? "the program wrote no answer"
                                                 : "the answer has no blank line behind its head");
        return;
    }
    if (length_ && sent_bytes_ != *length_ && !(has_no_body() && sent_bytes_ == 0)) {
        fail(Failure::bad_response, "the answer is shorter than its Content-Length");
        return;
    }
    let_go();
    if (phase_ == Phase::begun) exchange_.finish();
}

}  // namespace wrun::http
