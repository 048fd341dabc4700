// See drain.hpp.
#include "cli/drain.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "wasi/uninterrupted.hpp"

namespace wrun::cli {
namespace {

using wasi::uninterrupted;

/// What the target does not take is lost: a guest that initialises itself need not know.
u64 pump(int source, int target) {
    std::array<char, 65'536> buffer{};
    u64 bytes = 0;
    for (;;) {
        const ssize_t got =
            uninterrupted([&] { return ::read(source, buffer.data(), buffer.size()); });
        if (got <= 0) return bytes;
        bytes += static_cast<u64>(got);
        for (ssize_t done = 0; target >= 0 && done < got;) {
            const auto rest = static_cast<std::size_t>(got - done);
            const ssize_t put =
                uninterrupted([&] { return ::write(target, buffer.data() + done, rest); });
            if (put <= 0) break;
            done += put;
        }
    }
}

}  // namespace

std::optional<Drain> Drain::open(int target) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    Drain drain;
    drain.in_ = os::File{ends[1]};
    drain.bytes_ = std::make_unique<u64>(0);
    drain.thread_ =
        std::thread{[source = os::File{ends[0]}, target, bytes = drain.bytes_.get()]() mutable {
            *bytes = pump(source.number(), target);
        }};
    return drain;
}

Drain::~Drain() {
    if (thread_.joinable()) close();
}

u64 Drain::close() {
    in_ = os::File{};
    thread_.join();
    return *bytes_;
}

}  // namespace wrun::cli
