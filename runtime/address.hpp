// From numbers to pointers, in one place: registers, fault reports and ranges of pages name
// addresses as numbers, and only this folder has to follow them.
#pragma once

#include "base/types.hpp"

namespace wrun::runtime {

/// What lies at an address that is known to be mapped, or to be only passed on.
template <class T>
[[nodiscard]] T* pointer_at(u64 address) noexcept {
    return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr): its one purpose
}

}  // namespace wrun::runtime
