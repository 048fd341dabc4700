// See handlers.hpp.
#include "bench/cold/handlers.hpp"

#include <cstring>
#include <span>

#include "bench/cold/subject.hpp"
#include "tests/support/wat.hpp"

namespace wrun::cold {
namespace {

constexpr u64 image_bytes = 1 << 20;
constexpr u64 small_bytes = 64 << 10;
constexpr u64 medium_bytes = 128 << 10;
// Odd, so that no page comes twice among 2^n.
constexpr u32 page_step = 37;
constexpr u32 lines = 8;  // read and written in each page, all in cache lines of their own
constexpr u32 line_step = 448;

constexpr u32 word_at(u64 offset) noexcept {
    return static_cast<u32>(offset / 4) * 0x9e37'79b1U + 1;
}

std::string escaped(std::span<const u8> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 3);
    for (const u8 byte : bytes) {
        text += '\\';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string memory(u64 bytes) {
    return "(memory (export \"memory\") " + std::to_string(bytes >> 16) +
           ")\n"
           "(data (i32.const 0) \"" +
           escaped(pristine(bytes)) + "\")\n";
}

std::string replaced(std::string text, std::string_view name, u64 value) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
        text.replace(at, name.size(), std::to_string(value));
    return text;
}

/// As handle_natively() does.
constexpr std::string_view pages_wat = R"(
    (func (export "handle") (param $pages i32) (result i32)
      (local $i i32) (local $at i32) (local $end i32) (local $sum i32)
      (block $done
        (loop $page
          (br_if $done (i32.eq (local.get $i) (local.get $pages)))
          (local.set $at (i32.shl PAGE (i32.const 12)))
          (local.set $end (i32.add (local.get $at) (i32.const SPAN)))
          (loop $line
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
            (i32.store (local.get $at) (local.get $sum))
            (local.set $at (i32.add (local.get $at) (i32.const LINE)))
            (br_if $line (i32.lt_u (local.get $at) (local.get $end))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $page)))
      (local.get $sum)))";

/// As page_of() does.
constexpr std::string_view scattered_page_wat =
    "(i32.and (i32.mul (local.get $i) (i32.const STEP)) (i32.const MASK))";
constexpr std::string_view mixed_page_wat = R"(
            (if (result i32) (i32.and (local.get $i) (i32.const 1))
              (then (i32.or (i32.const HALF) (i32.and
                (i32.mul (local.get $i) (i32.const STEP)) (i32.shr_u (i32.const MASK) (i32.const 1)))))
              (else (i32.shr_u (local.get $i) (i32.const 1)))))";

constexpr u32 page_of(u32 i, u32 page_count, Layout layout) noexcept {
    if (layout == Layout::scattered) return (i * page_step) & (page_count - 1);
    return i % 2 == 0 ? i / 2 : page_count / 2 | ((i * page_step) & (page_count / 2 - 1));
}

Handler writes(std::string_view name, std::string_view does, u64 memory_bytes, u32 pages,
    Layout layout = Layout::mixed) {
    std::string wat{pages_wat};
    wat.replace(
        wat.find("PAGE"), 4, layout == Layout::scattered ? scattered_page_wat : mixed_page_wat);
    wat = replaced(wat, "STEP", page_step);
    wat = replaced(wat, "MASK", memory_bytes / page_bytes - 1);
    wat = replaced(wat, "HALF", memory_bytes / page_bytes / 2);
    wat = replaced(wat, "SPAN", u64{lines} * line_step);
    wat = replaced(wat, "LINE", line_step);
    std::vector<u8> scratch = pristine(memory_bytes);
    const u32 expected = handle_natively(scratch.data(), memory_bytes, layout, pages);
    return {name, does, pages, expected, pages, memory_bytes, layout, true,
        "(module " + memory(memory_bytes) + wat + ")"};
}

/// The result is the size in pages before; a new page that is not zero traps.
Handler grows() {
    return {"grow", "grows its memory by 64 KiB and writes two pages of it", 0,
        static_cast<u32>(image_bytes >> 16), 0, image_bytes, Layout::mixed, false,
        "(module " + memory(image_bytes) +
            R"(
    (func (export "handle") (param i32) (result i32)
      (local $size i32) (local $at i32)
      (local.set $size (memory.grow (i32.const 1)))
      (local.set $at (i32.shl (local.get $size) (i32.const 16)))
      (if (i32.or (i32.load (local.get $at)) (i32.load offset=0xf000 (local.get $at)))
        (then unreachable))
      (i32.store (local.get $at) (i32.const -1))
      (i32.store offset=0xf000 (local.get $at) (i32.const -1))
      (local.get $size)))"
            ")"};
}

