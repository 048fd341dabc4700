// asmjit's three debugging hooks, defined here and not taken from its archive: of all its objects
// only the one with these is not position-independent, and a library must neither print nor choose
// how to end. The encoder names all that the linker needs to find this object before the archive's.
#include <asmjit/core.h>

#include "base/check.hpp"

ASMJIT_BEGIN_NAMESPACE

namespace DebugUtils {

const char* errorAsString(Error error) noexcept {
    switch (error) {
        case kErrorOk: return "asmjit: no error";
        case kErrorOutOfMemory: return "asmjit: out of memory";
        default: return "asmjit: an instruction it cannot encode";
    }
}

void debugOutput(const char* /*text*/) noexcept {}

void assertionFailed(const char* file, int line, const char* message) noexcept {
    wrun::check_failed(message, file, line);
}

}  // namespace DebugUtils

ASMJIT_END_NAMESPACE
