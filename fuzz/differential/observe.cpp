// Runs a subject over a module and writes down what it did.
#include <algorithm>
#include <cstring>

#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/transcript.hpp"

namespace wrun::differ {
namespace {

constexpr u64 page_bytes = 65'536;
constexpr u32 back_depth_max = 2;
constexpr u32 back_calls_max = 6;

u64 hash(std::string_view text) noexcept {
    u64 state = text.size();
    for (const char c : text)
        state = mix(state, static_cast<unsigned char>(c));
    return state;
}

/// Four lanes, so that comparing megabytes after every round stays cheap.
u64 hash_page(const u8* bytes) noexcept {
    u64 lanes[4] = {1, 2, 3, 4};
    for (u64 at = 0; at < page_bytes; at += 32) {
        u64 words[4];
        std::memcpy(words, bytes + at, sizeof words);
        for (u32 lane = 0; lane < 4; ++lane) {
            lanes[lane] = (lanes[lane] ^ words[lane]) * 0x9e37'79b9'7f4a'7c15;
            lanes[lane] ^= lanes[lane] >> 29;
        }
    }
    return mix(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]));
}

class Observer final : public Host {
public:
    Observer(Subject& subject, const ObserveOptions& options)
        : subject_{subject}, options_{options} {}

    [[nodiscard]] Transcript run(std::span<const u8> wasm) {
        transcript_.subject = subject_.name();
        transcript_.verdict = subject_.load(wasm, transcript_.refusal);
        add({.what = What::verdict, .bits = to_underlying(transcript_.verdict)});
        if (transcript_.verdict == Verdict::accepted) {
            transcript_.shape = subject_.shape();
            describe_shape();
            for (u32 round = 0; round < options_.rounds && !overflowed(); ++round)
                run_round(round);
        }
        return std::move(transcript_);
    }

    bool call(u32 import, std::span<const Value> arguments, std::span<Value> results) override {
        const u64 count = host_calls_++;
        add({.what = What::host_call, .index = import});
        for (u32 i = 0; i < arguments.size(); ++i)
            add_value(What::host_argument, 0, import, i, arguments[i]);
        if (item(import).field == calling_back) call_back(import, count);
        for (u32 i = 0; i < results.size(); ++i)
            results[i] = host_result(results[i].type, import, count, i);
        return !host_call_traps(import, count);
    }

private:
    void add(const Event& event) { transcript_.events.push_back(event); }
    void add_value(What what, u32 instance, u32 index, u32 sub, const Value& value) {
        add({what, value.type, static_cast<u16>(instance), index, sub, comparable_bits(value)});
    }
    [[nodiscard]] bool overflowed() const {
        return transcript_.overflow_from != Transcript::no_overflow;
    }

    void describe_shape() {
        u32 index = 0;
        for (const Item& item : transcript_.shape.imports)
            add({.what = What::import, .index = index++, .bits = hash(text(item))});
        for (const Item& item : transcript_.shape.exports)
            add({.what = What::export_, .index = index++, .bits = hash(text(item))});
    }

    [[nodiscard]] const Item& item(u32 index) const {
        const Shape& shape = transcript_.shape;
        const u32 imports = static_cast<u32>(shape.imports.size());
        return index < imports ? shape.imports[index] : shape.exports[index - imports];
    }
    [[nodiscard]] u32 item_count() const {
        return static_cast<u32>(
            transcript_.shape.imports.size() + transcript_.shape.exports.size());
    }

    /// Whether the run of this round may go on.
    bool note_ending(const Ending& ending, std::size_t began) {
        if (ending.kind == Ending::Kind::trapped && ending.trap == TrapKind::stack_overflow) {
            // Of calls inside one another the innermost is noted first, the outermost last.
            transcript_.overflow_from = std::min(transcript_.overflow_from, began);
            return false;
        }
        const u64 trap = ending.kind == Ending::Kind::trapped ? to_underlying(ending.trap) : u64{0};
        if (overflowed()) transcript_.overflow_from = std::min(transcript_.overflow_from, began);
        add({.what = What::ending, .bits = u64{to_underlying(ending.kind)} << 8 | trap});
        return !overflowed();
    }

    bool instantiate(u32 round) {
        const std::size_t began = transcript_.events.size();
        add({.what = What::instantiation,
            .instance = static_cast<u16>(subject_.instance_count()),
            .sub = round});
        const Ending ending = subject_.instantiate();
        return note_ending(ending, began) && ending.kind == Ending::Kind::returned;
    }