/// Every entry is $old. When told to write, the result says what entry 5000 was before and after.
Handler has_table(std::string_view name, std::string_view does, bool writes_entry) {
    constexpr u32 entries = 10'000;
    std::string wat = "(module " + memory(image_bytes);
    wat += "(table " + std::to_string(entries) + " funcref) (elem (i32.const 0) func";
    for (u32 i = 0; i < entries; ++i)
        wat += " $old";
    wat += R"()
    (elem declare func $new)
    (type $tells (func (result i32)))
    (func $old (result i32) (i32.const 7))
    (func $new (result i32) (i32.const 9))
    (func (export "handle") (param $writes i32) (result i32)
      (local $before i32)
      (if (i32.eqz (local.get $writes)) (then (return (i32.const 1))))
      (local.set $before (call_indirect (type $tells) (i32.const 5000)))
      (table.set (i32.const 5000) (ref.func $new))
      (i32.add (i32.mul (local.get $before) (i32.const 100))
        (call_indirect (type $tells) (i32.const 5000))))))";
    return {name, does, u32{writes_entry}, writes_entry ? 709U : 1U, 0, image_bytes, Layout::mixed,
        false, wat};
}

}  // namespace

std::vector<u8> pristine(u64 memory_bytes) {
    std::vector<u8> bytes(memory_bytes);
    for (u64 offset = 0; offset < memory_bytes; offset += 4) {
        const u32 word = word_at(offset);
        std::memcpy(bytes.data() + offset, &word, sizeof word);
    }
    return bytes;
}

u32 handle_natively(u8* memory, u64 memory_bytes, Layout layout, u32 pages) noexcept {
    const u32 page_count = static_cast<u32>(memory_bytes / page_bytes);
    u32 sum = 0;
    for (u32 i = 0; i < pages; ++i) {
        u8* const page = memory + u64{page_of(i, page_count, layout)} * page_bytes;
        for (u32 line = 0; line < lines; ++line) {
            u8* const at = page + u64{line} * line_step;
            u32 word = 0;
            std::memcpy(&word, at, sizeof word);
            sum += word;
            std::memcpy(at, &sum, sizeof sum);
        }
    }
    return sum;
}

std::vector<u8> Handler::wasm() const {
    std::string error;
    const auto bytes = wat::try_assemble(wat, &error);
    // The message shows the line it is about, which may be the image.
    if (!bytes) give_up(name, error.substr(0, 200));
    return *bytes;
}

const std::vector<Handler>& handlers() {
    static const std::vector<Handler> all = {
        writes("empty", "does nothing; 1 MiB image, as all rows that say nothing else", image_bytes,
            0),
        writes("pages-1", "writes 1 page", image_bytes, 1),
        writes("pages-4", "writes 4 pages", image_bytes, 4),
        writes("pages-16", "writes 16 pages", image_bytes, 16),
        writes("pages-64", "writes 64 pages", image_bytes, 64),
        writes("scattered-4", "writes 4 pages, none beside another", image_bytes, 4,
            Layout::scattered),
        writes("scattered-16", "writes 16 pages, none beside another", image_bytes, 16,
            Layout::scattered),
        writes("small", "writes 1 page; 64 KiB image", small_bytes, 1),
        writes("medium", "writes 4 pages; 128 KiB image", medium_bytes, 4),
        grows(),
        has_table("table", "has a table of 10,000 entries and leaves it alone", false),
        has_table("table-write", "writes one of 10,000 entries of its table, and calls it", true),
    };
    return all;
}

const Handler* find_handler(std::string_view name) {
    for (const Handler& handler : handlers())
        if (handler.name == name) return &handler;
    return nullptr;
}

}  // namespace wrun::cold
