// One reader of immediates per kind (decoder/opcodes.hpp), for both readers of bytes. The result is
// a tuple: the arguments that a sink's emit function takes, as validator/sink.hpp lists them.
#pragma once

#include <tuple>

#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"
#include "decoder/type_reader.hpp"

namespace wrun {

namespace detail {

/// A memory's index; without multi-memory the byte is reserved and zero (§5.4.6 of 2.0).
template <class R>
WRUN_INLINE auto read_memory_index(R& reader) -> typename R::template Out<MemoryIndex> {
    if constexpr (!R::trusted) {
        if (!reader.has(Feature::multi_memory)) {
            const u32 at = reader.offset();
            const u8 zero = WRUN_TRY(reader.byte());
            if (zero != 0) return Error{ErrorCode::zero_byte_expected, 0, at};
            return MemoryIndex{};
        }
    }
    return MemoryIndex {
        WRUN_TRY(reader.leb_u32())
    };
}

template <class R>
WRUN_INLINE auto read_mem_arg(R& reader) -> typename R::template Out<MemArg> {
    constexpr u32 names_memory = 0x40;
    constexpr u32 align_log2_end = 32;  // in 2.0, where the flags are nothing but the alignment
    const u8* const start = reader.position();
    MemArg arg;
    u32 flags = WRUN_TRY(reader.leb_u32());
    if (flags >= names_memory) [[unlikely]] {
        if constexpr (!R::trusted) {
            if (flags >= 2 * names_memory || !reader.has(Feature::multi_memory)) {
                return Error{ErrorCode::malformed_memop_flags, 0, reader.offset_of(start)};
            }
        }
        flags -= names_memory;
        arg.memory = MemoryIndex {
            WRUN_TRY(reader.leb_u32())
        };
    }
    if constexpr (!R::trusted) {
        if (flags >= align_log2_end && !reader.has(Feature::multi_memory)) [[unlikely]] {
            return Error{ErrorCode::malformed_memop_flags, 0, reader.offset_of(start)};
        }
    }
    arg.align_log2 = static_cast<u8>(flags);
    if constexpr (R::trusted) {
        arg.offset = WRUN_TRY(reader.leb_u64());
    } else if (reader.has(Feature::memory64)) {
        arg.offset = WRUN_TRY(reader.leb_u64());
    } else {
        arg.offset = WRUN_TRY(reader.leb_u32());
    }
    return arg;
}

template <class R>
[[gnu::noinline]] auto read_label_table(R& reader) -> typename R::template Out<LabelTable> {
    const u8* const start = reader.position();
    const u32 count = WRUN_TRY(reader.leb_u32());
    const LabelTable table{count, reader.position()};
    if constexpr (R::trusted) {
        for (u32 i = 0; i <= count; ++i)
            reader.skip_leb();
    } else {
        const u32 at = reader.offset_of(start);
        if (count >= reader.bytes_left()) {
            return Error{ErrorCode::unexpected_end_of_section, 0, at};
        }
        if (count > limits::br_table_targets_max) return Error{ErrorCode::too_many_items, 0, at};
        for (u32 i = 0; i <= count; ++i)
            (void)WRUN_TRY(reader.leb_u32());
    }
    return table;
}

/// select's types: a vector that must hold exactly one.
template <class R>
[[gnu::noinline]] auto read_select_types(R& reader) -> typename R::template Out<ValType> {
    const u32 at = reader.offset();
    const u32 count = WRUN_TRY(reader.count(limits::results_max));
    if constexpr (!R::trusted) {
        if (count != 1) {
            for (u32 i = 0; i < count; ++i)
                (void)WRUN_TRY(read_val_type(reader));
            return Error{ErrorCode::invalid_result_arity, 0, at};
        }
    }
    return WRUN_TRY(read_val_type(reader));
}

template <class R, class T>
WRUN_INLINE auto one(typename R::template Out<T> read) -> typename R::template Out<std::tuple<T>> {
    return std::tuple<T> {
        WRUN_TRY(std::move(read))
    };
}

template <class R, class IndexType>
WRUN_INLINE auto index(R& reader) -> typename R::template Out<std::tuple<IndexType>> {
    return std::tuple{IndexType{WRUN_TRY(reader.leb_u32())}};
}

template <class R, class First, class Second>
WRUN_INLINE auto two_indices(R& reader) -> typename R::template Out<std::tuple<First, Second>> {
    const First first {
        WRUN_TRY(reader.leb_u32())
    };
    const Second second {
        WRUN_TRY(reader.leb_u32())
    };
    return std::tuple{first, second};
}

template <class R>
WRUN_INLINE auto call_indirect(R& reader) -> typename R::template Out<std::tuple<CallIndirect>> {
    const TypeIndex type {
        WRUN_TRY(reader.leb_u32())
    };
    const TableIndex table {
        WRUN_TRY(reader.leb_u32())
    };
    return std::tuple{CallIndirect{type, table}};
}

template <class R>
WRUN_INLINE auto data_memory(R& reader) ->
    typename R::template Out<std::tuple<DataIndex, MemoryIndex>> {
    const DataIndex data {
        WRUN_TRY(reader.leb_u32())
    };
    const MemoryIndex memory = WRUN_TRY(read_memory_index(reader));
    return std::tuple{data, memory};
}

template <class R>
WRUN_INLINE auto memory_memory(R& reader) ->
    typename R::template Out<std::tuple<MemoryIndex, MemoryIndex>> {
    const MemoryIndex target = WRUN_TRY(read_memory_index(reader));
    const MemoryIndex source = WRUN_TRY(read_memory_index(reader));
    return std::tuple{target, source};
}

}  // namespace detail

/// Reads the immediates of one kind. Whoever only steps over them drops the result.
template <Immediate kind, class R>
WRUN_INLINE auto read_immediates(R& reader) {
    using namespace detail;
    using enum Immediate;
    if constexpr (kind == none) {
        return typename R::template Out<std::tuple<>>{std::tuple<>{}};
    } else if constexpr (kind == Immediate::i32) {
        return one<R, wrun::i32>(reader.leb_s32());
    } else if constexpr (kind == Immediate::i64) {
        return one<R, wrun::i64>(reader.leb_s64());
    } else if constexpr (kind == Immediate::f32) {
        return one<R, u32>(reader.fixed_u32());
    } else if constexpr (kind == Immediate::f64) {
        return one<R, u64>(reader.fixed_u64());
    } else if constexpr (kind == mem) {
        return one<R, MemArg>(read_mem_arg(reader));
    } else if constexpr (kind == block) {
        return one<R, BlockType>(read_block_type(reader));
    } else if constexpr (kind == label) {
        return one<R, u32>(reader.leb_u32());
    } else if constexpr (kind == labels) {
        return one<R, LabelTable>(
            out_of_line(reader, [](R& copy) { return read_label_table(copy); }));
    } else if constexpr (kind == func) {
        return detail::index<R, FuncIndex>(reader);
    } else if constexpr (kind == local) {
        return detail::index<R, LocalIndex>(reader);
    } else if constexpr (kind == global) {
        return detail::index<R, GlobalIndex>(reader);
    } else if constexpr (kind == table) {
        return detail::index<R, TableIndex>(reader);
    } else if constexpr (kind == memory) {
        return one<R, MemoryIndex>(read_memory_index(reader));
    } else if constexpr (kind == data) {
        return detail::index<R, DataIndex>(reader);
    } else if constexpr (kind == elem) {
        return detail::index<R, ElemIndex>(reader);
    } else if constexpr (kind == type_table) {
        return detail::call_indirect(reader);
    } else if constexpr (kind == Immediate::data_memory) {
        return detail::data_memory(reader);
    } else if constexpr (kind == Immediate::memory_memory) {
        return detail::memory_memory(reader);
    } else if constexpr (kind == elem_table) {
        return two_indices<R, ElemIndex, TableIndex>(reader);
    } else if constexpr (kind == table_table) {
        return two_indices<R, TableIndex, TableIndex>(reader);
    } else if constexpr (kind == heap_type) {
        return one<R, ValType>(out_of_line(reader, [](R& copy) { return read_heap_type(copy); }));
    } else {
        static_assert(kind == types);
        return one<R, ValType>(
            out_of_line(reader, [](R& copy) { return read_select_types(copy); }));
    }
}

/// Steps over the immediates of a kind known at run time only.
template <class R>
auto skip_immediates(R& reader, Immediate kind) -> typename R::template Out<void> {
    switch (kind) {
#define WRUN_IMMEDIATE(name) \
    case Immediate::name: (void)WRUN_TRY(read_immediates<Immediate::name>(reader)); break;
        WRUN_IMMEDIATES(WRUN_IMMEDIATE)
#undef WRUN_IMMEDIATE
    }
    return {};
}

/// An opcode, its prefix and code read: what the table says about it.
template <class R>
auto read_op(R& reader) -> typename R::template Out<OpLookup> {
    const u8 byte = WRUN_TRY(reader.byte());
    if (byte != prefix_fc) [[likely]]
        return lookup_plain[byte];
    const u32 code = WRUN_TRY(reader.leb_u32());
    return code < lookup_fc.size() ? lookup_fc[code] : OpLookup{};
}

}  // namespace wrun
