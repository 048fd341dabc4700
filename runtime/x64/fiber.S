// Switching between a thread's own stack and fibers (runtime/fiber.hpp), and how a guest that was interrupted
// anywhere in its code comes to do so. Numbers below are offsets of runtime/abi.hpp, which pins them.
//
// Not in the stubs' range of addresses (stubs.S): a handler that finds the thread here has nothing to decide. What
// leaves the guest from here says itself where the guest was.
//
// There is no shadow stack (CET): none of our objects is marked for one, so no process that links them has it.
    .intel_syntax noprefix

#include "runtime/x64/entry.inc"

    .text
// What survives a call: on the stack that rsp names.
    .macro push_kept
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    push_callee_saved
    sub rsp, 8
    .cfi_def_cfa_offset 64
    stmxcsr [rsp]
    fnstcw [rsp + 4]
    .endm

// void wrun_fiber_start(u64* outer_rsp rdi, u64 stack_end rsi, void (*main)(void*) rdx, void* argument rcx)
// Calls main on a new stack, which never returns; comes back by the first switch to *outer_rsp.
    .globl wrun_fiber_start
    .hidden wrun_fiber_start
    .type wrun_fiber_start, @function
    .balign 16
wrun_fiber_start:
    .cfi_startproc
    push_kept
    mov [rdi], rsp
    mov rsp, rsi
    mov rdi, rcx
    // Walks end here, by frame pointers as by tables.
    xor ebp, ebp
    .cfi_undefined rip
    call rdx
    ud2
    .cfi_endproc
    .size wrun_fiber_start, . - wrun_fiber_start

// void wrun_fiber_switch(u64* from_rsp rdi, u64 to_rsp rsi)
    .globl wrun_fiber_switch
    .hidden wrun_fiber_switch
    .type wrun_fiber_switch, @function
    .balign 16
wrun_fiber_switch:
    .cfi_startproc
    push_kept
    mov rax, rsp
    mov [rdi], rsp
    mov rsp, rsi
    // Both control words are nearly always the same, and loading them is slow.
    mov ecx, [rax]
    xor ecx, [rsp]
    test ecx, mxcsr_control_bits
    jz 1f
    ldmxcsr [rsp]
1:  movzx ecx, word ptr [rax + 4]
    cmp cx, [rsp + 4]
    je 1f
    fldcw [rsp + 4]
1:  add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    .cfi_def_cfa_offset 8
    // Not a return to who called: its prediction would be wrong each time.
    pop rcx
    .cfi_def_cfa_offset 0
    .cfi_register rip, rcx
    jmp rcx
    .cfi_endproc
    .size wrun_fiber_switch, . - wrun_fiber_switch

// Where a guest goes on whose slice is over (runtime/slice.hpp): every register and flag is the guest's, on top of its
// stack lies the PC. Suspends the fiber on the host's stack; when that is resumed all is as it was, to the bit, and the
// guest goes on there, unless its run shall end.
//
//      [what the guest has on its stack]
//      PC
// rbp → guest's rbp
//  -8  flags
// -16  rax rcx rdx rbx rsi rdi r8 … r15
// -120 (alignment, 0–63 bytes)
//      state of the vector registers, 832 bytes   ← record.guest_rsp
    .set saved_integers, 120
    .set vector_header, 512
    .set vector_bytes, 832
    // SSE and AVX, as XSAVE numbers them.
    .set vector_components, 6

    .globl wrun_slice
    .hidden wrun_slice
    .type wrun_slice, @function
    .balign 16
wrun_slice:
    .cfi_startproc
    .cfi_def_cfa_offset 8
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov rbp, rsp
    .cfi_def_cfa_register rbp
    pushfq
    push rax
    push rcx
    push rdx
    push rbx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    sub rsp, vector_bytes
    and rsp, -64
    mov rbx, rsp
    cmp byte ptr [rip + wrun_has_avx], 0
    je 1f
    // The header must be clear. Registers that hold nothing are not stored, and hold nothing again afterwards: so
    // upper halves that are clean stay what the processor takes for clean.
    xor eax, eax
    lea rdi, [rsp + vector_header]
    mov ecx, 8
    rep stosq
    mov eax, vector_components
    xor edx, edx
    xsave64 [rsp]
    vzeroupper
    jmp 2f
1:  fxsave64 [rsp]
2:  mov r12, [rip + wrun_entry@gottpoff]
    mov r12, fs:[r12]
    mov [r12 + entry_guest_rsp], rsp
    ldmxcsr [r12 + entry_mxcsr]
    mov rsp, [r12 + entry_host_rsp]
    call wrun_slice_ended
    mov rax, [r12 + entry_interrupt]
    test rax, rax
    jnz 3f
    mov rsp, rbx
    cmp byte ptr [rip + wrun_has_avx], 0
    je 1f
    mov eax, vector_components
    xor edx, edx
    xrstor64 [rsp]
    jmp 2f
1:  fxrstor64 [rsp]
2:  lea rsp, [rbp - saved_integers]
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbx
    pop rdx
    pop rcx
    pop rax
    popfq
    pop rbp
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    ret
    .cfi_restore_state

    // As a handler leaves that interrupts the guest where it is.
3:  mov [r12 + entry_status], rax
    mov rcx, [rbp]
    mov [r12 + entry_guest_rbp], rcx
    mov rcx, [rbp + 8]
    mov [r12 + entry_guest_pc], rcx
    lea rcx, [rbp + 16]
    mov [r12 + entry_guest_rsp], rcx
    mov dword ptr [r12 + entry_faulted], 1
    mov rsp, [r12 + entry_host_rsp]
    jmp wrun_leave
    .cfi_endproc
    .size wrun_slice, . - wrun_slice

    .section .note.GNU-stack, "", @progbits
