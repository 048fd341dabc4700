// http-wasm: the guest's handle_request looks at a request and changes it, or answers; unless it
// answers, what is next does, and handle_response of the same instance sees how.
#include <algorithm>

#include "http/http_wasm_request.hpp"
#include "http/shelf.hpp"

namespace wrun::http {
namespace {

/// An instance and all that is its own, for one request or, if it is told to, for several.
struct Seat : Shelf::Kept {
    explicit Seat(Exchange& exchange) noexcept : log{exchange}, waiter{exchange} {}
    void attach(Exchange& exchange) noexcept {
        log.attach(exchange);
        waiter.attach(exchange);
    }

    NoInput nothing;
    LineStream log;
    ExchangeWaiter waiter;
    std::unique_ptr<wasi::State> state;
    HttpWasmContext context;
    std::optional<engine::Run> run;  // the context is its host's data
    u32 served = 0;
};

class HttpWasm : public Handler {
public:
    HttpWasm(std::unique_ptr<const Guest> guest, u32 features) noexcept
        : guest_{std::move(guest)},
          features_{features},
          env_{guest_->options().env},
          handle_request_{guest_->function("handle_request")},
          handle_response_{guest_->function("handle_response")} {}
    void handle(Exchange& exchange) const override;

private:
    /// One that has served, or a new one; without one the exchange has failed.
    [[nodiscard]] std::unique_ptr<Seat> take_seat(Exchange& exchange) const;
    /// Whether the instance has come to its end well, whatever became of the answer.
    [[nodiscard]] bool run(Seat& seat, HttpWasmRequest& request) const;
    [[nodiscard]] bool run_next(engine::Run& run, HttpWasmRequest& request, u32 number) const;
    [[nodiscard]] const Handler& next() const noexcept {
        static const NotFound not_found;
        return guest_->options().next ? *guest_->options().next : not_found;
    }
    std::unique_ptr<const Guest> guest_;
    u32 features_;
    wasi::StringList env_;  // sound: the template was made with it
    FuncIndex handle_request_;
    FuncIndex handle_response_;
};

/// Whether the call is over well; else the exchange has its end, if it still wants one.
bool is_well(Exchange& exchange, const Ended& ended) {
    if (ended.is_cancelled) return false;
    if (ended.failure) {
        exchange.fail(*ended.failure, ended.detail);
        return false;
    }
    if (ended.exited) {
        exchange.fail(
            Failure::no_response, "the guest exited with status " + std::to_string(*ended.exited));
        return false;
    }
    return true;
}

std::unique_ptr<Seat> HttpWasm::take_seat(Exchange& exchange) const {
    if (guest_->options().reuse > 1) {
        if (std::unique_ptr<Shelf::Kept> kept = exchange.shelf().take(*this)) {
            std::unique_ptr<Seat> seat{static_cast<Seat*>(kept.release())};
            seat->attach(exchange);
            return seat;
        }
    }
    auto seat = std::make_unique<Seat>(exchange);
    wasi::Grants grants = guest_->grants();
    grants.streams = {&seat->nothing, &seat->log, &seat->log};
    grants.waiter = &seat->waiter;
    wasi::State::Made state = wasi::State::make(grants, {}, env_);
    if (!state.state) {
        exchange.fail(Failure::internal, state.error);
        return nullptr;
    }
    seat->state = std::move(state.state);
    seat->context.wasi = seat->state.get();
    seat->context.options = &guest_->options();
    seat->context.log = &seat->log;
    seat->run = guest_->start(exchange, seat->context);
    return seat->run ? std::move(seat) : nullptr;
}

void HttpWasm::handle(Exchange& exchange) const {
    std::unique_ptr<Seat> seat = take_seat(exchange);
    if (!seat) return;
    HttpWasmRequest request{exchange, guest_->options(), features_};
    seat->context.request = &request;
    const bool is_well = run(*seat, request);
    seat->log.finish();
    seat->context.request = nullptr;
    if (is_well && ++seat->served < guest_->options().reuse)
        exchange.shelf().put(*this, std::move(seat));
}

bool HttpWasm::run(Seat& seat, HttpWasmRequest& request) const {
    std::vector<engine::Value> results;
    Exchange& exchange = request.exchange;
    if (!is_well(exchange, call(exchange, *seat.run, handle_request_, {}, results))) return false;
    const u64 answer = results.front().bits;
    if (static_cast<u32>(answer) == 1)
        return run_next(*seat.run, request, static_cast<u32>(answer >> 32));
    // The client has its answer before the slot is made new.
    request.finish();
    return true;
}

bool HttpWasm::run_next(engine::Run& run, HttpWasmRequest& request, u32 number) const {
    Exchange& exchange = request.exchange;
    NextExchange inner{request};
    next().handle(inner);
    const bool is_buffered = request.has(features::buffer_response);
    const bool is_error = !inner.is_finished() || inner.failure();
    // It has not been told how its request ended.
    if (inner.is_outer_failed()) return false;
    const engine::Value arguments[] = {
        engine::Value::i32(number), engine::Value::i32(is_error ? 1 : 0)};
    std::vector<engine::Value> results;
    if (!is_well(exchange, call(exchange, run, handle_response_, arguments, results))) return false;
    // A guest that buffers may have said something instead.
    if (is_error && !request.is_answered_after_next()) {
        exchange.fail(inner.failure().value_or(Failure::internal), inner.detail());
    } else if (is_buffered) {
        request.finish();
    } else {
        exchange.finish();
    }
    return true;
}

bool is_http_wasm(const wrun::Module& module) {
    const bool imports_it = std::any_of(module.imports.begin(), module.imports.end(),
        [&](const Import& import) { return module.text(import.module) == "http_handler"; });
    return imports_it || exports_function(module, "handle_request");
}

std::string check(const wrun::Module& module) {
    constexpr ValType two[] = {type_i32, type_i32};
    constexpr ValType wide[] = {type_i64};
    if (!exports_function(module, "handle_request", {}, wide))
        return "the module does not export handle_request as a function () -> i64";
    if (!exports_function(module, "handle_response", two, {}))
        return "the module does not export handle_response as a function (i32, i32) -> ()";
    const bool has_memory =
        std::any_of(module.exports.begin(), module.exports.end(), [&](const Export& one) {
            return one.kind == ExternKind::memory && module.text(one.field) == "memory";
        });
    return has_memory ? "" : "the module does not export its memory as 'memory'";
}

MadeHandler make_http_wasm(const ModulePtr& module, const HandlerOptions& options) {
    if (std::string error = check(module->decoded()); !error.empty())
        return {nullptr, "this module imports or exports http-wasm's names, but " + error, {}};
    HttpWasmContext during_start;
    during_start.options = &options;
    Guest::Made made = Guest::make(module, options,
        {&define_http_handler, {"_initialize", "_start"}, during_start,
            "http_handler, wasi_snapshot_preview1 and wrun"});
    if (!made.guest) return {nullptr, std::move(made.error), std::move(made.output)};
    return {std::make_unique<const HttpWasm>(std::move(made.guest), during_start.features), {},
        std::move(made.output)};
}

}  // namespace

const Abi http_wasm_abi = {"http-wasm",
    "imports functions of http_handler and exports handle_request and handle_response", true,
    &is_http_wasm, &make_http_wasm};

}  // namespace wrun::http
