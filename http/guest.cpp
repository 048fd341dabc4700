// See guest.hpp.
#include "http/guest.hpp"

#include <algorithm>
#include <cstdio>

#include "base/errors.hpp"
#include "engine/snapshot.hpp"
#include "http/shelf.hpp"
#include "wasi/preview1.hpp"

namespace wrun::http {
namespace {

using engine::Outcome;

std::string_view text_of(const iovec& buffer) noexcept {
    return {static_cast<const char*>(buffer.iov_base), buffer.iov_len};
}

/// What a snapshot's init has learned is the same in every instance, and no secret.
std::string refuse_tainted(const engine::SnapshotFacts& facts, const HandlerOptions& options) {
    const auto learned = wasi::AccessSet::from_bits(facts.learned);
    std::string kinds;
    for (const wasi::Access kind : wasi::access_kinds) {
        if (!learned.has(kind) || options.allow_tainted.has(kind)) continue;
        kinds += (kinds.empty() ? "" : ",") + std::string{wasi::name(kind)};
    }
    if (kinds.empty() && learned.without(options.allow_tainted).empty()) return {};
    return "this snapshot is tainted: its init could learn " + kinds +
           ", and what it did learn is the same for every request (seeds, keys, times, one host's "
           "settings).\nIf that is what you want, say --allow-tainted=" +
           kinds;
}

std::string describe_missing(const wrun::Module& module, const std::vector<const Import*>& missing,
    std::string_view provided) {
    std::string text = "imports are missing:";
    bool is_component_like = false;
    for (const Import* const import : missing) {
        const std::string_view from = module.text(import->module);
        text += "\n  " + std::string{from} + '.' + std::string{module.text(import->field)};
        is_component_like |= from.starts_with("wasi:");
    }
    text += "\nThis handler is given " + std::string{provided} + '.';
    if (is_component_like)
        text += " Imports of wasi:… are a component's: build for WASI preview 1 instead.";
    return text;
}

bool is_full(Error error) noexcept {
    return error.code == ErrorCode::slot_limit || error.code == ErrorCode::pool_memory_limit;
}

Failure failure_of(Error error) noexcept {
    return is_full(error) ? Failure::limit : Failure::internal;
}

std::string describe_start(const Outcome& outcome) {
    if (const auto* const trap = std::get_if<engine::Trap>(&outcome))
        return "the module cannot be prepared: it trapped: " + describe(*trap);
    return "the module cannot be prepared: it exited, with status " +
           std::to_string(std::get<engine::Exit>(outcome).status);
}

}  // namespace

wasi::State* state_in_context(engine::Store& store) noexcept {
    auto* const context = static_cast<GuestContext*>(store.host_data());
    return context == nullptr ? nullptr : context->wasi;
}

// ---- streams -----------------------------------------------------------------------------------

wasi::Answer<u32> LineStream::write(std::span<const iovec> from, bool) {
    // Enough for any line; a guest that has more to say says it again.
    constexpr std::size_t some = 64 * 1024;
    const std::string_view text = text_of(from.front()).substr(0, some);
    add(text);
    return static_cast<u32>(text.size());
}

void LineStream::add(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::size_t bytes = std::min({end, text.size(), line_bytes_max - line_.size()});
        line_ += text.substr(0, bytes);
        const bool is_ended = bytes == end;
        text.remove_prefix(bytes + (is_ended ? 1 : 0));
        if (!is_ended && line_.size() < line_bytes_max) continue;
        flush();
    }
}

void LineStream::flush() {
    if (lines_ < lines_max) {
        exchange_->log(line_);
    } else if (lines_ == lines_max) {
        exchange_->log("[more lines of this request are left out]");
    }
    lines_ = std::min(lines_ + 1, lines_max + 1);
    line_.clear();
}

void LineStream::add_line(std::string_view text) {
    finish();
    add(text.substr(0, u64{64} << 10));
    finish();
}

void LineStream::finish() {
    if (!line_.empty()) flush();
}

wasi::Answer<u32> KeptStream::write(std::span<const iovec> from, bool) {
    const std::string_view all = text_of(from.front()).substr(0, u32{1} << 30);
    text += all.substr(0, bytes_max - std::min(bytes_max, text.size()));
    return static_cast<u32>(all.size());
}

// ---- from a module to a template ---------------------------------------------------------------

