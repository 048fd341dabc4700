// See call.hpp.
#include "wasi/call.hpp"

namespace wrun::wasi {

Answer<void> Buffers::read(
    const engine::GuestMemory& memory, u32 address, u32 count, Use use) noexcept {
    if (count > count_max) return Errno::inval;
    const auto table = memory.view(address, u64{count} * iovec_record::size);
    if (!table) return Errno::fault;
    // More the system does not transfer at once, however often a guest names the same bytes.
    constexpr u64 transfer_bytes_max = u64{1} << 31;
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

}  // namespace wrun::wasi
