// WAT text to wasm bytes, so that tests show modules as people read them.
// The assembler is the shared library inside the `wasmtime` Python wheel, opened at run time: no
// header of it exists here, and a build without the wheel only skips the tests that ask
// `available()` first. The library is opened once, at the first use, and stays open; all functions
// may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wrun::wat {

/// Whether the wheel's library was found: at the environment's WRUN_WASMTIME_LIB, else where
/// tools/setup puts it.
bool available();

/// Why not, for a skip message; empty when it is there.
const std::string& unavailable_reason();

/// The module's bytes, or nothing and the assembler's message (with line and column) in `*error`,
/// which may be null.
std::optional<std::vector<std::uint8_t>> try_assemble(std::string_view wat, std::string* error);

/// For text that a test wrote itself: a mistake in it, or a missing library, ends the program with
/// the message.
std::vector<std::uint8_t> assemble(std::string_view wat);

}  // namespace wrun::wat
