// llhttp's callbacks gather the head; limits are kept here, rules in request_rules.cpp.
#include "http/request_parser.hpp"

#include <algorithm>

#include "http/parser_callbacks.hpp"

namespace wrun::http {

namespace {

/// What may stand around the bytes of a chunked body: sizes, extensions, trailers. Chunks of single
/// bytes need five bytes for each; beyond that it is somebody who keeps us busy with nothing.
constexpr u64 framing_bytes_free = u64{16} << 10;
constexpr u64 framing_per_byte_max = 8;

}  // namespace

struct RequestParser::Callbacks {
    [[nodiscard]] static RequestParser& parser(llhttp_t* machine) noexcept {
        return *static_cast<RequestParser*>(machine->data);
    }

    [[nodiscard]] static std::string_view method_of(const llhttp_t* machine) noexcept {
        return llhttp_method_name(static_cast<llhttp_method_t>(machine->method));
    }

    static int refuse(RequestParser& self, u16 status) noexcept {
        self.fail(status);
        return HPE_USER;
    }

    static int on_url(llhttp_t* machine, const char* text, std::size_t size) {
        RequestParser& self = parser(machine);
        self.append(self.target_, text, size);
        return 0;
    }

    static int on_url_complete(llhttp_t* machine) {
        RequestParser& self = parser(machine);
        // Not before: what ends up as no target is refused as such, however it is cut.
        const bool fits = self.target_.size <= self.limits_.target_bytes_max;
        return fits ? 0 : refuse(self, target_too_long);
    }

    static int on_protocol(llhttp_t* machine, const char* text, std::size_t size) {
        RequestParser& self = parser(machine);
        self.append(self.protocol_, text, size);
        return 0;
    }

    static int on_version(llhttp_t* machine, const char* text, std::size_t /*size*/) {
        RequestParser& self = parser(machine);
        // llhttp takes more than one space between the words of the line.
        const std::size_t words = method_of(machine).size() + self.target_.size;
        if (!self.has_version_ && (self.offset(text) != words + std::size("  HTTP/") - 1 ||
                                      self.view(self.protocol_) != "HTTP"))
            return refuse(self, bad_request);
        self.has_version_ = true;
        return 0;
    }

    static int on_field(llhttp_t* machine, const char* text, std::size_t size) {
        RequestParser& self = parser(machine);
        if (self.state_ != State::head) return 0;  // a trailer
        if (self.is_field_whole_) {
            self.places_.emplace_back();
            self.is_field_whole_ = false;
        }
        self.append(self.places_.back().name, text, size);
        return 0;
    }

    static int on_value(llhttp_t* machine, const char* text, std::size_t size) {
        RequestParser& self = parser(machine);
        if (self.state_ == State::head) self.append(self.places_.back().value, text, size);
        return 0;
    }

    static int on_value_complete(llhttp_t* machine) {
        RequestParser& self = parser(machine);
        self.is_field_whole_ = true;
        // Not before: what ends up as no field is refused as such, however it is cut.
        const bool fits = self.places_.size() <= self.limits_.fields_max;
        return fits ? 0 : refuse(self, head_too_large);
    }

    static int on_head_complete(llhttp_t* machine) {
        RequestParser& self = parser(machine);
        if (self.state_ != State::head) return 0;
        self.head_.minor_version = machine->http_minor;
        if (!self.has_version_) return refuse(self, bad_request);
        if (machine->http_major != 1 || machine->http_minor > 1)
            return refuse(self, version_not_supported);
        self.head_.method = method_of(machine);
        if (const u16 status = self.finish_head(); status != 0) return refuse(self, status);
        // The fields that ask for another protocol are ignored, as RFC 9110, 7.8 allows.
        machine->upgrade = 0;
        if (!self.head_.is_chunked && self.head_.content_length.value_or(0) == 0) return 0;
        self.state_ = State::body;
        return HPE_PAUSED;
    }

    static int on_body(llhttp_t* machine, const char* text, std::size_t size) {
        RequestParser& self = parser(machine);
        if (size > self.limits_.body_bytes_max - self.body_bytes_)
            return refuse(self, body_too_large);
        self.body_bytes_ += size;
        self.body_->insert(self.body_->end(), text, text + size);
        return 0;
    }

    static int on_complete(llhttp_t* machine) {
        parser(machine).state_ = State::done;
        return HPE_PAUSED;
    }

