// The bytes that a memory starts with, frozen: what every slot of a template maps privately and is
// reset to. A memory object that nobody can change any more; trailing zeros are left out.
#pragma once

#include <memory>
#include <span>

#include "base/os_memory.hpp"

namespace wrun::runtime {

class MemoryImage {
public:
    /// Copies `content`.
    [[nodiscard]] static Result<std::shared_ptr<const MemoryImage>> make(
        std::span<const u8> content);
    ~MemoryImage();
    MemoryImage(const MemoryImage&) = delete;
    MemoryImage& operator=(const MemoryImage&) = delete;

    /// To copy pages from. Whole pages; what lies behind is zero.
    [[nodiscard]] const u8* data() const noexcept { return view_.data(); }
    [[nodiscard]] u64 bytes() const noexcept { return view_.size(); }
    /// To map pages from; -1 where the system has no memory objects.
    [[nodiscard]] int file() const noexcept { return file_; }

private:
    MemoryImage() = default;

    os::MappedRegion view_;
    int file_ = -1;
};

}  // namespace wrun::runtime
