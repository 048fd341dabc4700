// Any bytes are found valid or not, and the second engine's validator, where there is one, finds
// the same. Where either reaches a limit of its own, or is known to read such bytes its own way
// (differential/readings.hpp), there is no verdict to compare.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/errors.hpp"
#include "fuzz/differential/readings.hpp"
#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace wrun;
    const std::span bytes{data, size};
    const Result<void> mine = differ::wrun_validates(bytes);
    if (!differ::second_engine_missing().empty()) return 0;
    std::string refusal;
    const bool theirs = differ::second_validates(bytes, refusal) == differ::Verdict::accepted;
    if (mine.ok() == theirs || !differ::known_reading(bytes, mine, refusal).empty()) return 0;
    std::fprintf(stderr, "verdicts differ\n  wrun:   %s\n  second: %s\n",
        mine.ok() ? "valid" : describe(mine.error()).c_str(), theirs ? "valid" : refusal.c_str());
    std::abort();
}
