// Randomness, from the kernel straight into the guest's memory; and what tells instances apart.
#include <sys/random.h>

#include <algorithm>

#include "wasi/areas/areas.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::wasi::areas {

Errno random_get(Call& call, u32 buffer, u32 length) {
    auto view = call.memory.view_for_system(buffer, length);
    if (!view) return Errno::fault;
    // In pieces, so that a signal need not wait for gigabytes.
    constexpr std::size_t piece_bytes = 1u << 20;
    std::span<u8> rest = *view;
    while (!rest.empty()) {
        const ssize_t got = uninterrupted(
            [&] { return ::getrandom(rest.data(), std::min(rest.size(), piece_bytes), 0); });
        if (got < 0) return last_errno();
        if (engine::is_interrupted()) return Errno::intr;
        rest = rest.subspan(static_cast<std::size_t>(got));
    }
    return Errno::success;
}

Errno generation_id(Call& call, u32 buffer) {
    const GenerationId* const id = WRUN_TRY(call.state.generation_id());
    return call.memory.write(buffer, id->data(), id->size()) ? Errno::success : Errno::fault;
}

}  // namespace wrun::wasi::areas
