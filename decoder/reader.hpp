// A cursor over the module's bytes, twice: Reader checks every byte it takes and reports the spec's
// errors; TrustedReader reads what a Reader has already accepted and checks nothing. Both have the
// same functions, so that decoders of immediates and types are written once as templates; what a
// function of TrustedReader returns is a Sure<T>, a Result that cannot fail. Both borrow the bytes.
//
// Offsets in errors: the first byte of the item that is wrong; for `unexpected end` the missing
// byte.
#pragma once

#include <cstring>
#include <span>
#include <utility>

#include "base/features.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "base/utf8.hpp"
#include "decoder/leb.hpp"
#include "decoder/module.hpp"

namespace wrun {

/// A value where a Result is expected.
template <class T>
class [[nodiscard]] Sure {
public:
    constexpr explicit(false) Sure(T value) : value_{std::move(value)} {}
    // So that code shared with Reader can end in `return error`, which never happens here.
    constexpr explicit(false) Sure(Error /*never*/) : value_{} {}
    [[nodiscard]] static constexpr bool ok() noexcept { return true; }
    [[nodiscard]] static constexpr Error error() noexcept { return {}; }
    [[nodiscard]] constexpr T take() && noexcept { return std::move(value_); }

private:
    T value_;
};

template <>
class [[nodiscard]] Sure<void> {
public:
    constexpr Sure() = default;
    constexpr explicit(false) Sure(Error /*never*/) {}
    [[nodiscard]] static constexpr bool ok() noexcept { return true; }
    [[nodiscard]] static constexpr Error error() noexcept { return {}; }
    constexpr void take() && noexcept {}
};

class Reader {
public:
    template <class T>
    using Out = Result<T>;
    static constexpr bool trusted = false;

    Reader(std::span<const u8> module_bytes, ByteRange range, FeatureSet features) noexcept
        : begin_{module_bytes.data()},
          position_{begin_ + range.begin},
          end_{begin_ + range.end},
          features_{features} {}

    [[nodiscard]] WRUN_INLINE u32 offset() const noexcept { return offset_of(position_); }
    [[nodiscard]] WRUN_INLINE u32 offset_of(const u8* position) const noexcept {
        return static_cast<u32>(position - begin_);
    }
    [[nodiscard]] WRUN_INLINE const u8* position() const noexcept { return position_; }
    [[nodiscard]] WRUN_INLINE bool at_end() const noexcept { return position_ == end_; }
    [[nodiscard]] WRUN_INLINE u32 bytes_left() const noexcept {
        return static_cast<u32>(end_ - position_);
    }
    [[nodiscard]] WRUN_INLINE std::span<const u8> rest() const noexcept {
        return {position_, end_};
    }
    [[nodiscard]] WRUN_INLINE bool has(Feature feature) const noexcept {
        return features_.has(feature);
    }
    [[nodiscard]] FeatureSet features() const noexcept { return features_; }
    [[nodiscard]] Error error_here(ErrorCode code) const noexcept { return {code, 0, offset()}; }

