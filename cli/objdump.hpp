// `wrun objdump`: functions of a module beside the machine code they become, here or on another
// CPU. Compiles what it shows and runs nothing.
#pragma once

#include "cli/options.hpp"

namespace wrun::cli {

[[nodiscard]] int objdump(const ObjdumpOptions& options);

}  // namespace wrun::cli
