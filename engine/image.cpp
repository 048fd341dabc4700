// Offsets of an image's sections, and its way into the code range.
#include "engine/image.hpp"

namespace wrun::engine {

using runtime::FunctionCode;
using runtime::TrapRow;

namespace {

template <class T>
std::span<const u8> bytes_of(std::span<const T> items) noexcept {
    return {reinterpret_cast<const u8*>(items.data()), items.size_bytes()};
}

}  // namespace

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

Result<void> ImageWriter::write_code(u32 offset, std::span<const u8> code) const {
    WRUN_CHECK(offset <= layout_.code_bytes && code.size() <= layout_.code_bytes - offset);
    return writer_.write(offset, code);
}

Result<void> ImageWriter::write_functions(
    u32 first, std::span<const FunctionCode> functions) const {
    WRUN_CHECK(
        first <= layout_.function_count && functions.size() <= layout_.function_count - first);
    return writer_.write(
        layout_.functions_offset() + u64{first} * sizeof(FunctionCode), bytes_of(functions));
}

Result<void> ImageWriter::write_rows(u32 first, std::span<const TrapRow> rows) const {
    WRUN_CHECK(first <= layout_.row_count && rows.size() <= layout_.row_count - first);
    return writer_.write(layout_.rows_offset() + u64{first} * sizeof(TrapRow), bytes_of(rows));
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
    image->show(owner);
    return image;
}

Result<std::unique_ptr<Image>> Image::map(
    int file, u64 offset, const runtime::CodeImage& view, const void* owner) {
    std::unique_ptr<Image> image{new Image};
    image->region_ =
        WRUN_TRY(runtime::CodeRegion::map(file, offset, std::span{view.code, view.code_bytes}));
    image->view_ = view;
    image->view_.code = image->region_.data();
    image->show(owner);
    return image;
}

std::unique_ptr<Image> Image::show_lazy(
    const runtime::LazyCode& code, u32 imported_function_count, const void* owner) {
    std::unique_ptr<Image> image{new Image};
    image->lazy_ = &code;
    image->view_ = {
        .code = code.data(),
        .code_bytes = static_cast<u32>(code.size()),
        .function_count = code.function_count(),
        .functions = nullptr,
        .rows = nullptr,
        .row_count = 0,
        .imported_function_count = imported_function_count,
        .lazy = &code.units(),
    };
    image->show(owner);
    return image;
}

void Image::show(const void* owner) {
    if (view_.code != nullptr) runtime::register_image(view_, owner);
}

Image::~Image() {
    if (view_.code != nullptr) runtime::forget_image(view_);
}

std::span<const u8> Image::code(u32 function) const noexcept {
    const runtime::CodeUnit* const unit = lazy_ != nullptr ? lazy_->unit_of(function) : nullptr;
    if (lazy_ != nullptr && unit == nullptr) return {};
    const FunctionCode& found = unit != nullptr ? unit->functions[function - unit->first_function]
                                                : view_.functions[function];
    return {view_.code + found.code_begin, found.code_end - found.code_begin};
}

}  // namespace wrun::engine
