// A linear memory (spec: §4.2.8). Its whole reach is reserved once, so the base never moves. In a
// guarded memory every address that generated code can form from a 32-bit index falls inside the
// reservation, and what is not yet grown faults. A dense one is for code that checks its bounds:
// all it may ever hold is open from the start, so nothing but the size changes when it grows;
// behind the size all bytes are zero, because nobody may write there. Owns the address space; the
// header that generated code reads lies where the owner says.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "base/os_memory.hpp"
#include "decoder/types.hpp"
#include "runtime/abi.hpp"
#include "runtime/memory_image.hpp"

namespace wrun::runtime {

enum class MemoryLayout : u8 { guarded, dense };

/// What memories that count against the same limit may have together. Thread-safe.
class MemoryBudget {
public:
    explicit MemoryBudget(u64 bytes_max) noexcept : bytes_max_{bytes_max} {}
    /// False, and nothing is taken, when there is not so much.
    [[nodiscard]] bool take(u64 bytes) noexcept {
        u64 used = used_.load(std::memory_order_relaxed);
        do {
            if (bytes > bytes_max_ - used) return false;
        } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
        return true;
    }
    void give_back(u64 bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    [[nodiscard]] u64 used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
    u64 bytes_max_;
    std::atomic<u64> used_ = 0;
};

class Memory {
public:
    /// `bytes_max` bounds what the memory may ever hold, whatever its type says. `header`, when
    /// given, is borrowed and filled; it must outlive the memory.
    [[nodiscard]] static Result<std::unique_ptr<Memory>> make(const MemoryType& type, u64 bytes_max,
        MemoryHeader* header = nullptr, MemoryLayout layout = MemoryLayout::guarded);
    /// One of no bytes, to be bound. What it holds counts against `budget`, which outlives it.
    [[nodiscard]] static Result<std::unique_ptr<Memory>> reserve(const MemoryType& type,
        u64 bytes_max, MemoryLayout layout = MemoryLayout::guarded, MemoryBudget* budget = nullptr);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    /// Gives a memory, which must be bound next, another type, bound and header (null: its own).
    void become(const MemoryType& type, u64 bytes_max, MemoryHeader* header) noexcept;

    [[nodiscard]] MemoryHeader& header() const noexcept { return *header_; }
    [[nodiscard]] u8* base() const noexcept { return header_->base; }
    [[nodiscard]] u64 bytes() const noexcept { return header_->bytes; }
    [[nodiscard]] u64 pages() const noexcept;
    /// Whether only code that checks its bounds may access it.
    [[nodiscard]] bool is_dense() const noexcept { return layout_ == MemoryLayout::dense; }
    [[nodiscard]] MemoryLayout layout() const noexcept { return layout_; }
    /// Whether all memories of this type and layout reserve the same, so that one can become
    /// another.
    [[nodiscard]] static bool is_uniform(const MemoryType& type, MemoryLayout layout) noexcept {
        return layout == MemoryLayout::guarded && !type.limits.is_64;
    }
    /// With the current size as minimum: what import matching asks (spec: §4.5.3).
    [[nodiscard]] MemoryType type() const noexcept;

    /// The size before, in pages; nothing when the type, the bound or the system refuses.
    [[nodiscard]] std::optional<u64> grow(u64 pages) noexcept;

    /// Makes the memory `bytes` (whole wasm pages) large with the image's bytes at its begin and
    /// zeros behind, whatever it was: all of it is mapped anew. After an error it is of no use.
    [[nodiscard]] Result<void> bind(const MemoryImage& image, u64 bytes) noexcept;
    /// Replaces [begin, begin + bytes), whole pages inside the memory, by a private copy of a
    /// file's. Only before anybody has seen the memory: after an error those pages are gone.
    [[nodiscard]] Result<void> map_pages(u64 begin, u64 bytes, int file, u64 file_offset) noexcept;
    /// Takes back what was grown beyond `bytes`; there it is zero again.
    [[nodiscard]] Result<void> shrink(u64 bytes) noexcept;
    /// Likewise of a dense memory, for a caller who zeroes what was written there.
    void shrink_dirty(u64 bytes) noexcept;
    /// Forgets what was written to [offset, offset + bytes), whole pages, since bind().
    [[nodiscard]] Result<void> drop(u64 offset, u64 bytes) noexcept {
        return reservation_.drop(offset, bytes);
    }
    /// See os::MappedRegion.
    [[nodiscard]] Result<void> refuse_huge_pages() noexcept {
        return reservation_.refuse_huge_pages();
    }

    /// Whether a fault at `address` can be an access to this memory. Safe in a signal handler.
    [[nodiscard]] bool reaches(u64 address) const noexcept {
        const u64 base = reinterpret_cast<u64>(reservation_.data());
        return address >= base && address - base < reservation_.size();
    }
    [[nodiscard]] bool contains(u64 address, u64 bytes) const noexcept {
        return bytes <= header_->bytes && address <= header_->bytes - bytes;
    }

private:
    Memory() = default;
    [[nodiscard]] bool charge(u64 bytes) noexcept;

    os::MappedRegion reservation_;
    MemoryHeader own_header_{};
    MemoryHeader* header_ = &own_header_;
    MemoryType type_;
    u64 bytes_max_ = 0;  // of type and bound, the smaller
    MemoryLayout layout_ = MemoryLayout::guarded;
    MemoryBudget* budget_ = nullptr;
    u64 charged_bytes_ = 0;
};

}  // namespace wrun::runtime
