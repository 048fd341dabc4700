// See memory_image.hpp.
#include "runtime/memory_image.hpp"

#include <unistd.h>

#include <algorithm>

#include "runtime/memory_object.hpp"

namespace wrun::runtime {

namespace {

[[nodiscard]] bool is_zero(std::span<const u8> bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == 0; });
}

/// Up to the last page that is not zero.
[[nodiscard]] u64 significant_bytes(std::span<const u8> content) noexcept {
    const auto last =
        std::find_if(content.rbegin(), content.rend(), [](u8 byte) { return byte != 0; });
    return os::round_up_to_page(static_cast<u64>(content.rend() - last));
}

}  // namespace

Result<std::shared_ptr<const MemoryImage>> MemoryImage::make(std::span<const u8> content) {
    std::shared_ptr<MemoryImage> image{new MemoryImage};
    const u64 size = significant_bytes(content);
    content = content.first(std::min<u64>(size, content.size()));
    if (size == 0) return std::shared_ptr<const MemoryImage>{std::move(image)};
    image->file_ = make_memory_object("wrun-image", size);
    if (image->file_ < 0) {
        image->view_ = WRUN_TRY(os::MappedRegion::allocate(size));
        std::copy(content.begin(), content.end(), image->view_.data());
        return std::shared_ptr<const MemoryImage>{std::move(image)};
    }
    // Pages of zeros stay holes.
    for (u64 at = 0; at < content.size(); at += os::page_bytes) {
        const auto page = content.subspan(at, std::min<u64>(os::page_bytes, content.size() - at));
        if (!is_zero(page)) WRUN_TRY(write_memory_object(image->file_, at, page));
    }
    // From here on not even we can change it.
    WRUN_TRY(seal_memory_object(image->file_));
    image->view_ = WRUN_TRY(os::MappedRegion::map_for_reading(image->file_, size));
    return std::shared_ptr<const MemoryImage>{std::move(image)};
}

MemoryImage::~MemoryImage() {
    if (file_ >= 0) close(file_);
}

}  // namespace wrun::runtime
