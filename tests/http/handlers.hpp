// Handlers out of WAT, and requests to them: an engine, a pool and a shard of it. Each test has its
// own, and says its requests and reads its answers through MemoryExchange.
#pragma once

#include <gmock/gmock.h>

#include "http/abi.hpp"
#include "tests/http/memory_exchange.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {

class HandlerTest : public testing::Test {
protected:
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
    }
    [[nodiscard]] http::MadeHandler try_make(const std::string& wat) {
        auto module = engine::Module::compile(*engine_, wat::assemble(wat));
        EXPECT_TRUE(module.ok());
        return http::make_handler(module.value(), options);
    }
    void make(const std::string& wat) {
        http::MadeHandler made = try_make(wat);
        ASSERT_TRUE(made.handler) << made.error;
        handler_ = std::move(made.handler);
    }
    MemoryExchange& request() { return exchanges_.emplace_back(*shard_); }
    MemoryExchange& run(MemoryExchange& exchange) {
        handler_->handle(exchange);
        return exchange;
    }
    MemoryExchange& run() { return run(request()); }

    http::HandlerOptions options;
    std::unique_ptr<engine::Engine> engine_ = engine::Engine::make({}).take();
    std::unique_ptr<engine::Pool> pool_ = engine::Pool::make(*engine_).take();
    std::unique_ptr<engine::Shard> shard_ = engine::Shard::make(*pool_).take();
    std::unique_ptr<const http::Handler> handler_;
    std::deque<MemoryExchange> exchanges_;
};

/// Bytes as WAT's strings say them.
[[nodiscard]] inline std::string wat_bytes(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : bytes) {
        result += '\\';
        result += digits[static_cast<u8>(c) >> 4];
        result += digits[static_cast<u8>(c) & 15];
    }
    return result + '"';
}

}  // namespace wrun::test
