// See slice.hpp.
#include "runtime/slice.hpp"

#include "runtime/address.hpp"
#include "runtime/code_lookup.hpp"
#include "runtime/code_range.hpp"
#include "runtime/fiber.hpp"

extern "C" {

// runtime/x64/fiber.S, and what it calls on the host's stack.
extern const wrun::u8 wrun_slice[];
void wrun_slice_ended() noexcept;

}  // extern "C"

namespace wrun::runtime {

namespace {

/// Between bodies lie jump tables and their thunks, where a return address may be none.
[[nodiscard]] bool is_in_body(const greg_t* registers) noexcept {
    const auto pc = static_cast<u64>(registers[REG_RIP]);
    if (!code_range.holds(pc)) return false;
    const auto* const context = pointer_at<const Context>(static_cast<u64>(registers[REG_R14]));
    const CodeImage& image = *context->image;
    const auto function = function_at(image, pc - reinterpret_cast<u64>(image.code));
    return function && function->wasm_offset != FunctionAt::unknown;
}

[[nodiscard]] bool has_room(u64 rsp, const EntryRecord& entry) noexcept {
    return rsp >= entry.stack_low + stack_guard_bytes + slice_stack_bytes &&
           rsp <= entry.stack_high;
}

}  // namespace

bool pause_guest(greg_t* registers, const EntryRecord& entry) noexcept {
    const u64 rsp = static_cast<u64>(registers[REG_RSP]);
    if (Fiber::current() == nullptr || !has_room(rsp, entry) || !is_in_body(registers))
        return false;
    *pointer_at<greg_t>(rsp - slot_bytes) = registers[REG_RIP];
    registers[REG_RSP] = static_cast<greg_t>(rsp - slot_bytes);
    registers[REG_RIP] = reinterpret_cast<greg_t>(wrun_slice);
    return true;
}

}  // namespace wrun::runtime
