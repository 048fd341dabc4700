// A socket that listens, one per thread and endpoint: with SO_REUSEPORT for addresses, so that the
// system shares clients out; a shared one for unix sockets and those that somebody else has opened.
// A unix socket's file is removed with the listener that made it, and replaced when the server that
// left it there is dead.
#pragma once

#include <sys/socket.h>

#include <memory>

#include "base/os_file.hpp"
#include "http/server/connection.hpp"
#include "http/server/event_source.hpp"
#include "http/server/options.hpp"

namespace wrun::http {

class Listener final : public EventSource {
public:
    /// `port` replaces the endpoint's 0 once the first thread's has been given one. Of a unix
    /// socket, the first thread's is `shared` by the others.
    [[nodiscard]] static Result<Listener> make(
        const Endpoint& endpoint, u16 port, int shared, int backlog);

    /// No client begins to connect any more; those that have, stay to be accepted. A socket that
    /// somebody else has opened is left as it is, with all who wait there: for whoever is given it
    /// next.
    void refuse_new() noexcept;
    [[nodiscard]] bool is_given() const noexcept { return is_given_; }
    void close() noexcept {
        name_.reset();
        socket_ = os::File{};
    }
    [[nodiscard]] int socket() const noexcept { return socket_.number(); }
    /// Both are known by now, for addresses.
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    [[nodiscard]] u16 port() const noexcept { return port_; }
    [[nodiscard]] bool is_tcp() const noexcept { return is_tcp_; }

    /// The next client; none when nobody waits. `error` says why there is none.
    [[nodiscard]] os::File accept(Connection::Ends& ends, int& error) const;
    void on_events(u32 events) override;

    Loop* loop = nullptr;

private:
    [[nodiscard]] Result<void> open_tcp(const Endpoint& endpoint, u16 port, int backlog);
    [[nodiscard]] Result<void> open_unix(const std::string& path, int backlog);
    void learn_address();

    class UnixName;
    struct RemoveName {
        void operator()(UnixName* name) const noexcept;
    };

    os::File socket_;
    std::unique_ptr<UnixName, RemoveName> name_;  // of a unix socket that this has made
    bool is_given_ = false;
    bool is_tcp_ = false;
    bool is_any_ = false;  // each client's own address must be asked for
    std::string address_;
    u16 port_ = 0;
};

}  // namespace wrun::http
