// The three places that know the ABI's numbers say the same: runtime/abi.hpp, the machine code of
// runtime/x64 and docs/abi.md.
#include "runtime/abi.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace wrun::test {
namespace {

using namespace runtime;

std::string file(const std::string& path) {
    std::ifstream stream{std::string{WRUN_SOURCE_DIR} + '/' + path};
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

TEST(Abi, MachineCodeUsesTheOffsetsOfTheHeader) {
    const std::map<std::string, u64> expected = {
        {"context_memory_base", offsetof(Context, memory_base)},
        {"record_code", offsetof(FuncRecord, code)},
        {"record_context", offsetof(FuncRecord, context)},
        {"record_stack_arg_slots", offsetof(FuncRecord, stack_arg_slots)},
        {"record_flags", offsetof(FuncRecord, flags)},
        {"record_flag_host", FuncRecord::flag_host},
        {"entry_host_rsp", offsetof(EntryRecord, host_rsp)},
        {"entry_guest_rsp", offsetof(EntryRecord, guest_rsp)},
        {"entry_guest_rbp", offsetof(EntryRecord, guest_rbp)},
        {"entry_guest_pc", offsetof(EntryRecord, guest_pc)},
        {"entry_status", offsetof(EntryRecord, status)},
        {"entry_mxcsr", offsetof(EntryRecord, mxcsr)},
        {"entry_faulted", offsetof(EntryRecord, faulted)},
        {"entry_interrupt", offsetof(EntryRecord, interrupt)},
        {"arguments_integers", offsetof(EntryArguments, integers)},
        {"arguments_stack_slot_count", offsetof(EntryArguments, stack_slot_count)},
        {"arguments_stack_slots", offsetof(EntryArguments, stack_slots)},
        {"arguments_float_result", offsetof(EntryArguments, float_result)},
        {"arguments_integer_result", offsetof(EntryArguments, integer_result)},
        {"area_integers", offsetof(HostCallArea, integers)},
        {"area_bytes", sizeof(HostCallArea)},
    };
    const std::string text =
        file("runtime/x64/stubs.S") + file("runtime/x64/fiber.S") + file("runtime/x64/entry.inc");
    const std::regex line{R"(\.set ((?:context|record|entry|arguments|area)_\w+), (\d+))"};
    std::map<std::string, u64> found;
    for (std::sregex_iterator at{text.begin(), text.end(), line}, end; at != end; ++at) {
        found[(*at)[1]] = std::stoull((*at)[2]);
    }
    EXPECT_EQ(found, expected);
}

TEST(Abi, DocumentHasTheNumbersOfTheHeader) {
    const std::string text = std::regex_replace(file("docs/abi.md"), std::regex{R"(\s+)"}, " ");
    const auto bytes = [](u64 count) { return std::to_string(count) + " bytes"; };
    const auto kib = [](u64 count) { return std::to_string(count / 1024) + " KiB"; };
    const std::string sentences[] = {
        "A slot is " + bytes(slot_bytes),
        bytes(sizeof(FuncRecord)) + ": code, context, type id",
        "The fixed part is `runtime::Context` (" + bytes(sizeof(Context)) + ")",
        "headers (" + bytes(sizeof(MemoryHeader)) + "), table headers (" +
            bytes(sizeof(TableHeader)) + ") and global cells (" + bytes(global_cell_bytes) + ")",
        "An entry is " + bytes(jump_table_entry_bytes),
        kib(stack_guard_bytes) + " of guard",
        "A frame below " + kib(probe_frame_bytes) + " needs no check",
    };
    for (const std::string& sentence : sentences) {
        EXPECT_NE(text.find(sentence), std::string::npos) << sentence;
    }
}

TEST(Abi, RowsKeepWhatTheyAreGiven) {
    for (u8 code = 0; code <= to_underlying(TrapRow::code_last); ++code) {
        const auto row = TrapRow::make(0xffff'ffff, 0xff'ffff, static_cast<TrapCode>(code), 15);
        EXPECT_EQ(row.code_offset, 0xffff'ffffu);
        EXPECT_EQ(row.body_offset(), 0xff'ffffu);
        EXPECT_EQ(to_underlying(row.code()), code);
        EXPECT_EQ(row.aux(), 15u);
    }
}

}  // namespace
}  // namespace wrun::test
