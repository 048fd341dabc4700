// Handlers that are guests: which of the ways a module can answer requests it was built for (its
// ABI), and the handler that speaks it. A further ABI is one file with an Abi in it and one line in
// abi.cpp; http/guest.hpp is what they share.
//
//     MadeHandler made = make_handler(module, options);
//     if (!made.handler) … made.error says why, and what to do
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "http/exchange.hpp"
#include "wasi/state.hpp"

namespace wrun::http {

struct HandlerOptions {
    // What a guest has.
    std::vector<std::string> env;                 // "NAME=value"; of the host's environment nothing
    std::vector<wasi::Preopen> preopens;          // opened once, for all requests
    std::string argv = "${SCRIPT_NAME} ${ARGS}";  // WAGI's arguments
    std::string config;                           // what http-wasm's get_config gives
    bool has_spin_fields = false;         // http-wasm's requests (http/spin/request_fields.hpp)
    std::shared_ptr<const Handler> next;  // http-wasm's next; absent: 404

    // Its limits. What a request is given in time is Exchange::limits().
    u64 memory_bytes_max = u64{128} << 20;  // of its memory: a module has one
    u64 table_elements_max = 100'000;       // of its tables together
    u32 stack_bytes = 512u << 10;
    u64 start_ns_max = 10'000'000'000;  // of what runs once, when the handler is made
    u32 response_head_bytes_max = 64u << 10;
    u32 response_fields_max = 256;
    u64 buffered_bytes_max = u64{16} << 20;  // of a body that must be whole before it goes on

    /// Kinds of what a snapshot's init may have learned (docs/snapshot.md, "Taint").
    wasi::AccessSet allow_tainted;
    /// How many requests an instance serves before it is made new. More than one is a choice of
    /// speed over isolation: each then sees what those before it have left.
    u32 reuse = 1;
};

/// A handler, or what is wrong and what to do about it, for a person.
struct MadeHandler {
    std::unique_ptr<const Handler> handler;
    std::string error;
    std::string output;  // what the guest has written while it was made, the first 64 KiB
};

using ModulePtr = std::shared_ptr<const engine::Module>;

struct Abi {
    std::string_view name;
    std::string_view sign;  // by which it is known, for messages
    bool passes_on;         // whether its handlers use HandlerOptions::next
    bool (*is_spoken_by)(const wrun::Module& module);
    MadeHandler (*make)(const ModulePtr& module, const HandlerOptions& options);
};

extern const Abi wagi_abi;       // http/wagi.cpp
extern const Abi http_wasm_abi;  // http/http_wasm.cpp

/// The first ABI whose sign the module bears; null for none.
[[nodiscard]] const Abi* find_abi(const wrun::Module& module) noexcept;
[[nodiscard]] MadeHandler make_handler(const ModulePtr& module, const HandlerOptions& options);

/// Whether these bytes begin a component, which is no module. Asked before they are compiled.
[[nodiscard]] bool is_component(std::span<const u8> bytes) noexcept;
inline constexpr std::string_view component_refusal =
    "this is a component (wasi:http, as most toolchains for HTTP make them), which wrun cannot "
    "serve yet: build the handler as a module of WASI preview 1 that speaks CGI, or for http-wasm";

/// Whether the module exports a function of that name.
[[nodiscard]] bool exports_function(const wrun::Module& module, std::string_view name) noexcept;

/// Whether it does, and the function's type is this one.
[[nodiscard]] bool exports_function(const wrun::Module& module, std::string_view name,
    std::span<const ValType> params, std::span<const ValType> results) noexcept;

/// Answers 404 to everything.
class NotFound : public Handler {
public:
    void handle(Exchange& exchange) const override;
};

}  // namespace wrun::http
