// A sink that writes down everything it hears, and the two walks through it.
// Tests compare its lines, so that what a sink is told is pinned word for word.
#pragma once

#include <string>
#include <vector>

#include "decoder/module.hpp"
#include "validator/walk.hpp"

namespace wrun::build {

class RecordingSink {
public:
    void at(u32 offset, const u8* next) { line_ = std::to_string(offset) + '+' + next_of(next); }
#define WRUN_OP(name, ...)                        \
    template <class... Immediates>                \
    void emit_##name(Immediates... immediates) {  \
        std::string text = line_ + " " #name;     \
        ((text += ' ' + words(immediates)), ...); \
        lines.push_back(std::move(text));         \
    }
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX

    explicit RecordingSink(const Module& module) : begin_{module.bytes.data()} {}

    std::vector<std::string> lines;

    /// Only the operations' names.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const std::string& line : lines) {
            const std::size_t begin = line.find(' ') + 1;
            all.push_back(line.substr(begin, line.find(' ', begin) - begin));
        }
        return all;
    }

private:
    [[nodiscard]] std::string next_of(const u8* next) const {
        return std::to_string(next - begin_);
    }
    static std::string words(u32 value) { return std::to_string(value); }
    static std::string words(i32 value) { return std::to_string(value); }
    static std::string words(u64 value) { return std::to_string(value); }
    static std::string words(i64 value) { return std::to_string(value); }
    static std::string words(ValType type) { return wrun::name(type); }
    template <class Tag>
    static std::string words(Index<Tag> index) {
        return std::to_string(index.value);
    }
    static std::string words(MemArg arg) {
        return std::to_string(arg.memory.value) + ':' + std::to_string(arg.offset) + '/' +
               std::to_string(arg.align_log2);
    }
    static std::string words(BlockType type) {
        switch (type.form) {
            case BlockType::Form::empty: return "empty";
            case BlockType::Form::value: return wrun::name(type.result);
            case BlockType::Form::type: return "type " + std::to_string(type.type.value);
        }
        return "?";
    }
    static std::string words(CallIndirect call) {
        return words(call.type) + ' ' + words(call.table);
    }
    [[nodiscard]] std::string words(LabelTable table) const {
        return std::to_string(table.count) + '@' + next_of(table.bytes);
    }

    const u8* begin_;
    std::string line_;
};

/// What the trusted walk announces. Only of a body that is valid.
[[nodiscard]] inline std::vector<std::string> heard_trusted(const Module& module, FuncIndex func) {
    RecordingSink sink{module};
    walk_trusted(module, func, sink);
    return sink.lines;
}

/// What the checked walk announces up to its end or its first error.
[[nodiscard]] inline std::vector<std::string> heard_checked(
    const Module& module, FuncIndex func, FeatureSet features) {
    RecordingSink sink{module};
    FunctionSummary summary;
    LocalTypes locals;
    TypingMemory memory;
    Reader reader{module.bytes, module.body(func), features};
    const TypeIndex type = module.functions[func.value];
    if (!locals.read(module, type, reader, summary).ok()) return {};
    Typing typing{module, features, locals, memory};
    typing.begin(type);
    (void)walk(reader, typing, sink);
    return sink.lines;
}

}  // namespace wrun::build
