// See listing.hpp.
#include "cli/listing.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include "cli/operation.hpp"
#include "engine/type_match.hpp"

namespace wrun::cli {
namespace {

using engine::FunctionListing;
using engine::LineRow;

constexpr std::size_t operation_width = 34;
constexpr std::size_t instruction_width = 44;
constexpr u32 depth_shown_max = 8;
constexpr std::size_t bytes_shown = 10;  // of an instruction; the longest has 15

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

std::string hex(u64 value, int digits = 0) {
    std::array<char, 24> text{};
    static_cast<void>(std::snprintf(
        text.data(), text.size(), "%0*llx", digits, static_cast<unsigned long long>(value)));
    return text.data();
}

std::string_view register_name(const codegen::Home& home) {
    static constexpr std::string_view integers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",
        "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
    static constexpr std::string_view floats[] = {"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
        "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};
    return (home.is_float ? floats : integers)[home.reg & 15];
}

/// Code from one row of the line table to the next.
struct Region {
    u32 begin = 0;
    u32 end = 0;
    LineRow row{};
    bool prologue = false;
    std::vector<Instruction> instructions;  // none in tables and constants
    [[nodiscard]] bool is_code() const noexcept {
        return row.kind == LineRow::Kind::code || row.kind == LineRow::Kind::out_of_line;
    }
};

std::vector<Region> regions_of(const FunctionListing& listing, const Disassembler& disassembler) {
    const auto end = static_cast<u32>(listing.code.size());
    std::vector<Region> regions;
    regions.push_back({0, end, {}, true, {}});
    for (const LineRow& row : listing.lines) {
        regions.back().end = row.code_offset;
        regions.push_back({row.code_offset, end, row, false, {}});
    }
    for (Region& region : regions) {
        const auto code = std::span{listing.code}.first(region.end);
        for (u32 at = region.begin; region.is_code() && at < region.end;) {
            region.instructions.push_back(disassembler.at(code, at));
            at += region.instructions.back().size;
        }
    }
    return regions;
}

class Printer {
public:
    Printer(const engine::Lister& lister, FuncIndex func, const FunctionListing& listing,
        const Disassembler& disassembler, const ListingStyle& style)
        : lister_{lister},
          module_{lister.module()},
          func_{func},
          listing_{listing},
          style_{style},
          regions_{regions_of(listing, disassembler)} {
        number_labels();
    }

    [[nodiscard]] std::string print() {
        const std::vector<Operation> all = operations(module_, func_);
        std::size_t region = 0;
        take_region("(prologue)", regions_[region++]);
        for (const Operation& operation : all) {
            const u32 offset = operation.offset - module_.body(func_).begin;
            std::string words = operation_text(operation);
            bool announced = false;
            for (; region < regions_.size() && belongs(regions_[region], offset); ++region) {
                take_region(announced ? "" : words, regions_[region]);
                announced = true;
            }
            // Nothing is generated for what cannot be reached.
            if (!announced) line(padded(words, operation_width) + "(dead)", "");
        }
        for (; region < regions_.size(); ++region) {
            const Region& rest = regions_[region];
            if (rest.begin == rest.end) continue;
            take_region(rest.row.kind == LineRow::Kind::constants ? "(constants)"
                                                                  : out_of_line_text(rest, all),
                rest);
        }
        return header() + body_;
    }

private:
    static bool belongs(const Region& region, u32 offset) {
        return (region.row.kind == LineRow::Kind::code ||
                   region.row.kind == LineRow::Kind::jump_table) &&
               region.row.body_offset == offset;
    }

    // ---- labels -------------------------------------------------------------------------------

    [[nodiscard]] u32 word_at(u32 offset) const {
        u32 word = 0;
        std::memcpy(&word, listing_.code.data() + offset, sizeof word);
        return word;
    }
    /// Entry i of a table says target - (table + 4 i + 4).
    [[nodiscard]] std::vector<u32> table_targets(const Region& region) const {
        std::vector<u32> targets;
        for (u32 at = region.begin; at + 4 <= region.end; at += 4)
            targets.push_back(at + 4 + word_at(at));
        return targets;
    }

    void number_labels() {
        for (const Region& region : regions_) {
            for (const Instruction& instruction : region.instructions) {
                if (instruction.target && !instruction.is_call) labels_[*instruction.target] = 0;
                if (instruction.code_item) labels_[*instruction.code_item] = 0;
            }
            if (region.row.kind != LineRow::Kind::jump_table) continue;
            for (const u32 target : table_targets(region))
                labels_[target] = 0;
        }
        u32 number = 0;
        for (auto& [offset, label] : labels_)
            label = ++number;
    }
    [[nodiscard]] std::string label(u32 offset) const {
        const auto found = labels_.find(offset);
        return found == labels_.end() ? "0x" + hex(offset) : 'L' + std::to_string(found->second);
    }

    // ---- lines --------------------------------------------------------------------------------

    void line(std::string left, const std::string& right) {
        if (!right.empty() && left.size() > operation_column()) {
            body_ += left + '\n';
            left.clear();
        }
        std::string text = right.empty() ? left : padded(left, operation_column()) + right;
        text.resize(text.find_last_not_of(' ') + 1);
        body_ += text + '\n';
    }
    [[nodiscard]] std::size_t operation_column() const {
        return operation_width + (style_.offsets ? 8 : 0);
    }
    [[nodiscard]] std::string operation_text(const Operation& operation) const {
        std::string text = style_.offsets ? padded(hex(operation.offset, 4), 8) : std::string{};
        text +=
            "  " + std::string(2 * std::size_t{std::min(operation.depth, depth_shown_max)}, ' ');
        return text + operation.text;
    }
    [[nodiscard]] std::string out_of_line_text(
        const Region& region, const std::vector<Operation>& all) const {
        const u32 offset = region.row.body_offset + module_.body(func_).begin;
        const auto found = std::find_if(
            all.begin(), all.end(), [&](const auto& op) { return op.offset == offset; });
        return "(aside" + (found == all.end() ? std::string{} : ": " + found->text) + ')';
    }

    /// A region's lines, the first with `words` beside it.
    void take_region(std::string words, const Region& region) {
        const auto next = [&](const std::string& right) {
            line(std::move(words), right);
            words.clear();
        };
        if (region.begin == region.end) return next("");
        if (labels_.contains(region.begin) && !words.empty()) {
            // The label stands alone, so that the words stand beside the first instruction.
            line(words, label(region.begin) + ':');
            words.clear();
        }
        if (region.row.kind == LineRow::Kind::constants) return take_constants(region);
        if (region.row.kind == LineRow::Kind::jump_table) return take_table(region, words);
        for (const Instruction& instruction : region.instructions) {
            if (labels_.contains(instruction.offset) && instruction.offset != region.begin)
                next(label(instruction.offset) + ':');
            next(instruction_text(instruction));
        }
    }
    void take_table(const Region& region, std::string words) {
        line(std::move(words), label(region.begin) + ':');
        const std::vector<u32> targets = table_targets(region);
        std::string text = ".table";
        for (const u32 target : targets)
            text += ' ' + label(target);
        line({}, prefix(region.begin, {}) + text);
    }
    void take_constants(const Region& region) {
        for (u32 at = region.begin; at + 8 <= region.end; at += 8) {
            if (at != region.begin && labels_.contains(at)) line({}, label(at) + ':');
            line({}, prefix(at, {}) + ".quad 0x" + hex(constant_at(at), 16));
        }
    }
    [[nodiscard]] u64 constant_at(u32 offset) const {
        u64 bits = 0;
        if (offset + sizeof bits <= listing_.code.size())
            std::memcpy(&bits, listing_.code.data() + offset, sizeof bits);
        return bits;
    }

    /// What stands before an instruction: its offset and its bytes, as far as wanted.
    [[nodiscard]] std::string prefix(u32 offset, std::span<const u8> bytes) const {
        std::string text = "  ";
        if (style_.offsets) text += padded(hex(offset, 4), 6);
        if (!style_.bytes) return text;
        std::string all;
        for (const u8 byte : bytes)
            all += hex(byte, 2);
        return text + padded(all, 2 * bytes_shown) + ' ';
    }

    [[nodiscard]] std::string instruction_text(const Instruction& instruction) {
        const auto bytes = std::span{listing_.code}.subspan(instruction.offset, instruction.size);
        std::string operands = instruction.operands;
        std::vector<std::string> notes;
        if (instruction.is_call) {
            note_call(instruction, operands, notes);
        } else if (instruction.target) {
            operands = label(*instruction.target);
        } else if (instruction.context_offset) {
            note_context(*instruction.context_offset, notes);
        }
        if (instruction.code_item) name_code_item(*instruction.code_item, operands, notes);
        if (instruction.eax) eax_ = *instruction.eax;
        for (const runtime::TrapRow& row : listing_.rows)
            if (row.code_offset == instruction.offset && row.code() != runtime::TrapCode::host)
                notes.push_back("traps: " + std::string{engine::text(row.code())});
        std::string text =
            prefix(instruction.offset, bytes) + padded(instruction.mnemonic, 7) + ' ' + operands;
        if (notes.empty()) return text;
        text = padded(std::move(text), instruction_width + (style_.offsets ? 6 : 0)) + " ;";
        for (std::size_t i = 0; i < notes.size(); ++i)
            text += (i == 0 ? " " : ", ") + notes[i];
        return text;
    }

    void note_call(
        const Instruction& call, std::string& operands, std::vector<std::string>& notes) {
        const auto direct = std::find_if(
            listing_.calls.begin(), listing_.calls.end(), [&](const codegen::CallFixup& fixup) {
                return fixup.code_offset > call.offset &&
                       fixup.code_offset < call.offset + call.size;
            });
        if (direct != listing_.calls.end()) {
            operands = "func " + func_text(module_, direct->callee);
            return note_callee(operands);
        }
        if (!call.context_offset) return;
        const std::string item = lister_.context_item(*call.context_offset);
        if (item == "helper call") {
            notes.push_back("helper " + std::string{engine::helper_name(eax_)});
            return note_callee(notes.back());
        }
        notes.push_back(item);
        note_callee(last_func_.empty() ? "through a record" : last_func_);
        last_func_.clear();
    }
    void note_callee(const std::string& callee) {
        if (std::find(callees_.begin(), callees_.end(), callee) == callees_.end())
            callees_.push_back(callee);
    }
    void note_context(u32 offset, std::vector<std::string>& notes) {
        std::string item = lister_.context_item(offset);
        if (item.empty()) return;
        if (item.starts_with("func ")) {
            item = "func " +
                   func_text(module_, FuncIndex{static_cast<u32>(std::stoul(item.substr(5)))});
            last_func_ = item;
        }
        notes.push_back(std::move(item));
    }
    /// `[rip + 0x12]` says nothing; the label there does, and a constant's bits.
    void name_code_item(u32 item, std::string& operands, std::vector<std::string>& notes) const {
        const std::size_t begin = operands.find("rip");
        const std::size_t end = operands.find(']', begin);
        if (begin == std::string::npos || end == std::string::npos) return;
        operands.replace(begin, end - begin, label(item));
        const auto holds = [&](const Region& region) {
            return region.row.kind == LineRow::Kind::constants && item >= region.begin &&
                   item < region.end;
        };
        if (std::any_of(regions_.begin(), regions_.end(), holds))
            notes.push_back("0x" + hex(constant_at(item), 16));
    }

    // ---- above the code -----------------------------------------------------------------------

    [[nodiscard]] std::string homes_text() const {
        std::string text;
        for (const codegen::Home& home : listing_.homes) {
            text += text.empty() ? "" : ", ";
            text += std::string{register_name(home)} + " = local " + std::to_string(home.local);
        }
        return text.empty() ? "none" : text;
    }
    [[nodiscard]] std::string traps_text() const {
        std::map<std::string_view, u32> counts;
        for (const runtime::TrapRow& row : listing_.rows)
            if (row.code() != runtime::TrapCode::host) ++counts[engine::text(row.code())];
        std::string text;
        for (const auto& [name, count] : counts) {
            text += text.empty() ? "" : ", ";
            text += std::to_string(count) + " x " + std::string{name};
        }
        return text.empty() ? "none" : text;
    }
    [[nodiscard]] std::string calls_text() const {
        std::string text;
        for (const std::string& callee : callees_) {
            text += text.empty() ? "" : ", ";
            text += callee;
        }
        return text.empty() ? "none" : text;
    }
    [[nodiscard]] std::string header() const {
        const TypeIndex type = module_.functions[func_.value];
        const auto params = module_.params(type);
        const auto results = module_.results(type);
        const std::string signature = engine::describe(
            engine::FuncType{{params.begin(), params.end()}, {results.begin(), results.end()}});
        return "func " + func_text(module_, func_) + ' ' + signature + "\n  homes  " +
               homes_text() + "\n  frame  " + std::to_string(listing_.frame_bytes) +
               " bytes\n  code   " + std::to_string(listing_.code.size()) +
               " bytes for a body of " + std::to_string(module_.body(func_).size()) +
               "\n  traps  " + traps_text() + "\n  calls  " + calls_text() + "\n\n";
    }

    const engine::Lister& lister_;
    const Module& module_;
    FuncIndex func_;
    const FunctionListing& listing_;
    const ListingStyle& style_;
    std::vector<Region> regions_;
    std::map<u32, u32> labels_;  // code offset → number
    std::vector<std::string> callees_;
    std::string last_func_;  // whose record was loaded last
    u64 eax_ = 0;            // what it was last set to
    std::string body_;
};

}  // namespace

std::string print_function(const engine::Lister& lister, FuncIndex func,
    const engine::FunctionListing& listing, const Disassembler& disassembler,
    const ListingStyle& style) {
    return Printer{lister, func, listing, disassembler, style}.print();
}

}  // namespace wrun::cli
