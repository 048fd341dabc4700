// The operand stack of the code generator: descriptors, and the window at its top within which they
// may be anything. It is the busiest memory there is, so its pushes are one store for each half of
// a descriptor, and one compare tells that the window is full as well as that memory ends: there is
// always room for a full window. Owns its memory, which is kept from function to function.
#pragma once

#include <bit>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "base/raw_buffer.hpp"
#include "codegen/operand.hpp"

namespace wrun::codegen {

class OperandStack {
public:
    /// Operands deeper than this below the top are constants, slots, or locals not set in between.
    static constexpr u32 window = 32;

    OperandStack() noexcept { clear(); }

    [[nodiscard]] u32 size() const noexcept { return static_cast<u32>(top_ - begin()); }
    [[nodiscard]] bool empty() const noexcept { return top_ == begin(); }
    [[nodiscard]] Operand& operator[](u32 index) const noexcept { return begin()[index]; }
    [[nodiscard]] Operand& back() const noexcept { return top_[-1]; }

    /// The first operand of the window: from here up they may be anything.
    [[nodiscard]] u32 lazy_base() const noexcept { return static_cast<u32>(lazy_ - begin()); }
    [[nodiscard]] std::span<Operand> lazy() const noexcept { return {lazy_, top_}; }
    [[nodiscard]] WRUN_INLINE bool window_is_full() const noexcept { return top_ >= full_; }
    void set_lazy_base(u32 index) noexcept {
        if (index + window > memory_.capacity()) [[unlikely]]
            reserve(index + window);
        lazy_ = begin() + index;
        full_ = lazy_ + window;
    }

    void clear() noexcept {
        top_ = begin();
        set_lazy_base(0);
    }
    /// While the window is not full.
    WRUN_INLINE void push(u64 head, u64 bits) noexcept {
        WRUN_ASSERT(!window_is_full());
        put(head, bits);
    }
    /// Whether the window is full or not.
    void push_beyond(u64 head, u64 bits) noexcept {
        if (size() == memory_.capacity()) [[unlikely]]
            reserve(size() + 1);
        put(head, bits);
    }
    /// What is taken stays where it is until the next push.
    WRUN_INLINE const Operand& pop() noexcept {
        --top_;
        if (top_ < lazy_) [[unlikely]]
            set_lazy_base(size());
        return *top_;
    }
    /// Forgets what lies above.
    void shrink(u32 size) noexcept {
        top_ = begin() + size;
        if (top_ < lazy_) set_lazy_base(size);
    }

private:
    [[nodiscard]] Operand* begin() const noexcept { return memory_.data(); }
    WRUN_INLINE void put(u64 head, u64 bits) noexcept {
        static_assert(std::endian::native == std::endian::little);
        std::memcpy(static_cast<void*>(top_), &head, sizeof head);
        std::memcpy(&top_->bits, &bits, sizeof bits);
        ++top_;
    }
    [[gnu::noinline]] void reserve(u32 wanted) noexcept {
        const u32 height = size();
        const u32 base = lazy_base();
        memory_.grow(wanted);
        top_ = begin() + height;
        lazy_ = begin() + base;
        full_ = lazy_ + window;
    }

    RawBuffer<Operand> memory_{256};
    Operand* top_ = nullptr;
    Operand* lazy_ = nullptr;
    Operand* full_ = nullptr;  // `top_` when the window is full; never behind the memory
};

}  // namespace wrun::codegen
