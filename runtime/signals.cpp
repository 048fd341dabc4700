// Which faults are ours, what becomes of them, and what of the others.
#include "runtime/signals.hpp"

#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <optional>

#include "base/os_cpu.hpp"
#include "base/os_memory.hpp"
#include "runtime/address.hpp"
#include "runtime/code_lookup.hpp"
#include "runtime/code_range.hpp"
#include "runtime/deadline.hpp"
#include "runtime/entry.hpp"
#include "runtime/instance.hpp"
#include "runtime/leave_guest.hpp"
#include "runtime/previous_handler.hpp"
#include "runtime/write_gate.hpp"

extern "C" {

// Read by wrun_leave only.
extern constinit bool wrun_has_avx;
constinit bool wrun_has_avx = false;

}  // extern "C"

namespace wrun::runtime {

namespace {

constexpr std::array handled_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

constinit std::array<PreviousHandler, handled_signals.size()> previous_handlers{};

// ---- what is ours ------------------------------------------------------------------------------

/// One fault, as the kernel tells it.
struct Fault {
    int signal;
    int code;
    u64 address;
    u64 pc;
    greg_t* registers;
};

/// The kernel's names for registers in the order of their numbers in instructions.
constexpr std::array<u8, 16> register_slots = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
    REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

[[nodiscard]] u64 register_value(const Fault& fault, u32 number) noexcept {
    return static_cast<u64>(fault.registers[register_slots[number]]);
}

/// An access that no mapping allows; excludes broken memory and addresses that are not canonical.
[[nodiscard]] bool is_access_fault(const Fault& fault) noexcept {
    if (fault.signal == SIGSEGV) return fault.code == SEGV_MAPERR || fault.code == SEGV_ACCERR;
    return fault.signal == SIGBUS && fault.code == BUS_ADRERR;
}

[[nodiscard]] bool is_in_stack_guard(const EntryRecord& entry, u64 address) noexcept {
    return address >= entry.stack_low && address - entry.stack_low < stack_guard_bytes;
}

[[nodiscard]] bool reaches_memory(const Instance& instance, u64 address) noexcept {
    return std::any_of(instance.memories.begin(), instance.memories.end(),
        [&](const Memory* memory) { return memory->reaches(address); });
}

/// The trap of a fault at a row of the table, or nothing when the two do not fit.
[[nodiscard]] std::optional<TrapCode> trap_at_row(
    const Fault& fault, const TrapRow& row, const Context& context) noexcept {
    if (fault.signal == SIGILL) return row.code();
    if (fault.signal == SIGFPE) {
        if (fault.code != FPE_INTDIV || row.code() != TrapCode::integer_divide_by_zero) {
            return std::nullopt;
        }
        return register_value(fault, row.aux()) == 0 ? TrapCode::integer_divide_by_zero
                                                     : TrapCode::integer_overflow;
    }
    if (!is_access_fault(fault)) return std::nullopt;
    const bool is_expected =
        row.code() == TrapCode::memory_out_of_bounds
            ? reaches_memory(*context.instance, fault.address)
            : row.code() == TrapCode::uninitialized_element && fault.address < os::page_bytes;
    return is_expected ? std::optional{row.code()} : std::nullopt;
}

[[nodiscard]] std::optional<TrapCode> trap_of(
    const Fault& fault, const EntryRecord& entry) noexcept {
    const bool in_code = code_range.holds(fault.pc);
    if (!in_code && !is_in_stubs(fault.pc)) return std::nullopt;
    if (is_access_fault(fault) && is_in_stack_guard(entry, fault.address)) {
        return TrapCode::stack_overflow;
    }
    if (!in_code) return std::nullopt;
    const auto* const context =
        pointer_at<const Context>(register_value(fault, to_underlying(x64::Gp::r14)));
    const CodeImage& image = *context->image;
    const TrapRow* const row = row_at(image, fault.pc - reinterpret_cast<u64>(image.code));
    return row == nullptr ? std::nullopt : trap_at_row(fault, *row, *context);
}

[[nodiscard]] bool claim(int signal, const siginfo_t& info, ucontext_t& context) noexcept {
    // Only the kernel reports faults; a signal that somebody sent is not ours.
    if (wrun_entry == nullptr || info.si_code <= 0) return false;
    greg_t* const registers = context.uc_mcontext.gregs;
    const Fault fault{signal, info.si_code, reinterpret_cast<u64>(info.si_addr),
        static_cast<u64>(registers[REG_RIP]), registers};
    const auto trap = trap_of(fault, *wrun_entry);
    if (!trap) return false;
    if (*trap == TrapCode::interrupted) {
        // A checkpoint that was asked to look. Behind its ud2 lies the way back.
        constexpr u64 ud2_bytes = 2;
        const u64 status = due_status();
        if (status == 0) {
            registers[REG_RIP] += ud2_bytes;
            end_slice(registers);
        } else {
            leave_guest(registers, *wrun_entry, status);
        }
        return true;
    }
    wrun_entry->fault_address = fault.address;
    leave_guest(registers, *wrun_entry, entry_status::trap_base + to_underlying(*trap));
    return true;
}

void chain(int signal, siginfo_t& info, ucontext_t& context) noexcept {
    const auto place = std::find(handled_signals.begin(), handled_signals.end(), signal);
    if (place == handled_signals.end()) return;
    previous_handlers[static_cast<std::size_t>(place - handled_signals.begin())].chain(
        signal, info, context);
}

void handle(int signal, siginfo_t* info, void* context) noexcept {
    const int saved_errno = errno;
    auto& interrupted = *static_cast<ucontext_t*>(context);
    // By guests and by hosts: it is as if nothing had been.
    const bool is_watched = signal == SIGBUS && info->si_code == BUS_ADRERR &&
                            allow_watched_write(reinterpret_cast<u64>(info->si_addr));
    if (!is_watched && !claim(signal, *info, interrupted)) chain(signal, *info, interrupted);
    errno = saved_errno;
}

// ---- threads
// -------------------------------------------------------------------------------------

/// This thread's signal stack, if it is ours.
class SignalStack {
public:
    SignalStack() = default;
    SignalStack(const SignalStack&) = delete;
    SignalStack& operator=(const SignalStack&) = delete;
    ~SignalStack() {
        stack_t current{};
        if (region_.data() == nullptr || sigaltstack(nullptr, &current) != 0) return;
        // Somebody else may have put another one over ours since.
        if (current.ss_sp == region_.data() + os::page_bytes) {
            (void)sigaltstack(&before_, nullptr);
        }
    }

