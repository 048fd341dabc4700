// The system, as the engine meets it in this program, can be told to refuse the n-th call of one
// function. The linker puts these in the place of the C library's (tests/CMakeLists.txt: --wrap).
#pragma once

#include <string_view>
#include <vector>

namespace wrun::test {

struct Refusal {
    std::string_view function;
    int error = 0;  // the errno it fails with
};

/// The functions that can refuse, each with the errors that its manual names.
[[nodiscard]] const std::vector<Refusal>& refusals();

/// From now on the n-th call (from 0) of that function fails, once; all others go through.
void refuse(const Refusal& what, int n);
/// No more refusals. Whether the refused call has happened.
[[nodiscard]] bool stop_refusing();

}  // namespace wrun::test
