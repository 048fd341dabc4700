// See second_api.hpp.
#include "fuzz/differential/second_api.hpp"

#include <dlfcn.h>

#include <cstdlib>

namespace wrun::differ::second {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function, std::string& missing) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr)
        missing = std::string("no symbol ") + name + " in the second engine's library";
}

Api open() {
    Api api;
    const char* const given = std::getenv("WRUN_WASMTIME_LIB");
    const char* const path = given != nullptr && *given != 0 ? given : WRUN_WASMTIME_LIB;
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        api.missing = std::string(dlerror()) + " (run tools/setup, or set WRUN_WASMTIME_LIB)";
        return api;
    }
#define WRUN_FIND(name, ...) find(library, #name, api.name, api.missing);
    WRUN_SECOND_API(WRUN_FIND)
#undef WRUN_FIND
    return api;
}

}  // namespace

const Api& api() {
    static const Api opened = open();
    return opened;
}

}  // namespace wrun::differ::second
