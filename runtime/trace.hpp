// The guest's call stack after a trap or below a call to the host: frame pointers are walked,
// return addresses looked up among the published images. The guest's frames must still be in place,
// which they are until the next entry on their stack.
#pragma once

#include <vector>

#include "runtime/abi.hpp"

namespace wrun::runtime {

/// A frame of generated code.
struct RawFrame {
    const CodeImage* image = nullptr;
    const void* owner = nullptr;  // who registered the image
    u32 function = 0;             // index among the image's defined functions
    u32 wasm_offset = unknown;    // of its body, unless it has no code yet
    /// Offset of the opcode in its body, where the trap table knows it.
    u32 body_offset = unknown;
    static constexpr u32 unknown = 0xffff'ffff;
};

/// Innermost first. Long stacks keep both ends; `omitted` frames are missing behind the first
/// `innermost_frames_kept`.
struct RawTrace {
    static constexpr u32 innermost_frames_kept = 64;
    static constexpr u32 outermost_frames_kept = 16;
    std::vector<RawFrame> frames;
    u32 omitted = 0;
};

/// Of the innermost run of guest frames that `record` entered and that ended in its guest_pc.
[[nodiscard]] RawTrace capture_trace(const EntryRecord& record);

}  // namespace wrun::runtime
