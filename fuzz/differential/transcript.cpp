// Comparing two transcripts and saying where they part.
#include "fuzz/differential/transcript.hpp"

#include <algorithm>

#include "fuzz/differential/plan.hpp"

namespace wrun::differ {
namespace {

std::string item_text(const Transcript& transcript, u32 index) {
    const Shape& shape = transcript.shape;
    if (index < shape.imports.size()) return text(shape.imports[index]);
    index -= static_cast<u32>(shape.imports.size());
    return index < shape.exports.size() ? text(shape.exports[index]) : "?";
}

const std::vector<Type>* params_of(const Transcript& transcript, u32 index) {
    const Shape& shape = transcript.shape;
    if (index < shape.imports.size()) return &shape.imports[index].params;
    index -= static_cast<u32>(shape.imports.size());
    return index < shape.exports.size() ? &shape.exports[index].params : nullptr;
}

std::string ending_text(u64 bits) {
    const auto kind = static_cast<Ending::Kind>(bits >> 8);
    if (kind == Ending::Kind::returned) return "returned";
    if (kind == Ending::Kind::refused) return "refused";
    return "trap: " + std::string{name(static_cast<TrapKind>(bits & 0xff))};
}

std::string hex(u64 value) {
    char buffer[24];
    std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(value));
    return buffer;
}

std::string place(const Event& event) {
    return event.instance == 0 ? "" : " of instance " + std::to_string(event.instance);
}

/// The call or instantiation that the event at `at` belongs to.
const Event* beginning_of(const Transcript& transcript, std::size_t at) {
    for (std::size_t i = std::min(at + 1, transcript.events.size()); i-- > 0;) {
        const Event& event = transcript.events[i];
        if (event.what == What::call || event.what == What::instantiation) return &event;
    }
    return nullptr;
}

std::string event_or_nothing(const Transcript& transcript, std::size_t at) {
    return at < transcript.events.size() ? text(transcript, transcript.events[at]) : "nothing more";
}

}  // namespace

std::string text(const Transcript& transcript, const Event& event) {
    const auto value = [&] { return text(Value{event.type, event.bits}); };
    switch (event.what) {
        case What::verdict:
            switch (static_cast<Verdict>(event.bits)) {
                case Verdict::accepted: return "accepted";
                case Verdict::refused: return "refused: " + transcript.refusal;
                case Verdict::over_a_limit: return "over a limit: " + transcript.refusal;
            }
            return "?";
        case What::import: return "imports " + item_text(transcript, event.index);
        case What::export_: return "exports " + item_text(transcript, event.index);
        case What::instantiation:
            return "instantiation" + place(event) + " in round " + std::to_string(event.sub);
        case What::call: {
            std::string all = "call of " + item_text(transcript, event.index) + place(event) +
                              " in round " + std::to_string(event.sub) + " with";
            u32 param = 0;
            if (const auto* const params = params_of(transcript, event.index)) {
                for (const Type type : *params)
                    all += ' ' + text(argument(type, event.sub, event.index, param++)) + ',';
            }
            if (param == 0) return all + " nothing";
            all.pop_back();
            return all;
        }
        case What::ending: return ending_text(event.bits);
        case What::result: return "result " + std::to_string(event.sub) + " = " + value();
        case What::host_call: return "calls " + item_text(transcript, event.index);
        case What::host_argument: return "argument " + std::to_string(event.sub) + " = " + value();
        case What::global:
            return item_text(transcript, event.index) + place(event) + " = " + value();
        case What::memory_size:
            return item_text(transcript, event.index) + place(event) + " has " +
                   std::to_string(event.bits) + " bytes";
        case What::memory_hash:
            return item_text(transcript, event.index) + place(event) + " page " +
                   std::to_string(event.sub) + " hashes to " + hex(event.bits);
        case What::table_size:
            return item_text(transcript, event.index) + place(event) + " has " +
                   std::to_string(event.bits) + " elements";
        case What::table_element:
            return item_text(transcript, event.index) + place(event) + " element " +
                   std::to_string(event.sub) + " = " + value();
    }
    return "?";
}

Comparison compare(const Transcript& subject, const Transcript& second) {
    using Kind = Comparison::Kind;
    if (subject.verdict == Verdict::over_a_limit || second.verdict == Verdict::over_a_limit) {
        return {Kind::skipped, subject.subject + ": " + text(subject, subject.events[0])};
    }
    const std::size_t longest = std::max(subject.events.size(), second.events.size());
    const std::size_t end = std::min({longest, subject.overflow_from, second.overflow_from});
    for (std::size_t i = 0; i < end; ++i) {
        if (i < subject.events.size() && i < second.events.size() &&
            subject.events[i] == second.events[i])
            continue;
        std::string all;
        if (const Event* const begin = beginning_of(second, std::min(i, second.events.size() - 1)))
            all = text(second, *begin) + ": ";
        all += second.subject + ": " + event_or_nothing(second, i) + "; ";
        all += subject.subject + ": " + event_or_nothing(subject, i);
        return {Kind::different, all};
    }
    if (subject.overflow_from != second.overflow_from) {
        const bool mine = subject.overflow_from < second.overflow_from;
        return {Kind::skipped, (mine ? subject : second).subject + " alone ran out of stack"};
    }
    return {};
}

}  // namespace wrun::differ
