// All machine code of the process lies in one reserved range of addresses, so that the signal
// handler asks two compares and takes no lock, and so that any two images are within reach of a
// rel32. Pages of it are handed out by first fit. Code is written into a memory object by system
// calls, which is faster than through a mapping's page faults and leaves none that is writable: no
// mapping is ever writable and executable.
#pragma once

#include <atomic>
#include <span>

#include "base/os_memory.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {

/// The range's bounds, both 0 until it is reserved; afterwards they never change.
struct CodeRangeBounds {
    std::atomic<u64> begin;
    std::atomic<u64> end;
    [[nodiscard]] bool holds(u64 address) const noexcept {
        return address >= begin.load(std::memory_order_relaxed) &&
               address < end.load(std::memory_order_relaxed);
    }
};
extern constinit CodeRangeBounds code_range;

/// Reserves the range once for the process: 2 GiB, or less where the address space is limited. What
/// failed may be tried again.
[[nodiscard]] Result<void> reserve_code_range();

/// Published pages inside the range; gives them back when it dies. Nothing may run in it then.
class CodeRegion {
public:
    CodeRegion() = default;
    CodeRegion(CodeRegion&& other) noexcept;
    CodeRegion& operator=(CodeRegion&& other) noexcept;
    ~CodeRegion();

    [[nodiscard]] const u8* data() const noexcept { return data_; }
    [[nodiscard]] u64 size() const noexcept { return size_; }

    /// Puts whole pages of a file into the range for execution; `bytes` is what they hold, for
    /// systems that do not execute this file. Nobody may write to the file while this lives.
    [[nodiscard]] static Result<CodeRegion> map(int file, u64 offset, std::span<const u8> bytes);
    /// Puts `bytes` (whole pages) of a memory object into the range for execution. What is written
    /// to the object is seen here.
    [[nodiscard]] static Result<CodeRegion> share(int file, u64 bytes);
    /// What share() did, with another object in the same place.
    [[nodiscard]] bool share_instead(int file) noexcept;
    /// Gives back all but the first `bytes`, whole pages.
    void shrink(u64 bytes) noexcept;

private:
    friend class CodeWriter;
    CodeRegion(const u8* data, u64 size) noexcept : data_{data}, size_{size} {}

    const u8* data_ = nullptr;
    u64 size_ = 0;
};

/// An image while it is written: zeroed at first, not executable, not yet in the range.
class CodeWriter {
public:
    CodeWriter() = default;
    CodeWriter(CodeWriter&& other) noexcept;
    CodeWriter& operator=(CodeWriter&& other) noexcept;
    ~CodeWriter();

    [[nodiscard]] static Result<CodeWriter> make(u64 bytes);
    /// `bytes` end within what make() was asked for.
    [[nodiscard]] Result<void> write(u64 offset, std::span<const u8> bytes) const noexcept;

    /// Puts the image into the range, the first `code_bytes` (whole pages) for execution, the rest
    /// for reading only.
    [[nodiscard]] Result<CodeRegion> publish(u64 code_bytes) &&;

private:
    [[nodiscard]] bool copy_to(u64 begin, u64 code_bytes) const noexcept;

    u64 size_ = 0;            // whole pages
    int file_ = -1;           // the memory object …
    os::MappedRegion plain_;  // … or, where none can be had, memory that publish() copies
};

// ---- which image is at an address ------------------------------------------------------------
// For backtraces only, under a lock: the signal handler finds the image through r14.

struct RegisteredImage {
    const CodeImage* image = nullptr;
    const void* owner = nullptr;  // of whoever registered it
};

/// `image` is borrowed until it is forgotten.
void register_image(const CodeImage& image, const void* owner);
void forget_image(const CodeImage& image) noexcept;
/// The image whose code holds `address`, or nothing.
[[nodiscard]] RegisteredImage find_image(u64 address) noexcept;

}  // namespace wrun::runtime
