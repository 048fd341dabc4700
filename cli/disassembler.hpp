// Machine code in words, one instruction at a time, by Debian's capstone. The library is opened
// when the first listing is made, so that no other command pays for loading it; where it is
// missing, `make` says which package has it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/types.hpp"

namespace wrun::cli {

struct Instruction {
    u32 offset = 0;
    u32 size = 0;
    std::string mnemonic;
    std::string operands;
    std::optional<u32> target;          // of a jump or a direct call
    std::optional<u32> code_item;       // where an operand relative to the code lies
    std::optional<u32> context_offset;  // of an operand relative to the context register
    std::optional<u64> eax;             // what `mov eax, N` loads
    bool is_call = false;
};

class Disassembler {
public:
    /// Nothing, with the reason in `why`, where there is no library.
    [[nodiscard]] static std::unique_ptr<Disassembler> make(std::string& why);
    ~Disassembler();
    Disassembler(const Disassembler&) = delete;
    Disassembler& operator=(const Disassembler&) = delete;

    /// The instruction at `offset`; a byte that begins none becomes `.byte`.
    [[nodiscard]] Instruction at(std::span<const u8> code, u32 offset) const;

private:
    struct Library;
    explicit Disassembler(std::unique_ptr<Library> library) noexcept;
    std::unique_ptr<Library> library_;
};

}  // namespace wrun::cli
