// Store: what the host makes in it, and access to externs.
#include <algorithm>
#include <cstring>

#include "engine/slots.hpp"
#include "engine/state.hpp"
#include "runtime/write_gate.hpp"

namespace wrun::engine {

Store::Store(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}

Store::~Store() {
    // Somebody's frame would still stand on the guest's stack.
    WRUN_CHECK(state_->innermost == nullptr);
    state_->engine->state().stacks.put(std::move(state_->stack));
}

Result<std::unique_ptr<Store>> Store::make(Engine& engine, const StoreOptions& options) {
    auto state = std::make_unique<State>();
    state->engine = &engine;
    state->options = options;
    state->stack = WRUN_TRY(engine.state().stacks.take(options.stack_bytes));
    std::unique_ptr<Store> store{new Store{std::move(state)}};
    store->set_fuel(options.fuel);
    return store;
}

u64 Store::fuel() const noexcept {
    return static_cast<u64>(std::max<i64>(state_->meter.fuel, 0));
}

void Store::set_fuel(u64 fuel) noexcept {
    constexpr u64 fuel_max = ~u64{0} >> 1;
    state_->meter.fuel = static_cast<i64>(std::min(fuel, fuel_max));
}

void* Store::host_data() const noexcept {
    return state_->options.host_data;
}

Result<runtime::Memory*> Store::make_memory(const MemoryType& type) {
    auto memory = WRUN_TRY(runtime::Memory::make(type, state_->options.memory_bytes_max));
    ++state_->made;
    return state_->host_memories.emplace_back(std::move(memory)).get();
}

Result<runtime::Table*> Store::make_table(const TableType& type, u64 init) {
    auto table = WRUN_TRY(runtime::Table::make(type, state_->options.table_elements_max, init));
    ++state_->made;
    return state_->host_tables.emplace_back(std::move(table)).get();
}

runtime::GlobalObject* Store::make_global(const GlobalType& type, u64 bits) {
    ++state_->made;
    HostGlobal& global = state_->host_globals.emplace_back();
    global.object = {type, global.cell.data()};
    global.cell[0] = narrowed(type.type, bits);
    return &global.object;
}

FuncType Store::type_of(const runtime::FuncRecord* func) const {
    return func_type(state_->engine->state().types[func->type_id]);
}

FuncType func_type(const runtime::CanonicalType& type) {
    const auto params = type.params();
    const auto results = type.results();
    return {{params.begin(), params.end()}, {results.begin(), results.end()}};
}

// ---- access to externs -------------------------------------------------------------------------

GlobalType Store::type_of(const runtime::GlobalObject* global) noexcept {
    return global->type;
}

u64 Store::get(const runtime::GlobalObject* global) noexcept {
    // Generated code writes an i32 as four bytes; the rest of the cell means nothing.
    const Kind kind = global->type.type.kind();
    const u64 mask = kind == Kind::i32 || kind == Kind::f32 ? 0xffff'ffff : ~u64{0};
    return global->cell[0] & mask;
}

void Store::set(runtime::GlobalObject* global, u64 bits) noexcept {
    global->cell[0] = narrowed(global->type.type, bits);
}

TableType Store::type_of(const runtime::Table* table) noexcept {
    return table->type();
}

u64 Store::size(const runtime::Table* table) noexcept {
    return table->size();
}

std::optional<u64> Store::get(const runtime::Table* table, u64 index) noexcept {
    return table->get(index);
}

bool Store::set(runtime::Table* table, u64 index, u64 bits) noexcept {
    return table->set(index, bits);
}

std::optional<u64> Store::grow(runtime::Table* table, u64 count, u64 init) noexcept {
    return table->grow(count, init);
}

MemoryType Store::type_of(const runtime::Memory* memory) noexcept {
    return memory->type();
}

GuestMemory Store::view(const runtime::Memory* memory) noexcept {
    return {memory->base(), memory->bytes()};
}

std::optional<u64> Store::grow(runtime::Memory* memory, u64 pages) noexcept {
    return memory->grow(pages);
}

std::optional<std::span<u8>> GuestMemory::view_for_system(u64 address, u64 bytes) const noexcept {
    const auto found = view(address, bytes);
    if (found) runtime::let_system_write(*found);
    return found;
}

bool GuestMemory::read(u64 address, void* to, u64 bytes) const noexcept {
    if (!contains(address, bytes)) return false;
    if (bytes != 0) std::memcpy(to, base_ + address, bytes);
    return true;
}

bool GuestMemory::write(u64 address, const void* from, u64 bytes) const noexcept {
    if (!contains(address, bytes)) return false;
    if (bytes != 0) std::memcpy(base_ + address, from, bytes);
    return true;
}

}  // namespace wrun::engine
