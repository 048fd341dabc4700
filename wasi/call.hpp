// One call of a guest: its state and its memory, and how areas read and write that memory. Every
// access goes through GuestMemory, which checks it against the memory's size; `fault` is the answer
// to a pointer that leaves it. Out-pointers are checked before anything is done that could not be
// undone.
#pragma once

#include <sys/uio.h>

#include <array>
#include <span>

#include "engine/engine.hpp"
#include "wasi/errno.hpp"
#include "wasi/layout.hpp"
#include "wasi/state.hpp"

namespace wrun::wasi {

struct Call {
    State& state;
    engine::GuestMemory memory;
    Preview preview = Preview::preview1;

    [[nodiscard]] Answer<void> check(u32 address, u64 bytes) const noexcept {
        return memory.contains(address, bytes) ? Errno::success : Errno::fault;
    }
    template <class T>
    [[nodiscard]] Errno store(u32 address, T value) const noexcept {
        return memory.store(address, value) ? Errno::success : Errno::fault;
    }
    template <u32 size>
    [[nodiscard]] Errno store(u32 address, const Record<size>& record) const noexcept {
        return memory.write(address, record.data(), size) ? Errno::success : Errno::fault;
    }
};

/// The buffers of a scattered read or write, as views of the guest's memory, every one checked.
class Buffers {
public:
    /// As many as Linux takes in one call; more is `inval`, as there.
    static constexpr u32 count_max = 1024;

    /// What the system does with their bytes.
    enum class Use : u8 { reads, writes };

    Buffers() noexcept {}  // leaves the array alone: it is large
    [[nodiscard]] Answer<void> read(
        const engine::GuestMemory& memory, u32 address, u32 count, Use use) noexcept;
    [[nodiscard]] iovec* data() noexcept { return items_.data(); }
    /// No more of them than one transfer takes, whatever a guest names how often.
    [[nodiscard]] std::span<const iovec> for_one_transfer() noexcept;
    [[nodiscard]] int count() const noexcept { return static_cast<int>(count_); }

private:
    /// More the system does not transfer at once either.
    static constexpr u64 transfer_bytes_max = u64{1} << 31;

    std::array<iovec, count_max> items_;
    u32 count_ = 0;
};

}  // namespace wrun::wasi
