// See wat.hpp. The prototypes below are the wheel's C API, declared by hand: the wheel has no
// headers.
#include "tests/support/wat.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace wrun::wat {
namespace {

struct ByteVec {
    std::size_t size;
    char* data;
};
struct WasmtimeError;

struct Wheel {
    WasmtimeError* (*wat2wasm)(const char* text, std::size_t size, ByteVec* bytes) = nullptr;
    void (*error_message)(const WasmtimeError* error, ByteVec* text) = nullptr;
    void (*error_delete)(WasmtimeError* error) = nullptr;
    void (*byte_vec_delete)(ByteVec* bytes) = nullptr;
    std::string missing;
};

template <typename Function>
void find(void* library, const char* name, Function& function, std::string& missing) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr)
        missing = std::string("no symbol ") + name + " in the wasmtime library";
}

Wheel open_wheel() {
    Wheel wheel;
    const char* override_path = std::getenv("WRUN_WASMTIME_LIB");
    const char* path =
        override_path != nullptr && *override_path != 0 ? override_path : WRUN_WASMTIME_LIB;
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        wheel.missing = std::string(dlerror()) + " (run tools/setup, or set WRUN_WASMTIME_LIB)";
        return wheel;
    }
    find(library, "wasmtime_wat2wasm", wheel.wat2wasm, wheel.missing);
    find(library, "wasmtime_error_message", wheel.error_message, wheel.missing);
    find(library, "wasmtime_error_delete", wheel.error_delete, wheel.missing);
    find(library, "wasm_byte_vec_delete", wheel.byte_vec_delete, wheel.missing);
    return wheel;
}

const Wheel& wheel() {
    static const Wheel opened = open_wheel();
    return opened;
}

}  // namespace

bool available() {
    return wheel().missing.empty();
}

const std::string& unavailable_reason() {
    return wheel().missing;
}

std::optional<std::vector<std::uint8_t>> try_assemble(std::string_view wat, std::string* error) {
    const Wheel& api = wheel();
    if (!api.missing.empty()) {
        if (error != nullptr) *error = api.missing;
        return std::nullopt;
    }
    ByteVec bytes{0, nullptr};
    if (WasmtimeError* failure = api.wat2wasm(wat.data(), wat.size(), &bytes)) {
        ByteVec text{0, nullptr};
        api.error_message(failure, &text);
        if (error != nullptr) error->assign(text.data, text.size);
        api.byte_vec_delete(&text);
        api.error_delete(failure);
        return std::nullopt;
    }
    std::vector<std::uint8_t> wasm(bytes.data, bytes.data + bytes.size);
    api.byte_vec_delete(&bytes);
    return wasm;
}

std::vector<std::uint8_t> assemble(std::string_view wat) {
    std::string error;
    std::optional<std::vector<std::uint8_t>> wasm = try_assemble(wat, &error);
    if (!wasm) {
        std::fprintf(stderr, "cannot assemble: %s\n%.*s\n", error.c_str(),
            static_cast<int>(wat.size()), wat.data());
        std::abort();
    }
    return *wasm;
}

}  // namespace wrun::wat
