// The memory of one of llhttp's machines, inside of the parser that it works for: a connection
// needs no allocation of its own for it, and llhttp's header is the parsers' sources' alone.
#pragma once

#include <array>
#include <cstddef>

struct llhttp__internal_s;

namespace wrun::http {

class ParserMachine {
public:
    ParserMachine() noexcept;
    ParserMachine(const ParserMachine&) = delete;
    ParserMachine& operator=(const ParserMachine&) = delete;

    /// An llhttp_t*, valid as long as this.
    [[nodiscard]] llhttp__internal_s* get() noexcept { return machine_; }

private:
    alignas(8) std::array<std::byte, 128> memory_{};
    llhttp__internal_s* const machine_;
};

}  // namespace wrun::http
