// Stress modes of the code generator: worse code on purpose, so that short tests meet the states
// that otherwise need long functions. They change which way is taken, never what code computes, so
// every execution test may run under them; `--stress` of the tools names them.
#pragma once

#include <optional>
#include <string_view>

namespace wrun::codegen {

struct StressModes {
    /// Before each operation every operand that is in a temporary goes to its slot.
    bool spill = false;
    /// Before each control operation and call no operand stays a local, the flags or a pending
    /// load.
    bool flush = false;
    /// Generated code stops the process with an illegal instruction that is no trap when a register
    /// that holds an i32 has a bit set in its upper half, where it is read and again where it
    /// becomes part of an address.
    bool check = false;
    /// Every module is compiled with these (CompileOptions), whatever its own options say.
    bool epoch = false;
    bool fuel = false;

    constexpr bool operator==(const StressModes&) const = default;
};

inline constexpr std::string_view stress_words = "spill,flush,check,epoch,fuel";

/// Some of these words, with commas. Nothing when one is not known.
[[nodiscard]] constexpr std::optional<StressModes> parse_stress(std::string_view words) noexcept {
    StressModes modes;
    while (true) {
        const std::string_view word = words.substr(0, words.find(','));
        if (word == "spill") {
            modes.spill = true;
        } else if (word == "flush") {
            modes.flush = true;
        } else if (word == "check") {
            modes.check = true;
        } else if (word == "epoch") {
            modes.epoch = true;
        } else if (word == "fuel") {
            modes.fuel = true;
        } else {
            return std::nullopt;
        }
        if (word.size() == words.size()) return modes;
        words.remove_prefix(word.size() + 1);
    }
}

static_assert(parse_stress("flush,check") == StressModes{false, true, true});
static_assert(parse_stress("spill") == StressModes{true, false, false});
static_assert(parse_stress(stress_words) == StressModes{true, true, true, true, true});
static_assert(!parse_stress("") && !parse_stress("spill,") && !parse_stress("spills"));

}  // namespace wrun::codegen
