// See proof.hpp.
#include "bench/cold/proof.hpp"

#include <algorithm>

namespace wrun::cold {
namespace {

bool is_pristine(std::span<const u8> memory, const std::vector<u8>& expected) {
    return std::equal(memory.begin(), memory.end(), expected.begin(), expected.end());
}

u32 pages_changed(std::span<const u8> memory, const std::vector<u8>& expected) {
    u32 count = 0;
    for (u64 at = 0; at < expected.size(); at += page_bytes)
        if (!std::equal(expected.begin() + static_cast<std::ptrdiff_t>(at),
                expected.begin() + static_cast<std::ptrdiff_t>(at + page_bytes),
                memory.begin() + static_cast<std::ptrdiff_t>(at)))
            ++count;
    return count;
}

}  // namespace

void prove(Worker& worker, const Handler& handler) {
    const std::vector<u8> expected = pristine(handler.memory_bytes);
    for (int i = 0; i < 2; ++i) {
        worker.start(0);
        if (!is_pristine(worker.memory(), expected))
            give_up(handler.name, "an instance is not as new");
        if (worker.call(handler.argument) != handler.expected)
            give_up(handler.name, "the answer is wrong");
        if (pages_changed(worker.memory(), expected) != handler.pages_written)
            give_up(handler.name, "it did not write the pages that it says");
        if (!handler.only_writes && handler.name == "grow" &&
            worker.memory().size() != handler.memory_bytes + (64 << 10))
            give_up(handler.name, "it did not grow");
        worker.finish();
    }
    worker.start(0);
    if (!is_pristine(worker.memory(), expected)) give_up(handler.name, "something was left behind");
    worker.finish();
}

}  // namespace wrun::cold
