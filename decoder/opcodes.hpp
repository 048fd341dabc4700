// The enum, the facts and the lookups of every opcode, expanded from decoder/ops.def. A wrong or
// double row does not compile.
#pragma once

#include <array>
#include <string_view>

#include "base/features.hpp"
#include "base/types.hpp"
#include "decoder/types.hpp"

namespace wrun {

enum class Op : u16 {
#define WRUN_OP(name, ...) name,
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
};

// The kinds of immediates.
#define WRUN_IMMEDIATES(X)                                  \
    X(none)                                                 \
    X(i32)                                                  \
    X(i64)                                                  \
    X(f32)                                                  \
    X(f64)                                                  \
    X(mem)    /* MemArg */                                  \
    X(block)  /* BlockType */                               \
    X(label)  /* depth */                                   \
    X(labels) /* br_table */                                \
    X(func)                                                 \
    X(local)                                                \
    X(global)                                               \
    X(table)                                                \
    X(memory)                                               \
    X(data)                                                 \
    X(elem)                                                 \
    X(type_table)    /* call_indirect */                    \
    X(data_memory)   /* memory.init */                      \
    X(memory_memory) /* memory.copy: destination, source */ \
    X(elem_table)    /* table.init */                       \
    X(table_table)   /* table.copy: destination, source */  \
    X(heap_type)     /* ref.null */                         \
    X(types)         /* select with types */

/// How the bytes behind an opcode are read; decoder/reader.hpp has one reader per kind.
enum class Immediate : u8 {
#define WRUN_IMMEDIATE(name) name,
    WRUN_IMMEDIATES(WRUN_IMMEDIATE)
#undef WRUN_IMMEDIATE
};

namespace trait {
inline constexpr u8 none = 0;
inline constexpr u8 control = 1;             // begins, ends or leaves a block
inline constexpr u8 ends = 2;                // what follows up to else/end is dead
inline constexpr u8 calls = 4;               // calls a function
inline constexpr u8 helper = 8;              // may call a helper of the runtime
inline constexpr u8 traps = 16;              // may trap
inline constexpr u8 constant = 32;           // allowed in constant expressions
inline constexpr u8 constant_extended = 64;  // allowed there with extended-const
}  // namespace trait

/// Operand and result types of a row. `special` rows are typed by hand.
struct Signature {
    std::array<ValType, 4> types{};
    u8 pops = 0;
    u8 pushes = 0;
    bool special = false;
    bool address = false;  // the first operand is an address of the memory named in the immediate
};

struct OpInfo {
    std::string_view text;
    u8 prefix;
    u8 code;
    Immediate immediate;
    Signature signature;
    Feature feature;
    u8 access_bytes;
    u8 traits;
    [[nodiscard]] constexpr bool has(u8 wanted) const noexcept { return (traits & wanted) != 0; }
};

namespace detail {

// Never defined. Reached only when a row of the table is wrong, and then at compile time.
void bad_signature_letter();
void duplicate_opcode();

consteval Signature signature(std::string_view letters) {
    Signature result;
    if (letters == "*") {
        result.special = true;
        return result;
    }
    bool after_underscore = false;
    std::size_t count = 0;
    for (const char letter : letters) {
        if (letter == '_') {
            after_underscore = true;
            continue;
        }
        ValType type;
        switch (letter) {
            case 'i': type = type_i32; break;
            case 'l': type = type_i64; break;
            case 'f': type = type_f32; break;
            case 'd': type = type_f64; break;
            case 'v': type = type_v128; break;
            case 'a':
                type = type_i32;
                result.address = true;
                break;
            default: bad_signature_letter();
        }
        result.types[count++] = type;
        if (after_underscore) {
            ++result.pushes;
        } else {
            ++result.pops;
        }
    }
    return result;
}

}  // namespace detail

inline constexpr auto op_table = [] {
    using namespace trait;
    return std::array{
#define WRUN_OP(name, prefix, code, text, immediates, letters, feature, width, traits) \
    OpInfo{text, prefix, code, Immediate::immediates, detail::signature(letters),      \
        Feature::feature, width, traits},
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
    };
}();

[[nodiscard]] constexpr const OpInfo& info(Op op) noexcept {
    return op_table[to_underlying(op)];
}

/// What an opcode byte (behind its prefix) means: a row, a feature that is not here yet, or
/// nothing.
struct OpLookup {
    static constexpr u16 illegal = 0xffff;
    static constexpr u16 later = 0x8000;  // | feature
    u16 value = illegal;
    [[nodiscard]] constexpr bool known() const noexcept { return value < later; }
    [[nodiscard]] constexpr Op op() const noexcept { return static_cast<Op>(value); }
    [[nodiscard]] constexpr bool is_later() const noexcept {
        return value != illegal && (value & later) != 0;
    }
    [[nodiscard]] constexpr Feature feature() const noexcept {
        return static_cast<Feature>(value & 0xff);
    }
};

namespace detail {

consteval std::array<OpLookup, 256> lookup_table(u8 wanted_prefix) {
    std::array<OpLookup, 256> table{};
    const auto set = [&](u8 code, u16 value) {
        if (table[code].value != OpLookup::illegal) duplicate_opcode();
        table[code].value = value;
    };
    for (std::size_t row = 0; row < op_table.size(); ++row) {
        if (op_table[row].prefix == wanted_prefix) set(op_table[row].code, static_cast<u16>(row));
    }
    const auto later = [](Feature feature) {
        return static_cast<u16>(OpLookup::later | to_underlying(feature));
    };
#define WRUN_OP(...)
#define WRUN_LATER_OP(prefix, code, feature) \
    if (wanted_prefix == prefix) set(code, later(Feature::feature));
#define WRUN_LATER_PREFIX(prefix, feature)                        \
    if (wanted_prefix == 0) set(prefix, later(Feature::feature)); \
    if (wanted_prefix == prefix) {                                \
        for (unsigned code = 0; code < 256; ++code) {             \
            set(static_cast<u8>(code), later(Feature::feature));  \
        }                                                         \
    }
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
    return table;
}

}  // namespace detail

inline constexpr u8 prefix_fc = 0xfc;
inline constexpr auto lookup_plain = detail::lookup_table(0x00);
inline constexpr auto lookup_fc = detail::lookup_table(prefix_fc);

static_assert(info(Op::i32_add).signature.pops == 2);
static_assert(lookup_fc[0x0a].op() == Op::memory_copy);

// ---- immediates, as values ------------------------------------------------------------------

struct MemArg {
    u64 offset = 0;
    MemoryIndex memory;
    u8 align_log2 = 0;
};

/// A block's type: nothing, one result, or a function type of the module.
struct BlockType {
    enum class Form : u8 { empty, value, type };
    Form form = Form::empty;
    ValType result;  // form value
    TypeIndex type;  // form type
};

struct CallIndirect {
    TypeIndex type;
    TableIndex table;
};

/// br_table's labels, still as bytes: `count` depths, then the default. Read with Reader::leb_u32.
struct LabelTable {
    u32 count = 0;
    const u8* bytes = nullptr;  // borrowed from the module
};

}  // namespace wrun
