// See readings.hpp.
#include "fuzz/differential/readings.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/errors.hpp"
#include "decoder/decode.hpp"
#include "validator/validate.hpp"

namespace wrun::differ {
namespace {

/// Components are modules to the second engine's reader and not to ours.
bool is_core_module(std::span<const u8> wasm) {
    static constexpr u8 header[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    return wasm.size() >= sizeof header && std::memcmp(wasm.data(), header, sizeof header) == 0;
}

/// Limits in the second engine's words.
bool says_limit(std::string_view refusal) {
    static constexpr std::array<std::string_view, 4> words = {
        "exceeds limit", "exceeds the limit", "exceed maximum", "too many"};
    return std::any_of(words.begin(), words.end(),
        [&](std::string_view word) { return refusal.find(word) != std::string_view::npos; });
}

/// As 3.0 does, wrun lets a constant expression read any constant global before it; the second
/// engine asks for garbage collection first, and with that must find nothing else.
bool is_own_global(std::span<const u8> wasm, std::string_view refusal) {
    if (refusal.find("global.get of locally defined global") == std::string_view::npos)
        return false;
    std::string why;
    return second_validates(wasm, why, true) == Verdict::accepted || says_limit(why);
}

/// Steps over what the second engine found well-formed. Reads zeros behind the end.
class Steps {
public:
    explicit Steps(std::span<const u8> wasm) : wasm_{wasm} {}

    [[nodiscard]] u64 offset() const { return at_; }
    [[nodiscard]] bool at_end() const { return at_ >= wasm_.size(); }
    void go_to(u64 offset) { at_ = std::min<u64>(offset, wasm_.size()); }
    void skip(u64 bytes) { go_to(at_ + std::min<u64>(bytes, wasm_.size())); }
    u8 byte() { return at_end() ? u8{0} : wasm_[at_++]; }
    u64 leb() {
        u64 value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const u8 next = byte();
            value |= u64{next & 0x7fu} << shift;
            if (next < 0x80) break;
        }
        return value;
    }

private:
    std::span<const u8> wasm_;
    u64 at_ = 0;
};

constexpr u8 nullable_reference = 0x63;

/// Whether a bound in the limits that follow begins at `offset` and is written in more bytes than
/// 32 bits may take.
bool has_long_bound(Steps& steps, u64 offset) {
    constexpr u64 bytes_max = 5;
    const u8 flags = steps.byte();
    bool found = false;
    for (int bound = 0; bound <= (flags & 1); ++bound) {
        const u64 begin = steps.offset();
        steps.leb();
        found |= begin == offset && steps.offset() - begin > bytes_max;
    }
    return found;
}

bool table_has_long_bound(Steps& steps, u64 offset) {
    if (steps.byte() == nullable_reference) steps.byte();
    return has_long_bound(steps, offset);
}

bool import_has_long_bound(Steps& steps, u64 offset) {
    enum : u8 { func, table, memory };
    steps.skip(steps.leb());
    steps.skip(steps.leb());
    switch (steps.byte()) {
        case func: steps.leb(); return false;
        case table: return table_has_long_bound(steps, offset);
        case memory: return has_long_bound(steps, offset);
        default: steps.skip(2); return false;  // a global; others are not in 2.0
    }
}

/// The second engine reads bounds of memories and tables as 3.0 does, in up to ten bytes whatever
/// their addresses are; to 2.0 and wrun more than five are malformed. Of their values both think
/// alike.
bool is_long_bound(std::span<const u8> wasm, Error error) {
    if (error.code != ErrorCode::integer_too_long) return false;
    enum : u8 { imports = 2, tables = 4, memories = 5 };
    Steps steps{wasm};
    steps.skip(8);
    while (steps.offset() <= error.offset && !steps.at_end()) {
        const u8 id = steps.byte();
        const u64 size = steps.leb();
        const u64 end = steps.offset() + size;
        u64 left = id == imports || id == tables || id == memories ? steps.leb() : 0;
        for (; left > 0 && steps.offset() <= error.offset; --left) {
            if (id == imports  ? import_has_long_bound(steps, error.offset)
                : id == tables ? table_has_long_bound(steps, error.offset)
                               : has_long_bound(steps, error.offset))
                return true;
        }
        steps.go_to(end);
    }
    return false;
}

/// The second engine reads a proposal that packs imports of one module, asked to or not: an empty
/// field, then a kind that is none of 2.0's.
bool is_packed_import(std::span<const u8> wasm, Error error) {
    return error.code == ErrorCode::malformed_import_kind && error.offset < wasm.size() &&
           (wasm[error.offset] == 0x7f || wasm[error.offset] == 0x7e) &&
           wasm[error.offset - 1] == 0;
}

/// The long way to write funcref and externref came with typed references; the second engine takes
/// it whether those are on or not.
bool is_long_reference(std::span<const u8> wasm, Error error) {
    constexpr u8 func = 0x70;
    constexpr u8 extern_ = 0x6f;
    return error.code == ErrorCode::unsupported_feature &&
           error.detail == to_underlying(Feature::function_references) &&
           error.offset + 1 < wasm.size() && wasm[error.offset] == nullable_reference &&
           (wasm[error.offset + 1] == func || wasm[error.offset + 1] == extern_);
}

}  // namespace

Result<void> wrun_validates(std::span<const u8> wasm) {
    const FeatureSet features = default_features();
    Module module = WRUN_TRY(decode(wasm, features));
    WRUN_TRY(validate_module(module, features));
    FunctionValidator validator(module, features);
    FunctionSummary summary;
    Result<void> first;
    for (u32 func = module.imported_function_count; func < module.functions.size(); func++) {
        const Result<void> checked = validator.validate(FuncIndex{func}, summary);
        if (!checked.ok() && first.ok()) first = checked;
    }
    return first;
}

std::string_view known_reading(
    std::span<const u8> wasm, const Result<void>& mine, std::string_view refusal) {
    if (mine.ok() == refusal.empty()) return "";
    if (!is_core_module(wasm)) return "not a core module";
    if (mine.ok()) {
        if (says_limit(refusal)) return "over a limit of the second engine's";
        if (is_own_global(wasm, refusal)) return "a constant expression over an own global";
        return "";
    }
    const Error error = mine.error();
    if (error_class(error.code) == ErrorClass::limit) return "over a limit of wrun's";
    if (is_long_bound(wasm, error)) return "a bound in more than five bytes";
    if (is_packed_import(wasm, error)) return "packed imports";
    if (is_long_reference(wasm, error)) return "a reference type written the long way";
    return "";
}

Comparison compare_modules(
    std::span<const u8> wasm, const Transcript& mine, const Transcript& second) {
    Comparison comparison = compare(mine, second);
    if (comparison.kind == Comparison::Kind::different && mine.verdict != second.verdict) {
        const std::string_view reading = known_reading(wasm, wrun_validates(wasm), second.refusal);
        if (!reading.empty()) return {Comparison::Kind::skipped, std::string{reading}};
    }
    return comparison;
}

}  // namespace wrun::differ
