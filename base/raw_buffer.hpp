// Memory of plain values that is kept and grown, never initialised and never shrunk: the stacks of
// the checked walk and of the code generator. A body of seven megabytes must not pay for what it
// does not touch.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "base/check.hpp"
#include "base/types.hpp"

namespace wrun {

template <class T>
class RawBuffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    explicit RawBuffer(std::size_t capacity) { grow(capacity); }
    [[nodiscard]] T* data() const noexcept { return data_.get(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// At least `wanted` elements; doubles, so that growth is linear altogether, but not beyond
    /// `most`.
    void grow(std::size_t wanted, std::size_t most = ~std::size_t{0}) noexcept {
        if (wanted <= capacity_) return;
        const std::size_t capacity = std::max(wanted, std::min(2 * capacity_, most));
        void* const moved = std::realloc(static_cast<void*>(data_.get()), capacity * sizeof(T));
        WRUN_CHECK(moved != nullptr);
        (void)data_.release();  // realloc took it
        data_.reset(static_cast<T*>(moved));
        capacity_ = capacity;
    }

private:
    struct Free {
        void operator()(T* memory) const noexcept { std::free(memory); }
    };
    std::unique_ptr<T, Free> data_;
    std::size_t capacity_ = 0;
};

}  // namespace wrun