    [[nodiscard]] bool wants_twin() const {
        for (const Item& import : transcript_.shape.imports) {
            if (import.module == twin_module) return true;
        }
        return false;
    }

    void run_round(u32 round) {
        host_calls_ = 0;
        subject_.begin_round(*this);
        if (!instantiate(round)) return;
        if (wants_twin() && !instantiate(round)) return;
        const u32 imports = static_cast<u32>(transcript_.shape.imports.size());
        for (u32 instance = subject_.instance_count(); instance-- > 0;) {
            for (u32 index = imports; index < item_count(); ++index) {
                if (item(index).kind != ExternKind::func) continue;
                back_calls_ = 0;
                if (!call_export(round, instance, index)) return;
                look_at_globals(instance);
                if (options_.state_per_call) look_at_state();
            }
        }
        look_at_state();
    }

    bool call_export(u32 round, u32 instance, u32 index) {
        const Item func = item(index);
        std::vector<Value> arguments;
        for (const Type type : func.params)
            arguments.push_back(argument(type, round, index, static_cast<u32>(arguments.size())));
        const std::size_t began = transcript_.events.size();
        add({.what = What::call,
            .instance = static_cast<u16>(instance),
            .index = index,
            .sub = round});
        std::vector<Value> results;
        const Ending ending = subject_.call(instance, index, arguments, results);
        if (!note_ending(ending, began)) return false;
        if (ending.kind != Ending::Kind::returned) return true;
        for (u32 i = 0; i < results.size(); ++i)
            add_value(What::result, instance, index, i, results[i]);
        return true;
    }

    /// One export, another each time, with the arguments of some round. Bounded in depth and
    /// number, for what is called may call back again.
    void call_back(u32 import, u64 count) {
        const u32 instances = subject_.instance_count();
        const Shape& shape = transcript_.shape;
        if (instances == 0 || shape.exports.empty() || back_depth_ >= back_depth_max ||
            back_calls_ >= back_calls_max)
            return;
        u64 at = mix(import, count) % shape.exports.size();
        for (u64 tried = 0; shape.exports[at].kind != ExternKind::func; ++tried) {
            if (tried == shape.exports.size()) return;
            at = (at + 1) % shape.exports.size();
        }
        ++back_depth_;
        ++back_calls_;
        call_export(1 + static_cast<u32>(count % 4), instances - 1,
            static_cast<u32>(shape.imports.size() + at));
        --back_depth_;
    }

    void look_at_globals(u32 instance) {
        for (u32 index = 0; index < item_count(); ++index) {
            if (item(index).kind == ExternKind::global)
                add_value(What::global, instance, index, 0, subject_.global(instance, index));
        }
    }

    void look_at_state() {
        for (u32 instance = 0; instance < subject_.instance_count(); ++instance) {
            for (u32 index = 0; index < item_count(); ++index) {
                if (item(index).kind == ExternKind::memory) look_at_memory(instance, index);
                if (item(index).kind == ExternKind::table) look_at_table(instance, index);
            }
        }
    }

    void look_at_memory(u32 instance, u32 index) {
        const std::span<const u8> bytes = subject_.memory(instance, index);
        Event event{.what = What::memory_size,
            .instance = static_cast<u16>(instance),
            .index = index,
            .bits = bytes.size()};
        add(event);
        event.what = What::memory_hash;
        for (u64 at = 0; at < bytes.size(); at += page_bytes, ++event.sub) {
            event.bits = hash_page(bytes.data() + at);
            add(event);
        }
    }

    void look_at_table(u32 instance, u32 index) {
        const u64 size = subject_.table_size(instance, index);
        add({.what = What::table_size,
            .instance = static_cast<u16>(instance),
            .index = index,
            .bits = size});
        for (u32 i = 0; i < size; ++i) {
            const Value element = subject_.table_element(instance, index, i);
            if (element.bits != 0) add_value(What::table_element, instance, index, i, element);
        }
    }

    Subject& subject_;
    ObserveOptions options_;
    Transcript transcript_;
    u64 host_calls_ = 0;
    u32 back_depth_ = 0;
    u32 back_calls_ = 0;
};

}  // namespace

Transcript observe(Subject& subject, std::span<const u8> wasm, const ObserveOptions& options) {
    return Observer{subject, options}.run(wasm);
}

}  // namespace wrun::differ
