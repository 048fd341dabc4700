// The only hand-written machine code between the host and generated code: entering a guest, calling
// through a record into another context or into the host, calling a helper, and the one way out of a
// trap. docs/abi.md is the contract. Numbers below are offsets of runtime/abi.hpp, which pins them.
//
// Rules of this file: rbp always names a walkable frame once a stub has pushed it; rbx r12 r13 r14 r15
// survive; nothing is stored below rsp (a signal may push its frame there); C++ runs on the host's stack
// with rsp a multiple of 16, guest code on the guest's with a multiple of 8 and nothing more.
    .intel_syntax noprefix

#include "runtime/x64/entry.inc"

    .set context_memory_base, 0

    .set record_code, 0
    .set record_context, 8
    .set record_stack_arg_slots, 24
    .set record_flags, 26
    .set record_flag_host, 1

    .set arguments_integers, 128
    .set arguments_stack_slot_count, 176
    .set arguments_stack_slots, 184
    .set arguments_float_result, 192
    .set arguments_integer_result, 208

    .set area_integers, 128
    .set area_bytes, 176

    // Round to nearest, all exceptions masked, denormals kept: what WebAssembly asks for.
    .set guest_mxcsr_bits, 0x1f80

    .section .rodata
    .balign 4
guest_mxcsr:
    .long guest_mxcsr_bits

    .text
    .balign 64
    .globl wrun_stubs_begin
    .hidden wrun_stubs_begin
wrun_stubs_begin:

// u64 wrun_enter(EntryRecord* rdi, const void* code rsi, Context* rdx, EntryArguments* rcx)
//
//      host's stack                                guest's stack
//      return address                              record.guest_rsp →  …  stack arguments, last
// rbp → caller's rbp                                                    …  stack arguments, first
//  -8  rbx                                                              return address into wrun_enter
// -16  r12                                                              rbp of this frame, pushed by the
// -24  r13                                                              guest: a walk ends here, outside
// -32  r14                                                              of the guest's stack
// -40  r15
// -48  arguments
// -56  record
// -64  (alignment)    ← record.host_rsp, a multiple of 16; C++ called by the guest runs below it
    .set frame_arguments, -48
    .set frame_record, -56
    .set frame_bytes, 64

// Registers of the calling convention: to a HostCallArea at rsp; from whatever holds them likewise.
    .macro save_arguments
    movaps [rsp], xmm4
    movaps [rsp + 16], xmm5
    movaps [rsp + 32], xmm6
    movaps [rsp + 48], xmm7
    movaps [rsp + 64], xmm8
    movaps [rsp + 80], xmm9
    movaps [rsp + 96], xmm10
    movaps [rsp + 112], xmm11
    mov [rsp + area_integers], rdi
    mov [rsp + area_integers + 8], rsi
    mov [rsp + area_integers + 16], r8
    mov [rsp + area_integers + 24], r9
    mov [rsp + area_integers + 32], r10
    mov [rsp + area_integers + 40], rdx
    .endm
    .macro load_arguments from, integers
    movaps xmm4, [\from]
    movaps xmm5, [\from + 16]
    movaps xmm6, [\from + 32]
    movaps xmm7, [\from + 48]
    movaps xmm8, [\from + 64]
    movaps xmm9, [\from + 80]
    movaps xmm10, [\from + 96]
    movaps xmm11, [\from + 112]
    mov rdi, [\from + \integers]
    mov rsi, [\from + \integers + 8]
    mov r8, [\from + \integers + 16]
    mov r9, [\from + \integers + 24]
    mov r10, [\from + \integers + 32]
    mov rdx, [\from + \integers + 40]
    .endm
// Where the guest is, in the entry record in r11: the frame is rbp's.
    .macro note_guest
    mov rcx, [rbp]
    mov [r11 + entry_guest_rbp], rcx
    mov rcx, [rbp + 8]
    mov [r11 + entry_guest_pc], rcx
    mov [r11 + entry_guest_rsp], rsp
    .endm

    .globl wrun_enter
    .hidden wrun_enter
    .type wrun_enter, @function
    .balign 16
