// A function body's operations in the words of the text format, dead ones included.
// Folded expressions are not: one operation a line, as the bytes have them.
#pragma once

#include <string>
#include <vector>

#include "decoder/module.hpp"

namespace wrun::cli {

struct Operation {
    u32 offset = 0;  // in the module's bytes
    u32 depth = 0;   // of blocks around it; those that begin or end one lie outside
    std::string text;
};

/// Of a valid body.
[[nodiscard]] std::vector<Operation> operations(const Module& module, FuncIndex func);

/// "3" or "3 name".
[[nodiscard]] std::string func_text(const Module& module, FuncIndex func);

}  // namespace wrun::cli
