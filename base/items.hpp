// A sequence that is either built here, item by item, or lies elsewhere and is only looked at: what
// a decoder makes and what a mapped file holds read the same. Items are plain data, so that their
// bytes are the file's. Reading costs what a span costs. Owns what it has built; what it borrows
// must outlive it.
#pragma once

#include <cstdlib>
#include <span>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "base/types.hpp"

namespace wrun {

template <class T>
class Items {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using const_reference = const T&;
    using reference = const T&;
    using const_iterator = const T*;
    using iterator = const T*;

    Items() = default;
    explicit(false) Items(std::span<const T> copied) {
        reserve(copied.size());
        for (const T& item : copied)
            push_back(item);
    }
    [[nodiscard]] static Items borrowed(std::span<const T> items) noexcept {
        Items result;
        result.data_ = items.data();
        result.size_ = items.size();
        return result;
    }
    Items(Items&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)},
          size_{std::exchange(other.size_, 0)},
          capacity_{std::exchange(other.capacity_, 0)} {}
    Items& operator=(Items&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~Items() {
        if (capacity_ != 0) std::free(own());
    }

    [[nodiscard]] const T* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] const T* begin() const noexcept { return data_; }
    [[nodiscard]] const T* end() const noexcept { return data_ + size_; }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return data_[index]; }
    [[nodiscard]] const T& back() const noexcept { return data_[size_ - 1]; }

    // Only of one that borrows nothing.
    void reserve(std::size_t count) {
        if (count > capacity_) grow(count);
    }
    void push_back(const T& item) {
        if (size_ == capacity_) [[unlikely]] {
            const T copy = item;  // it may be one of those that move
            grow(2 * size_ + 4);
            own()[size_++] = copy;
            return;
        }
        own()[size_++] = item;
    }
    void clear() noexcept { size_ = 0; }

private:
    [[nodiscard]] T* own() const noexcept { return const_cast<T*>(data_); }
    void grow(std::size_t count) {
        WRUN_ASSERT(capacity_ != 0 || data_ == nullptr);
        void* const moved = std::realloc(own(), count * sizeof(T));
        WRUN_CHECK(moved != nullptr);
        data_ = static_cast<const T*>(moved);
        capacity_ = count;
    }

    const T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // 0: what is there is borrowed
};

}  // namespace wrun
