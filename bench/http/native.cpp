// The server with a handler in C++, which answers what http_bare does.
//   http_native PORT
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "http/server/server.hpp"

namespace {

using namespace wrun;

class Hello final : public http::Handler {
public:
    void handle(http::Exchange& exchange) const override {
        static constexpr http::Field fields[] = {{"content-type", "text/plain"}};
        static constexpr std::string_view text = "hello, world";
        if (!exchange.begin(200, fields)) return;
        (void)exchange.write({reinterpret_cast<const u8*>(text.data()), text.size()});
        exchange.finish();
    }
};

class OneRoute final : public http::Router {
public:
    [[nodiscard]] http::Route find(
        const http::Request&, std::span<http::Field, http::segments_max>) const override {
        return {&hello_, {}, 0};
    }
    [[nodiscard]] u32 count() const noexcept override { return 1; }

private:
    Hello hello_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    http::ServerOptions options;
    options.endpoints.push_back({"127.0.0.1", static_cast<u16>(std::atoi(argv[1])), {}, -1});
    const auto server = http::Server::make(std::move(options), std::make_shared<OneRoute>());
    if (!server.ok()) {
        std::fprintf(stderr, "http_native: error %u\n", server.error().detail);
        return 1;
    }
    for (;;)
        ::pause();
}
