// The one loop around host calls that a signal may interrupt: it ends when the guest's run shall
// end.
#pragma once

#include <cerrno>

#include "engine/engine.hpp"

namespace wrun::wasi {

/// Repeats a call that a signal interrupted, unless that was to end the run (then EINTR: the guest
/// does not see it). A signal between the question and the next call is repeated a millisecond
/// later, so none is lost.
template <class Call>
auto uninterrupted(Call&& call) noexcept {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR || engine::is_interrupted()) return result;
    }
}

}  // namespace wrun::wasi
