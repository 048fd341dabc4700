// The machine code behind guest_code.hpp. Body offsets of rows are 1, 2, 3 … in each function.
#include "tests/runtime/guest_code.hpp"

#include <algorithm>

// clang-format off
asm(
    ".intel_syntax noprefix\n"
    ".set trap_next, 0\n"
#define WRUN_TRAP(name, text) ".set trap_" #name ", trap_next\n .set trap_next, trap_next + 1\n"
#include "runtime/traps.def"
#undef WRUN_TRAP
R"(
    # Marks the next instruction as the place of a trap.
    .macro row code, aux=0
    .pushsection wrun_test_rows, "a"
    .long 771f - guest_begin, \code, \aux
    .popsection
771:
    .endm
    .macro function name
    .balign 16
    .pushsection wrun_test_functions, "a"
    .long guest_\name - guest_begin
    .popsection
guest_\name:
    .endm
    .macro enter_frame
    push rbp
    mov rbp, rsp
    .endm
    .macro leave_frame
    mov rsp, rbp
    pop rbp
    .endm

    .pushsection wrun_test_code, "a"
guest_begin:

    function add
    enter_frame
    lea rax, [rdi + rsi]
    leave_frame
    ret

    function load
    enter_frame
    row trap_memory_out_of_bounds
    mov eax, [r15 + rdi]
    leave_frame
    ret

    function store
    enter_frame
    row trap_memory_out_of_bounds
    mov [r15 + rdi], esi
    leave_frame
    ret

    function load_anywhere
    enter_frame
    row trap_memory_out_of_bounds
    mov eax, [rdi]
    leave_frame
    ret

    function load_unlisted
    enter_frame
    mov eax, [rdi]
    leave_frame
    ret

    function divide
    enter_frame
    mov rax, rdi
    cqo
    row trap_integer_divide_by_zero, 6
    idiv rsi
    leave_frame
    ret

    function divide_32
    enter_frame
    mov eax, edi
    mov r9d, esi
    cdq
    row trap_integer_divide_by_zero, 9
    idiv r9d
    leave_frame
    ret

    function unreachable
    enter_frame
    row trap_unreachable
    ud2

    function undefined
    enter_frame
    ud2

    function check_type
    enter_frame
    mov rax, rdi
    row trap_uninitialized_element
    cmp dword ptr [rax + 16], 7
    leave_frame
    ret

    function recurse
    enter_frame
    sub rsp, 32
    call guest_recurse
    leave_frame
    ret

    function recurse_large
    enter_frame
    sub rsp, 32 * 1024 - 32
    mov [rsp], rax
    call guest_recurse_large
    leave_frame
    ret

    function recurse_record
    enter_frame
    push rdi
    mov rax, rdi
    call [r14 + 24]
    leave_frame
    ret

    function depth
    enter_frame
    test rdi, rdi
    jz 1f
    dec rdi
    call guest_depth
    leave_frame
    ret
1:  row trap_unreachable
    ud2

    # Sixteen bytes, so that the return address is the next function's entry.
    function call_last
    enter_frame
    .byte 0x0f, 0x1f, 0x80, 0, 0, 0, 0
    call guest_unreachable

    function spin
    enter_frame
    mov dword ptr [r15 + rdi + 4], 1
1:  row trap_unreachable
    cmp dword ptr [r15 + rdi], 0
    row trap_unreachable
    je 1b
    leave_frame
    ret

    # Weighted, so that no two arguments can change places unseen: sum (n + 1) * argument n.
    function sum_mixed
    enter_frame
    mov rax, rdi
    lea rax, [rax + rsi * 2]
    lea r8, [r8 + r8 * 2]
    add rax, r8
    lea rax, [rax + r9 * 4]
    lea r10, [r10 + r10 * 4]
    add rax, r10
    imul rdx, rdx, 6
    add rax, rdx
    imul rcx, [rbp + 16], 7
    add rax, rcx
    mov rcx, [rbp + 24]
    lea rax, [rax + rcx * 8]
    movsd xmm0, [rbp + 32]
    addsd xmm0, xmm0
    addsd xmm0, xmm11
    addsd xmm0, xmm0
    addsd xmm0, xmm10
    addsd xmm0, xmm0
    addsd xmm0, xmm9
    addsd xmm0, xmm0
    addsd xmm0, xmm8
    addsd xmm0, xmm0
    addsd xmm0, xmm7
    addsd xmm0, xmm0
    addsd xmm0, xmm6
    addsd xmm0, xmm0
    addsd xmm0, xmm5
    addsd xmm0, xmm0
    addsd xmm0, xmm4
    leave_frame
    ret 24

    function call_record
    enter_frame
    mov rax, rdi
    mov rdi, rsi
    call [r14 + 24]
    leave_frame
    ret

    # i = 1 … 7, f = 1.0 … 9.0; an odd number of slots on the stack.
    function call_record_mixed
    enter_frame
    mov rax, rdi
    mov ecx, 1
    cvtsi2sd xmm4, ecx
    movapd xmm3, xmm4
    movapd xmm5, xmm4
    addsd xmm5, xmm3
    movapd xmm6, xmm5
    addsd xmm6, xmm3
    movapd xmm7, xmm6
    addsd xmm7, xmm3
    movapd xmm8, xmm7
    addsd xmm8, xmm3
    movapd xmm9, xmm8
    addsd xmm9, xmm3
    movapd xmm10, xmm9
    addsd xmm10, xmm3
    movapd xmm11, xmm10
    addsd xmm11, xmm3
    movapd xmm2, xmm11
    addsd xmm2, xmm3
    sub rsp, 16
    mov qword ptr [rsp], 7
    movsd [rsp + 8], xmm2
    mov edi, 1
    mov esi, 2
    mov r8d, 3
    mov r9d, 4
    mov r10d, 5
    mov edx, 6
    call [r14 + 24]
    sub rbp, rsp
    cmp rbp, 0
    jne 1f
    mov rbp, rsp
    leave_frame
    ret
1:  int3

    function pop_two
    enter_frame
    mov rax, [rbp + 16]
    sub rax, [rbp + 24]
    leave_frame
    ret 16

    function call_pop_two
    enter_frame
    push rdi
    push rbx
    mov rbx, rsp
    mov rax, rdi
    push 8
    push 50
    call [r14 + 24]
    push rax
    mov rax, [rbp - 8]
    push 3
    push 10
    call [r14 + 24]
    pop rcx
    sub rcx, 42
    sub rax, 7
    or rax, rcx
    sub rbx, rsp
    or rax, rbx
    pop rbx
    leave_frame
    ret

    function help
    enter_frame
    mov eax, edi
    mov rdi, rsi
    mov rsi, r8
    mov r8, r9
    mov r9, r10
    mov r10, rdx
    call [r14 + 32]
    leave_frame
    ret

    function spoil
    enter_frame
    mov rdi, -1
    mov rsi, rdi
    mov rbx, rdi
    mov r12, rdi
    mov r13, rdi
    push 0x3f80
    ldmxcsr [rsp]
    std
    pcmpeqd xmm0, xmm0
    row trap_unreachable
    ud2

    function mxcsr
    enter_frame
    push 0
    stmxcsr [rsp]
    pop rax
    leave_frame
    ret

    function jump_to_record
    mov rax, rsi
    jmp [r14 + 24]

    function context
    enter_frame
    mov rax, r14
    leave_frame
    ret

    function stack_alignment
    enter_frame
    lea rax, [rbp + 8]
    and eax, 15
    leave_frame
    ret

guest_end:
    # Loads registers with rsi and numbers, and the flags with bits of it; behind int3 compares.
    .macro keep_function wide
    enter_frame
    push rbx
    push r12
    push r13
    mov rax, rsi
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movq xmm\n, rax
    pinsrq xmm\n, rsi, 1
    .if \wide
    vmovq xmm\n, rax
    vinsertf128 ymm\n, ymm\n, xmm\n, 1
    .endif
    inc rax
    .endr
    .irp reg, rcx, rdx, rbx, rdi, r8, r9, r10, r11, r12, r13
    mov \reg, rax
    add rax, 3
    .endr
    mov eax, esi
    and eax, 0x8d5
    or eax, 2
    push rax
    popfq
    lea rax, [rsi + 99]
    int3
    pushfq
    sub rax, rsi
    sub rax, 99
    push rax
    lea rax, [rsi + 16]
    .irp reg, rcx, rdx, rbx, rdi, r8, r9, r10, r11, r12, r13
    xor \reg, rax
    or [rsp], \reg
    add rax, 3
    .endr
    mov rax, [rsp + 8]
    xor rax, rsi
    and eax, 0x8d5
    or [rsp], rax
    mov rcx, rsi
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movq rax, xmm\n
    xor rax, rcx
    or [rsp], rax
    .if \wide
    vextractf128 xmm\n, ymm\n, 1
    vmovq rax, xmm\n
    xor rax, rcx
    .else
    pextrq rax, xmm\n, 1
    xor rax, rsi
    .endif
    or [rsp], rax
    inc rcx
    .endr
    .if \wide
    vzeroupper
    .endif
    pop rax
    add rsp, 8
    pop r13
    pop r12
    pop rbx
    leave_frame
    ret
    .endm

    function keep
    keep_function 0

    function keep_wide
    keep_function 1

    .popsection


    .pushsection .text
    .globl wrun_test_enter_preserving
    .type wrun_test_enter_preserving, @function
wrun_test_enter_preserving:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    mov rbp, 0x11
    mov rbx, 0x22
    mov r12, 0x33
    mov r13, 0x44
    mov r14, 0x55
    mov r15, 0x66
    call wrun_enter
    inc rax
    xor ecx, ecx
    cmp rbp, 0x11
    cmovne rax, rcx
    cmp rbx, 0x22
    cmovne rax, rcx
    cmp r12, 0x33
    cmovne rax, rcx
    cmp r13, 0x44
    cmovne rax, rcx
    cmp r14, 0x55
    cmovne rax, rcx
    cmp r15, 0x66
    cmovne rax, rcx
    pushfq
    pop rdx
    test edx, 0x400
    cmovnz rax, rcx
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
    .popsection
    .att_syntax prefix
)");
// clang-format on

