// See operation.hpp.
#include "cli/operation.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <tuple>

#include "cli/message.hpp"
#include "decoder/immediates.hpp"
#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"

namespace wrun::cli {
namespace {

/// Of a br_table; more would make a line nobody reads.
constexpr u32 labels_shown_max = 24;

template <class Float, class Bits>
std::string float_text(Bits bits, int digits) {
    const Float value = std::bit_cast<Float>(bits);
    char text[64];
    if (std::isnan(value)) {
        static_cast<void>(
            std::snprintf(text, sizeof text, "nan:0x%llx", static_cast<unsigned long long>(bits)));
    } else {
        static_cast<void>(
            std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(value)));
    }
    return text;
}

/// The immediates of one operation, a space before each.
class ImmediateText {
public:
    ImmediateText(const Module& module, const OpInfo& op) : module_{module}, op_{op} {}

    template <Immediate kind>
    std::string read(TrustedReader& reader) const {
        auto immediates = read_immediates<kind>(reader);
        return std::apply(
            [&](const auto&... each) {
                if constexpr (kind == Immediate::f32) {
                    return (std::string{} + ... + (' ' + float_text<float>(each, 9)));
                } else if constexpr (kind == Immediate::f64) {
                    return (std::string{} + ... + (' ' + float_text<double>(each, 17)));
                } else {
                    return (std::string{} + ... + one(each));
                }
            },
            std::move(immediates).take());
    }

private:
    static std::string number(u64 value) { return ' ' + std::to_string(value); }
    static std::string one(wrun::i32 value) { return ' ' + std::to_string(value); }
    static std::string one(wrun::i64 value) { return ' ' + std::to_string(value); }
    static std::string one(u32 depth) { return number(depth); }
    static std::string one(LocalIndex index) { return number(index.value); }
    static std::string one(GlobalIndex index) { return number(index.value); }
    static std::string one(TableIndex index) { return number(index.value); }
    static std::string one(DataIndex index) { return number(index.value); }
    static std::string one(ElemIndex index) { return number(index.value); }
    /// As in the text format, memory 0 is not said.
    static std::string one(MemoryIndex index) {
        return index.value == 0 ? std::string{} : number(index.value);
    }
    static std::string one(ValType type) { return ' ' + name(type); }
    std::string one(FuncIndex func) const { return ' ' + func_text(module_, func); }
    std::string one(const MemArg& arg) const {
        std::string text = one(arg.memory);
        if (arg.offset != 0) text += " offset=" + std::to_string(arg.offset);
        if ((u32{1} << arg.align_log2) != op_.access_bytes)
            text += " align=" + std::to_string(u64{1} << arg.align_log2);
        return text;
    }
    static std::string one(const BlockType& type) {
        switch (type.form) {
            case BlockType::Form::empty: return {};
            case BlockType::Form::value: return " (result " + name(type.result) + ')';
            case BlockType::Form::type: break;
        }
        return " (type " + std::to_string(type.type.value) + ')';
    }
    static std::string one(const CallIndirect& target) {
        return (target.table.value == 0 ? std::string{} : number(target.table.value)) + " (type " +
               std::to_string(target.type.value) + ')';
    }
    std::string one(const LabelTable& labels) const {
        const auto begin = static_cast<u32>(labels.bytes - module_.bytes.data());
        TrustedReader reader{module_.bytes, {begin, static_cast<u32>(module_.bytes.size())}};
        std::string text;
        for (u32 i = 0; i <= labels.count; ++i) {
            const u32 depth = reader.leb_u32().take();
            if (i < labels_shown_max || i == labels.count) text += number(depth);
            if (i == labels_shown_max && i != labels.count)
                text += " ...(" + std::to_string(labels.count) + " in all)...";
        }
        return text;
    }

    const Module& module_;
    const OpInfo& op_;
};

std::string immediate_text(const Module& module, const OpInfo& op, TrustedReader& reader) {
    const ImmediateText text{module, op};
    switch (op.immediate) {
#define WRUN_IMMEDIATE(name) \
    case Immediate::name: return text.read<Immediate::name>(reader);
        WRUN_IMMEDIATES(WRUN_IMMEDIATE)
#undef WRUN_IMMEDIATE
    }
    return {};
}

void skip_locals(TrustedReader& reader) {
    const u32 runs = reader.leb_u32().take();
    for (u32 i = 0; i < runs; ++i) {
        reader.skip_leb();
        static_cast<void>(read_val_type(reader));
    }
}

}  // namespace

std::string func_text(const Module& module, FuncIndex func) {
    std::string_view name = module.function_name(func);
    // An import without a name of its own goes by that of its field.
    for (const Import& import : module.imports)
        if (name.empty() && import.kind == ExternKind::func && import.index == func.value)
            name = module.text(import.field);
    return std::to_string(func.value) + (name.empty() ? "" : " \"" + printable(name) + '"');
}

std::vector<Operation> operations(const Module& module, FuncIndex func) {
    TrustedReader reader{module.bytes, module.body(func)};
    skip_locals(reader);
    std::vector<Operation> all;
    u32 depth = 0;
    while (!reader.at_end()) {
        const u32 offset = reader.offset();
        const Op op = read_op(reader).take().op();
        const OpInfo& row = info(op);
        if ((op == Op::end || op == Op::else_) && depth != 0) --depth;
        all.push_back({offset, depth, std::string{row.text} + immediate_text(module, row, reader)});
        if (op == Op::block || op == Op::loop || op == Op::if_ || op == Op::else_) ++depth;
    }
    return all;
}

}  // namespace wrun::cli
