// Module bytes for tests, from parts with names: instructions expanded from decoder/ops.def, and a
// builder that writes sections. It checks nothing: wrong modules are what tests are made of. Whole
// modules that need no wrong byte are better written as WAT (wat.hpp).
//
//   using namespace wrun::build;
//   ModuleBuilder module;
//   const u32 type = module.type({}, {type_i32});
//   module.function(type, body(i32_const(1), i32_const(2), i32_add()));
#pragma once

#include <bit>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "decoder/opcodes.hpp"
#include "decoder/types.hpp"

namespace wrun::build {

using Bytes = std::vector<u8>;
using ValTypes = std::vector<ValType>;

[[nodiscard]] Bytes leb_u(u64 value);
[[nodiscard]] Bytes leb_s(i64 value);
/// Count, then the bytes.
[[nodiscard]] Bytes sized(const Bytes& bytes);
[[nodiscard]] Bytes name(std::string_view text);
[[nodiscard]] Bytes val_type(ValType type);
[[nodiscard]] Bytes limits(u64 min, std::optional<u64> max = std::nullopt);
[[nodiscard]] Bytes fixed(u64 value, std::size_t size);

/// `count` times the same.
[[nodiscard]] Bytes repeat(u32 count, const Bytes& item);

inline void append(Bytes& to, const Bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}
inline void append(Bytes& to, int byte) {
    to.push_back(static_cast<u8>(byte));
}
inline void append(Bytes& to, std::string_view text) {
    to.insert(to.end(), text.begin(), text.end());
}

/// Joins bytes given as ints, texts and byte strings.
template <class... Parts>
[[nodiscard]] Bytes join(const Parts&... parts) {
    Bytes all;
    (append(all, parts), ...);
    return all;
}

// ---- instructions ---------------------------------------------------------------------------

/// The opcode alone.
[[nodiscard]] Bytes opcode(Op op);

namespace detail {

[[nodiscard]] Bytes block_type();
[[nodiscard]] Bytes block_type(ValType type);
[[nodiscard]] Bytes block_type(TypeIndex type);

template <Immediate kind>
struct Encode;

#define WRUN_ENCODE(kind, parameters, ...) \
    template <>                            \
    struct Encode<Immediate::kind> {       \
        static Bytes run parameters {      \
            __VA_ARGS__                    \
        }                                  \
    };
WRUN_ENCODE(none, (), return {};)
WRUN_ENCODE(i32, (wrun::i32 value), return leb_s(value);)
WRUN_ENCODE(i64, (wrun::i64 value), return leb_s(value);)
WRUN_ENCODE(f32, (auto value), return fixed(std::bit_cast<u32>(static_cast<float>(value)), 4);)
WRUN_ENCODE(f64, (auto value), return fixed(std::bit_cast<u64>(static_cast<double>(value)), 8);)
WRUN_ENCODE(
    mem, (u64 offset = 0, u32 align_log2 = 0), return join(leb_u(align_log2), leb_u(offset));)
WRUN_ENCODE(label, (u32 depth), return leb_u(depth);)
WRUN_ENCODE(func, (u32 index), return leb_u(index);)
WRUN_ENCODE(local, (u32 index), return leb_u(index);)
WRUN_ENCODE(global, (u32 index), return leb_u(index);)
WRUN_ENCODE(table, (u32 index = 0), return leb_u(index);)
WRUN_ENCODE(memory, (u32 index = 0), return leb_u(index);)
WRUN_ENCODE(data, (u32 index), return leb_u(index);)
WRUN_ENCODE(elem, (u32 index), return leb_u(index);)
WRUN_ENCODE(type_table, (u32 type, u32 table = 0), return join(leb_u(type), leb_u(table));)
WRUN_ENCODE(data_memory, (u32 data, u32 memory = 0), return join(leb_u(data), leb_u(memory));)
WRUN_ENCODE(memory_memory, (u32 to = 0, u32 from = 0), return join(leb_u(to), leb_u(from));)
WRUN_ENCODE(elem_table, (u32 elem, u32 table = 0), return join(leb_u(elem), leb_u(table));)
WRUN_ENCODE(table_table, (u32 to = 0, u32 from = 0), return join(leb_u(to), leb_u(from));)
WRUN_ENCODE(heap_type, (ValType type), return val_type(type);)
#undef WRUN_ENCODE

template <>
struct Encode<Immediate::block> {
    template <class... Type>
    static Bytes run(Type... type) {
        return block_type(type...);
    }
};
/// All labels; the last one is the default.
template <>
struct Encode<Immediate::labels> {
    template <class... Depths>
    static Bytes run(Depths... depths) {
        return join(leb_u(sizeof...(depths) - 1), leb_u(static_cast<u64>(depths))...);
    }
};
template <>
struct Encode<Immediate::types> {
    template <class... Types>
    static Bytes run(Types... types) {
        return join(leb_u(sizeof...(types)), val_type(types)...);
    }
};

/// Indices may be written as plain literals.
template <Immediate kind, class T>
auto argument(T value) {
    constexpr bool is_number = kind == Immediate::i32 || kind == Immediate::i64 ||
                               kind == Immediate::f32 || kind == Immediate::f64;
    if constexpr (std::is_same_v<T, int> && !is_number) {
        return static_cast<u32>(value);
    } else {
        return value;
    }
}

}  // namespace detail

#define WRUN_OP(name, prefix, code, text, kind, ...)                                          \
    template <class... Immediates>                                                            \
    [[nodiscard]] Bytes name(Immediates... immediates) {                                      \
        return join(opcode(Op::name), detail::Encode<Immediate::kind>::run(                   \
                                          detail::argument<Immediate::kind>(immediates)...)); \
    }
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX

/// Instructions, and the `end` that closes them: a body without locals, or a constant expression.
template <class... Instructions>
[[nodiscard]] Bytes body(const Instructions&... instructions) {
    return join(instructions..., end());
}

// ---- modules --------------------------------------------------------------------------------

struct Locals {
    u32 count = 0;
    ValType type;
};

/// Each function that adds an item gives its index. Index spaces count imports first, so imports
/// must be added before definitions of their kind.
class ModuleBuilder {
public:
    u32 type(const ValTypes& params, const ValTypes& results);
    u32 import_function(std::string_view module, std::string_view field, u32 type);
    u32 import_table(std::string_view module, std::string_view field, ValType element,
        const Bytes& table_limits);
    u32 import_memory(std::string_view module, std::string_view field, const Bytes& memory_limits);
    u32 import_global(
        std::string_view module, std::string_view field, ValType type, bool is_mutable);
    /// `code` with its last `end`.
    u32 function(u32 type, const Bytes& code, const std::vector<Locals>& locals = {});
    /// The same with a new type.
    u32 function(const ValTypes& params, const ValTypes& results, const Bytes& code,
        const std::vector<Locals>& locals = {});
    u32 table(ValType element, u64 min, std::optional<u64> max = std::nullopt);
    u32 memory(u64 min, std::optional<u64> max = std::nullopt);
    u32 memory(const Bytes& memory_limits);
    u32 global(ValType type, bool is_mutable, const Bytes& init);
    void export_item(std::string_view field, ExternKind kind, u32 index);
    void start(u32 function);
    /// A whole segment, flags included.
    u32 element(const Bytes& segment);
    u32 active_elements(const Bytes& offset, const std::vector<u32>& functions);
    u32 declared_elements(const std::vector<u32>& functions);
    u32 data(const Bytes& segment);
    u32 active_data(const Bytes& offset, std::string_view text);
    u32 passive_data(std::string_view text);
    void data_count(u32 count);
    void custom(std::string_view field, const Bytes& bytes);

    [[nodiscard]] Bytes bytes() const;

private:
    struct Items {
        u32 count = 0;
        Bytes bytes;
        u32 add(const Bytes& item);
    };
    u32 import_item(
        std::string_view module, std::string_view field, ExternKind kind, const Bytes& description);
    static void write(Bytes& to, u8 id, const Items& items);

    Items types_;
    Items imports_;
    Items functions_;
    Items tables_;
    Items memories_;
    Items globals_;
    Items exports_;
    Items elements_;
    Items code_;
    Items data_;
    std::optional<u32> start_;
    std::optional<u32> data_count_;
    Bytes customs_;
    u32 imported_[5] = {};
};

/// Magic and version.
[[nodiscard]] Bytes header();
/// A section's id, size and payload.
[[nodiscard]] Bytes section(u8 id, const Bytes& payload);

}  // namespace wrun::build
