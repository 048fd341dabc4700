// What handlers keep on one thread from a request to the next: instances that were told to serve
// more than one (HandlerOptions::reuse). There is one shelf for each thread and router; it is gone
// before the router is, and what lies there ends on its thread.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

class Shelf {
public:
    /// Of all handlers together; beyond that the one that was put down first goes.
    static constexpr std::size_t kept_max = 256;

    class Kept {
    public:
        Kept() = default;
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        virtual ~Kept() = default;
    };

    /// What that handler put down last; null when nothing of it is there.
    [[nodiscard]] std::unique_ptr<Kept> take(const Handler& of) noexcept {
        const auto found = std::find_if(
            rows_.rbegin(), rows_.rend(), [&of](const Row& row) { return row.of == &of; });
        if (found == rows_.rend()) return nullptr;
        std::unique_ptr<Kept> kept = std::move(found->kept);
        rows_.erase(std::next(found).base());
        return kept;
    }
    void put(const Handler& of, std::unique_ptr<Kept> kept) {
        rows_.push_back({&of, std::move(kept)});
        if (rows_.size() > kept_max) rows_.erase(rows_.begin());
    }
    [[nodiscard]] bool is_empty() const noexcept { return rows_.empty(); }
    void clear() noexcept { rows_.clear(); }

private:
    struct Row {
        const Handler* of;
        std::unique_ptr<Kept> kept;
    };
    std::vector<Row> rows_;  // in the order they were put down
};

}  // namespace wrun::http
