// Offsets of an image's sections, and its way into the code range.
#include "engine/image.hpp"

namespace wrun::engine {

using runtime::FunctionCode;
using runtime::TrapRow;

u64 ImageLayout::functions_offset() const noexcept {
    return os::round_up_to_page(code_bytes);
}

u64 ImageLayout::rows_offset() const noexcept {
    return functions_offset() + os::round_up_to_page(u64{function_count} * sizeof(FunctionCode));
}

u64 ImageLayout::total_bytes() const noexcept {
    return rows_offset() + os::round_up_to_page(u64{row_count} * sizeof(TrapRow));
}

Result<ImageWriter> ImageWriter::make(const ImageLayout& layout) {
    ImageWriter writer;
    writer.layout_ = layout;
    writer.writer_ = WRUN_TRY(runtime::CodeWriter::make(layout.total_bytes()));
    return writer;
}

std::span<u8> ImageWriter::code() const noexcept {
    return {writer_.data(), layout_.code_bytes};
}

std::span<FunctionCode> ImageWriter::functions() const noexcept {
    return {reinterpret_cast<FunctionCode*>(writer_.data() + layout_.functions_offset()),
        layout_.function_count};
}

std::span<TrapRow> ImageWriter::rows() const noexcept {
    return {reinterpret_cast<TrapRow*>(writer_.data() + layout_.rows_offset()), layout_.row_count};
}

Result<std::unique_ptr<Image>> Image::publish(
    ImageWriter writer, u32 imported_function_count, const void* owner) {
    const ImageLayout layout = writer.layout_;
    std::unique_ptr<Image> image{new Image};
    // A module without functions has no pages, and no address is its own.
    if (layout.total_bytes() != 0) {
        image->region_ = WRUN_TRY(std::move(writer.writer_).publish(layout.functions_offset()));
    }
    const u8* const base = image->region_.data();
    image->view_ = {
        .code = base,
        .code_bytes = layout.code_bytes,
        .function_count = layout.function_count,
        .functions = reinterpret_cast<const FunctionCode*>(base + layout.functions_offset()),
        .rows = reinterpret_cast<const TrapRow*>(base + layout.rows_offset()),
        .row_count = layout.row_count,
        .imported_function_count = imported_function_count,
    };
    if (base != nullptr) runtime::register_image(image->view_, owner);
    return image;
}

Image::~Image() {
    if (region_.data() != nullptr) runtime::forget_image(view_);
}

}  // namespace wrun::engine
