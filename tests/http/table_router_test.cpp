// Requests to handlers, answers without a guest, and the fields that Spin adds.
#include "http/table_router.hpp"

#include <gtest/gtest.h>

#include "engine/engine.hpp"
#include "http/fixed_answer.hpp"
#include "http/spin/request_fields.hpp"

namespace wrun::test {
namespace {

using http::Field;

/// Writes down what a handler answers.
class Recorder final : public http::Exchange {
public:
    explicit Recorder(std::string_view method) { request_.method = method; }
    [[nodiscard]] const http::Request& request() const noexcept override { return request_; }
    [[nodiscard]] const http::RouteMatch& route() const noexcept override { return match_; }
    [[nodiscard]] engine::Shard& shard() noexcept override { std::abort(); }
    [[nodiscard]] http::Shelf& shelf() noexcept override { std::abort(); }
    [[nodiscard]] engine::CallLimits limits() const noexcept override { return {}; }
    [[nodiscard]] Read read_body(std::span<u8>) override { return {}; }
    [[nodiscard]] std::size_t readable_bytes() const noexcept override { return 0; }
    [[nodiscard]] bool is_body_read() const noexcept override { return true; }
    [[nodiscard]] bool begin(u32 status, std::span<const Field> fields) override {
        told += std::to_string(status);
        for (const Field& field : fields)
            told.append(" ").append(field.name).append(": ").append(field.value).append(";");
        return !refuses;
    }
    [[nodiscard]] bool is_begun() const noexcept override { return !told.empty(); }
    [[nodiscard]] http::Transfer write(std::span<const u8> bytes) override {
        told += " [" + std::string(bytes.begin(), bytes.end()) + "]";
        return is_gone ? http::Transfer::gone : http::Transfer::ok;
    }
    void finish() override { told += " end"; }
    void fail(http::Failure, std::string_view) override { told += " fail"; }
    [[nodiscard]] int wait(std::span<pollfd>, u64) override { return -1; }
    void log(std::string_view) override {}

