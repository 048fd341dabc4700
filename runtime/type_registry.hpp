// One number for each type of an engine, so that equal types of different modules compare as one
// word (spec: type equivalence, §3.1.4 of 3.0). The unit is the recursion group: equal groups give
// equal numbers, member by member. Numbers are never 0 and never forgotten while the registry
// lives, because records and running code hold them. Thread-safe; looking up takes no lock.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

/// A canonical function type. Concrete references in it name canonical types.
struct CanonicalType {
    std::vector<ValType> values;  // parameters, then results
    u32 param_count = 0;
    u32 param_slots = 0;
    u32 result_slots = 0;
    u32 stack_arg_slots = 0;  // parameters that find no register

    [[nodiscard]] std::span<const ValType> params() const noexcept {
        return std::span{values}.first(param_count);
    }
    [[nodiscard]] std::span<const ValType> results() const noexcept {
        return std::span{values}.subspan(param_count);
    }
};

class TypeRegistry {
public:
    TypeRegistry() = default;
    ~TypeRegistry();
    TypeRegistry(const TypeRegistry&) = delete;
    TypeRegistry& operator=(const TypeRegistry&) = delete;

    /// The number of each type of a validated module, in the order of its type section. Fails when
    /// the engine has seen too many types.
    [[nodiscard]] Result<std::vector<u32>> add_module(const Module& module);
    /// Of a function type that is alone in its group. Concrete references name canonical types
    /// already.
    [[nodiscard]] Result<u32> add_function(
        std::span<const ValType> params, std::span<const ValType> results);

    [[nodiscard]] const CanonicalType& operator[](u32 id) const noexcept;

private:
    // Chunk k holds 64 << k types, so that nothing moves and few chunks are enough.
    static constexpr u32 first_chunk_types = 64;
    static constexpr u32 chunk_count = 20;
    static constexpr u32 ids_max = first_chunk_types * ((1u << chunk_count) - 1);

    /// The number of the group's first member; member(i, first number) makes what is new.
    /// Under the lock.
    [[nodiscard]] Result<u32> intern(const std::u32string& key, u32 size, const auto& member);

    mutable std::mutex lock_;
    std::map<std::u32string, u32>
        groups_;  // → number of the first member. Ordered: no input makes it slow
    u32 next_id_ = 1;
    std::array<std::atomic<CanonicalType*>, chunk_count> chunks_{};
};

// ---- where arguments and results travel (docs/abi.md, "Calls")
// -----------------------------------

/// Walks values of the calling convention in order and says where each one is.
class ArgumentPlaces {
public:
    struct Place {
        enum class Where : u8 { integer, floating, stack };
        Where where;
        u32 index;  // of the register in its class, or of the slot on the stack
    };
    [[nodiscard]] Place next(ValType type) noexcept {
        if (type.is_float() || type.kind() == Kind::v128) {
            if (floats_ < x64::float_argument_count) return {Place::Where::floating, floats_++};
        } else if (integers_ < x64::integer_arguments.size()) {
            return {Place::Where::integer, integers_++};
        }
        const u32 slot = stack_slots_;
        stack_slots_ += type.slots();
        return {Place::Where::stack, slot};
    }
    [[nodiscard]] u32 stack_slots() const noexcept { return stack_slots_; }

private:
    u32 floats_ = 0;
    u32 integers_ = 0;
    u32 stack_slots_ = 0;
};

}  // namespace wrun::runtime