wrun_enter:
    .cfi_startproc
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov rbp, rsp
    .cfi_def_cfa_register rbp
    push_callee_saved
    push rcx
    push rdi
    sub rsp, 8
    stmxcsr [rdi + entry_mxcsr]
    ldmxcsr [rip + guest_mxcsr]
    // From here on a fault on the guest's stack finds its way back.
    mov [rdi + entry_host_rsp], rsp
    mov r14, rdx
    mov r15, [rdx + context_memory_base]
    mov r11, rsi
    mov rax, rcx
    mov rsp, [rdi + entry_guest_rsp]
    mov rcx, [rax + arguments_stack_slot_count]
    mov rdx, [rax + arguments_stack_slots]
    test rcx, rcx
    jz 2f
1:  push qword ptr [rdx + rcx*8 - 8]
    dec rcx
    jnz 1b
2:  load_arguments rax, arguments_integers
    call r11
    mov rcx, [rbp + frame_arguments]
    mov [rcx + arguments_integer_result], rax
    movaps [rcx + arguments_float_result], xmm0
    mov rdi, [rbp + frame_record]
    xor eax, eax
    mov [rdi + entry_status], rax
    jmp .Lrestore_host

// Where every trap and exit continues, with rsp = record.host_rsp and record.status set. All other
// registers are the guest's; whoever sent us here is gone.
    .globl wrun_leave
    .hidden wrun_leave
wrun_leave:
    lea rbp, [rsp + frame_bytes]
    cld
    cmp byte ptr [rip + wrun_has_avx], 0
    je 1f
    vzeroupper
1:  mov rdi, [rbp + frame_record]
    mov rax, [rdi + entry_status]
.Lrestore_host:
    ldmxcsr [rdi + entry_mxcsr]
    mov r15, [rbp - 40]
    mov r14, [rbp - 32]
    mov r13, [rbp - 24]
    mov r12, [rbp - 16]
    mov rbx, [rbp - 8]
    leave
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size wrun_enter, . - wrun_enter

// Calls through the record in rax, whatever its context. In and out: the guest's calling convention.
//
//      guest callee                                host callee
//      stack arguments of the caller               stack arguments of the caller
//      return address                              return address
// rbp → caller's rbp                           rbp → caller's rbp
//  -8  caller's r14                             -8  record
// -16  caller's r15                            -16  area
// -24  stack argument slots                    -24  entry record
//      copies of the stack arguments                (alignment, 0–15 bytes)
//      (popped by the callee)                       HostCallArea, 176 bytes   ← record.guest_rsp
    .globl wrun_switch_call
    .hidden wrun_switch_call
    .type wrun_switch_call, @function
    .balign 16
wrun_switch_call:
    .cfi_startproc
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov rbp, rsp
    .cfi_def_cfa_register rbp
    test word ptr [rax + record_flags], record_flag_host
    jnz .Lcall_host
    push r14
    push r15
    movzx ecx, word ptr [rax + record_stack_arg_slots]
    push rcx
    test ecx, ecx
    jz 2f
1:  push qword ptr [rbp + 8 + rcx*8]
    dec ecx
    jnz 1b
2:  mov r14, [rax + record_context]
    mov r15, [r14 + context_memory_base]
    call [rax + record_code]
    pop rcx
    pop r15
    pop r14
    pop rbp
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    test ecx, ecx
    jnz .Lreturn_popping
    ret
    // The return address moves up over rcx slots, so that `ret` still pairs with its call.
.Lreturn_popping:
    mov r11, [rsp]
    lea rsp, [rsp + rcx*8]
    mov [rsp], r11
    ret
    .cfi_restore_state

.Lcall_host:
    push rax
    sub rsp, 200
    and rsp, -16
    mov [rbp - 16], rsp
    save_arguments
    mov r11, [rip + wrun_entry@gottpoff]
    mov r11, fs:[r11]
    mov [rbp - 24], r11
    note_guest
    // Loading MXCSR is slow and the host's control bits are nearly always the guest's.
    mov ecx, [r11 + entry_mxcsr]
    xor ecx, guest_mxcsr_bits
    test ecx, mxcsr_control_bits
    jz 1f
    ldmxcsr [r11 + entry_mxcsr]
