// In the place of disassembler.cpp where wrun is linked statically: no library can be loaded then.
#include "cli/disassembler.hpp"

namespace wrun::cli {

struct Disassembler::Library {};

Disassembler::Disassembler(std::unique_ptr<Library> library) noexcept
    : library_{std::move(library)} {}
Disassembler::~Disassembler() = default;

std::unique_ptr<Disassembler> Disassembler::make(std::string& why) {
    why = "this wrun is linked statically and has no disassembler; the dynamic one has";
    return nullptr;
}

Instruction Disassembler::at(std::span<const u8>, u32) const {
    return {};
}

}  // namespace wrun::cli
