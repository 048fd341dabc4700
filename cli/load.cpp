// See load.hpp.
#include "cli/load.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/errors.hpp"
#include "base/limits.hpp"
#include "base/os_file.hpp"
#include "cli/message.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::cli {
namespace {

using wasi::uninterrupted;

constexpr std::size_t piece_bytes = 1u << 20;

constexpr std::string_view magic{"\0asm", 4};

/// Reads to the end, if this may be a module; `expected` bytes at once when the file knows its
/// size.
bool read_all(int file, std::size_t expected, std::vector<u8>& bytes) {
    std::size_t used = 0;
    for (;;) {
        // One byte more than is expected, so that the end is seen without growing.
        if (used == bytes.size())
            bytes.resize(
                used == 0 && expected != 0 ? expected + 1 : used + std::max(used, piece_bytes));
        const ssize_t got =
            uninterrupted([&] { return ::read(file, bytes.data() + used, bytes.size() - used); });
        if (got < 0) return false;
        if (got == 0) break;
        used += static_cast<std::size_t>(got);
        if (used > limits::module_bytes_max) break;
        // An endless device need not be read to the limit to be refused.
        if (used >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
            break;
    }
    bytes.resize(used);
    return true;
}

/// What else people give to a program like this.
std::string_view other_format(const std::vector<u8>& bytes) {
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    if (text.starts_with(magic)) return {};
    if (text.starts_with("\x1f\x8b") || text.starts_with("\x28\xb5\x2f\xfd"))
        return "this is compressed; unpack it first";
    if (text.starts_with("\x7f"
                         "ELF"))
        return "this is a program for this machine, not WebAssembly";
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos &&
        (text[first] == '(' || text.substr(first).starts_with(";;")))
        return "this is WebAssembly text; assemble it first (with wat2wasm or wasm-tools parse)";
    return {};
}

std::string name_of(const std::string& path) {
    return path == "-" ? "standard input" : printable(path, 500);
}

}  // namespace

std::optional<std::vector<u8>> load(const std::string& path, int file, std::string& why) {
    const auto fail = [&](std::string_view text) {
        why = name_of(path) + ": ";
        why += text;
        return std::nullopt;
    };
    struct stat status {};
    if (::fstat(file, &status) != 0) return fail(std::strerror(errno));
    if (S_ISDIR(status.st_mode)) return fail("this is a directory; give the module's file");
    if (status.st_size > i64{limits::module_bytes_max})
        return fail("the module is larger than wrun accepts (1 GiB)");

    std::vector<u8> bytes;
    const std::size_t expected =
        S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0;
    if (!read_all(file, expected, bytes)) return fail(std::strerror(errno));
    if (bytes.empty()) return fail("this is empty");
    if (const std::string_view other = other_format(bytes); !other.empty()) return fail(other);
    return bytes;
}

std::optional<std::vector<u8>> load(const std::string& path, std::string& why) {
    if (path == "-") return load(path, STDIN_FILENO, why);
    const Result<os::File> opened = os::File::open_for_reading(path);
    if (opened.ok()) return load(path, opened.value().number(), why);
    why = describe_failure(path, opened.error());
    return std::nullopt;
}

std::string describe_failure(const std::string& path, Error error) {
    return name_of(path) + ": " + describe(error);
}

}  // namespace wrun::cli