    WRUN_INLINE Result<u8> byte() noexcept {
        if (position_ == end_) [[unlikely]]
            return Error{ErrorCode::unexpected_end, 0, offset()};
        return *position_++;
    }
    /// The next byte, which is there.
    WRUN_INLINE u8 byte_at_hand() noexcept {
        WRUN_ASSERT(!at_end());
        return *position_++;
    }
    /// The next byte without taking it.
    WRUN_INLINE Result<u8> peek() const noexcept {
        if (position_ == end_) [[unlikely]]
            return Error{ErrorCode::unexpected_end, 0, offset()};
        return *position_;
    }
    WRUN_INLINE Result<u32> leb_u32() noexcept {
        if (is_single()) [[likely]]
            return u32{*position_++};
        // Two bytes are common enough (indices, offsets) to be worth their code.
        if (is_double()) {
            const u32 value = (position_[0] & 0x7fu) | (u32{position_[1]} << 7);
            position_ += 2;
            return value;
        }
        return many<u32>(leb::read_u32(position_, end_));
    }
    WRUN_INLINE Result<u64> leb_u64() noexcept {
        if (is_single()) [[likely]]
            return u64{*position_++};
        return many<u64>(leb::read_u64(position_, end_));
    }
    WRUN_INLINE Result<i32> leb_s32() noexcept {
        if (is_single()) [[likely]]
            return static_cast<i32>(single_signed());
        if (is_double()) return static_cast<i32>(double_signed());
        return many<i32>(leb::read_s32(position_, end_));
    }
    WRUN_INLINE Result<i64> leb_s33() noexcept {
        if (is_single()) [[likely]]
            return single_signed();
        return many<i64>(leb::read_s33(position_, end_));
    }
    WRUN_INLINE Result<i64> leb_s64() noexcept {
        if (is_single()) [[likely]]
            return single_signed();
        if (is_double()) return double_signed();
        return many<i64>(leb::read_s64(position_, end_));
    }
    /// Little-endian, of fixed width.
    WRUN_INLINE Result<u32> fixed_u32() noexcept { return fixed<u32>(); }
    WRUN_INLINE Result<u64> fixed_u64() noexcept { return fixed<u64>(); }

    Result<ByteRange> bytes(u32 size) noexcept {
        if (size > bytes_left()) return error_here(ErrorCode::unexpected_end);
        const ByteRange range{offset(), offset() + size};
        position_ += size;
        return range;
    }
    /// A byte vector: its size, then that many bytes.
    Result<ByteRange> sized_bytes() noexcept {
        const u32 at = offset();
        const u32 size = WRUN_TRY(leb_u32());
        if (size > bytes_left()) return Error{ErrorCode::length_out_of_bounds, 0, at};
        return bytes(size);
    }
    /// A byte vector that is UTF-8.
    Result<ByteRange> name() noexcept {
        const ByteRange range = WRUN_TRY(sized_bytes());
        if (!is_utf8({reinterpret_cast<const char*>(begin_) + range.begin, range.size()})) {
            return Error{ErrorCode::malformed_utf8, 0, range.begin};
        }
        return range;
    }
    /// The length of a vector whose items take at least `item_bytes` each: bounded by `max` and by
    /// the bytes that are left, so that the caller may reserve memory for it.
    Result<u32> count(u32 max, u32 item_bytes = 1) noexcept {
        const u32 at = offset();
        const u32 value = WRUN_TRY(leb_u32());
        if (value > bytes_left() / item_bytes)
            return Error{ErrorCode::unexpected_end_of_section, 0, at};
        if (value > max) return Error{ErrorCode::too_many_items, 0, at};
        return value;
    }

private:
    /// Two bytes, when it is not one.
    [[nodiscard]] WRUN_INLINE bool is_double() const noexcept {
        return bytes_left() >= 2 && position_[1] < 0x80;
    }
    WRUN_INLINE i64 double_signed() noexcept {
        const u32 bits = (position_[0] & 0x7fu) | (u32{position_[1]} << 7);
        position_ += 2;
        return static_cast<i32>(bits << 18) >> 18;
    }
    [[nodiscard]] WRUN_INLINE bool is_single() const noexcept {
        return position_ != end_ && *position_ < 0x80;
    }
    WRUN_INLINE i64 single_signed() noexcept {
        return static_cast<i8>(static_cast<u8>(*position_++ << 1)) >> 1;
    }
    template <class T>
    WRUN_INLINE Result<T> many(leb::Decoded decoded) noexcept {
        if (decoded.code != ErrorCode::ok) [[unlikely]] {
            const bool missing = decoded.code == ErrorCode::unexpected_end;
            return Error{decoded.code, 0, offset_of(missing ? decoded.next : position_)};
        }
        position_ = decoded.next;
        return static_cast<T>(decoded.value);
    }
    template <class T>
    WRUN_INLINE Result<T> fixed() noexcept {
        if (bytes_left() < sizeof(T)) [[unlikely]] {
            return Error{ErrorCode::unexpected_end, 0, offset_of(end_)};
        }
        T value;
        std::memcpy(&value, position_, sizeof value);
        position_ += sizeof value;
        return value;
    }

