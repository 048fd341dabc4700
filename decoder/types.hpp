// The types of WebAssembly 3.0, whatever features are on: a value type is 32 bits (kind,
// nullability, heap type or type index), so that reference proposals are rows and not redesigns.
// Plain values; type indices are those of one module until runtime/ canonicalises them engine-wide.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace wrun {

enum class Kind : u8 { i32, i64, f32, f64, v128, ref, bottom };

/// Abstract heap types. A concrete heap type is a type index instead.
enum class Heap : u8 {
    func,
    extern_,
    any,
    eq,
    i31,
    struct_,
    array,
    exn,
    none,
    nofunc,
    noextern,
    noexn,
};

/// A value type. bits: 0–3 kind · 4 nullable · 5 concrete · 6–31 heap type or type index.
class ValType {
public:
    constexpr ValType() = default;
    constexpr explicit(false) ValType(Kind kind) : bits_{to_underlying(kind)} {}
    [[nodiscard]] static constexpr ValType reference(Heap heap, bool nullable = true) noexcept {
        return from_bits(
            to_underlying(Kind::ref) | (u32{nullable} << 4) | (u32{to_underlying(heap)} << 6));
    }
    [[nodiscard]] static constexpr ValType reference(TypeIndex type, bool nullable) noexcept {
        return from_bits(
            to_underlying(Kind::ref) | (u32{nullable} << 4) | (1u << 5) | (type.value << 6));
    }
    [[nodiscard]] static constexpr ValType from_bits(u32 bits) noexcept {
        ValType type;
        type.bits_ = bits;
        return type;
    }

    [[nodiscard]] constexpr Kind kind() const noexcept { return static_cast<Kind>(bits_ & 15); }
    [[nodiscard]] constexpr bool is_ref() const noexcept { return kind() == Kind::ref; }
    [[nodiscard]] constexpr bool is_float() const noexcept {
        return kind() == Kind::f32 || kind() == Kind::f64;
    }
    [[nodiscard]] constexpr bool is_number() const noexcept { return kind() <= Kind::f64; }
    [[nodiscard]] constexpr bool nullable() const noexcept { return ((bits_ >> 4) & 1) != 0; }
    [[nodiscard]] constexpr bool concrete() const noexcept { return ((bits_ >> 5) & 1) != 0; }
    /// Only of a reference that is not concrete.
    [[nodiscard]] constexpr Heap heap() const noexcept { return static_cast<Heap>(bits_ >> 6); }
    /// Only of a concrete reference.
    [[nodiscard]] constexpr TypeIndex type_index() const noexcept { return TypeIndex{bits_ >> 6}; }
    /// 8-byte slots a value takes in frames, globals and argument areas.
    [[nodiscard]] constexpr u32 slots() const noexcept { return kind() == Kind::v128 ? 2 : 1; }
    [[nodiscard]] constexpr u32 bits() const noexcept { return bits_; }
    constexpr bool operator==(const ValType&) const = default;

private:
    u32 bits_ = to_underlying(Kind::bottom);
};
static_assert(sizeof(ValType) == 4);

inline constexpr ValType type_i32{Kind::i32};
inline constexpr ValType type_i64{Kind::i64};
inline constexpr ValType type_f32{Kind::f32};
inline constexpr ValType type_f64{Kind::f64};
inline constexpr ValType type_v128{Kind::v128};
inline constexpr ValType type_bottom{Kind::bottom};
inline constexpr ValType type_funcref = ValType::reference(Heap::func);
inline constexpr ValType type_externref = ValType::reference(Heap::extern_);

/// "i32", "funcref", "(ref null 3)", … as the text format writes it.
[[nodiscard]] std::string name(ValType type);

enum class ExternKind : u8 { func, table, memory, global, tag };

/// "func", "table", … as the text format writes it.
[[nodiscard]] std::string_view name(ExternKind kind) noexcept;

/// Size bounds of a table (in elements) or a memory (in pages).
struct Limits {
    u64 min = 0;
    std::optional<u64> max;
    bool is_64 = false;
    bool shared = false;
    constexpr bool operator==(const Limits&) const = default;
};

struct TableType {
    ValType element = type_funcref;
    Limits limits;
    constexpr bool operator==(const TableType&) const = default;
};

struct MemoryType {
    Limits limits;
    constexpr bool operator==(const MemoryType&) const = default;
};

struct GlobalType {
    ValType type;
    bool is_mutable = false;
    constexpr bool operator==(const GlobalType&) const = default;
};

}  // namespace wrun
