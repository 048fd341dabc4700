// See call.hpp.
#include "wasi/call.hpp"

namespace wrun::wasi {

Answer<void> Buffers::read(
    const engine::GuestMemory& memory, u32 address, u32 count, Use use) noexcept {
    if (count > count_max) return Errno::inval;
    const auto table = memory.view(address, u64{count} * iovec_record::size);
    if (!table) return Errno::fault;
    u64 bytes = 0;
    count_ = 0;
    for (u32 index = 0; index < count; ++index) {
        const u8* const record = table->data() + u64{index} * iovec_record::size;
        u32 buffer = 0;
        u32 length = 0;
        std::memcpy(&buffer, record + iovec_record::buf, sizeof buffer);
        std::memcpy(&length, record + iovec_record::buf_len, sizeof length);
        // Guests pass any address with a length of zero.
        if (length == 0) continue;
        const bool is_written = use == Use::writes && bytes <= transfer_bytes_max;
        const auto view =
            is_written ? memory.view_for_system(buffer, length) : memory.view(buffer, length);
        if (!view) return Errno::fault;
        bytes += length;
        items_[count_++] = {view->data(), view->size()};
    }
    return {};
}

std::span<const iovec> Buffers::for_one_transfer() noexcept {
    u64 left = transfer_bytes_max;
    for (u32 index = 0; index < count_; ++index) {
        std::size_t& bytes = items_[index].iov_len;
        if (bytes >= left) {
            bytes = left;
            return {items_.data(), index + 1};
        }
        left -= bytes;
    }
    return {items_.data(), count_};
}

}  // namespace wrun::wasi