extern "C" {
// The linker's own names for the ends of the sections above.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern const wrun::u8 __start_wrun_test_code[] __attribute__((visibility("hidden")));
extern const wrun::u8 __stop_wrun_test_code[] __attribute__((visibility("hidden")));
extern const wrun::u32 __start_wrun_test_functions[] __attribute__((visibility("hidden")));
extern const wrun::u32 __stop_wrun_test_functions[] __attribute__((visibility("hidden")));
extern const wrun::u32 __start_wrun_test_rows[] __attribute__((visibility("hidden")));
extern const wrun::u32 __stop_wrun_test_rows[] __attribute__((visibility("hidden")));
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
}

namespace wrun::test {

std::span<const u8> guest_code() {
    return {__start_wrun_test_code, __stop_wrun_test_code};
}

std::vector<runtime::FunctionCode> guest_functions() {
    std::vector<runtime::FunctionCode> functions;
    u32 wasm_offset = 1000;
    for (const u32* begin = __start_wrun_test_functions; begin != __stop_wrun_test_functions;
         ++begin) {
        const bool is_last = begin + 1 == __stop_wrun_test_functions;
        const u32 end = is_last ? static_cast<u32>(guest_code().size()) : begin[1];
        functions.push_back({*begin, end, wasm_offset});
        wasm_offset += 1000;
    }
    return functions;
}

std::vector<runtime::TrapRow> guest_rows() {
    std::vector<runtime::TrapRow> rows;
    for (const u32* row = __start_wrun_test_rows; row != __stop_wrun_test_rows; row += 3) {
        const u32 body_offset = static_cast<u32>(rows.size()) + 1;
        rows.push_back(runtime::TrapRow::make(
            row[0], body_offset, static_cast<runtime::TrapCode>(row[1]), row[2]));
    }
    return rows;
}

}  // namespace wrun::test
