// WAGI: CGI/1.1 over WASI preview 1. A fresh instance's `_start` runs for each request, its
// standard input is the request's body, what it writes is the answer, and what it complains of is
// the log.
#include "http/cgi_answer.hpp"
#include "http/cgi_request.hpp"
#include "http/guest.hpp"

namespace wrun::http {
namespace {

/// What the program has said so far goes out before it sleeps.
class CgiWaiter : public wasi::Waiter {
public:
    CgiWaiter(Exchange& exchange, Holder& holder) noexcept : exchange_{exchange}, holder_{holder} {}
    [[nodiscard]] int wait(std::span<pollfd> descriptors, u64 until_ns) override {
        if (until_ns != 0) holder_.let_go();
        return exchange_.wait(descriptors, until_ns);
    }

private:
    Exchange& exchange_;
    Holder& holder_;
};

void answer(Exchange& exchange, u32 status) {
    if (exchange.begin(status, {})) exchange.finish();
}

class Wagi : public Handler {
public:
    explicit Wagi(std::unique_ptr<const Guest> guest) noexcept
        : guest_{std::move(guest)},
          start_{guest_->function("_start")},
          constants_{cgi_constants(guest_->options().env)} {}
    void handle(Exchange& exchange) const override;

private:
    void run(Exchange& exchange, wasi::State& state, const BodyStream& body, CgiAnswer& out,
        LineStream& log) const;
    std::unique_ptr<const Guest> guest_;
    FuncIndex start_;
    wasi::StringList constants_;  // of the environment
};

void fail_transfer(Exchange& exchange, Transfer how) {
    switch (how) {
        case Transfer::too_large: return answer(exchange, 413);
        case Transfer::timed_out:
            return exchange.fail(Failure::deadline, "the request's body did not come");
        case Transfer::ok:
        case Transfer::gone: break;
    }
}

void Wagi::handle(Exchange& exchange) const {
    const HandlerOptions& options = guest_->options();
    const Request& request = exchange.request();
    CgiAnswer out{exchange, {options.response_head_bytes_max, options.response_fields_max}};
    BodyStream in{exchange, out};
    LineStream log{exchange};
    CgiWaiter waiter{exchange, out};

    // Programs read as much as they are told there is, so that must be known.
    if (!request.content_length) {
        if (const Transfer how = in.buffer(options.buffered_bytes_max); how != Transfer::ok)
            return fail_transfer(exchange, how);
    }
    const u64 body_bytes = request.content_length.value_or(in.buffered_bytes());
    wasi::StringList args;
    add_cgi_arguments(request, options.argv, args);
    wasi::StringList env;
    env.reserve(
        constants_.offsets().size() + request.fields.size() + 24, constants_.text().size() + 2048);
    env.add_all(constants_);
    add_cgi_variables(request, exchange.route(), body_bytes, env);
    if (!args.is_sound() || !env.is_sound()) return answer(exchange, 400);

    wasi::Grants grants = guest_->grants();
    grants.streams = {&in, &out, &log};
    grants.waiter = &waiter;
    const wasi::State::Made state = wasi::State::make(grants, std::move(args), std::move(env));
    if (!state.state) return exchange.fail(Failure::internal, state.error);
    run(exchange, *state.state, in, out, log);
}

void Wagi::run(Exchange& exchange, wasi::State& state, const BodyStream& body, CgiAnswer& out,
    LineStream& log) const {
    GuestContext context{&state};
    std::optional<engine::Run> run = guest_->start(exchange, context);
    if (!run) return;
    std::vector<engine::Value> results;
    const Ended ended = call(exchange, *run, start_, {}, results);
    log.finish();
    // The client has its answer before the slot is made new.
    const bool is_client_gone = ended.is_cancelled || body.how() == Transfer::gone;
    if (out.is_failed() || is_client_gone) return;
    if (body.how() != Transfer::ok && !exchange.is_begun())
        return fail_transfer(exchange, body.how());
    if (ended.failure) return exchange.fail(*ended.failure, ended.detail);
    out.finish(ended.exited.value_or(0));
}

bool is_wagi(const wrun::Module& module) {
    return exports_function(module, "_start");
}

MadeHandler make_wagi(const ModulePtr& module, const HandlerOptions& options) {
    if (options.reuse != 1)
        return {nullptr,
            "an instance of a CGI program answers one request: its _start runs once. Leave "
            "--reuse at 1, or build the handler for http-wasm",
            {}};
    if (!exports_function(module->decoded(), "_start", {}, {}))
        return {nullptr, "the function _start has parameters or results: it can have none", {}};
    for (const std::string& one : options.env) {
        const std::string name = one.substr(0, one.find('='));
        if (is_cgi_variable(name))
            return {nullptr, "the variable '" + name + "' is set by each request", {}};
    }
    GuestContext during_start;
    Guest::Made made = Guest::make(
        module, options, {nullptr, {}, during_start, "wasi_snapshot_preview1 and wrun"});
    if (!made.guest) return {nullptr, std::move(made.error), std::move(made.output)};
    return {std::make_unique<const Wagi>(std::move(made.guest)), {}, std::move(made.output)};
}

}  // namespace

const Abi wagi_abi = {"WAGI (CGI)", "exports the function _start", false, &is_wagi, &make_wagi};

}  // namespace wrun::http
