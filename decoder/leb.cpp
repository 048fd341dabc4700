// One loop for all widths; the width is a template argument so that the checks fold.
#include "decoder/leb.hpp"

namespace wrun::leb {
namespace {

template <unsigned bits, bool is_signed>
Decoded read(const u8* position, const u8* end) noexcept {
    constexpr unsigned bytes_max = (bits + 6) / 7;
    constexpr unsigned last_bits = bits - 7 * (bytes_max - 1);
    u64 value = 0;
    for (unsigned count = 0; count < bytes_max; ++count) {
        if (position == end) return {0, position, ErrorCode::unexpected_end};
        const u8 byte = *position++;
        value |= u64{byte & 0x7fu} << (7 * count);
        if (count == bytes_max - 1) {
            if ((byte & 0x80) != 0) return {0, position, ErrorCode::integer_too_long};
            constexpr unsigned kept = is_signed ? last_bits - 1 : last_bits;
            const unsigned unused = (byte & 0x7fu) >> kept;
            const bool fits = unused == 0 || (is_signed && unused == (0x7fu >> kept));
            if (!fits) return {0, position, ErrorCode::integer_too_large};
        }
        if ((byte & 0x80) == 0) {
            const unsigned shift = 7 * (count + 1);
            if (is_signed && (byte & 0x40) != 0 && shift < 64) value |= ~u64{0} << shift;
            return {value, position, ErrorCode::ok};
        }
    }
    unreachable();
}

}  // namespace

Decoded read_u32(const u8* position, const u8* end) noexcept {
    return read<32, false>(position, end);
}
Decoded read_u64(const u8* position, const u8* end) noexcept {
    return read<64, false>(position, end);
}
Decoded read_s32(const u8* position, const u8* end) noexcept {
    return read<32, true>(position, end);
}
Decoded read_s33(const u8* position, const u8* end) noexcept {
    return read<33, true>(position, end);
}
Decoded read_s64(const u8* position, const u8* end) noexcept {
    return read<64, true>(position, end);
}

}  // namespace wrun::leb
