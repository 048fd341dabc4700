// What a server did, line by line: a line for every request and for every line of a guest's. Text
// of clients and guests is escaped and cut, so that none begins another line.
#pragma once

#include "http/operations/journal.hpp"
#include "http/server/observer.hpp"

namespace wrun::http {

enum class LogFormat : u8 { text, json };

struct LogOptions {
    LogFormat format = LogFormat::text;
    bool requests = true;                        // a line for each; failures have one anyway
    std::size_t guest_line_bytes_max = 4 << 10;  // more is cut
};

class AccessLog final : public Observer {
public:
    /// Borrows the journal.
    AccessLog(Journal& journal, const LogOptions& options) noexcept
        : journal_{journal}, options_{options} {}

    void completed(const Completed& what) noexcept override;
    void guest_line(
        const Request& request, const RouteMatch& route, std::string_view line) noexcept override;
    /// What the server has to say of itself: its own words, perhaps several lines of them.
    void notice(std::string_view text) noexcept;

private:
    Journal& journal_;
    const LogOptions options_;
};

/// What a log of this format says of lines that its journal has lost.
[[nodiscard]] Journal::LostLine lost_line(LogFormat format) noexcept;
/// "2026-11-23T21:06:12.345Z", now.
[[nodiscard]] std::string utc_timestamp();
/// The word of logs and metrics: "trap", "deadline", …
[[nodiscard]] std::string_view name(Failure failure) noexcept;

}  // namespace wrun::http
