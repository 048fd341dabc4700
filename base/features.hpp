// The set of language features an engine accepts: one bitset, asked at one place (the validator's
// gate).
#pragma once

#include <string_view>

#include "base/types.hpp"

namespace wrun {

enum class Feature : u8 {
#define WRUN_FEATURE(name, text, state) name,
#include "base/features.def"
#undef WRUN_FEATURE
};

class FeatureSet {
public:
    constexpr FeatureSet() = default;
    [[nodiscard]] constexpr bool has(Feature feature) const noexcept {
        return ((bits_ >> to_underlying(feature)) & 1) != 0;
    }
    constexpr FeatureSet& set(Feature feature, bool on = true) noexcept {
        const u32 bit = u32{1} << to_underlying(feature);
        bits_ = on ? bits_ | bit : bits_ & ~bit;
        return *this;
    }
    [[nodiscard]] constexpr u32 bits() const noexcept { return bits_; }
    [[nodiscard]] static constexpr FeatureSet from_bits(u32 bits) noexcept {
        FeatureSet result;
        result.bits_ = bits;
        return result;
    }
    constexpr bool operator==(const FeatureSet&) const = default;

private:
    u32 bits_ = 0;
};

/// What this version of wrun accepts when nothing else is asked for.
[[nodiscard]] constexpr FeatureSet default_features() noexcept {
    constexpr bool on = true;
    constexpr bool off = false;
    FeatureSet result;
#define WRUN_FEATURE(name, text, state) result.set(Feature::name, state);
#include "base/features.def"
#undef WRUN_FEATURE
    return result;
}

/// "bulk-memory", … as users write it.
[[nodiscard]] std::string_view name(Feature feature) noexcept;

}  // namespace wrun
