// Passes requests on to a server of HTTP/1.1, and its answers back: http-wasm's next. All its
// waiting is Exchange::wait()'s, so no thread stands still for a slow server. Connections are kept
// for later requests, up to a bound and for a time; each thread has a shelf of its own (its lock is
// there because shelves are fewer than threads may be, and is never held across a wait).
#pragma once

#include <netinet/in.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/os_file.hpp"
#include "http/exchange.hpp"

namespace wrun::http {

class Upstream final : public Handler {
public:
    static constexpr std::size_t kept_max = 32;  // connections, for each thread
    static constexpr u64 kept_ns_max = u64{15'000'000'000};

    struct Made {
        std::shared_ptr<const Handler> handler;
        std::string error;
    };
    /// What is wrong with a url, without asking where its host is; empty when nothing is.
    [[nodiscard]] static std::string check(std::string_view url);
    /// `url` is http://HOST[:PORT][/prefix]; a name is resolved now and never again.
    [[nodiscard]] static Made make(std::string_view url);

    void handle(Exchange& exchange) const override;

private:
    class Attempt;
    union Address {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    };
    struct Kept {
        os::File socket;
        u64 since_ns = 0;
    };
    struct Shelf {
        std::mutex mutex;
        std::vector<Kept> kept;  // the newest last
    };

    Upstream() = default;
    [[nodiscard]] std::string resolve(const std::string& host, u16 port);
    [[nodiscard]] Shelf& shelf() const noexcept;
    /// One that is as silent as it was left; none when there is none.
    [[nodiscard]] os::File take() const;
    void keep(os::File socket) const;

    std::string authority_;
    std::string prefix_;  // without a slash at its end
    std::vector<Address> addresses_;
    mutable std::array<Shelf, 64> shelves_;
};

}  // namespace wrun::http