    const u8* begin_;
    const u8* position_;
    const u8* end_;
    FeatureSet features_;
};

/// Reads without a look at bounds or bits what a Reader accepted before.
class TrustedReader {
public:
    template <class T>
    using Out = Sure<T>;
    static constexpr bool trusted = true;

    TrustedReader(std::span<const u8> module_bytes, ByteRange range) noexcept
        : begin_{module_bytes.data()}, position_{begin_ + range.begin}, end_{begin_ + range.end} {}

    [[nodiscard]] WRUN_INLINE u32 offset() const noexcept { return offset_of(position_); }
    [[nodiscard]] WRUN_INLINE u32 offset_of(const u8* position) const noexcept {
        return static_cast<u32>(position - begin_);
    }
    [[nodiscard]] WRUN_INLINE const u8* position() const noexcept { return position_; }
    [[nodiscard]] WRUN_INLINE bool at_end() const noexcept { return position_ == end_; }
    WRUN_INLINE void seek(const u8* position) noexcept { position_ = position; }

    WRUN_INLINE Sure<u8> byte() noexcept { return *position_++; }
    WRUN_INLINE u8 byte_at_hand() noexcept { return *position_++; }
    [[nodiscard]] WRUN_INLINE Sure<u8> peek() const noexcept { return *position_; }
    WRUN_INLINE Sure<u32> leb_u32() noexcept { return static_cast<u32>(unsigned_leb()); }
    WRUN_INLINE Sure<u64> leb_u64() noexcept { return unsigned_leb(); }
    WRUN_INLINE Sure<i32> leb_s32() noexcept { return static_cast<i32>(signed_leb()); }
    WRUN_INLINE Sure<i64> leb_s33() noexcept { return signed_leb(); }
    WRUN_INLINE Sure<i64> leb_s64() noexcept { return signed_leb(); }
    WRUN_INLINE Sure<u32> fixed_u32() noexcept { return fixed<u32>(); }
    WRUN_INLINE Sure<u64> fixed_u64() noexcept { return fixed<u64>(); }
    WRUN_INLINE Sure<u32> count(u32 /*max*/, u32 /*item_bytes*/ = 1) noexcept { return leb_u32(); }
    /// Steps over an integer of any width.
    WRUN_INLINE void skip_leb() noexcept {
        while ((*position_++ & 0x80) != 0) {
        }
    }

private:
    WRUN_INLINE u64 unsigned_leb() noexcept {
        u64 value = *position_++;
        if (value < 0x80) [[likely]]
            return value;
        value &= 0x7f;
        u8 byte = 0;
        unsigned shift = 7;
        do {
            byte = *position_++;
            value |= u64{byte & 0x7fu} << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
        return value;
    }
    WRUN_INLINE i64 signed_leb() noexcept {
        u8 byte = *position_++;
        if (byte < 0x80) [[likely]]
            return static_cast<i8>(static_cast<u8>(byte << 1)) >> 1;
        u64 value = byte & 0x7fu;
        unsigned shift = 7;
        do {
            byte = *position_++;
            value |= u64{byte & 0x7fu} << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
        if (shift < 64 && (byte & 0x40) != 0) value |= ~u64{0} << shift;
        return static_cast<i64>(value);
    }
    template <class T>
    WRUN_INLINE T fixed() noexcept {
        T value;
        std::memcpy(&value, position_, sizeof value);
        position_ += sizeof value;
        return value;
    }

    const u8* begin_;
    const u8* position_;
    const u8* end_;
};

/// Calls `read` on a copy and takes the copy's position: a function that is not inlined then sees
/// the copy only, and the reader of a hot loop need not live in memory.
template <class R, class Read>
WRUN_INLINE auto out_of_line(R& reader, Read read) {
    R copy = reader;
    auto result = read(copy);
    reader = copy;
    return result;
}

}  // namespace wrun
