// Which build of wrun this is: a digest of the sources, the compiler and its flags, made by CMake.
// Two builds that could make different code from the same module have different ones.
#pragma once

#include "base/sha256.hpp"

namespace wrun::engine {

extern const Sha256Digest build_id;

}  // namespace wrun::engine