    [[nodiscard]] Result<void> ensure() {
        const u64 frame_bytes = std::max<u64>(getauxval(AT_MINSIGSTKSZ), 4096);
        if (sigaltstack(nullptr, &before_) != 0) return failure();
        const bool is_enabled = (before_.ss_flags & SS_DISABLE) == 0;
        if (is_enabled && before_.ss_size >= frame_bytes + own_use_bytes) return {};
        // A page of guard below: handlers that we chain to may need more than we do.
        const u64 bytes = os::round_up_to_page(frame_bytes + roomy_bytes);
        auto region = WRUN_TRY(os::MappedRegion::reserve(os::page_bytes + bytes));
        WRUN_TRY(region.make_writable(os::page_bytes, bytes));
        stack_t stack{};
        stack.ss_sp = region.data() + os::page_bytes;
        stack.ss_size = bytes;
        if (sigaltstack(&stack, nullptr) != 0) return failure();
        region_ = std::move(region);
        return {};
    }

private:
    static constexpr u64 own_use_bytes = 8 * 1024;
    static constexpr u64 roomy_bytes = 128 * 1024;

    [[nodiscard]] static Error failure() noexcept {
        return {ErrorCode::io, static_cast<u16>(errno)};
    }

    os::MappedRegion region_;
    stack_t before_{};
};

thread_local SignalStack signal_stack;
constinit thread_local bool thread_is_ready = false;

}  // namespace

Result<void> install_signal_handlers() {
    static constinit std::mutex lock;
    static constinit bool done = false;
    const std::lock_guard guard{lock};
    if (done) return {};
    wrun_has_avx = Cpu::host().avx;
    for (std::size_t i = 0; i < handled_signals.size(); ++i) {
        WRUN_TRY(previous_handlers[i].replace(handled_signals[i], handle));
    }
    done = true;
    return {};
}

Result<void> prepare_thread_for_signals() {
    if (thread_is_ready) return {};
    WRUN_TRY(signal_stack.ensure());
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : handled_signals)
        sigaddset(&signals, signal);
    if (pthread_sigmask(SIG_UNBLOCK, &signals, nullptr) != 0) return Error{ErrorCode::io};
    thread_is_ready = true;
    return {};
}

}  // namespace wrun::runtime