Guest::Made Guest::make(
    const ModulePtr& module, const HandlerOptions& options, const Parts& parts) {
    const wrun::Module& decoded = module->decoded();
    const engine::SnapshotFacts* const snapshot = module->snapshot();
    if (snapshot != nullptr) {
        if (std::string error = refuse_tainted(*snapshot, options); !error.empty())
            return {nullptr, std::move(error), {}};
    }
    std::unique_ptr<Guest> guest{new Guest{options}};
    std::string error;
    if (!guest->directories_.open(options.preopens, error)) return {nullptr, std::move(error), {}};
    guest->grants_.directories = &guest->directories_;
    guest->grants_.stdio = {-1, -1, -1};
    if (snapshot != nullptr) guest->grants_.monotonic_from_ns = snapshot->monotonic_ns;

    engine::Linker linker;
    Result<void> defined = wasi::define_preview1(linker, &state_in_context);
    if (defined.ok() && wasi::imports_unstable(decoded))
        defined = wasi::define_unstable(linker, &state_in_context);
    if (defined.ok() && parts.define != nullptr) defined = parts.define(linker);
    if (!defined.ok()) return {nullptr, wrun::describe(defined.error()), {}};
    if (const auto missing = linker.missing(decoded); !missing.empty())
        return {nullptr, describe_missing(decoded, missing, parts.provided), {}};

    // What start and init functions find, and write.
    KeptStream kept;
    wasi::Config config;
    static_cast<wasi::Grants&>(config) = guest->grants_;
    config.env = options.env;
    config.streams = {&kept, &kept, &kept};
    wasi::State::Made state = wasi::State::make(config);
    if (!state.state) return {nullptr, std::move(state.error), {}};
    parts.context.wasi = state.state.get();

    engine::TemplateOptions how;
    how.store.memory_bytes_max = options.memory_bytes_max;
    how.store.table_elements_max = options.table_elements_max;
    how.store.stack_bytes = options.stack_bytes;
    how.store.host_data = &parts.context;
    how.start = engine::CallLimits::within(options.start_ns_max);
    if (snapshot == nullptr) {
        for (const std::string& name : parts.init) {
            if (exports_function(decoded, name)) how.init.push_back(name);
        }
    }
    auto made = engine::Template::make(module, linker, how);
    parts.context.wasi = nullptr;
    if (!made.ok()) {
        const Error failed = made.error();
        const std::string why = linker.explain(decoded, failed);
        return {nullptr, why.empty() ? wrun::describe(failed) : why, std::move(kept.text)};
    }
    engine::Template::Made result = std::move(made).take();
    if (result.made == nullptr)
        return {nullptr, describe_start(result.outcome), std::move(kept.text)};
    // Go's runtime makes its streams `nonblock`; the copy of its memory that instances begin with
    // would be wrong about what theirs are.
    guest->grants_.stdio_flags = state.state->keep_stdio_flags();
    if (const auto changed = state.state->find_changed_descriptor(error); changed || !error.empty())
        return {nullptr,
            "the module cannot be prepared: it leaves descriptor " +
                std::to_string(changed.value_or(0)) +
                " open or changed, and instances begin without what it opened",
            std::move(kept.text)};
    guest->template_ = std::move(result.made);
    return {std::move(guest), {}, std::move(kept.text)};
}

FuncIndex Guest::function(std::string_view name) const {
    const auto found = template_->find_function(name);
    WRUN_CHECK(found.has_value());  // the ABI's sign
    return *found;
}

// ---- from a request to a run -------------------------------------------------------------------

std::optional<engine::Run> Guest::start(Exchange& exchange, GuestContext& context) const {
    Result<engine::Run> run = exchange.shard().start(template_, &context);
    if (!run.ok() && is_full(run.error()) && !exchange.shelf().is_empty()) {
        // What idle instances hold is for those that have work.
        exchange.shelf().clear();
        run = exchange.shard().start(template_, &context);
    }
    if (run.ok()) return std::move(run).take();
    exchange.fail(failure_of(run.error()), wrun::describe(run.error()));
    return std::nullopt;
}

Ended call(const Exchange& exchange, engine::Run& run, FuncIndex func,
    std::span<const engine::Value> arguments, std::vector<engine::Value>& results) {
    Ended ended;
    const Result<Outcome> called = run.call(func, arguments, results, exchange.limits());
    if (!called.ok()) {
        ended.failure = failure_of(called.error());
        ended.detail = wrun::describe(called.error());
        return ended;
    }
    if (const auto* const exit = std::get_if<engine::Exit>(&called.value()))
        ended.exited = exit->status;
    const auto* const trap = std::get_if<engine::Trap>(&called.value());
    if (trap == nullptr) return ended;
    ended.detail = describe(*trap);
    ended.is_cancelled = trap->code == runtime::TrapCode::cancelled;
    if (!ended.is_cancelled) {
        const bool is_late = trap->code == runtime::TrapCode::deadline;
        ended.failure = is_late ? Failure::deadline : Failure::trap;
    }
    return ended;
}

std::string describe(const engine::Trap& trap) {
    constexpr std::size_t frames_max = 8;
    std::string text{trap.message()};
    if (!trap.detail.empty()) text += ": " + trap.detail;
    const std::size_t count = std::min(trap.frames.size(), frames_max);
    for (std::size_t index = 0; index < count; ++index) {
        const engine::Frame& frame = trap.frames[index];
        char place[64];
        static_cast<void>(std::snprintf(
            place, sizeof place, " (func %u, offset 0x%x)", frame.func_index, frame.module_offset));
        text += index == 0 ? " in " : " < ";
        text += (frame.name.empty() ? "<unnamed>" : frame.name) + place;
    }
    if (trap.frames.size() > count || trap.frames_omitted != 0) text += " < …";
    return text;
}

}  // namespace wrun::http
