// What a fuzz target is: one function over bytes. libFuzzer calls it, and so does replay.cpp in
// builds without libFuzzer. It must return for every input; a crash, a hang or a sanitizer's report
// is the bug.
#pragma once

#include <cstddef>
#include <cstdint>

/// Always returns 0, as libFuzzer wants.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
