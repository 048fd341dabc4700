// What a sink is told, written down, by each of the two walks. Each walk is instantiated once, in
// recording.cpp: they are large, and every file that did it for itself would take minutes to build.
#pragma once

#include <array>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/features.hpp"
#include "base/result.hpp"
#include "decoder/module.hpp"
#include "decoder/opcodes.hpp"

namespace wrun::build {

/// One announcement.
struct Heard {
    u32 offset = 0;
    u32 next = 0;  // offset of what follows
    Op op{};
    std::array<u64, 4> immediates{};  // number by number, in the order of the sink's arguments
    friend bool operator==(const Heard&, const Heard&) = default;
};

/// As "offset+next name immediates".
[[nodiscard]] std::string line(const Heard& heard);
void PrintTo(const Heard& heard, std::ostream* out);

[[nodiscard]] std::vector<std::string> lines(const std::vector<Heard>& all);
/// Only the operations' names.
[[nodiscard]] std::vector<std::string> names(const std::vector<Heard>& all);

/// What the trusted walk announces. Only of a body that is valid.
[[nodiscard]] std::vector<Heard> heard_trusted(const Module& module, FuncIndex func);
/// What the checked walk announces up to its end or its first error.
[[nodiscard]] std::vector<Heard> heard_checked(
    const Module& module, FuncIndex func, FeatureSet features);

}  // namespace wrun::build
