// The guest of http-wasm's own kit, WRUN_TCK_WASM, over an exchange in memory: the kit's cases that
// it checks by itself, with the kit's rules of what is next. tests/http/tck.py runs all of them by
// the kit's runner.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/http/handlers.hpp"

namespace wrun::test {
namespace {

/// What the kit's backend answers.
struct EchoingBackend : http::Handler {
    void handle(http::Exchange& exchange) const override {
        const http::Request& got = exchange.request();
        std::vector<std::pair<std::string, std::string>> rows = {
            {"x-httpwasm-next-method", std::string{got.method}},
            {"x-httpwasm-next-uri", std::string{got.target}}};
        for (const Field& one : got.fields) {
            std::string name = "x-httpwasm-next-header-" + std::string{one.name};
            const auto count = std::count_if(rows.begin(), rows.end(),
                [&](const auto& row) { return row.first.starts_with(name + "-"); });
            rows.emplace_back(name + "-" + std::to_string(count), one.value);
        }
        std::vector<Field> fields;
        for (const auto& [name, value] : rows)
            fields.push_back({name, value});
        if (exchange.begin(200, fields)) exchange.finish();
    }
};

struct Case {
    std::string id;
    std::string method = "GET";
    std::string uri = "/";
    std::vector<Field> fields = {};
    std::string body = "";
    std::string answer_field = "";
    std::string answer = "";
};

TEST(Kit, PassesInMemory) {
    if (!std::getenv("WRUN_TCK_WASM")) GTEST_SKIP() << "WRUN_TCK_WASM names no tck.wasm";
    std::ifstream file{std::getenv("WRUN_TCK_WASM"), std::ios::binary};
    const std::vector<u8> bytes{std::istreambuf_iterator<char>{file}, {}};
    const auto engine = engine::Engine::make({}).take();
    const auto pool = engine::Pool::make(*engine).take();
    const auto shard = engine::Shard::make(*pool).take();
    http::HandlerOptions options;
    options.next = std::make_shared<EchoingBackend>();
    const auto module = engine::Module::compile(*engine, bytes).take();
    const http::MadeHandler made = http::make_handler(module, options);
    ASSERT_TRUE(made.handler) << made.error;

    std::vector<Case> cases = {{.id = "get_protocol_version"},
        {.id = "set_method", .answer_field = "x-httpwasm-next-method", .answer = "POST"},
        {.id = "get_source_addr"},
        {.id = "get_header_values/request/lowercase-key", .fields = {{"single-header", "value"}}},
        {.id = "get_header_values/request/mixedcase-key", .fields = {{"Single-Header", "value"}}},
        {.id = "get_header_values/request/not-exists"},
        {.id = "get_header_values/request/multiple-values",
            .fields = {{"multi-header", "value1"}, {"Multi-Header", "value2"}}},
        {.id = "get_header_names/request", .fields = {{"a-header", "value1"}, {"b-header", "2"}}},
        {.id = "set_header_value/request/new",
            .answer_field = "x-httpwasm-next-header-new-header-0",
            .answer = "value"},
        {.id = "set_header_value/request/existing",
            .fields = {{"existing-header", "bear"}},
            .answer_field = "x-httpwasm-next-header-existing-header-0",
            .answer = "value"},
        {.id = "add_header_value/request/existing",
            .fields = {{"existing-header", "bear"}},
            .answer_field = "x-httpwasm-next-header-existing-header-1",
            .answer = "value"},
        {.id = "remove_header/request/existing", .fields = {{"existing-header", "bear"}}}};
    for (const char* const method :
        {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
        cases.push_back({.id = std::string{"get_method/"} + method, .method = method});
    const std::pair<const char*, const char*> uris[] = {{"simple", "/simple"},
        {"simple/escaping", "/simple%26clean"}, {"query", "/animal?name=panda"},
        {"query/escaping", "/disney?name=chip%26dale"}};
    for (const auto& [name, uri] : uris) {
        cases.push_back({.id = std::string{"get_uri/"} + name, .uri = uri});
        cases.push_back({.id = std::string{"set_uri/"} + name,
            .answer_field = "x-httpwasm-next-uri",
            .answer = uri});
    }
    const std::pair<const char*, u32> sizes[] = {
        {"empty", 0}, {"small", 5}, {"medium", 2048}, {"large", 4096}, {"xlarge", 5000}};
    for (const auto& [name, size] : sizes)
        cases.push_back({.id = std::string{"read_body/request/"} + name,
            .method = "POST",
            .body = std::string(size, 'a')});

    for (const Case& one : cases) {
        MemoryExchange exchange{*shard};
        exchange.set().method = one.method;
        exchange.set().target = one.uri;
        std::vector<Field> fields = one.fields;
        fields.push_back({"X-Httpwasm-Tck-Testid", one.id});
        exchange.set_fields(fields);
        if (!one.body.empty()) exchange.set_body(one.body);
        made.handler->handle(exchange);
        EXPECT_EQ(exchange.field("x-httpwasm-tck-handled"), "1")
            << one.id << ": " << exchange.text() << exchange.detail;
        EXPECT_EQ(exchange.field("x-httpwasm-tck-failed"), "") << one.id;
        if (one.answer_field.empty()) continue;
        EXPECT_EQ(exchange.field(one.answer_field), one.answer) << one.id;
    }
}

}  // namespace
}  // namespace wrun::test
