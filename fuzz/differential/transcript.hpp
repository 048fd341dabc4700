// Everything observable that one engine did with one module, as a flat list of events. Two
// transcripts are equal exactly when the engines agree. Values are kept as comparable bits, so
// equality needs no rules of its own; the one exception is how deep a stack is, which engines may
// choose: behind an overflow nothing is compared.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "fuzz/differential/subject.hpp"

namespace wrun::differ {

enum class What : u8 {
    verdict,
    import,         // the hash of an import's description
    export_,        // likewise
    instantiation,  // begins
    call,           // begins: `index` the item, `sub` the round
    ending,         // of a call or an instantiation
    result,         // `sub` of the call
    host_call,      // `index` the import
    host_argument,
    global,
    memory_size,
    memory_hash,
    table_size,
    table_element,
};

struct Event {
    What what{};
    Type type = Type::i64;
    u16 instance = 0;
    u32 index = 0;  // an item of the instance, imports first
    u32 sub = 0;
    u64 bits = 0;
    bool operator==(const Event&) const = default;
};

struct Transcript {
    static constexpr std::size_t no_overflow = std::numeric_limits<std::size_t>::max();

    std::string subject;
    std::vector<Event> events;
    std::size_t overflow_from = no_overflow;  // the event that began the call that overflowed
    Verdict verdict = Verdict::accepted;
    std::string refusal;
    Shape shape;
};

struct Comparison {
    enum class Kind : u8 { same, different, skipped };
    Kind kind = Kind::same;
    std::string text;  // why, unless the same
};

[[nodiscard]] Comparison compare(const Transcript& subject, const Transcript& second);

/// One event in words, for a trace.
[[nodiscard]] std::string text(const Transcript& transcript, const Event& event);

struct ObserveOptions {
    u32 rounds = 3;               // of calls to every export, each with fresh instances
    bool state_per_call = false;  // look at memories and tables after each call, not once a round
};

[[nodiscard]] Transcript observe(
    Subject& subject, std::span<const u8> wasm, const ObserveOptions& options);

}  // namespace wrun::differ
