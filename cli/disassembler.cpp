// See disassembler.hpp.
#include "cli/disassembler.hpp"

#include <capstone/capstone.h>
#include <dlfcn.h>

namespace wrun::cli {

struct Disassembler::Library {
    void* opened = nullptr;
    decltype(&cs_open) open = nullptr;
    decltype(&cs_option) option = nullptr;
    decltype(&cs_disasm) disasm = nullptr;
    decltype(&cs_free) free = nullptr;
    decltype(&cs_close) close = nullptr;
    csh handle = 0;

    Library() = default;
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    ~Library() {
        if (handle != 0) close(&handle);
        if (opened != nullptr) dlclose(opened);
    }
};

namespace {

// The interface of another major version is another one.
static_assert(CS_API_MAJOR == 4);
constexpr const char* library_name = "libcapstone.so.4";

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

bool is_in(const cs_detail& detail, u8 group) {
    for (u8 i = 0; i < detail.groups_count; ++i)
        if (detail.groups[i] == group) return true;
    return false;
}

void read_memory_operand(const x86_op_mem& memory, const cs_insn& from, Instruction& to) {
    const auto displacement = static_cast<u32>(memory.disp);
    if (memory.base == X86_REG_RIP) to.code_item = to.offset + from.size + displacement;
    if (memory.base == X86_REG_R14 && memory.index == X86_REG_INVALID)
        to.context_offset = displacement;
}

void read_operands(const cs_insn& from, Instruction& to) {
    const cs_detail& detail = *from.detail;
    const cs_x86& x86 = detail.x86;
    to.is_call = is_in(detail, CS_GRP_CALL);
    const bool goes_somewhere = to.is_call || is_in(detail, CS_GRP_JUMP);
    for (u8 i = 0; i < x86.op_count; ++i) {
        const cs_x86_op& operand = x86.operands[i];
        if (operand.type == X86_OP_MEM) read_memory_operand(operand.mem, from, to);
        if (operand.type == X86_OP_IMM && goes_somewhere) to.target = static_cast<u32>(operand.imm);
    }
    if (from.id == X86_INS_MOV && x86.op_count == 2 && x86.operands[0].type == X86_OP_REG &&
        x86.operands[0].reg == X86_REG_EAX && x86.operands[1].type == X86_OP_IMM)
        to.eax = static_cast<u64>(x86.operands[1].imm);
    // `xor eax, eax` is how zero is loaded.
    if (from.id == X86_INS_XOR && x86.op_count == 2 && x86.operands[0].type == X86_OP_REG &&
        x86.operands[0].reg == X86_REG_EAX && x86.operands[1].type == X86_OP_REG &&
        x86.operands[1].reg == X86_REG_EAX)
        to.eax = 0;
}

}  // namespace

Disassembler::Disassembler(std::unique_ptr<Library> library) noexcept
    : library_{std::move(library)} {}
Disassembler::~Disassembler() = default;

std::unique_ptr<Disassembler> Disassembler::make(std::string& why) {
    auto library = std::make_unique<Library>();
    Library& api = *library;
    api.opened = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (api.opened == nullptr) {
        why = std::string{"cannot load the disassembler "} + library_name +
              " (Debian's package libcapstone4)";
        return nullptr;
    }
    if (!find(api.opened, "cs_open", api.open) || !find(api.opened, "cs_option", api.option) ||
        !find(api.opened, "cs_disasm", api.disasm) || !find(api.opened, "cs_free", api.free) ||
        !find(api.opened, "cs_close", api.close) ||
        api.open(CS_ARCH_X86, CS_MODE_64, &api.handle) != CS_ERR_OK ||
        api.option(api.handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK) {
        why = std::string{"the disassembler "} + library_name + " cannot be used";
        return nullptr;
    }
    return std::unique_ptr<Disassembler>{new Disassembler{std::move(library)}};
}

Instruction Disassembler::at(std::span<const u8> code, u32 offset) const {
    Instruction result;
    result.offset = offset;
    cs_insn* found = nullptr;
    const auto rest = code.subspan(offset);
    if (library_->disasm(library_->handle, rest.data(), rest.size(), offset, 1, &found) == 0) {
        result.size = 1;
        result.mnemonic = ".byte";
        result.operands = std::to_string(rest[0]);
        return result;
    }
    result.size = found->size;
    result.mnemonic = found->mnemonic;
    result.operands = found->op_str;
    read_operands(*found, result);
    library_->free(found, 1);
    return result;
}

}  // namespace wrun::cli
