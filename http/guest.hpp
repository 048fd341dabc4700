// What the ABIs of guests share: from a module to a Template, once for each handler, and from a
// request to a Run of it, its streams, waits and limits, and what is said when it ends badly. An
// ABI's file adds its imports and the shape of its calls.
//
//   Guest          template, grants and limits; immutable, shared by all threads
//   GuestContext   one request's; Store::host_data() of every instance of a handler
#pragma once

#include <optional>
#include <string>

#include "engine/pool.hpp"
#include "http/abi.hpp"

namespace wrun::http {

/// ABIs derive theirs from this.
struct GuestContext {
    wasi::State* wasi = nullptr;
};

[[nodiscard]] wasi::State* state_in_context(engine::Store& store) noexcept;

/// The guest's waits are the exchange's.
class ExchangeWaiter : public wasi::Waiter {
public:
    explicit ExchangeWaiter(Exchange& exchange) noexcept : exchange_{&exchange} {}
    /// From now on those of another one.
    void attach(Exchange& exchange) noexcept { exchange_ = &exchange; }
    [[nodiscard]] int wait(std::span<pollfd> descriptors, u64 until_ns) override {
        return exchange_->wait(descriptors, until_ns);
    }

private:
    Exchange* exchange_;
};

/// Cuts what a guest writes into lines for the log. A line that never ends does when it is long.
class LineStream : public wasi::Stream {
public:
    static constexpr std::size_t line_bytes_max = 8 * 1024;
    static constexpr u32 lines_max = 1000;  // of one request; the rest is not kept

    explicit LineStream(Exchange& exchange) noexcept : exchange_{&exchange} {}
    /// From now on another one's, after finish().
    void attach(Exchange& exchange) noexcept {
        exchange_ = &exchange;
        lines_ = 0;
    }
    [[nodiscard]] wasi::Answer<u32> write(std::span<const iovec> from, bool waits) override;
    /// One message, of whatever lines.
    void add_line(std::string_view text);
    /// The last line need not have had an end.
    void finish();

private:
    void add(std::string_view text);
    void flush();
    Exchange* exchange_;
    std::string line_;
    u32 lines_ = 0;
};

/// A standard input where there is nothing to read.
class NoInput : public wasi::Stream {
public:
    [[nodiscard]] wasi::Answer<u32> read(std::span<const iovec>, bool) override { return u32{0}; }
};

/// Keeps the begin of what is written.
class KeptStream : public wasi::Stream {
public:
    static constexpr std::size_t bytes_max = 64 * 1024;
    [[nodiscard]] wasi::Answer<u32> write(std::span<const iovec> from, bool waits) override;
    [[nodiscard]] wasi::Answer<u32> read(std::span<const iovec>, bool) override { return u32{0}; }
    std::string text;
};

class Guest {
public:
    /// What an ABI brings.
    struct Parts {
        /// Its imports, besides WASI's; the linker goes when the template is there. Null: none.
        Result<void> (*define)(engine::Linker& linker) = nullptr;
        /// Exports that run once, if the module has them and is no snapshot.
        std::vector<std::string> init;
        /// Whose `wasi` is set while they run.
        GuestContext& context;
        std::string_view provided;  // the modules of imports, for messages
    };
    struct Made {
        std::unique_ptr<const Guest> guest;
        std::string error;
        std::string output;
    };
    [[nodiscard]] static Made make(
        const ModulePtr& module, const HandlerOptions& options, const Parts& parts);

    [[nodiscard]] const HandlerOptions& options() const noexcept { return options_; }
    [[nodiscard]] FuncIndex function(std::string_view name) const;
    /// What a request's state is made from: streams and waiter are to be set.
    [[nodiscard]] const wasi::Grants& grants() const noexcept { return grants_; }

    /// An instance for this request. Without one the exchange has failed.
    [[nodiscard]] std::optional<engine::Run> start(Exchange& exchange, GuestContext& context) const;

private:
    explicit Guest(const HandlerOptions& options) : options_{options} {}
    HandlerOptions options_;
    wasi::Directories directories_;
    wasi::Grants grants_;
    std::shared_ptr<const engine::Template> template_;
};

/// What a call came to.
struct Ended {
    std::optional<u32> exited;       // the status
    std::optional<Failure> failure;  // of this call; absent when it returned or exited
    bool is_cancelled = false;       // nobody is there who could be answered
    std::string detail;
    [[nodiscard]] bool is_well() const noexcept { return !failure && !is_cancelled; }
};
/// Under the request's limits.
[[nodiscard]] Ended call(const Exchange& exchange, engine::Run& run, FuncIndex func,
    std::span<const engine::Value> arguments, std::vector<engine::Value>& results);

/// For the log, in one line: what trapped and where, by the names of functions.
[[nodiscard]] std::string describe(const engine::Trap& trap);

}  // namespace wrun::http
