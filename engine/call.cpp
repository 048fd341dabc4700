// Calls from the host into a store: arguments to registers and stack, entry, results, traps with
// their backtraces.
#include <algorithm>

#include "engine/fiber.hpp"
#include "engine/slots.hpp"
#include "engine/state.hpp"
#include "engine/type_match.hpp"
#include "runtime/signals.hpp"
#include "runtime/trace.hpp"

namespace wrun::engine {

namespace {

using runtime::ArgumentPlaces;
using runtime::EntryArguments;
using runtime::EntryRecord;
using Where = ArgumentPlaces::Place::Where;
namespace status = runtime::entry_status;

/// A guest that recurses through host functions uses up the host's stack, where no guard of ours
/// is. What is left must do for one more level and for what its host function needs.
constexpr u64 host_stack_room_min = 64 * 1024;

void load_arguments(const runtime::CanonicalType& type, std::span<const u64> slots,
    EntryArguments& arguments, std::span<u64> stack_slots) {
    ArgumentPlaces places;
    u32 slot = 0;
    for (const ValType param : type.params()) {
        const auto place = places.next(param);
        u64* to = nullptr;
        switch (place.where) {
            case Where::integer: to = &arguments.integers[place.index]; break;
            case Where::floating: to = &arguments.floats[place.index].low; break;
            case Where::stack: to = &stack_slots[place.index]; break;
        }
        to[0] = narrowed(param, slots[slot]);
        if (param.slots() == 2) to[1] = slots[slot + 1];
        slot += param.slots();
    }
    arguments.stack_slot_count = stack_slots.size();
    arguments.stack_slots = stack_slots.data();
}

void take_results(const runtime::CanonicalType& type, const EntryArguments& arguments,
    const u64* buffer, std::span<u64> slots) {
    ResultPlaces places;
    u32 slot = 0;
    for (const ValType result : type.results()) {
        const u64* from = buffer + slot;
        switch (places.next(result)) {
            case ResultPlaces::Where::integer: from = &arguments.integer_result; break;
            case ResultPlaces::Where::floating: from = &arguments.float_result.low; break;
            case ResultPlaces::Where::buffer: break;
        }
        slots[slot] = from[0];
        if (result.slots() == 2) slots[slot + 1] = from[1];
        slot += result.slots();
    }
}

[[nodiscard]] Frame frame_of(const runtime::RawFrame& raw) {
    const auto& module = static_cast<const Module::State*>(raw.owner)->decoded;
    const FuncIndex func{module.imported_function_count + raw.function};
    Frame frame;
    frame.func_index = func.value;
    frame.name = module.function_name(func);
    // Only modules that were decoded here have functions without code.
    frame.module_offset = raw.wasm_offset != runtime::RawFrame::unknown
                              ? raw.wasm_offset
                              : module.bodies[raw.function].begin;
    if (raw.body_offset != runtime::RawFrame::unknown) frame.module_offset += raw.body_offset;
    return frame;
}

[[nodiscard]] Trap trap_of(runtime::TrapCode code, const EntryRecord& record, Store::State& store) {
    Trap trap;
    trap.code = code;
    trap.detail = std::exchange(store.trap_detail, {});
    static_assert(Trap::innermost_frames_kept == runtime::RawTrace::innermost_frames_kept);
    const runtime::RawTrace trace = runtime::capture_trace(record);
    trap.frames_omitted = trace.omitted;
    for (const runtime::RawFrame& raw : trace.frames)
        trap.frames.push_back(frame_of(raw));
    return trap;
}

[[nodiscard]] Outcome outcome_of(u64 how, const EntryRecord& record, Store::State& store) {
    if (how == status::returned) return Returned{};
    if (how == status::exited) return Exit{store.exit_status};
    return trap_of(static_cast<runtime::TrapCode>(how - status::trap_base), record, store);
}

[[nodiscard]] Outcome run_host_function(const runtime::FuncRecord& func, std::span<u64> slots) {
    auto& base = *reinterpret_cast<runtime::HostFunction*>(func.context);
    const auto& function = static_cast<const HostFunction&>(base);
    const HostResult answer = call_host(function, nullptr, slots);
    switch (answer.kind) {
        case HostResult::Kind::ok: break;
        case HostResult::Kind::trap: {
            Trap trap;
            trap.code = answer.trap;
            trap.detail = std::exchange(function.store->state().trap_detail, {});
            return trap;
        }
        case HostResult::Kind::exit: return Exit{answer.exit_status};
    }
    return Returned{};
}

[[nodiscard]] Trap trap_without_frames(runtime::TrapCode code) {
    Trap trap;
    trap.code = code;
    return trap;
}

/// Notes in the store that its guest was stopped.
[[nodiscard]] u64 note_kill(u64 how, Store::State& store) noexcept {
    if (how < status::trap_base || how >= status::exited) return how;
    const auto code = static_cast<runtime::TrapCode>(how - status::trap_base);
    if (runtime::kills(code)) store.killed = code;
    return how;
}

[[nodiscard]] Result<Outcome> run_guest_function(Store::State& store,
    const runtime::FuncRecord& func, std::span<u64> slots, const CallLimits& limits) {
    const runtime::CanonicalType& type = store.engine->state().types[func.type_id];
    EntryArguments arguments;
    SlotBuffer stack_slots{type.stack_arg_slots};
    load_arguments(type, slots, arguments, stack_slots.span());

    EntryRecord record{};
    record.guest_rsp =
        store.innermost != nullptr ? store.innermost->guest_rsp & ~u64{15} : store.stack.high();
    record.stack_low = store.stack.low();
    record.stack_high = store.stack.high();
    record.deadline_ns = limits.deadline_ns;
    // On a fiber there may be slices.
    const bool is_limited = limits.cancel != nullptr || limits.deadline_ns != CallLimits::never ||
                            Fiber::current() != nullptr;
    runtime::Armed armed;
    if (is_limited) {
        if (limits.cancel != nullptr) record.cancel = &limits.cancel->request();
        WRUN_TRY(armed.arm(record, store.engine->state().options.interrupt_signal));
        if (limits.cancel != nullptr && limits.cancel->is_cancelled()) {
            store.killed = runtime::TrapCode::cancelled;
            return Outcome{trap_without_frames(*store.killed)};
        }
    }
    const u32* const outer_attention = store.meter.attention;
    if (is_limited || wrun_entry != nullptr) {
        store.meter.attention = runtime::attention_of_thread();
    }
    EntryRecord* const outer = std::exchange(store.innermost, &record);
    // A host function further out may have said already why it is going to trap.
    std::string outer_detail;
    if (!store.trap_detail.empty()) [[unlikely]]
        outer_detail.swap(store.trap_detail);
    const u64 how =
        note_kill(runtime::enter_guest(record, func.code, func.context, arguments), store);
    store.innermost = outer;
    store.meter.attention = outer_attention;
    if (how == status::returned) take_results(type, arguments, store.stack.results(), slots);
    Outcome outcome = outcome_of(how, record, store);
    if (!outer_detail.empty()) [[unlikely]]
        store.trap_detail.swap(outer_detail);
    return outcome;
}

[[nodiscard]] bool fits(const Value& value, ValType param) noexcept {
    if (!param.is_ref()) return value.type == param;
    return matches(value.type, param) && (param.nullable() || value.bits != 0);
}

}  // namespace

std::string_view text(runtime::TrapCode code) noexcept {
    switch (code) {
#define WRUN_TRAP(name, text) \
    case runtime::TrapCode::name: return text;
#include "runtime/traps.def"
#undef WRUN_TRAP
    }
    return "unknown trap";
}

std::optional<runtime::TrapCode> interruption() noexcept {
    const u64 how = runtime::interrupt_status();
    if (how == 0) return std::nullopt;
    return static_cast<runtime::TrapCode>(how - status::trap_base);
}

Result<Outcome> run_function(
    Store& store, runtime::FuncRecord& func, std::span<u64> slots, const CallLimits& limits) {
    if (store.state().killed) return Error{ErrorCode::store_killed};
    if (wrun_entry != nullptr) {
        // Only below a guest: how deep the host itself goes is not the guest's doing.
        if (runtime::host_stack_room() < host_stack_room_min) {
            return Outcome{trap_without_frames(runtime::TrapCode::stack_overflow)};
        }
        // Not a moment longer, and nothing of this store is touched.
        if (const auto code = interruption()) return Outcome{trap_without_frames(*code)};
    }
    if ((func.flags & runtime::FuncRecord::flag_host) != 0) return run_host_function(func, slots);
    WRUN_TRY(runtime::prepare_thread_for_signals());
    return run_guest_function(store.state(), func, slots, limits);
}

Result<Outcome> Store::call(runtime::FuncRecord* func, std::span<const Value> arguments,
    std::vector<Value>& results, const CallLimits& limits) {
    const runtime::CanonicalType& type = state_->engine->state().types[func->type_id];
    const auto params = type.params();
    if (!std::equal(arguments.begin(), arguments.end(), params.begin(), params.end(), fits)) {
        return Error{ErrorCode::argument_mismatch};
    }
    SlotBuffer buffer{std::max(type.param_slots, type.result_slots)};
    const auto slots = buffer.span();
    u32 slot = 0;
    for (const Value& argument : arguments) {
        slots[slot] = argument.bits;
        slot += argument.type.slots();
    }
    Outcome outcome = WRUN_TRY(run_function(*this, *func, slots, limits));
    results.clear();
    if (std::holds_alternative<Returned>(outcome)) {
        slot = 0;
        for (const ValType result : type.results()) {
            results.push_back({result, narrowed(result, slots[slot])});
            slot += result.slots();
        }
    }
    return outcome;
}

}  // namespace wrun::engine
