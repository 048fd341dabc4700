// A module's code and what explains it, laid out once: the same bytes in memory and, later, in a
// file. Nothing in it is an address, so it can be mapped anywhere in the code range and never needs
// fixing.
//
//   0                  code            functions in ascending order; calls inside are rel32
//   functions_offset   function table  FunctionCode each, ascending by code
//   rows_offset        trap rows       TrapRow each, ascending by code
//                      every section begins at a multiple of a page; the code alone is executable
//
// Owns its pages; alive as long as the Module whose code it is.
#pragma once

#include <memory>
#include <span>

#include "base/result.hpp"
#include "runtime/abi.hpp"
#include "runtime/code_range.hpp"
#include "runtime/lazy_code.hpp"

namespace wrun::engine {

/// Where the sections of an image lie, from their sizes.
struct ImageLayout {
    u32 code_bytes = 0;
    u32 function_count = 0;
    u32 row_count = 0;

    [[nodiscard]] u64 functions_offset() const noexcept;
    [[nodiscard]] u64 rows_offset() const noexcept;
    [[nodiscard]] u64 total_bytes() const noexcept;
};

/// An image while it is written: not executable, not yet where it will run.
class ImageWriter {
public:
    [[nodiscard]] static Result<ImageWriter> make(const ImageLayout& layout);
    ImageWriter() = default;

    [[nodiscard]] const ImageLayout& layout() const noexcept { return layout_; }
    /// Each writes a part of its section, counted in its own units from the section's begin.
    [[nodiscard]] Result<void> write_code(u32 offset, std::span<const u8> code) const;
    [[nodiscard]] Result<void> write_functions(
        u32 first, std::span<const runtime::FunctionCode> functions) const;
    [[nodiscard]] Result<void> write_rows(u32 first, std::span<const runtime::TrapRow> rows) const;

private:
    friend class Image;
    ImageLayout layout_;
    runtime::CodeWriter writer_;
};

class Image {
public:
    /// `owner` is what backtraces will find at the image's addresses.
    [[nodiscard]] static Result<std::unique_ptr<Image>> publish(
        ImageWriter writer, u32 imported_function_count, const void* owner);
    /// Of an artifact: code from its file into the range; the tables stay where `view` says, and
    /// live as long as the image.
    [[nodiscard]] static Result<std::unique_ptr<Image>> map(
        int file, u64 offset, const runtime::CodeImage& view, const void* owner);
    /// Whose functions come one by one; `code` outlives it.
    [[nodiscard]] static std::unique_ptr<Image> show_lazy(
        const runtime::LazyCode& code, u32 imported_function_count, const void* owner);
    ~Image();
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;

    /// What contexts point to.
    [[nodiscard]] const runtime::CodeImage& view() const noexcept { return view_; }
    /// What reaches a defined function, by its position among them.
    [[nodiscard]] const u8* entry(u32 function) const noexcept {
        return view_.code +
               (lazy_ != nullptr ? lazy_->entry(function) : view_.functions[function].code_begin);
    }
    /// Its code; empty while it has none.
    [[nodiscard]] std::span<const u8> code(u32 function) const noexcept;

private:
    Image() = default;
    void show(const void* owner);

    runtime::CodeRegion region_;
    const runtime::LazyCode* lazy_ = nullptr;
    runtime::CodeImage view_{};
};

}  // namespace wrun::engine
