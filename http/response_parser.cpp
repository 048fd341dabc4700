// llhttp finds the pieces; what they must be together (RFC 9112, 6) is checked here.
#include "http/response_parser.hpp"

#include <algorithm>

#include "http/connection_fields.hpp"
#include "http/parser_callbacks.hpp"
#include "http/text.hpp"

namespace wrun::http {

struct ResponseParser::Callbacks {
    [[nodiscard]] static ResponseParser& parser(llhttp_t* machine) noexcept {
        return *static_cast<ResponseParser*>(machine->data);
    }
    static int on_protocol(llhttp_t* machine, const char* text, std::size_t size) {
        parser(machine).protocol_.append(text, size);
        return 0;
    }
    static int on_field(llhttp_t* machine, const char* text, std::size_t size) {
        ResponseParser& self = parser(machine);
        if (self.state_ != State::head) return 0;  // a trailer
        if (self.is_field_whole_) {
            if (self.rows_.size() >= fields_max) return self.fail("too many fields");
            self.rows_.emplace_back();
            self.is_field_whole_ = false;
        }
        self.rows_.back().name.append(text, size);
        return 0;
    }
    static int on_value(llhttp_t* machine, const char* text, std::size_t size) {
        ResponseParser& self = parser(machine);
        if (self.state_ == State::head) self.rows_.back().value.append(text, size);
        return 0;
    }
    static int on_value_complete(llhttp_t* machine) {
        parser(machine).is_field_whole_ = true;
        return 0;
    }
    static int on_head_complete(llhttp_t* machine) {
        ResponseParser& self = parser(machine);
        const bool is_known = machine->http_major == 1 && machine->http_minor <= 1;
        if (!is_known || self.protocol_ != "HTTP") return self.fail("neither HTTP/1.0 nor 1.1");
        self.status_ = machine->status_code;
        if (self.status_ < 100 || self.status_ > 999) return self.fail("a status that is none");
        if (self.status_ == 101) return self.fail("another protocol, which nobody has asked for");
        const bool has_transfer_encoding = std::any_of(self.rows_.begin(), self.rows_.end(),
            [](const Row& row) { return is_same_name(row.name, "transfer-encoding"); });
        if (has_transfer_encoding && machine->http_minor == 0)
            return self.fail("Transfer-Encoding in HTTP/1.0");
        if (!self.apply_rules()) return HPE_USER;
        machine->upgrade = 0;
        self.is_interim_ = self.status_ < 200;
        if (!self.is_interim_) self.state_ = State::body;
        const bool is_bodiless =
            self.is_interim_ || self.is_of_head_ || self.status_ == 204 || self.status_ == 304;
        return is_bodiless ? 1 : 0;
    }
    static int on_body(llhttp_t* machine, const char* text, std::size_t size) {
        std::vector<u8>& body = *parser(machine).body_;
        body.insert(body.end(), text, text + size);
        return 0;
    }
    static int on_complete(llhttp_t* machine) {
        ResponseParser& self = parser(machine);
        if (!self.is_interim_) {
            self.is_kept_alive_ = llhttp_should_keep_alive(machine) != 0;
            self.state_ = State::done;
        }
        return HPE_PAUSED;
    }
};

ResponseParser::ResponseParser(bool is_of_head) : is_of_head_{is_of_head} {
    begin();
}

void ResponseParser::begin() {
    static constexpr llhttp_settings_t settings = message_settings<Callbacks>();
    start(machine_.get(), HTTP_RESPONSE, settings, this);
    is_interim_ = false;
    is_field_whole_ = true;
    protocol_.clear();
    rows_.clear();
}

int ResponseParser::fail(std::string_view why) noexcept {
    if (state_ != State::failed) why_ = why;
    state_ = State::failed;
    return HPE_USER;
}

bool ResponseParser::apply_rules() {
    u32 lengths = 0;
    u32 encodings = 0;
    for (Row& row : rows_) {
        row.value = std::string{trimmed(row.value)};
        if (is_same_name(row.name, "content-length")) {
            lengths++;
            if (!parse_decimal(row.value)) fail("a Content-Length that is no number");
        }
        if (is_same_name(row.name, "transfer-encoding")) {
            encodings++;
            if (!is_same_name(row.value, "chunked")) fail("a Transfer-Encoding but chunked");
        }
        if (!is_token(row.name) || !is_field_value(row.value)) fail("a field that is none");
    }
    if (lengths > 1 || encodings > 1 || lengths + encodings > 1)
        fail("more than one length of the same answer");
    return state_ != State::failed;
}

std::size_t ResponseParser::feed(std::span<const u8> bytes, std::vector<u8>& body) {
    body_ = &body;
    llhttp_t* const machine = machine_.get();
    std::size_t taken = 0;
    while (taken < bytes.size() && (state_ == State::head || state_ == State::body)) {
        const bool was_head = state_ == State::head;
        std::span<const u8> piece = bytes.subspan(taken);
        // The first blank line of an answer is an answer to somebody else.
        if (was_head && head_bytes_ == 0 && piece.front() != 'H') {
            fail("no answer of HTTP");
            break;
        }
        if (was_head) piece = piece.first(std::min(piece.size(), head_bytes_max - head_bytes_));
        const char* const text = reinterpret_cast<const char*>(piece.data());
        const llhttp_errno_t error = llhttp_execute(machine, text, piece.size());
        const std::size_t used =
            error == HPE_OK ? piece.size()
                            : static_cast<std::size_t>(llhttp_get_error_pos(machine) - text);
        taken += used;
        if (was_head) head_bytes_ += used;
        if (state_ == State::failed || state_ == State::done) break;
        if (error == HPE_PAUSED && is_interim_) {
            if (++interim_ > interim_max) fail("too many interim answers");
            begin();
        } else if (error != HPE_OK) {
            fail("no answer of HTTP");
        } else if (state_ == State::head && head_bytes_ >= head_bytes_max) {
            fail("a head that is too large");
        }
    }
    return taken;
}

void ResponseParser::finish(std::vector<u8>& body) {
    body_ = &body;
    if (state_ == State::body) static_cast<void>(llhttp_finish(machine_.get()));
    is_kept_alive_ = false;
    if (state_ != State::done) fail("the connection ended before the answer did");
}

std::vector<Field> ResponseParser::fields() const {
    std::vector<Field> all;
    for (const Row& row : rows_)
        all.push_back({row.name, row.value});
    std::vector<Field> kept;
    for (const Field& one : all) {
        if (!is_hop_by_hop(one.name, all)) kept.push_back(one);
    }
    return kept;
}

}  // namespace wrun::http
