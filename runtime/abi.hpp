// All that generated code may assume about the process around it, and nothing else: registers,
// layouts of what r14 reaches, function records, trap rows, stacks. docs/abi.md is the same page in
// prose; what is said there is pinned here. Generated code sees offsets only, so a change here
// changes the build id.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include "base/types.hpp"

namespace wrun::runtime {

struct Context;
struct Instance;
struct CodeImage;
struct CancelRequest;
struct LazyUnits;

// ---- registers (x86-64) ----------------------------------------------------------------------

namespace x64 {

enum class Gp : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

inline constexpr Gp context_register = Gp::r14;
inline constexpr Gp memory_register = Gp::r15;  // base of memory 0
inline constexpr Gp scratch_register =
    Gp::r11;  // never holds a value across two instructions of ours
inline constexpr Gp frame_register = Gp::rbp;

/// Integer locals live here for a whole function. The first three survive calls.
inline constexpr std::array integer_homes = {
    Gp::rbx, Gp::r12, Gp::r13, Gp::rdi, Gp::rsi, Gp::r8, Gp::r9, Gp::r10};
inline constexpr u32 callee_saved_home_count = 3;
inline constexpr std::array integer_temps = {Gp::rax, Gp::rcx, Gp::rdx};
inline constexpr std::array integer_arguments = {
    Gp::rdi, Gp::rsi, Gp::r8, Gp::r9, Gp::r10, Gp::rdx};
inline constexpr Gp integer_result = Gp::rax;
/// A call through a record has the record here.
inline constexpr Gp record_register = Gp::rax;

/// xmm0–3 are temporaries, xmm4–15 homes; none survives a call.
inline constexpr u32 float_home_first = 4;
inline constexpr u32 float_home_count = 12;
inline constexpr u32 float_argument_first = 4;
inline constexpr u32 float_argument_count = 8;
inline constexpr u32 float_result = 0;

}  // namespace x64

// ---- slots and stacks ------------------------------------------------------------------------

/// Locals, operands, arguments, results and globals are counted in slots; v128 takes two.
inline constexpr u32 slot_bytes = 8;
/// Below every guest stack. A frame smaller than `probe_frame_bytes` cannot step over it.
inline constexpr u32 stack_guard_bytes = 64 * 1024;
inline constexpr u32 probe_frame_bytes = 32 * 1024;
/// Room a host or helper stub needs on the guest's stack; bodies never ask for it, the guard does.
inline constexpr u32 stub_stack_bytes = 512;
static_assert(probe_frame_bytes + stub_stack_bytes < stack_guard_bytes);
/// Slots of the result buffer (Context::results): results beyond the first of each class.
inline constexpr u32 result_buffer_slots = 2048;
/// Address space reserved for a 32-bit memory: every base + 32-bit index + 32-bit offset + 16
/// bytes.
inline constexpr u64 memory32_reservation_bytes = (u64{8} << 30) + 65'536;

// ---- function records ------------------------------------------------------------------------

/// What a function reference points to: 32 bytes in the instance, made when the instance is bound,
/// one for each function that escapes. Host functions have one too.
struct FuncRecord {
    const void* code;     // entry of the body; of a host function, unused
    Context* context;     // the callee's context; of a host function, the HostFunction
    u32 type_id;          // canonical in the engine; never 0
    u32 func_index;       // in its module; of a host function, 0
    u16 stack_arg_slots;  // arguments that the callee pops
    u16 flags;
    u32 reserved;

