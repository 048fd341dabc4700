// A pipe that a guest writes to and a thread that empties it: into a file of ours as it comes, or
// nowhere. So a guest finds the same kind of stream whatever ours is. Borrows the file.
#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "base/os_file.hpp"

namespace wrun::cli {

class Drain {
public:
    /// `target`: -1 is nowhere. Nothing where there is no pipe to be had.
    [[nodiscard]] static std::optional<Drain> open(int target);
    Drain(Drain&&) = default;
    Drain& operator=(Drain&&) = delete;
    ~Drain();

    /// For the guest.
    [[nodiscard]] int number() const noexcept { return in_.number(); }
    /// After this, everything has come out; so many bytes it was.
    u64 close();

private:
    Drain() = default;

    os::File in_;
    std::unique_ptr<u64> bytes_;
    std::thread thread_;
};

}  // namespace wrun::cli
