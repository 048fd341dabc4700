// gmock matchers for results, and how gtest prints the engine's values.
// A failing test shows code, class and offset in words, not numbers.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>

#include "base/errors.hpp"
#include "base/result.hpp"
#include "decoder/types.hpp"

namespace wrun {

inline void PrintTo(ValType type, std::ostream* out) {
    *out << name(type);
}
inline void PrintTo(const Error& error, std::ostream* out) {
    *out << (error.code == ErrorCode::ok ? "ok" : describe(error));
}
template <class T>
void PrintTo(const Result<T>& result, std::ostream* out) {
    PrintTo(result.error(), out);
}

}  // namespace wrun

namespace wrun::build {

/// The byte an error points at: `fails(ErrorCode::type_mismatch, at_offset(3))`.
struct AtOffset {
    u32 value = 0;
};
inline AtOffset at_offset(u32 value) {
    return {value};
}

inline std::string expectation(ErrorCode code, const char* verb) {
    return std::string{verb} + " with \"" + std::string{message(code)} + '"';
}

MATCHER(succeeds, negation ? "fails" : "succeeds") {
    (void)result_listener;
    return arg.ok();
}

MATCHER_P(fails, code, expectation(code, negation ? "does not fail" : "fails")) {
    (void)result_listener;
    return arg.error().code == code;
}

MATCHER_P2(fails, code, offset,
    expectation(code, negation ? "does not fail" : "fails") + " at byte " +
        std::to_string(offset.value)) {
    (void)result_listener;
    return arg.error().code == code && arg.error().offset == offset.value;
}

}  // namespace wrun::build
