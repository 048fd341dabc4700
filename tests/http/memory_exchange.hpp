// An exchange without a server: a request as a test says it, its body in the pieces it comes in,
// and the answer as it was given. What no server would stand (a second begin, writing behind the
// end, answers that end twice) is a failed expectation.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/os_thread.hpp"
#include "engine/pool.hpp"
#include "http/exchange.hpp"
#include "http/shelf.hpp"

namespace wrun::test {

using http::Failure;
using http::Field;
using http::Transfer;

class MemoryExchange : public http::Exchange {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// The shard must outlive the exchange.
    explicit MemoryExchange(engine::Shard& shard) : shard_{shard} {
        request_.method = "GET";
        request_.target = request_.path = "/";
        request_.authority = "localhost:3000";
        request_.content_length = 0;
        request_.client_address = "127.0.0.1";
        request_.client_port = 4711;
        request_.server_address = "127.0.0.1";
        request_.server_port = 3000;
        request_.id = "1";
        route_.pattern = "/...";
        route_.path_info = "/";
        route_.component = "handler";
    }

    // ---- what the client sends -----------------------------------------------------------------

    http::Request& set() { return request_; }
    http::RouteMatch& set_route() { return route_; }
    void set_fields(std::vector<Field> fields) {
        fields_ = std::move(fields);
        request_.fields = fields_;
    }
    /// A piece that is not there before somebody waits for it.
    void add_body(std::string piece) { pieces_.push_back(std::move(piece)); }
    /// A body of known length, all there.
    void set_body(std::string body) {
        request_.content_length = body.size();
        is_first_there_ = true;
        add_body(std::move(body));
    }
    /// Instead of one of its own.
    void set_shelf(http::Shelf& shelf) { shelf_ = &shelf; }
    void set_limits(engine::CallLimits limits) { limits_ = limits; }
    void end_body_by(Transfer how) { body_end_ = how; }
    /// What writing answers after so many bytes.
    void fail_writes(std::size_t after_bytes, Transfer how) {
        write_limit_ = after_bytes;
        write_end_ = how;
    }
    std::function<void()> on_wait;

    // ---- what it gets --------------------------------------------------------------------------

    u32 status = 0;
    Fields fields;
    std::string body;
    bool is_finished = false;
    std::optional<Failure> failure;
    std::string detail;
    std::vector<std::string> log_lines;
    u32 waits = 0;

    /// "200 body", "trap", or "200 bod… trap" where it broke off.
    [[nodiscard]] std::string text() const {
        std::string result = status == 0 ? "" : std::to_string(status) + " " + body;
        if (failure) {
            static constexpr const char* names[] = {
                "trap", "deadline", "bad_response", "no_response", "limit", "internal"};
            result += (status == 0 ? "" : "… ") + std::string{names[static_cast<int>(*failure)]};
        }
        return is_finished || failure ? result : result + "(no end)";
    }
    [[nodiscard]] std::string field(std::string_view name) const {
        std::string all;
        for (const auto& [one, value] : fields) {
            if (http::is_same_name(one, name)) all += (all.empty() ? "" : " | ") + value;
        }
        return all;
    }

    // ---- Exchange ------------------------------------------------------------------------------

    const http::Request& request() const noexcept override { return request_; }
    const http::RouteMatch& route() const noexcept override { return route_; }
    engine::Shard& shard() noexcept override { return shard_; }
    http::Shelf& shelf() noexcept override { return *shelf_; }
    engine::CallLimits limits() const noexcept override { return limits_; }

    Read read_body(std::span<u8> to) override {
        if (pieces_.empty()) {
            is_read_ = body_end_ == Transfer::ok;
            return {body_end_, 0};
        }
        std::string& piece = pieces_.front();
        const std::size_t bytes = std::min(to.size(), piece.size());
        std::copy_n(piece.begin(), bytes, to.begin());
        piece.erase(0, bytes);
        if (!std::exchange(is_first_there_, true)) ++waits;
        if (piece.empty()) {
            pieces_.pop_front();
            is_first_there_ = false;
        }
        if (bytes == 0 && !to.empty()) return read_body(to);
        return {Transfer::ok, bytes};
    }
    std::size_t readable_bytes() const noexcept override {
        return pieces_.empty() || !is_first_there_ ? 0 : pieces_.front().size();
    }
    bool is_body_read() const noexcept override {
        return is_read_ || (pieces_.empty() && body_end_ == Transfer::ok);
    }

    bool begin(u32 number, std::span<const Field> all) override {
        EXPECT_FALSE(is_over()) << "begun behind its end";
        for (const Field& one : all) {
            const auto is_control = [](char c) { return static_cast<u8>(c) < 0x20 && c != '\t'; };
            const bool is_bad = one.name.empty() ||
                                one.name.find_first_of(" \r\n:") != std::string_view::npos ||
                                std::any_of(one.value.begin(), one.value.end(), is_control);
            if (is_bad || is_begun()) {
                failure = Failure::bad_response;
                return false;
            }
        }
        EXPECT_EQ(status, 0u) << "begun twice";
        status = number;
        for (const Field& one : all)
            fields.emplace_back(one.name, one.value);
        return true;
    }
    bool is_begun() const noexcept override { return status != 0; }
    Transfer write(std::span<const u8> bytes) override {
        EXPECT_TRUE(is_begun()) << "written before it was begun";
        EXPECT_FALSE(is_over()) << "written behind its end";
        if (body.size() + bytes.size() > write_limit_) return write_end_;
        body.append(bytes.begin(), bytes.end());
        return Transfer::ok;
    }
    void finish() override {
        EXPECT_TRUE(is_begun());
        EXPECT_FALSE(is_over()) << "ended twice";
        is_finished = true;
    }
    void fail(Failure why, std::string_view what) override {
        EXPECT_FALSE(is_over()) << "ended twice: " << what;
        failure = why;
        detail = what;
    }
    int wait(std::span<pollfd> descriptors, u64 until_ns) override {
        ++waits;
        if (on_wait) on_wait();
        int ready = 0;
        for (pollfd& one : descriptors) {
            if (one.fd == body_descriptor) {
                is_first_there_ = true;
                one.revents = POLLIN;
                ++ready;
            }
        }
        if (ready == 0 && until_ns == engine::CallLimits::never) {
            errno = EINTR;  // nobody would ever wake it
            return -1;
        }
        return ready;
    }
    void log(std::string_view line) override { log_lines.emplace_back(line); }

private:
    [[nodiscard]] bool is_over() const noexcept { return is_finished || failure.has_value(); }

    engine::Shard& shard_;
    http::Shelf own_shelf_;
    http::Shelf* shelf_ = &own_shelf_;
    http::Request request_;
    http::RouteMatch route_;
    std::vector<Field> fields_;
    std::deque<std::string> pieces_;
    bool is_first_there_ = false;  // of the pieces
    bool is_read_ = false;
    Transfer body_end_ = Transfer::ok;
    std::size_t write_limit_ = ~std::size_t{0};
    Transfer write_end_ = Transfer::gone;
    engine::CallLimits limits_;
};

}  // namespace wrun::test