1:  mov rdi, rax
    mov rsi, rsp
    mov rdx, r14
    lea rcx, [rbp + 16]
    mov rsp, [r11 + entry_host_rsp]
    call wrun_host_dispatch
    mov r11, [rbp - 24]
    test rax, rax
    jnz .Lstop
    mov rax, [r11 + entry_interrupt]
    test rax, rax
    jnz .Lstop
    mov ecx, [r11 + entry_mxcsr]
    xor ecx, guest_mxcsr_bits
    test ecx, mxcsr_control_bits
    jz 1f
    ldmxcsr [rip + guest_mxcsr]
1:  mov rdx, [rbp - 16]
    mov rcx, [rbp - 8]
    movzx ecx, word ptr [rcx + record_stack_arg_slots]
    mov rax, [rdx + area_integers]
    movaps xmm0, [rdx]
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    test ecx, ecx
    jnz .Lreturn_popping
    ret
    .cfi_restore_state

    // C++ answered with a trap or an exit, or the run shall end: rax is the status, r11 the entry record.
.Lstop:
    mov [r11 + entry_status], rax
    mov rsp, [r11 + entry_host_rsp]
    jmp wrun_leave
    .cfi_endproc
    .size wrun_switch_call, . - wrun_switch_call

// Calls helper number eax on the host's stack: operands rdi rsi r8, immediates r9d r10d, result rax.
//
//      return address
// rbp → caller's rbp
//  -8  entry record       ← record.guest_rsp
    .globl wrun_helper_call
    .hidden wrun_helper_call
    .type wrun_helper_call, @function
    .balign 16
wrun_helper_call:
    .cfi_startproc
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov rbp, rsp
    .cfi_def_cfa_register rbp
    mov r11, [rip + wrun_entry@gottpoff]
    mov r11, fs:[r11]
    push r11
    note_guest
    mov rdx, rsi
    mov rsi, rdi
    mov rdi, r14
    mov rcx, r8
    mov r8d, r9d
    mov r9d, r10d
    mov rsp, [r11 + entry_host_rsp]
    mov eax, eax
    lea r10, [rip + wrun_helper_table]
    call [r10 + rax*8]
    mov r11, [rbp - 8]
    test rdx, rdx
    jnz 1f
    mov rdx, [r11 + entry_interrupt]
    test rdx, rdx
    jnz 1f
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    ret
    .cfi_restore_state
1:  mov rax, rdx
    jmp .Lstop
    .cfi_endproc
    .size wrun_helper_call, . - wrun_helper_call

// A function of a lazy image that has no code yet: its entry of the jump table has called, by way of the
// image and of this context. Has it compiled on the host's stack and goes on in it, as if nothing had been.
//
//      return address
// rbp → caller's rbp
//  -8  entry record
// -16  area
//      (alignment, 0–15 bytes)
//      arguments as in HostCallArea, 176 bytes   ← record.guest_rsp
    .globl wrun_lazy_call
    .hidden wrun_lazy_call
    .type wrun_lazy_call, @function
    .balign 16
wrun_lazy_call:
    .cfi_startproc
    .cfi_def_cfa_offset 16
    // Behind the entry's call. Where this word was there is room for another.
    pop r11
    .cfi_def_cfa_offset 8
    push rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov rbp, rsp
    .cfi_def_cfa_register rbp
    sub rsp, 16 + area_bytes
    and rsp, -16
    mov [rbp - 16], rsp
    save_arguments
    mov rdi, r14
    mov rsi, r11
    mov r11, [rip + wrun_entry@gottpoff]
    mov r11, fs:[r11]
    mov [rbp - 8], r11
    note_guest
    mov rsp, [r11 + entry_host_rsp]
    call wrun_compile_function
    mov r11, [rbp - 8]
    test rdx, rdx
    jnz 1f
    mov rdx, [r11 + entry_interrupt]
    test rdx, rdx
    jnz 1f
    mov rcx, [rbp - 16]
    load_arguments rcx, area_integers
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    jmp rax
    .cfi_restore_state
1:  mov rax, rdx
    jmp .Lstop
    .cfi_endproc
    .size wrun_lazy_call, . - wrun_lazy_call

    .globl wrun_stubs_end
    .hidden wrun_stubs_end
wrun_stubs_end:

    .section .note.GNU-stack, "", @progbits
