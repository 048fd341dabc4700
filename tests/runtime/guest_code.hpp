// Hand-written guest functions in the calling convention of docs/abi.md, so that the runtime is
// tested without a code generator. The functions are data until a Guest (guest.hpp) publishes them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/abi.hpp"

namespace wrun::test {

// name, what it does with its arguments (integers i0 = rdi, i1 = rsi, i2 = r8 …)
#define WRUN_GUEST_FUNCTIONS(X)                                                                    \
    X(add)               /* i0 + i1 */                                                             \
    X(load)              /* 4 bytes at memory 0 + i0 */                                            \
    X(store)             /* 4 bytes of i1 to memory 0 + i0 */                                      \
    X(load_anywhere)     /* 4 bytes at address i0, with the row of a memory access */              \
    X(load_unlisted)     /* 4 bytes at address i0, without a row */                                \
    X(divide)            /* i0 / i1 signed, 64 bits */                                             \
    X(divide_32)         /* i0 / i1 signed, 32 bits; the divisor is in r9 */                       \
    X(unreachable)       /* ud2 */                                                                 \
    X(undefined)         /* ud2 without a row */                                                   \
    X(check_type)        /* compares the type of record i0: null is uninitialized */               \
    X(recurse)           /* for ever, in frames of 48 bytes */                                     \
    X(recurse_large)     /* for ever, in frames just below 32 KiB */                               \
    X(recurse_record)    /* for ever, through the record i0 */                                     \
    X(depth)             /* calls itself i0 times, then traps */                                   \
    X(call_last)         /* its last instruction is a call of unreachable */                       \
    X(spin)              /* writes 1 to memory 0 + i0 + 4, then stays at rows until i0 is not 0 */ \
    X(sum_mixed)         /* 8 integers and 9 floats, 3 on the stack; both results */               \
    X(call_record)       /* calls record i0 with i1 */                                             \
    X(call_record_mixed) /* calls record i0 with 7 integers and 9 floats */                        \
    X(pop_two)           /* 8 integers, two of them on the stack: i6 - i7 */                       \
    X(call_pop_two)      /* through record i0 twice; 0 when the stack is as before */              \
    X(help)              /* helper i0 with operands i1, i2, i3 (r8, r9), immediate i4 */           \
    X(spoil)             /* spoils every register and MXCSR and DF, then traps */                  \
    X(mxcsr)             /* its MXCSR */                                                           \
    X(jump_to_record)    /* leaves its arguments to record i1 */                                   \
    X(context)           /* its r14 */                                                             \
    X(stack_alignment)   /* rsp mod 16 at its entry */                                             \
    X(keep)              /* stops (int3) with i1 in all registers and flags; 0 if one is lost */   \
    X(keep_wide)         /* likewise, upper halves of ymm registers too */

/// Positions of the functions above in the image's function table.
enum class GuestFunction : u32 {
#define WRUN_GUEST_FUNCTION(name) name,
    WRUN_GUEST_FUNCTIONS(WRUN_GUEST_FUNCTION)
#undef WRUN_GUEST_FUNCTION
};

/// The bytes of all of them, to be copied into an image.
[[nodiscard]] std::span<const u8> guest_code();
[[nodiscard]] std::vector<runtime::FunctionCode> guest_functions();
[[nodiscard]] std::vector<runtime::TrapRow> guest_rows();

extern "C" {
/// wrun_enter between loading and comparing callee-saved registers: 0 when one was lost, else 1 +
/// status.
u64 wrun_test_enter_preserving(runtime::EntryRecord* record, const void* code,
    runtime::Context* context, runtime::EntryArguments* arguments);
}

}  // namespace wrun::test
