// How a parser is called by its machine: for the parsers' sources alone, as llhttp's header is.
#pragma once

#include <llhttp.h>

namespace wrun::http {

/// All that both requests and responses need to hear of, as static functions of `Callbacks`.
template <class Callbacks>
[[nodiscard]] constexpr llhttp_settings_t message_settings() noexcept {
    llhttp_settings_t made{};
    made.on_protocol = Callbacks::on_protocol;
    made.on_header_field = Callbacks::on_field;
    made.on_header_value = Callbacks::on_value;
    made.on_header_value_complete = Callbacks::on_value_complete;
    made.on_headers_complete = Callbacks::on_head_complete;
    made.on_body = Callbacks::on_body;
    made.on_message_complete = Callbacks::on_complete;
    return made;
}

/// Callbacks find the parser as the machine's `data`. `settings` are borrowed.
inline void start(
    llhttp_t* machine, llhttp_type_t type, const llhttp_settings_t& settings, void* parser) {
    llhttp_init(machine, type, &settings);
    machine->data = parser;
}

}  // namespace wrun::http
