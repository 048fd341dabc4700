// The 19 functions of http_handler. Everything a guest may not do traps and says why: a pointer
// that leaves its memory, an unknown kind, an empty name, something out of its phase, a field that
// no message can have.
#include <algorithm>

#include "http/http_wasm_request.hpp"
#include "http/text.hpp"

namespace wrun::http {
namespace {

using engine::Caller;
using engine::GuestMemory;
using engine::HostResult;

enum class Kind : u32 { request = 0, response = 1, request_trailers = 2, response_trailers = 3 };

/// One call.
class Call {
public:
    Call(Caller& caller, std::span<u64> slots) noexcept
        : caller_{caller},
          slots_{slots},
          context{*static_cast<HttpWasmContext*>(caller.store().host_data())},
          memory{caller.memory()} {}

    [[nodiscard]] u32 argument(std::size_t index) const noexcept {
        return static_cast<u32>(slots_[index]);
    }
    HostResult answer(u64 value) const noexcept {
        slots_[0] = value;
        return HostResult::ok();
    }
    HostResult trap(std::string_view why) const {
        caller_.explain(why);
        return HostResult::trapped(runtime::TrapCode::host);
    }
    HostResult out_of_bounds() const { return trap("a pointer leaves the memory"); }

    /// A view of what arguments `index` and `index` + 1 name.
    [[nodiscard]] std::optional<std::string_view> text(std::size_t index) const noexcept {
        const auto view = memory.view(argument(index), argument(index + 1));
        if (!view) return std::nullopt;
        return std::string_view{reinterpret_cast<const char*>(view->data()), view->size()};
    }
    /// Into the buffer that arguments `index` and `index` + 1 name, if it fits. False when the
    /// buffer leaves the memory.
    [[nodiscard]] bool put(std::size_t index, std::string_view bytes) const noexcept {
        return bytes.size() > argument(index + 1) ||
               memory.write(argument(index), bytes.data(), bytes.size());
    }
    HostResult give(std::size_t index, std::string_view bytes) const {
        return put(index, bytes) ? answer(bytes.size()) : out_of_bounds();
    }
    [[nodiscard]] HttpWasmRequest& request() const noexcept { return *context.request; }

private:
    Caller& caller_;
    std::span<u64> slots_;

public:
    HttpWasmContext& context;
    const GuestMemory memory;
};

// ---- of the module -----------------------------------------------------------------------------

HostResult enable_features(const Call& call) {
    HttpWasmContext& context = call.context;
    u32& enabled = context.request != nullptr ? context.request->enabled : context.features;
    enabled |= call.argument(0) & features::supported;
    return call.answer(enabled);
}

HostResult get_config(const Call& call) {
    return call.give(0, call.context.options->config);
}

constexpr i32 level_none = 3;

bool is_logged(u32 level) noexcept {
    const auto number = static_cast<i32>(level);
    return number >= 0 && number < level_none;  // debug is not
}

HostResult log_enabled(const Call& call) {
    return call.answer(is_logged(call.argument(0)) ? 1 : 0);
}

HostResult log(const Call& call) {
    if (!is_logged(call.argument(0))) return HostResult::ok();
    const auto message = call.text(1);
    if (!message) return call.out_of_bounds();
    if (call.context.log != nullptr) call.context.log->add_line(*message);
    return HostResult::ok();
}

// ---- the request's line ------------------------------------------------------------------------

HostResult get_method(const Call& call) {
    return call.give(0, call.request().method);
}

HostResult set_method(const Call& call) {
    HttpWasmRequest& request = call.request();
    if (request.is_after_next) return call.trap("the method cannot be set after next");
    const auto method = call.text(0);
    if (!method) return call.out_of_bounds();
    if (!is_token(*method) || method->size() > 64) return call.trap("this can be no method");
    request.method = *method;
    return HostResult::ok();
}

HostResult get_uri(const Call& call) {
    return call.give(0, call.request().uri);
}

HostResult set_uri(const Call& call) {
    HttpWasmRequest& request = call.request();
    if (request.is_after_next) return call.trap("the URI cannot be set after next");
    const auto given = call.text(0);
    if (!given) return call.out_of_bounds();
    std::string uri{*given};
    if (uri.empty() || uri.front() == '?') uri.insert(0, "/");
    const bool is_plain = std::all_of(uri.begin(), uri.end(),
        [](char c) { return static_cast<u8>(c) > 0x20 && c != 0x7f && c != '#'; });
    if (uri.front() != '/' || !is_plain || uri.size() > request.limits.bytes_max)
        return call.trap("this can be no path and query");
    request.uri = std::move(uri);
    return HostResult::ok();
}

HostResult get_protocol_version(const Call& call) {
    const bool is_old = call.request().exchange.request().minor_version == 0;
    return call.give(0, is_old ? "HTTP/1.0" : "HTTP/1.1");
}

HostResult get_source_addr(const Call& call) {
    const Request& request = call.request().exchange.request();
    return call.give(0, host_and_port(request.client_address, request.client_port));
}

// ---- fields ------------------------------------------------------------------------------------

/// The list that a kind names; null with a trap for none.
const FieldList* find_fields(const Call& call, u32 kind) noexcept {
    static const FieldList no_trailers;
    switch (static_cast<Kind>(kind)) {
        case Kind::request: return &call.request().request_fields;
        case Kind::response: return &call.request().response_fields;
        case Kind::request_trailers:
        case Kind::response_trailers: return &no_trailers;
    }
    return nullptr;
}

/// Why a field of that kind cannot be changed now; empty if it can.
std::string_view refuse_change(const HttpWasmRequest& request, u32 kind) noexcept {
    switch (static_cast<Kind>(kind)) {
        case Kind::request:
            return request.is_after_next ? "fields of the request cannot be changed after next"
                                         : "";
        case Kind::response:
            return request.is_after_next && !request.has(features::buffer_response)
                       ? "fields of the answer can be changed after next only where "
                         "buffer_response "
                         "is enabled"
                       : "";
        case Kind::request_trailers:
        case Kind::response_trailers: return "trailers are not supported";
    }
    return "this is no kind of fields";
}

u64 pack(u64 high, u64 low) noexcept {
    return high << 32 | (low & 0xffff'ffff);
}

HostResult give_list(const Call& call, std::size_t index, u64 count, std::string_view list) {
    return call.put(index, list) ? call.answer(pack(count, list.size())) : call.out_of_bounds();
}

HostResult get_header_names(const Call& call) {
    const FieldList* const fields = find_fields(call, call.argument(0));
    if (fields == nullptr) return call.trap("this is no kind of fields");
    const std::vector<Field> all = fields->views();
    std::string list;
    u64 count = 0;
    for (auto field = all.begin(); field != all.end(); ++field) {
        const auto is_same = [&](const Field& one) { return is_same_name(one.name, field->name); };
        if (std::any_of(all.begin(), field, is_same)) continue;
        for (const char c : field->name)
            list += to_lower(c);
        list += '\0';
        ++count;
    }
    return give_list(call, 1, count, list);
}

HostResult get_header_values(const Call& call) {
    const FieldList* const fields = find_fields(call, call.argument(0));
    if (fields == nullptr) return call.trap("this is no kind of fields");
    const auto name = call.text(1);
    if (!name) return call.out_of_bounds();
    if (name->empty()) return call.trap("the name of a field is empty");
    std::string list;
    u64 count = 0;
    for (const Field& field : fields->views()) {
        if (!is_same_name(field.name, *name)) continue;
        list += field.value;
        list += '\0';
        ++count;
    }
    return give_list(call, 3, count, list);
}

enum class Change : u8 { set, add, remove };

template <Change change>
HostResult change_fields(const Call& call) {
    HttpWasmRequest& request = call.request();
    const u32 kind = call.argument(0);
    if (const std::string_view why = refuse_change(request, kind); !why.empty())
        return call.trap(why);
    const auto name = call.text(1);
    if (!name) return call.out_of_bounds();
    if (name->empty()) return call.trap("the name of a field is empty");
    const bool is_request = static_cast<Kind>(kind) == Kind::request;
    FieldList& fields = is_request ? request.request_fields : request.response_fields;
    if constexpr (change == Change::remove) {
        fields.remove(*name);
        return HostResult::ok();
    }
    const auto value = call.text(3);
    if (!value) return call.out_of_bounds();
    if constexpr (change == Change::set) fields.remove(*name);
    if (!fields.add(*name, *value, request.limits))
        return call.trap("no message can have this field, or it has too many already");
    return HostResult::ok();
}

// ---- bodies and status -------------------------------------------------------------------------

HostResult read_body(const Call& call) {
    HttpWasmRequest& request = call.request();
    const u32 kind = call.argument(0);
    if (kind > 1) return call.trap("this is no kind of body");
    const bool is_request = static_cast<Kind>(kind) == Kind::request;
    const u32 needed = is_request ? features::buffer_request : features::buffer_response;
    if (request.is_after_next && !request.has(needed))
        return call.trap("a body can be read after next only where buffering it is enabled");
    if (call.argument(2) == 0) return call.trap("there is no room to read a body to");
    const auto to = call.memory.view_for_system(call.argument(1), call.argument(2));
    if (!to) return call.out_of_bounds();
    const HttpWasmRequest::Read read =
        is_request ? request.read_request(*to) : request.read_response(*to);
    if (read.how != Transfer::ok) return call.trap("the request's body did not come");
    return call.answer(pack(read.is_over ? 1 : 0, read.bytes));
}

HostResult write_body(const Call& call) {
    HttpWasmRequest& request = call.request();
    const u32 kind = call.argument(0);
    if (kind > 1) return call.trap("this is no kind of body");
    const bool is_request = static_cast<Kind>(kind) == Kind::request;
    if (request.is_after_next && is_request)
        return call.trap("the request's body cannot be written after next");
    if (request.is_after_next && !request.has(features::buffer_response))
        return call.trap(
            "the answer's body can be written after next only where buffer_response is enabled");
    const auto bytes = call.memory.view(call.argument(1), call.argument(2));
    if (!bytes) return call.out_of_bounds();
    const bool fits = is_request ? request.write_request(*bytes) : request.write_response(*bytes);
    return fits ? HostResult::ok() : call.trap("the body is too large");
}

HostResult get_status_code(const Call& call) {
    return call.answer(call.request().status);
}

HostResult set_status_code(const Call& call) {
    HttpWasmRequest& request = call.request();
    if (request.is_after_next && !request.has(features::buffer_response))
        return call.trap("the status can be set after next only where buffer_response is enabled");
    const u32 status = call.argument(0);
    if (status < 200 || status > 599) return call.trap("this can be no answer's status");
    request.status = status;
    return HostResult::ok();
}

// ---- the table ---------------------------------------------------------------------------------

/// Needs: whether there must be a request.
template <HostResult (*function)(const Call&), bool needs_request>
HostResult callback(Caller& caller, void*, std::span<u64> slots) {
    const Call call{caller, slots};
    if (needs_request && call.context.request == nullptr)
        return call.trap("there is no request while the module is prepared");
    return function(call);
}

struct Row {
    std::string_view name;
    std::size_t params;  // all i32
    std::string_view result;
    engine::HostCallback callback;
};

constexpr Row rows[] = {
    {"enable_features", 1, "i", &callback<enable_features, false>},
    {"get_config", 2, "i", &callback<get_config, false>},
    {"log_enabled", 1, "i", &callback<log_enabled, false>},
    {"log", 3, "", &callback<log, false>},
    {"get_method", 2, "i", &callback<get_method, true>},
    {"set_method", 2, "", &callback<set_method, true>},
    {"get_uri", 2, "i", &callback<get_uri, true>},
    {"set_uri", 2, "", &callback<set_uri, true>},
    {"get_protocol_version", 2, "i", &callback<get_protocol_version, true>},
    {"get_source_addr", 2, "i", &callback<get_source_addr, true>},
    {"get_header_names", 3, "I", &callback<get_header_names, true>},
    {"get_header_values", 5, "I", &callback<get_header_values, true>},
    {"set_header_value", 5, "", &callback<change_fields<Change::set>, true>},
    {"add_header_value", 5, "", &callback<change_fields<Change::add>, true>},
    {"remove_header", 3, "", &callback<change_fields<Change::remove>, true>},
    {"read_body", 3, "I", &callback<read_body, true>},
    {"write_body", 3, "", &callback<write_body, true>},
    {"get_status_code", 0, "i", &callback<get_status_code, true>},
    {"set_status_code", 1, "", &callback<set_status_code, true>},
};
static_assert(std::size(rows) == 19);

}  // namespace

Result<void> define_http_handler(engine::Linker& linker) {
    for (const Row& row : rows) {
        engine::FuncType type{std::vector<ValType>(row.params, type_i32), {}};
        if (!row.result.empty()) type.results.push_back(row.result == "I" ? type_i64 : type_i32);
        WRUN_TRY(linker.define_function(
            "http_handler", row.name, std::move(type), row.callback, nullptr));
    }
    return {};
}

}  // namespace wrun::http
