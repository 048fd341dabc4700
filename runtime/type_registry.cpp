// Keys of recursion groups and the numbers they get.
#include "runtime/type_registry.hpp"

#include <bit>

namespace wrun::runtime {

namespace {

/// A value type in a key: numbers of the module become canonical ones, members of the group itself
/// stay relative to it.
class Canonicalizer {
public:
    Canonicalizer(std::span<const u32> ids, u32 group_begin) noexcept
        : ids_{ids}, group_begin_{group_begin} {}
    /// Of types that speak in canonical numbers already.
    Canonicalizer() noexcept : group_begin_{~0u} {}

    void append(std::u32string& key, ValType type) const {
        if (!type.is_ref() || !type.concrete()) {
            key += static_cast<char32_t>(type.bits());
            return;
        }
        const u32 index = type.type_index().value;
        key += index < group_begin_ ? foreign_mark : own_mark;
        key += static_cast<char32_t>(type.nullable());
        key += static_cast<char32_t>(canonical_or_relative(index));
    }
    void append_index(std::u32string& key, u32 index) const {
        if (index == TypeDef::no_super) {
            key += no_type_mark;
            return;
        }
        key += index < group_begin_ ? foreign_mark : own_mark;
        key += static_cast<char32_t>(canonical_or_relative(index));
    }
    [[nodiscard]] ValType canonical(ValType type, u32 first_id) const noexcept {
        if (!type.is_ref() || !type.concrete()) return type;
        const u32 index = type.type_index().value;
        const u32 base = index < group_begin_ ? 0 : first_id;
        return ValType::reference(TypeIndex{base + canonical_or_relative(index)}, type.nullable());
    }

private:
    // No value type has these bits: its kind would be unknown.
    static constexpr char32_t foreign_mark = 0xffff'fffd;
    static constexpr char32_t own_mark = 0xffff'fffe;
    static constexpr char32_t no_type_mark = 0xffff'ffff;

    [[nodiscard]] u32 canonical_or_relative(u32 index) const noexcept {
        if (index >= group_begin_) return index - group_begin_;
        return ids_.empty() ? index : ids_[index];
    }

    std::span<const u32> ids_;
    u32 group_begin_;
};

void make_key(std::u32string& key, std::span<const TypeDef> group, std::span<const ValType> values,
    const Canonicalizer& canonicalizer) {
    key.clear();
    for (const TypeDef& def : group) {
        key += static_cast<char32_t>(to_underlying(def.form) | (u32{def.is_final} << 8));
        canonicalizer.append_index(key, def.super_type);
        key += static_cast<char32_t>(def.param_count);
        key += static_cast<char32_t>(def.result_count);
        for (const ValType type :
            values.subspan(def.values_begin, def.param_count + def.result_count)) {
            canonicalizer.append(key, type);
        }
    }
}

[[nodiscard]] CanonicalType canonical_type(const TypeDef& def, std::span<const ValType> values,
    const Canonicalizer& canonicalizer, u32 first_id) {
    CanonicalType type;
    type.param_count = def.param_count;
    type.values.reserve(def.param_count + def.result_count);
    for (const ValType value :
        values.subspan(def.values_begin, def.param_count + def.result_count)) {
        type.values.push_back(canonicalizer.canonical(value, first_id));
    }
    ArgumentPlaces places;
    for (const ValType param : type.params()) {
        (void)places.next(param);
        type.param_slots += param.slots();
    }
    for (const ValType result : type.results())
        type.result_slots += result.slots();
    type.stack_arg_slots = places.stack_slots();
    return type;
}

struct Position {
    u32 chunk;
    u32 index;
};

constexpr Position position_of(u32 id, u32 first_chunk) noexcept {
    const u32 number = id - 1 + first_chunk;
    const auto chunk = static_cast<u32>(std::bit_width(number) - std::bit_width(first_chunk));
    return {chunk, number - (first_chunk << chunk)};
}
static_assert(position_of(1, 64).chunk == 0 && position_of(64, 64).index == 63);
static_assert(position_of(65, 64).chunk == 1 && position_of(65, 64).index == 0);
static_assert(position_of(64 + 128, 64).index == 127 && position_of(64 + 129, 64).chunk == 2);

}  // namespace

TypeRegistry::~TypeRegistry() {
    for (const auto& chunk : chunks_)
        delete[] chunk.load();
}

const CanonicalType& TypeRegistry::operator[](u32 id) const noexcept {
    const Position position = position_of(id, first_chunk_types);
    return chunks_[position.chunk].load(std::memory_order_acquire)[position.index];
}

Result<u32> TypeRegistry::intern(const std::u32string& key, u32 size, const auto& member) {
    const auto known = groups_.find(key);
    if (known != groups_.end()) return known->second;
    const u32 first_id = next_id_;
    if (size > ids_max - first_id) return Error{ErrorCode::too_many_items};
    for (u32 i = 0; i < size; ++i) {
        const Position position = position_of(first_id + i, first_chunk_types);
        std::atomic<CanonicalType*>& chunk = chunks_[position.chunk];
        if (position.index == 0) {
            chunk.store(new CanonicalType[u64{first_chunk_types} << position.chunk],
                std::memory_order_release);
        }
        chunk.load(std::memory_order_relaxed)[position.index] = member(i, first_id);
    }
    groups_.emplace(key, first_id);
    next_id_ = first_id + size;
    return first_id;
}

Result<std::vector<u32>> TypeRegistry::add_module(const Module& module) {
    std::vector<u32> ids;
    ids.reserve(module.types.size());
    std::u32string key;
    const std::lock_guard guard{lock_};
    while (ids.size() < module.types.size()) {
        const auto begin = static_cast<u32>(ids.size());
        const auto group = std::span{module.types}.subspan(begin, module.types[begin].group_size);
        const Canonicalizer canonicalizer{ids, begin};
        const auto size = static_cast<u32>(group.size());
        make_key(key, group, module.value_types, canonicalizer);
        const u32 first_id = WRUN_TRY(intern(key, size, [&](u32 i, u32 first) {
            return canonical_type(group[i], module.value_types, canonicalizer, first);
        }));
        for (u32 i = 0; i < size; ++i)
            ids.push_back(first_id + i);
    }
    return ids;
}

Result<u32> TypeRegistry::add_function(
    std::span<const ValType> params, std::span<const ValType> results) {
    std::vector<ValType> values{params.begin(), params.end()};
    values.insert(values.end(), results.begin(), results.end());
    TypeDef def;
    def.param_count = static_cast<u32>(params.size());
    def.result_count = static_cast<u32>(results.size());
    const Canonicalizer canonicalizer;
    std::u32string key;
    make_key(key, {&def, 1}, values, canonicalizer);
    const std::lock_guard guard{lock_};
    return intern(
        key, 1, [&](u32, u32 first) { return canonical_type(def, values, canonicalizer, first); });
}

}  // namespace wrun::runtime
