// The measurements. Each answers with a JSON object of what it saw, times in nanoseconds.
#pragma once

#include <string>

#include "bench/cold/subject.hpp"

namespace wrun::cold {

/// Many whole cycles on one CPU, among them the same cycles timed step by step, a bare system call
/// and a loop that does nothing for as long as a cycle takes.
[[nodiscard]] std::string measure_cycles(
    const SubjectKind& kind, const Handler& handler, u64 cycles);

/// Cycles of two threads on a CPU each, by turns alone and at once.
[[nodiscard]] std::string measure_threads(
    const SubjectKind& kind, const Handler& handler, u64 cycles);

/// Starts of a program that is never called: in a place that held it before, in one that held
/// another program, and, where a subject can tell, in none.
[[nodiscard]] std::string measure_large(
    const SubjectKind& kind, std::vector<u8> program, u64 cycles);

/// So many instances that have answered once and stay alive.
[[nodiscard]] std::string measure_live(const SubjectKind& kind, const Handler& handler, u32 count);

}  // namespace wrun::cold
