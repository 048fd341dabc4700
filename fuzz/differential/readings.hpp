// Where the second engine is known to read bytes otherwise than Wasm 2.0 as wrun reads it.
// Everything that compares the engines asks here before it calls different verdicts a finding. Each
// reading is as narrow as its bytes allow, and they are looked at without the decoder: a fault of
// wrun's must not excuse itself.
#pragma once

#include <span>
#include <string_view>

#include "base/result.hpp"
#include "fuzz/differential/transcript.hpp"

namespace wrun::differ {

/// wrun's verdict. Bodies behind a faulty one are looked at all the same.
[[nodiscard]] Result<void> wrun_validates(std::span<const u8> wasm);

/// Why one engine takes these bytes and the other does not, in a few words; empty when nothing
/// known explains it, which is a finding. `refusal` is what the second engine said, empty when it
/// takes them. Needs the second engine.
[[nodiscard]] std::string_view known_reading(
    std::span<const u8> wasm, const Result<void>& mine, std::string_view refusal);

/// compare() of what both did with these bytes; verdicts that differ for a known reason are
/// skipped.
[[nodiscard]] Comparison compare_modules(
    std::span<const u8> wasm, const Transcript& mine, const Transcript& second);

}  // namespace wrun::differ
