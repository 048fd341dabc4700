// A descriptor of the host's that closes itself. Move-only; -1 is none.
// Also the one loop around host calls that a signal may interrupt: it ends when the guest's run
// shall end.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "engine/engine.hpp"

namespace wrun::wasi {

class HostFile {
public:
    HostFile() = default;
    /// Takes ownership.
    explicit HostFile(int number) noexcept : number_{number} {}
    HostFile(HostFile&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    HostFile& operator=(HostFile&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~HostFile() { reset(); }

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

private:
    // Linux frees the number even when close() reports an error, so there is nothing to retry.
    void reset() noexcept {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }
    int number_ = -1;
};

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
