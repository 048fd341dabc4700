// See body_stream.hpp.
#include "http/body_stream.hpp"

#include <algorithm>
#include <cstring>

namespace wrun::http {

Transfer BodyStream::buffer(u64 bytes_max) {
    constexpr std::size_t piece = 16 * 1024;
    while (true) {
        const std::size_t have = whole_.size();
        whole_.resize(have + piece);
        const Exchange::Read read = exchange_.read_body(std::span{whole_}.subspan(have));
        whole_.resize(have + (read.how == Transfer::ok ? read.bytes : 0));
        if (read.how != Transfer::ok) return how_ = read.how;
        if (whole_.size() > bytes_max) return how_ = Transfer::too_large;
        if (read.bytes == 0) break;
    }
    is_whole_ = true;
    return Transfer::ok;
}

Exchange::Read BodyStream::next(std::span<u8> to) {
    if (!is_whole_) return exchange_.read_body(to);
    const std::size_t bytes = std::min(to.size(), whole_.size() - taken_);
    if (bytes != 0) std::memcpy(to.data(), whole_.data() + taken_, bytes);
    taken_ += bytes;
    return {Transfer::ok, bytes};
}

wasi::Answer<u32> BodyStream::read(std::span<const iovec> to, bool waits) {
    if (!readiness(wasi::EventType::fd_read).is_ready) {
        if (!waits) return wasi::Errno::again;
        holder_.let_go();
    }
    // One piece at a time: a second one might have to be waited for.
    const iovec& first = to.front();
    const Exchange::Read read = next({static_cast<u8*>(first.iov_base), first.iov_len});
    how_ = read.how;
    if (read.how != Transfer::ok) return wasi::Errno::io;
    return static_cast<u32>(read.bytes);
}

wasi::Stream::Readiness BodyStream::readiness(wasi::EventType) const noexcept {
    if (is_whole_) {
        const std::size_t left = whole_.size() - taken_;
        return {.is_ready = true, .bytes = left, .is_over = left == 0};
    }
    const std::size_t bytes = exchange_.readable_bytes();
    const bool is_over = exchange_.is_body_read();
    return {.is_ready = bytes != 0 || is_over, .bytes = bytes, .is_over = is_over};
}

}  // namespace wrun::http