    static constexpr u16 flag_host = 1;
};
static_assert(sizeof(FuncRecord) == 32);
static_assert(offsetof(FuncRecord, code) == 0);
static_assert(offsetof(FuncRecord, context) == 8);
static_assert(offsetof(FuncRecord, type_id) == 16);
static_assert(offsetof(FuncRecord, stack_arg_slots) == 24);
static_assert(offsetof(FuncRecord, flags) == 26);

/// A funcref is a FuncRecord*, an externref is a number of the host's; 0 is null in both.
using Reference = u64;

// ---- what the context reaches ----------------------------------------------------------------

/// What keeps an access of generated code inside its memory: the inaccessible addresses around it,
/// or a comparison with MemoryHeader::bytes before each access.
enum class Bounds : u8 { guard, checked };

/// A memory as generated code sees it. The base never moves; `bytes` is the current size.
struct MemoryHeader {
    u8* base;
    u64 bytes;
};
static_assert(sizeof(MemoryHeader) == 16 && offsetof(MemoryHeader, bytes) == 8);

/// A table as generated code sees it. The base never moves; `size` counts elements. `is_written` is
/// set by whatever writes an element, so that a table that nobody wrote need not be reset.
struct TableHeader {
    Reference* base;
    u64 size;
    u64 is_written;
    u64 reserved;
};
static_assert(sizeof(TableHeader) == 32 && offsetof(TableHeader, size) == 8);
static_assert(offsetof(TableHeader, is_written) == 16);

/// What code that is compiled with `fuel` or `epoch` reads at a function's entry and at each loop's
/// head; one for all instances of a store.
struct Meter {
    i64 fuel;              // what is left; a run ends where it would fall below 0
    const u32* attention;  // not 0 there: the thread shall see whether its run shall end
};
static_assert(sizeof(Meter) == 16 && offsetof(Meter, attention) == 8);

/// r14. The fixed part; behind it the variable part of ContextLayout.
struct Context {
    u8* memory_base;          // of memory 0 (r15)
    const u32* type_ids;      // engine-wide id of each type of the module
    FuncRecord* records;      // of this instance's escaping functions, in escape order
    const void* switch_call;  // stub: call through the record in rax, whatever its context
    const void* helper_call;  // stub: call helper number eax
    u64* results;             // result buffer of the stack this instance runs on
    u64 stack_limit;          // lowest address a probed frame may reach
    const CodeImage* image;   // trap rows and function table of this code
    Instance* instance;       // the host's side; generated code never reads it
    Meter* meter;             // of the store
    const void* lazy_call;    // stub: what a function without code is reached by
    u64 reserved[5];
};
static_assert(std::is_standard_layout_v<Context> && sizeof(Context) == 128);
static_assert(offsetof(Context, memory_base) == 0);
static_assert(offsetof(Context, type_ids) == 8);
static_assert(offsetof(Context, records) == 16);
static_assert(offsetof(Context, switch_call) == 24);
static_assert(offsetof(Context, helper_call) == 32);
static_assert(offsetof(Context, results) == 40);
static_assert(offsetof(Context, stack_limit) == 48);
static_assert(offsetof(Context, image) == 56);
static_assert(offsetof(Context, instance) == 64);
static_assert(offsetof(Context, meter) == 72);
static_assert(offsetof(Context, lazy_call) == 80);

/// Byte offsets from r14 of the variable part, the same for every instance of a module. Own
/// memories, tables and globals lie in the context; imported ones are reached through one pointer.
///
///   imported_functions  FuncRecord*    each      imported_tables   TableHeader*   each
///   imported_memories   MemoryHeader*  each      imported_globals  u64*           each (the cell)
///   memories            MemoryHeader   each      tables            TableHeader    each
///   globals             cells of 16 bytes each, so that v128 fits and an index is a shift
struct ContextLayout {
    u32 imported_functions = 0;
    u32 imported_tables = 0;
    u32 imported_memories = 0;
    u32 imported_globals = 0;
    u32 memories = 0;
    u32 tables = 0;
    u32 globals = 0;
    u32 total_bytes = 0;
};
inline constexpr u32 global_cell_bytes = 16;

// ---- code images -----------------------------------------------------------------------------

enum class TrapCode : u8 {
#define WRUN_TRAP(name, text) name,
#include "runtime/traps.def"
#undef WRUN_TRAP
};

/// One place in the code where a trap can begin, ordered by `code_offset`. `where` packs the offset
/// of the opcode in its function body (24 bits), the trap code (4) and, for a division, the
/// register that holds the divisor (4): #DE with a divisor that is not zero is an overflow.
struct TrapRow {
    u32 code_offset;  // of the faulting instruction, from the start of the image's code
    u32 where;
    static constexpr TrapCode code_last = TrapCode::out_of_fuel;
    static_assert(static_cast<u8>(code_last) < 16);
    [[nodiscard]] static constexpr TrapRow make(
        u32 code_offset, u32 body_offset, TrapCode code, u32 aux = 0) noexcept {
        return {code_offset, body_offset | (u32{static_cast<u8>(code)} << 24) | (aux << 28)};
    }
    [[nodiscard]] constexpr u32 body_offset() const noexcept { return where & 0xff'ffff; }
    [[nodiscard]] constexpr TrapCode code() const noexcept {
        return static_cast<TrapCode>((where >> 24) & 15);
    }
    [[nodiscard]] constexpr u32 aux() const noexcept { return where >> 28; }
};
static_assert(sizeof(TrapRow) == 8);

/// A defined function in an image. Code of ascending functions lies at ascending offsets.
struct FunctionCode {
    u32 code_begin;  // entry, from the start of the image's code
    u32 code_end;
    u32 wasm_offset;  // of the body in the module's bytes
};

/// Functions that lie one behind the other in the module as in the code. Offsets count from the
/// begin of the image's code.
struct CodeUnit {
    u32 code_begin;
    u32 code_end;
    u32 first_function;  // position among the defined functions
    u32 function_count;
    const FunctionCode* functions;
    const TrapRow* rows;  // ascending
    u32 row_count;
};

/// What the signal handler and backtraces read of an image, by code_lookup.hpp. Immutable once
/// published, but that functions are added to a lazy image.
struct CodeImage {
    const u8* code;
    u32 code_bytes;
    u32 function_count;  // defined functions
    const FunctionCode* functions;
    const TrapRow* rows;
    u32 row_count;
    u32 imported_function_count;
    const LazyUnits* lazy = nullptr;  // has functions and rows instead, as far as there are any
};

/// A lazy function is reached through its image's jump table: entries of 8 bytes, 8-byte aligned,
/// each replaced by one aligned 8-byte store through the writable alias (runtime/lazy_code.hpp).
inline constexpr u32 jump_table_entry_bytes = 8;

// ---- entering and leaving --------------------------------------------------------------------

/// Arguments of an entry from the host, as the stub loads them. Results of the first of each class
/// come back here, the others are in Context::results.
struct alignas(16) EntryArguments {
    struct alignas(16) Vector {
        u64 low = 0;
        u64 high = 0;
    };
    std::array<Vector, x64::float_argument_count> floats;     // 0
    std::array<u64, x64::integer_arguments.size()> integers;  // 128
    u64 stack_slot_count = 0;                                 // 176
    const u64* stack_slots = nullptr;                         // 184, first argument first
    Vector float_result;                                      // 192
    u64 integer_result = 0;                                   // 208
};
static_assert(offsetof(EntryArguments, integers) == 128);
static_assert(offsetof(EntryArguments, stack_slot_count) == 176);
static_assert(offsetof(EntryArguments, stack_slots) == 184);
static_assert(offsetof(EntryArguments, float_result) == 192);
static_assert(offsetof(EntryArguments, integer_result) == 208);

/// One crossing host → guest, on the host's stack. Crossings nest (host → guest → host → guest);
/// traps and exits act on the innermost, which the thread-local `wrun_entry` names.
struct EntryRecord {
    EntryRecord* previous;  // 0
    u64 host_rsp;           // 8   set by wrun_enter: where traps and exits return to
    u64 guest_rsp;          // 16  where the guest starts; while it calls out, where it stopped
    u64 guest_rbp;          // 24  while it calls out or after a trap: innermost guest frame
    u64 guest_pc;           // 32  likewise
    u64 status;             // 40  why the guest left: EntryStatus
    u64 fault_address;      // 48
    u32 mxcsr;              // 56  the host's
    u32 faulted;            // 60  whether guest_pc faulted; else it is a return address
    u64 stack_low;          // 64  the guest stack's guard begins here …
    u64 stack_high;         // 72  … and its stack ends here
    u64 interrupt;          // 80  not 0: leave the guest with this status instead of going back
    u64 deadline_ns;        // 88  when this crossing shall end (runtime/deadline.hpp) …
    const CancelRequest* cancel;  // 96  … or on whose word
};
static_assert(offsetof(EntryRecord, host_rsp) == 8);
static_assert(offsetof(EntryRecord, guest_rsp) == 16);
static_assert(offsetof(EntryRecord, guest_rbp) == 24);
static_assert(offsetof(EntryRecord, guest_pc) == 32);
static_assert(offsetof(EntryRecord, status) == 40);
static_assert(offsetof(EntryRecord, mxcsr) == 56);
static_assert(offsetof(EntryRecord, faulted) == 60);
static_assert(offsetof(EntryRecord, interrupt) == 80);

/// Traps that discard the instance: the guest was stopped wherever it was.
[[nodiscard]] constexpr bool kills(TrapCode code) noexcept {
    return code == TrapCode::deadline || code == TrapCode::cancelled;
}

/// How wrun_enter came back: 0 returned, 1 + TrapCode trapped, `exited` a host function ended the
/// run.
namespace entry_status {
inline constexpr u64 returned = 0;
inline constexpr u64 trap_base = 1;
inline constexpr u64 exited = 0x100;
}  // namespace entry_status

/// Register arguments of a call to the host, saved by the switching stub below the guest's frame.
struct alignas(16) HostCallArea {
    std::array<EntryArguments::Vector, x64::float_argument_count>
        floats;                                               // 0; results come back in [0]
    std::array<u64, x64::integer_arguments.size()> integers;  // 128; results in [0]
};
static_assert(offsetof(HostCallArea, integers) == 128 && sizeof(HostCallArea) == 176);

/// A helper's answer, in rax:rdx. `trap` is 0 or an entry status.
struct HelperResult {
    u64 value = 0;
    u64 trap = 0;
};

enum class Helper : u32 {
#define WRUN_HELPER(name, operands, immediates, result) name,
#include "runtime/helpers.def"
#undef WRUN_HELPER
};
inline constexpr std::array helper_integer_operands = {x64::Gp::rdi, x64::Gp::rsi, x64::Gp::r8};
inline constexpr std::array helper_immediates = {x64::Gp::r9, x64::Gp::r10};

}  // namespace wrun::runtime
