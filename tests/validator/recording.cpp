// See recording.hpp.
#include "tests/validator/recording.hpp"

#include <ostream>
#include <type_traits>

#include "validator/walk.hpp"

namespace wrun::build {
namespace {

class RecordingSink {
public:
    explicit RecordingSink(const Module& module) : begin_{module.bytes.data()} {}

    void at(u32 offset, const u8* next) {
        all.push_back({offset, place(next), {}, {}});
        words_ = 0;
    }
#define WRUN_OP(name, ...)                       \
    template <class... Immediates>               \
    void emit_##name(Immediates... immediates) { \
        note(Op::name, immediates...);           \
    }
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX

    std::vector<Heard> all;

private:
    template <class... Immediates>
    [[gnu::noinline]] void note(Op op, Immediates... immediates) {
        all.back().op = op;
        (add(immediates), ...);
    }
    template <class T>
    void add(T immediate) {
        if constexpr (std::is_integral_v<T>) {
            all.back().immediates.at(words_++) = static_cast<u64>(immediate);
        } else if constexpr (std::is_same_v<T, ValType>) {
            add(immediate.bits());
        } else if constexpr (std::is_same_v<T, MemArg>) {
            add(immediate.memory.value);
            add(immediate.offset);
            add(immediate.align_log2);
        } else if constexpr (std::is_same_v<T, BlockType>) {
            add(to_underlying(immediate.form));
            add(immediate.result);
            add(immediate.type.value);
        } else if constexpr (std::is_same_v<T, CallIndirect>) {
            add(immediate.type.value);
            add(immediate.table.value);
        } else if constexpr (std::is_same_v<T, LabelTable>) {
            add(immediate.count);
            add(place(immediate.bytes));
        } else {
            add(immediate.value);
        }
    }
    [[nodiscard]] u32 place(const u8* at) const { return static_cast<u32>(at - begin_); }

    const u8* begin_;
    std::size_t words_ = 0;
};

}  // namespace

std::string line(const Heard& heard) {
    std::string text = std::to_string(heard.offset) + '+' + std::to_string(heard.next) + ' ' +
                       names({heard}).front();
    for (const u64 word : heard.immediates)
        text += ' ' + std::to_string(static_cast<i64>(word));
    return text;
}

void PrintTo(const Heard& heard, std::ostream* out) {
    *out << line(heard);
}

std::vector<std::string> lines(const std::vector<Heard>& all) {
    std::vector<std::string> made;
    for (const Heard& heard : all)
        made.push_back(line(heard));
    return made;
}

std::vector<std::string> names(const std::vector<Heard>& all) {
    static constexpr std::array names = {
#define WRUN_OP(name, ...) #name,
#define WRUN_LATER_OP(...)
#define WRUN_LATER_PREFIX(...)
#include "decoder/ops.def"
#undef WRUN_OP
#undef WRUN_LATER_OP
#undef WRUN_LATER_PREFIX
    };
    std::vector<std::string> made;
    for (const Heard& heard : all)
        made.emplace_back(names.at(to_underlying(heard.op)));
    return made;
}

std::vector<Heard> heard_trusted(const Module& module, FuncIndex func) {
    RecordingSink sink{module};
    walk_trusted(module, func, sink);
    return sink.all;
}

std::vector<Heard> heard_checked(const Module& module, FuncIndex func, FeatureSet features) {
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
    return sink.all;
}

}  // namespace wrun::build
