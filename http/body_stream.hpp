// A request's body as a guest's standard input: as it comes, or read whole before the guest starts.
// Borrows the exchange.
#pragma once

#include <vector>

#include "http/exchange.hpp"
#include "wasi/stream.hpp"

namespace wrun::http {

/// Sends what an answer has held back; asked before the guest waits for its client.
class Holder {
public:
    virtual ~Holder() = default;
    virtual void let_go() = 0;
};

class BodyStream : public wasi::Stream {
public:
    BodyStream(Exchange& exchange, Holder& holder) noexcept
        : exchange_{exchange}, holder_{holder} {}

    /// Reads all of it now; what came in the way is the answer. No more than so many bytes.
    [[nodiscard]] Transfer buffer(u64 bytes_max);
    [[nodiscard]] u64 buffered_bytes() const noexcept { return whole_.size(); }
    /// How reading has gone so far.
    [[nodiscard]] Transfer how() const noexcept { return how_; }

    [[nodiscard]] wasi::Answer<u32> read(std::span<const iovec> to, bool waits) override;
    [[nodiscard]] Readiness readiness(wasi::EventType event) const noexcept override;
    [[nodiscard]] int waiting_number() const noexcept override { return Exchange::body_descriptor; }

private:
    [[nodiscard]] Exchange::Read next(std::span<u8> to);
    Exchange& exchange_;
    Holder& holder_;
    std::vector<u8> whole_;
    std::size_t taken_ = 0;  // of it
    bool is_whole_ = false;
    Transfer how_ = Transfer::ok;
};

}  // namespace wrun::http
