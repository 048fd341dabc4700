// A router over a table of routes: what `wrun serve` gives its server, made from a spin.toml or for
// one module. Owns its handlers; immutable once it is given away.
#pragma once

#include <memory>

#include "http/router.hpp"
#include "http/routes.hpp"

namespace wrun::http {

class TableRouter final : public Router {
public:
    TableRouter();

    /// Handlers are kept as long as the router; several routes may lead to one.
    const Handler& keep(std::unique_ptr<const Handler> handler);

    /// Routes count from 1: what is refused or told by the server itself has the number 0.
    [[nodiscard]] RouteTable::Added add(std::string_view pattern, std::string_view component,
        const Handler& handler, u32 in_flight_max = 0);

    /// "/.well-known/spin/health" and "/.well-known/spin/info", and nothing else below that: call
    /// it first, so that these win. An empty `version` is not told.
    void add_well_known(std::string_view name, std::string_view version);

    [[nodiscard]] Route find(
        const Request& request, std::span<Field, segments_max> segments) const override;
    [[nodiscard]] u32 count() const noexcept override;
    [[nodiscard]] u32 in_flight_max(u32 number) const noexcept override;

private:
    struct Target {
        const Handler* handler = nullptr;  // none: there is nothing here
        u32 number = 0;
    };
    RouteTable table_;
    std::vector<Target> targets_;  // by the table's numbers
    std::vector<u32> limits_;      // by ours
    std::vector<std::unique_ptr<const Handler>> handlers_;
    const Handler* refusal_ = nullptr;
};

}  // namespace wrun::http