    std::string told;
    bool refuses = false;
    bool is_gone = false;

private:
    http::Request request_;
    http::RouteMatch match_;
};

[[nodiscard]] std::string told_by(const http::Handler& handler, std::string_view method = "GET") {
    Recorder recorder{method};
    handler.handle(recorder);
    return recorder.told;
}

TEST(FixedAnswer, AnswersTheSameToAll) {
    const http::FixedAnswer answer{201, {{"x", "y"}}, "body"};
    EXPECT_EQ(told_by(answer), "201 x: y; content-length: 4; [body] end");
    EXPECT_EQ(told_by(answer, "POST"), "201 x: y; content-length: 4; [body] end");
    EXPECT_EQ(told_by(answer, "HEAD"), "201 x: y; content-length: 4; end");
    EXPECT_EQ(told_by(http::FixedAnswer{200, {}, ""}), "200 content-length: 0; end");
    EXPECT_EQ(told_by(http::FixedAnswer{204, {}, ""}), "204 end");
    EXPECT_EQ(told_by(http::FixedAnswer{304, {}, ""}), "304 end");
    Recorder refusing{"GET"};
    refusing.refuses = true;
    answer.handle(refusing);
    EXPECT_EQ(refusing.told, "201 x: y; content-length: 4;");
    Recorder gone{"GET"};
    gone.is_gone = true;
    answer.handle(gone);
    EXPECT_EQ(gone.told, "201 x: y; content-length: 4; [body]");
}

TEST(TableRouter, LeadsRequestsToHandlers) {
    http::TableRouter router;
    router.add_well_known("a \"name\"\n", "1.0");
    const http::Handler& one = router.keep(std::make_unique<http::FixedAnswer>(
        200, std::vector<http::FixedAnswer::OwnedField>{}, "one"));
    EXPECT_TRUE(router.add("/", "c", one, 7).ok());
    EXPECT_TRUE(router.add("/x/:y/...", "d", one).ok());
    EXPECT_EQ(router.add("/x/:z/...", "d", one).duplicate_of.has_value(), true);
    EXPECT_FALSE(router.add("x", "d", one).ok());
    EXPECT_EQ(router.count(), 3u);
    EXPECT_EQ(router.in_flight_max(0), 0u);
    EXPECT_EQ(router.in_flight_max(1), 7u);
    EXPECT_EQ(router.in_flight_max(2), 0u);
    EXPECT_EQ(router.in_flight_max(3), 0u);

    std::array<Field, http::segments_max> segments;
    const auto find = [&](std::string_view path) {
        http::Request request;
        request.path = path;
        return router.find(request, segments);
    };
    EXPECT_EQ(find("/").handler, &one);
    EXPECT_EQ(find("/").number, 1u);
    const http::Route route = find("/x/1/2");
    EXPECT_EQ(route.number, 2u);
    EXPECT_EQ(route.match.component, "d");
    EXPECT_EQ(route.match.base, "/x/1");
    EXPECT_EQ(route.match.path_info, "/2");
    EXPECT_EQ(route.match.segments[0].value, "1");
    EXPECT_EQ(find("/none").handler, nullptr);
    ASSERT_NE(find("/x/%2e%2e").handler, nullptr);
    EXPECT_EQ(told_by(*find("/x/%2e%2e").handler).substr(0, 4), "400 ");
    EXPECT_EQ(find("/x/%2e%2e").number, 0u);
    EXPECT_EQ(told_by(*find("/.well-known/spin/health").handler),
        "200 content-type: text/plain; content-length: 2; [OK] end");
    EXPECT_NE(told_by(*find("/.well-known/spin/info").handler)
                  .find("[{\"name\":\"a \\\"name\\\"\\u000a\",\"version\":\"1.0\"}]"),
        std::string::npos);
    EXPECT_EQ(find("/.well-known/spin/other").handler, nullptr);
}

TEST(TableRouter, TheServersOwnPathsAreNotTakenByAWildcard) {
    http::TableRouter router;
    router.add_well_known("n", "");
    const http::FixedAnswer all{200, {}, "all"};
    EXPECT_TRUE(router.add("/...", "c", all).ok());
    std::array<Field, http::segments_max> segments;
    http::Request request;
    for (const char* path : {"/.well-known/spin/other", "/.well-known/spin/"}) {
        request.path = path;
        EXPECT_EQ(router.find(request, segments).handler, nullptr) << path;
    }
    request.path = "/.well-known/other";
    EXPECT_EQ(router.find(request, segments).handler, &all);
}

TEST(SpinFields, AreAddedAndNeverTakenFromAClient) {
    struct Row {
        const char* path;
        const char* pattern;
        const char* authority;
        const char* client;
        const char* fields;
    };
    const Row rows[] = {
        {"/foo/bar", "/foo/...", "h.example", "127.0.0.1",
            "spin-full-url=https://h.example/foo/bar?k=v spin-path-info=/bar "
            "spin-matched-route=/foo/... spin-component-route=/foo "
            "spin-raw-component-route=/foo/... spin-base-path=/ spin-client-addr=127.0.0.1:8777"},
        {"/foo/42/bar", "/foo/:userID/...", "h:8", "::1",
            "spin-full-url=https://h:8/foo/42/bar?k=v spin-path-info=/bar "
            "spin-matched-route=/foo/:userID/... spin-component-route=/foo/:userID "
            "spin-raw-component-route=/foo/:userID/... spin-base-path=/ "
            "spin-client-addr=[::1]:8777 spin-path-match-userid=42"},
        {"/", "/...", "", "",
            "spin-full-url=https://localhost/?k=v spin-path-info=/ spin-matched-route=/... "
            "spin-component-route= spin-raw-component-route=/... spin-base-path=/"},
        {"/a%20b", "/:x", "h", "1.2.3.4",
            "spin-full-url=https://h/a%20b?k=v spin-path-info= spin-matched-route=/:x "
            "spin-component-route=/:x spin-raw-component-route=/:x spin-base-path=/ "
            "spin-client-addr=1.2.3.4:8777 spin-path-match-x=a%20b"},
    };
    const Field sent[] = {{"Accept", "*"}, {"spin-full-url", "forged"},
        {"SPIN-Path-Info", "forged"}, {"spin_matched_route", "forged"},
        {"Spin-Path-Match-Anything", "forged"}, {"spin_path-match_", "forged"},
        {"spin-client-addr", "forged"}, {"spin-other", "kept"}, {"spin-base-pat", "kept"},
        {"spin-base-paths", "kept"}};
    http::spin::RequestFields builder;
    for (const Row& row : rows) {
        http::RouteTable table;
        ASSERT_TRUE(table.add(row.pattern, "c").ok());
        std::array<Field, http::RouteTable::names_max> names;
        const auto found = table.find(row.path, names);
        const std::string target = std::string{row.path} + "?k=v";
        http::Request request;
        request.target = target;
        request.scheme = "https";
        request.authority = row.authority;
        request.client_address = row.client;
        request.client_port = 8777;
        request.fields = sent;
        std::string text;
        for (const Field& field : builder.build(request, found.match))
            text.append(text.empty() ? "" : " ").append(field.name).append("=").append(field.value);
        EXPECT_EQ(text, "Accept=* spin-other=kept spin-base-pat=kept spin-base-paths=kept " +
                            std::string{row.fields});
    }
}

}  // namespace
}  // namespace wrun::test
