// How types are written in bytes (spec: §5.3), once for both readers. With a checked Reader unknown
// forms are malformed and known ones of features that are off are refused by the feature's name.
#pragma once

#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"
#include "decoder/types.hpp"

namespace wrun {

namespace type_byte {
inline constexpr u8 i32 = 0x7f;
inline constexpr u8 i64 = 0x7e;
inline constexpr u8 f32 = 0x7d;
inline constexpr u8 f64 = 0x7c;
inline constexpr u8 v128 = 0x7b;
inline constexpr u8 funcref = 0x70;
inline constexpr u8 externref = 0x6f;
inline constexpr u8 ref = 0x64;
inline constexpr u8 ref_null = 0x63;
inline constexpr u8 func = 0x60;
inline constexpr u8 struct_ = 0x5f;
inline constexpr u8 array = 0x5e;
inline constexpr u8 sub = 0x50;
inline constexpr u8 sub_final = 0x4f;
inline constexpr u8 rec = 0x4e;
inline constexpr u8 empty = 0x40;
}  // namespace type_byte

/// What a single byte says about a type: the type and the feature it belongs to, or nothing.
struct TypeByte {
    ValType type = type_bottom;
    Feature feature = Feature::mvp;
};

namespace detail {

consteval std::array<TypeByte, 256> type_byte_table() {
    std::array<TypeByte, 256> table{};
    const auto set = [&](u8 byte, ValType type, Feature feature) { table[byte] = {type, feature}; };
    const auto heap = [&](u8 byte, Heap which, Feature feature) {
        set(byte, ValType::reference(which), feature);
    };
    set(type_byte::i32, type_i32, Feature::mvp);
    set(type_byte::i64, type_i64, Feature::mvp);
    set(type_byte::f32, type_f32, Feature::mvp);
    set(type_byte::f64, type_f64, Feature::mvp);
    set(type_byte::v128, type_v128, Feature::simd);
    heap(type_byte::funcref, Heap::func, Feature::mvp);
    heap(type_byte::externref, Heap::extern_, Feature::reference_types);
    heap(0x6e, Heap::any, Feature::gc);
    heap(0x6d, Heap::eq, Feature::gc);
    heap(0x6c, Heap::i31, Feature::gc);
    heap(0x6b, Heap::struct_, Feature::gc);
    heap(0x6a, Heap::array, Feature::gc);
    heap(0x69, Heap::exn, Feature::exceptions);
    heap(0x71, Heap::none, Feature::gc);
    heap(0x72, Heap::noextern, Feature::gc);
    heap(0x73, Heap::nofunc, Feature::gc);
    heap(0x74, Heap::noexn, Feature::exceptions);
    return table;
}

}  // namespace detail

inline constexpr auto type_bytes = detail::type_byte_table();

[[nodiscard]] constexpr Error unsupported(Feature feature, u32 offset) noexcept {
    return {ErrorCode::unsupported_feature, to_underlying(feature), offset};
}

namespace detail {

/// 0x63 and 0x64 are read: the heap type behind them.
template <class R>
[[gnu::noinline]] auto read_typed_reference(R& reader, bool nullable, u32 at) ->
    typename R::template Out<ValType> {
    if constexpr (!R::trusted) {
        if (!reader.has(Feature::function_references)) {
            return unsupported(Feature::function_references, at);
        }
    }
    const i64 heap = WRUN_TRY(reader.leb_s33());
    if (heap >= 0) {
        if constexpr (!R::trusted) {
            if (heap >= i64{limits::types_max}) return Error{ErrorCode::unknown_type, 0, at};
        }
        return ValType::reference(TypeIndex{static_cast<u32>(heap)}, nullable);
    }
    const ValType type = heap >= -64 ? type_bytes[static_cast<u8>(heap & 0x7f)].type : type_bottom;
    if constexpr (!R::trusted) {
        if (!type.is_ref()) return Error{ErrorCode::malformed_reference_type, 0, at};
        const Feature feature = type_bytes[static_cast<u8>(heap & 0x7f)].feature;
        if (feature != Feature::mvp && !reader.has(feature)) return unsupported(feature, at);
    }
    return ValType::reference(type.heap(), nullable);
}

}  // namespace detail

/// A value type. `wrong` is the error for a byte that begins none.
template <class R>
WRUN_INLINE auto read_val_type(R& reader, ErrorCode wrong = ErrorCode::malformed_value_type) ->
    typename R::template Out<ValType> {
    const u8* const start = reader.position();
    const u8 byte = WRUN_TRY(reader.byte());
    const TypeByte entry = type_bytes[byte];
    if (entry.type == type_bottom) [[unlikely]] {
        const u32 at = reader.offset_of(start);
        if (byte == type_byte::ref_null || byte == type_byte::ref) {
            return out_of_line(reader, [&](R& copy) {
                return detail::read_typed_reference(copy, byte == type_byte::ref_null, at);
            });
        }
        if constexpr (!R::trusted) return Error{wrong, 0, at};
    }
    if constexpr (!R::trusted) {
        if (entry.feature != Feature::mvp && !reader.has(entry.feature)) [[unlikely]] {
            return unsupported(entry.feature, reader.offset_of(start));
        }
    }
    return entry.type;
}

/// The type of a table's elements or of an element segment.
template <class R>
auto read_ref_type(R& reader) -> typename R::template Out<ValType> {
    const u32 at = reader.offset();
    const ValType type = WRUN_TRY(read_val_type(reader, ErrorCode::malformed_reference_type));
    if constexpr (!R::trusted) {
        if (!type.is_ref()) return Error{ErrorCode::malformed_reference_type, 0, at};
    }
    return type;
}

/// ref.null's immediate: a heap type, as the type of the null it makes.
template <class R>
[[gnu::noinline]] auto read_heap_type(R& reader) -> typename R::template Out<ValType> {
    const u32 at = reader.offset();
    const i64 heap = WRUN_TRY(reader.leb_s33());
    if (heap >= 0) {
        if constexpr (!R::trusted) {
            if (!reader.has(Feature::function_references)) {
                return unsupported(Feature::function_references, at);
            }
            if (heap >= i64{limits::types_max}) return Error{ErrorCode::unknown_type, 0, at};
        }
        return ValType::reference(TypeIndex{static_cast<u32>(heap)}, true);
    }
    if constexpr (!R::trusted) {
        const TypeByte entry = heap >= -64 ? type_bytes[static_cast<u8>(heap & 0x7f)] : TypeByte{};
        if (!entry.type.is_ref()) return Error{ErrorCode::malformed_reference_type, 0, at};
        if (entry.feature != Feature::mvp && !reader.has(entry.feature)) {
            return unsupported(entry.feature, at);
        }
    }
    return type_bytes[static_cast<u8>(heap & 0x7f)].type;
}

template <class R>
WRUN_INLINE auto read_block_type(R& reader) -> typename R::template Out<BlockType> {
    const u8* const start = reader.position();
    const u8 byte = WRUN_TRY(reader.peek());
    if (byte == type_byte::empty) {
        (void)WRUN_TRY(reader.byte());
        return BlockType{};
    }
    // A single byte with bit 6 set is a negative s33: a value type.
    if ((byte & 0xc0) == 0x40) {
        const ValType type = WRUN_TRY(read_val_type(reader, ErrorCode::malformed_block_type));
        return BlockType{BlockType::Form::value, type, {}};
    }
    const i64 index = WRUN_TRY(reader.leb_s33());
    if constexpr (!R::trusted) {
        const u32 at = reader.offset_of(start);
        if (index < 0) return Error{ErrorCode::malformed_block_type, 0, at};
        if (!reader.has(Feature::multi_value)) return unsupported(Feature::multi_value, at);
    }
    return BlockType{BlockType::Form::type, {}, TypeIndex{static_cast<u32>(index)}};
}

}  // namespace wrun
