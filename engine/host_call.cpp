// Calls from guests to functions of the host: the registers and stack arguments that the switching
// stub left become slots, and slots become results.
#include "engine/slots.hpp"
#include "engine/state.hpp"

namespace wrun::engine {

namespace {

using runtime::ArgumentPlaces;
using runtime::HostCallArea;
using Where = ArgumentPlaces::Place::Where;

void load_arguments(const runtime::CanonicalType& type, const HostCallArea& area,
    const u64* stack_args, std::span<u64> slots) {
    ArgumentPlaces places;
    u32 slot = 0;
    for (const ValType param : type.params()) {
        const auto place = places.next(param);
        const u64* from = nullptr;
        switch (place.where) {
            case Where::integer: from = &area.integers[place.index]; break;
            case Where::floating: from = &area.floats[place.index].low; break;
            case Where::stack: from = stack_args + place.index; break;
        }
        slots[slot] = narrowed(param, from[0]);
        if (param.slots() == 2) slots[slot + 1] = from[1];
        slot += param.slots();
    }
}

void store_results(const runtime::CanonicalType& type, std::span<const u64> slots,
    HostCallArea& area, u64* buffer) {
    ResultPlaces places;
    u32 slot = 0;
    for (const ValType result : type.results()) {
        u64* to = buffer + slot;
        switch (places.next(result)) {
            case ResultPlaces::Where::integer: to = &area.integers[0]; break;
            case ResultPlaces::Where::floating: to = &area.floats[0].low; break;
            case ResultPlaces::Where::buffer: break;
        }
        to[0] = narrowed(result, slots[slot]);
        if (result.slots() == 2) to[1] = slots[slot + 1];
        slot += result.slots();
    }
}

/// runtime::HostFunction::dispatch of all functions that a store makes.
u64 dispatch(runtime::HostFunction& base, const runtime::FuncRecord&, HostCallArea& area,
    runtime::Context* caller, const u64* stack_args) {
    auto& self = static_cast<HostFunction&>(base);
    const runtime::CanonicalType& type = *self.type;
    SlotBuffer slots{std::max(type.param_slots, type.result_slots)};
    load_arguments(type, area, stack_args, slots.span());
    const HostResult answer = call_host(self, instance_of(caller), slots.span());
    // A call that the function made may have killed the very instances we would return to.
    const auto& killed = self.store->state().killed;
    if (killed) [[unlikely]]
        return runtime::entry_status::trap_base + to_underlying(*killed);
    if (answer.kind == HostResult::Kind::ok) {
        store_results(type, slots.span(), area, caller->results);
        return runtime::entry_status::returned;
    }
    // It may have failed because it was interrupted.
    if (const auto code = interruption()) {
        self.store->state().trap_detail.clear();
        return runtime::entry_status::trap_base + to_underlying(*code);
    }
    if (answer.kind == HostResult::Kind::trap) {
        return runtime::entry_status::trap_base + to_underlying(answer.trap);
    }
    self.store->state().exit_status = answer.exit_status;
    return runtime::entry_status::exited;
}

[[nodiscard]] u32 number_of(Engine& engine, const FuncType& type) {
    const auto id = engine.state().types.add_function(type.params, type.results);
    // Only an engine that has met tens of millions of types has no room for another.
    WRUN_CHECK(id.ok());
    return id.value();
}

}  // namespace

HostResult call_host(const HostFunction& function, Instance* instance, std::span<u64> slots) {
    Caller caller{*function.store, instance};
    const HostResult answer = function.callback(caller, function.env, slots);
    // What was said about a trap that did not come must not be told of the next.
    std::string& detail = function.store->state().trap_detail;
    if (answer.kind != HostResult::Kind::trap && !detail.empty()) detail.clear();
    return answer;
}

runtime::FuncRecord* Store::make_function(const FuncType& type, HostCallback callback, void* env) {
    return make_host_function(*this, number_of(*state_->engine, type), callback, env);
}

u32 HostDefinition::type_id(Engine& engine) const {
    const u64 number = engine.state().number;
    const u64 known = known_.load(std::memory_order_relaxed);
    if ((known & ((u64{1} << engine_bits) - 1)) == number)
        return static_cast<u32>(known >> engine_bits);
    const u32 id = number_of(engine, type);
    known_.store(u64{id} << engine_bits | number, std::memory_order_relaxed);
    return id;
}

runtime::FuncRecord* make_host_function(
    Store& store, u32 type_id, HostCallback callback, void* env) {
    ++store.state().made;
    HostFunction& function = store.state().host_functions.emplace_back();
    function.dispatch = dispatch;
    function.store = &store;
    function.callback = callback;
    function.env = env;
    function.type = &store.state().engine->state().types[type_id];
    function.record = {
        .code = nullptr,
        .context =
            reinterpret_cast<runtime::Context*>(static_cast<runtime::HostFunction*>(&function)),
        .type_id = type_id,
        .func_index = 0,
        .stack_arg_slots = static_cast<u16>(function.type->stack_arg_slots),
        .flags = runtime::FuncRecord::flag_host,
        .reserved = 0,
    };
    return &function.record;
}

GuestMemory Caller::memory() const noexcept {
    return instance_ == nullptr ? GuestMemory{} : instance_->memory();
}

void Caller::explain(std::string_view detail) const {
    store_.state().trap_detail = detail;
}

}  // namespace wrun::engine
