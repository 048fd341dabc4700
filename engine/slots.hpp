// Slots of arguments and results on the host's side of a call, and where results travel. The places
// of arguments are runtime::ArgumentPlaces.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "decoder/types.hpp"
#include "engine/state.hpp"

namespace wrun::engine {

/// Zeroed slots; few of them need no heap.
class SlotBuffer {
public:
    explicit SlotBuffer(std::size_t count) : count_{count} {
        if (count > few_.size()) {
            many_ = std::make_unique<u64[]>(count);
        } else {
            std::fill_n(few_.begin(), count, u64{0});
        }
    }
    [[nodiscard]] std::span<u64> span() noexcept {
        return {many_ ? many_.get() : few_.data(), count_};
    }

private:
    std::size_t count_;
    std::array<u64, 16> few_;  // as many as there are
    std::unique_ptr<u64[]> many_;
};

/// The value's bits alone: what lies above an i32 or f32 means nothing and must not come through.
[[nodiscard]] constexpr u64 narrowed(ValType type, u64 bits) noexcept {
    const bool is_32 = type.kind() == Kind::i32 || type.kind() == Kind::f32;
    return is_32 ? bits & 0xffff'ffff : bits;
}

/// The first result of each class travels in its register, every other one in the result buffer at
/// the slot that it has among all results (docs/abi.md, "Calls").
class ResultPlaces {
public:
    enum class Where : u8 { integer, floating, buffer };
    [[nodiscard]] Where next(ValType type) noexcept {
        const bool is_floating = type.is_float() || type.kind() == Kind::v128;
        bool& taken = is_floating ? floating_taken_ : integer_taken_;
        if (taken) return Where::buffer;
        taken = true;
        return is_floating ? Where::floating : Where::integer;
    }

private:
    bool integer_taken_ = false;
    bool floating_taken_ = false;
};

/// Runs the callback itself. `instance` is the caller's, if a guest called.
[[nodiscard]] HostResult call_host(
    const HostFunction& function, Instance* instance, std::span<u64> slots);

}  // namespace wrun::engine
