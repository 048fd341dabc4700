// A function as people read it: each operation beside the machine code it became, and above them
// where its locals live, how large it is, what may trap and what it calls. `wrun objdump` and the
// golden tests print the same; without offsets, lines change only where code does.
#pragma once

#include <string>

#include "cli/disassembler.hpp"
#include "engine/listing.hpp"

namespace wrun::cli {

struct ListingStyle {
    bool offsets = true;  // of operations in the module, of instructions in the function
    bool bytes = false;   // of each instruction
};

[[nodiscard]] std::string print_function(const engine::Lister& lister, FuncIndex func,
    const engine::FunctionListing& listing, const Disassembler& disassembler,
    const ListingStyle& style);

}  // namespace wrun::cli
