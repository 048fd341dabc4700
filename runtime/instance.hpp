// The host's side of a context: what helpers and the signal handler need of an instance besides
// what generated code reads. Everything is borrowed from the owner (engine/), in the module's index
// spaces.
#pragma once

#include <span>

#include "decoder/module.hpp"
#include "runtime/abi.hpp"
#include "runtime/memory.hpp"
#include "runtime/table.hpp"

namespace wrun::runtime {

/// A global: its cell is 16 bytes in a context or in an object of the host's.
struct GlobalObject {
    GlobalType type;
    u64* cell = nullptr;
};

/// One bit for each segment of a kind; a dropped segment counts as empty.
class DroppedSet {
public:
    DroppedSet() = default;
    explicit DroppedSet(std::span<u64> words) noexcept : words_{words} {}
    [[nodiscard]] static constexpr u64 word_count(u64 segments) noexcept {
        return (segments + 63) / 64;
    }
    [[nodiscard]] bool has(u32 segment) const noexcept {
        return ((words_[segment / 64] >> (segment % 64)) & 1) != 0;
    }
    void add(u32 segment) noexcept { words_[segment / 64] |= u64{1} << (segment % 64); }

private:
    std::span<u64> words_;
};

struct Instance {
    Context* context = nullptr;
    void* owner = nullptr;  // the engine's instance
    std::span<Memory* const> memories;
    std::span<Table* const> tables;
    std::span<const u8> bytes;                          // the module's
    std::span<const DataSegment> data;                  // ranges of them
    std::span<const std::span<const Reference>> elems;  // values of each passive element segment
    DroppedSet dropped_data;
    DroppedSet dropped_elems;

    /// Contents as they are now: nothing once dropped.
    [[nodiscard]] std::span<const u8> data_segment(u32 segment) const noexcept {
        if (dropped_data.has(segment)) return {};
        // A file may have been damaged since it was checked.
        const auto [begin, end] = data[segment].bytes;
        if (begin > end || end > bytes.size()) return {};
        return bytes.subspan(begin, end - begin);
    }
    [[nodiscard]] std::span<const Reference> elem_segment(u32 segment) const noexcept {
        return dropped_elems.has(segment) ? std::span<const Reference>{} : elems[segment];
    }
};

}  // namespace wrun::runtime
