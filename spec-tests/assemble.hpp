// A script's module as wasm bytes. Text goes to the assembler of the tests, in process (see
// tests/support/wat.hpp); `(module binary …)` is bytes already and never goes there, so that
// malformed bytes stay as they are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "spec-tests/script.hpp"

namespace wrun::spec {

/// Nothing, and the assembler's message, where the text is no module.
[[nodiscard]] std::optional<std::vector<u8>> assemble(
    const ModuleSource& source, std::string& error);

}  // namespace wrun::spec
