// How calls of areas wait for descriptors: as the host's files do by themselves, unless the state
// has a waiter (wasi/stream.hpp). Under one no file of the guest's ever blocks the thread: those
// that could are opened so that they do not, and what the guest takes for blocking is waiting here.
#pragma once

#include "wasi/call.hpp"

namespace wrun::wasi {

/// Until one of `events` or for so long (`timeout_ms` -1: for ever; `again` then).
[[nodiscard]] Answer<void> wait_for(
    const State& state, int number, short events, int timeout_ms) noexcept;

/// Whether a transfer may block the thread.
[[nodiscard]] constexpr bool may_block(Filetype type) noexcept {
    return type != Filetype::regular_file && type != Filetype::directory;
}

/// Before a call that would block the thread where somebody else wants to run.
[[nodiscard]] inline Answer<void> wait_before(
    const State& state, const Descriptor& descriptor, short events) noexcept {
    if (state.waiter() == nullptr || !may_block(descriptor.type)) return {};
    if ((descriptor.flags & fdflags::nonblock) != 0) return {};
    return wait_for(state, descriptor.number(), events, -1);
}

}  // namespace wrun::wasi