    static constexpr llhttp_settings_t settings() noexcept {
        llhttp_settings_t made = message_settings<Callbacks>();
        made.on_url = on_url;
        made.on_url_complete = on_url_complete;
        made.on_version = on_version;
        return made;
    }
};

RequestParser::RequestParser(const RequestLimits& limits) : limits_{limits} {
    reset();
}

void RequestParser::reset() {
    static constexpr llhttp_settings_t settings = Callbacks::settings();
    start(machine_.get(), HTTP_REQUEST, settings, this);
    state_ = State::empty;
    status_ = 0;
    blank_bytes_ = 0;
    head_bytes_ = 0;
    body_bytes_ = body_bytes_framed_ = 0;
    is_field_whole_ = true;
    text_.clear();
    target_ = protocol_ = {};
    has_version_ = false;
    places_.clear();
    head_.authority = {};
    head_.content_length.reset();
    head_.is_chunked = head_.expects_continue = false;
}

std::size_t RequestParser::feed(std::span<const u8> bytes, std::vector<u8>& body) {
    body_ = &body;
    std::size_t taken = 0;
    if (state_ == State::empty) taken = skip_blank_line(bytes);
    if (taken == bytes.size() || state_ == State::done || state_ == State::failed) return taken;
    bytes = bytes.subspan(taken);
    if (state_ == State::empty) {
        state_ = State::head;
        first_byte_ = bytes.front();
    }
    if (state_ == State::body) {
        const std::size_t used = execute(bytes);
        body_bytes_framed_ += used;
        if (state_ != State::failed && body_bytes_framed_ - body_bytes_ >
                                           framing_bytes_free + body_bytes_ * framing_per_byte_max)
            fail(bad_request);
        return taken + used;
    }
    const std::size_t room = limits_.head_bytes_max - head_bytes_;
    const std::size_t used = execute(bytes.first(std::min(bytes.size(), room)));
    head_bytes_ += static_cast<u32>(used);
    if (state_ == State::head && head_bytes_ == limits_.head_bytes_max)
        fail(target_.size > limits_.target_bytes_max ? target_too_long : head_too_large);
    return taken + used;
}

/// RFC 9112, 2.2: one empty line before a request is ignored. llhttp would ignore any number of
/// them, and halves.
std::size_t RequestParser::skip_blank_line(std::span<const u8> bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && blank_bytes_ < 2) {
        const u8 byte = bytes[taken];
        if (byte != (blank_bytes_ == 0 ? '\r' : '\n')) break;
        blank_bytes_++;
        taken++;
    }
    const bool is_half = blank_bytes_ == 1;
    if (taken < bytes.size() && (is_half || bytes[taken] == '\r' || bytes[taken] == '\n'))
        fail(bad_request);
    return taken;
}

std::size_t RequestParser::execute(std::span<const u8> bytes) {
    llhttp_t* const machine = machine_.get();
    if (llhttp_get_errno(machine) == HPE_PAUSED) llhttp_resume(machine);
    const char* const begin = reinterpret_cast<const char*>(bytes.data());
    piece_ = begin;
    const llhttp_errno_t error = llhttp_execute(machine, begin, bytes.size());
    if (error == HPE_OK) return bytes.size();
    if (error != HPE_PAUSED) note_error(error);
    return static_cast<std::size_t>(llhttp_get_error_pos(machine) - begin);
}

void RequestParser::fail(u16 status) noexcept {
    state_ = State::failed;
    status_ = status;
}

void RequestParser::note_error(int error) {
    if (state_ == State::failed) return;  // by a callback
    const bool is_word = first_byte_ >= 'A' && first_byte_ <= 'Z';
    if (error == HPE_INVALID_METHOD && is_word) return fail(not_implemented);
    fail(error == HPE_INVALID_VERSION ? version_not_supported : bad_request);
}

void RequestParser::append(Place& place, const char* text, std::size_t size) {
    if (place.size == 0) place.begin = static_cast<u32>(text_.size());
    text_.append(text, size);
    place.size += static_cast<u32>(size);
}

u16 RequestParser::finish_head() {
    head_.target = view(target_);
    head_.fields.clear();
    for (const FieldPlaces& field : places_) {
        std::string_view value = view(field.value);
        while (value.ends_with(' ') || value.ends_with('\t'))
            value.remove_suffix(1);
        head_.fields.push_back({view(field.name), value});
    }
    if (const u16 status = apply_rules(head_, own_target_); status != 0) return status;
    if (head_.content_length.value_or(0) > limits_.body_bytes_max) return body_too_large;
    const auto question = std::min(head_.target.find('?'), head_.target.size());
    request_ = Request{};
    request_.method = head_.method;
    request_.target = head_.target;
    request_.path = head_.target.substr(0, question);
    request_.query = head_.target.substr(std::min(question + 1, head_.target.size()));
    request_.authority = head_.authority;
    request_.minor_version = head_.minor_version;
    request_.fields = head_.fields;
    if (!head_.is_chunked) request_.content_length = head_.content_length.value_or(0);
    return 0;
}

}  // namespace wrun::http
