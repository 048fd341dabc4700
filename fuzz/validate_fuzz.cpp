// Any bytes are found valid or not, and the second engine's validator, where there is one, finds
// the same. Where either reaches a limit of its own there is no verdict to compare.
#include "validator/validate.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/errors.hpp"
#include "decoder/decode.hpp"
#include "decoder/reader.hpp"
#include "fuzz/differential/subject.hpp"
#include "fuzz/target.hpp"

namespace {

using namespace wrun;

Result<void> verdict(std::span<const u8> bytes) {
    const FeatureSet features = default_features();
    Module module = WRUN_TRY(decode(bytes, features));
    WRUN_TRY(validate_module(module, features));
    FunctionValidator validator(module, features);
    FunctionSummary summary;
    Result<void> first;
    // Each body on its own: a faulty one must not hide those behind it.
    for (u32 func = module.imported_function_count; func < module.functions.size(); func++) {
        const Result<void> checked = validator.validate(FuncIndex{func}, summary);
        if (!checked.ok() && first.ok()) first = checked;
    }
    return first;
}

/// As 3.0 does, wrun lets a constant expression read any constant global before it; the second
/// engine asks for garbage collection first.
bool is_own_global(std::string_view why) {
    return why.find("global.get of locally defined global") != std::string_view::npos;
}

/// Limits in the second engine's words.
bool says_limit(std::string_view why) {
    static constexpr std::array<std::string_view, 4> words = {
        "exceeds limit", "exceeds the limit", "exceed maximum", "too many"};
    return std::any_of(words.begin(), words.end(),
        [&](std::string_view word) { return why.find(word) != std::string_view::npos; });
}

/// Of the section around a byte; 0 behind what can be read.
u8 section_at(std::span<const u8> bytes, u32 offset) {
    Reader reader{bytes, {8, static_cast<u32>(bytes.size())}, default_features()};
    while (!reader.at_end()) {
        const Result<u8> id = reader.byte();
        const Result<u32> size = reader.leb_u32();
        if (!id.ok() || !size.ok()) return 0;
        const Result<ByteRange> payload = reader.bytes(size.value());
        if (!payload.ok()) return 0;
        if (offset < payload.value().end) return id.value();
    }
    return 0;
}

/// The second engine reads bounds of memories and tables as 3.0 does, 64 bits wide whatever their
/// addresses are; 2.0 and wrun find more than 32 bits malformed.
bool is_longer_bound(std::span<const u8> bytes, Error error) {
    constexpr u8 imports = 2;
    constexpr u8 tables = 4;
    constexpr u8 memories = 5;
    if (error.code != ErrorCode::integer_too_long && error.code != ErrorCode::integer_too_large)
        return false;
    const u8 section = section_at(bytes, error.offset);
    return section == imports || section == tables || section == memories;
}

/// The second engine reads a proposal that packs imports of one module, asked to or not: their kind
/// is none of 2.0's.
bool is_packed_import(std::span<const u8> bytes, Error error) {
    return error.code == ErrorCode::malformed_import_kind && error.offset < bytes.size() &&
           (bytes[error.offset] == 0x7f || bytes[error.offset] == 0x7e);
}

/// The long way to write funcref and externref came with typed references; the second engine takes
/// it whether those are on or not.
bool is_long_reference(std::span<const u8> bytes, Error error) {
    constexpr u8 nullable = 0x63;
    constexpr u8 func = 0x70;
    constexpr u8 extern_ = 0x6f;
    return error.code == ErrorCode::unsupported_feature && bytes.size() - 1 > error.offset &&
           bytes[error.offset] == nullable &&
           (bytes[error.offset + 1] == func || bytes[error.offset + 1] == extern_);
}

/// Components are modules to the second engine's reader and not to ours.
bool is_core_module(std::span<const u8> bytes) {
    static constexpr u8 header[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    return bytes.size() >= sizeof header && std::memcmp(bytes.data(), header, sizeof header) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes{data, size};
    const Result<void> mine = verdict(bytes);
    if (!is_core_module(bytes) || !differ::second_engine_missing().empty()) return 0;
    if (!mine.ok() && error_class(mine.error().code) == ErrorClass::limit) return 0;
    std::string why;
    const bool theirs = differ::second_validates(bytes, why) == differ::Verdict::accepted;
    if (mine.ok() == theirs || says_limit(why)) return 0;
    if (mine.ok() && is_own_global(why)) return 0;
    if (!mine.ok() && is_longer_bound(bytes, mine.error())) return 0;
    if (!mine.ok() && is_packed_import(bytes, mine.error())) return 0;
    if (!mine.ok() && is_long_reference(bytes, mine.error())) return 0;
    std::fprintf(stderr, "verdicts differ\n  wrun:   %s\n  second: %s\n",
        mine.ok() ? "valid" : describe(mine.error()).c_str(), theirs ? "valid" : why.c_str());
    std::abort();
}
