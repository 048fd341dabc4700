// Bytes → Module, to the letter of the binary format. Borrowing: the Module points into the bytes,
// which must outlive it.
#pragma once

#include <span>

#include "base/features.hpp"
#include "base/result.hpp"
#include "decoder/module.hpp"

namespace wrun {

/// Reads every section; bodies are only delimited (their bytes are read by the validator's walk).
/// Fails with a malformed, limit or unsupported error at a byte offset.
[[nodiscard]] Result<Module> decode(std::span<const u8> bytes, FeatureSet features);

}  // namespace wrun
