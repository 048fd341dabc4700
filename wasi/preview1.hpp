// WASI preview 1 as imports: the thin shim between Linker and the areas, all 46 functions; and the
// preview before. A call finds its State through the calling store, so one Linker serves any number
// of stores, each with a state of its own, which must outlive it.
#pragma once

#include "engine/engine.hpp"
#include "wasi/state.hpp"

namespace wrun::wasi {

/// Where a store's State is. A call that finds none traps.
using FindState = State* (*)(engine::Store& store);

/// The convention unless a host has its own: StoreOptions::host_data is the State.
[[nodiscard]] State* state_in_host_data(engine::Store& store) noexcept;

/// Defines the module wasi_snapshot_preview1, and what instances can ask of wrun itself as "wrun":
/// generation_id (func (param i32) (result i32)) writes 16 bytes that no other instance is told,
/// always the same to this one, and answers an errno. An instance that starts from a frozen one
/// cannot know by its memory that it is another one.
Result<void> define_preview1(engine::Linker& linker, FindState find = &state_in_host_data);

/// Defines the module wasi_unstable, which compilers meant until 2019: the same functions but
/// sock_accept, over the same state, with the records and numbers of that time. Apart, because few
/// modules import it and definitions are a part of every start.
Result<void> define_unstable(engine::Linker& linker, FindState find = &state_in_host_data);
[[nodiscard]] bool imports_unstable(const Module& module) noexcept;

}  // namespace wrun::wasi
