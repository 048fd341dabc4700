// What the command's exit code says when it is not the guest's own (0–255, of proc_exit).
// 134 is what a shell shows for a process that aborted, which is what a trap is; 124 is what the
// command `timeout` answers.
#pragma once

namespace wrun::cli::exit_code {

inline constexpr int success = 0;
inline constexpr int failure = 1;  // the module could not be read, is not valid, or does not link
inline constexpr int usage = 2;
inline constexpr int timeout = 124;
inline constexpr int trap = 134;

}  // namespace wrun::cli::exit_code
