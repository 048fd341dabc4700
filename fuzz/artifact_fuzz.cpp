// What compiles becomes an artifact that loads; changed anywhere, with sums that fit or not, it is
// refused or nothing of it reaches beyond itself. Nothing is run: changed code is not looked at.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "base/errors.hpp"
#include "engine/artifact.hpp"
#include "fuzz/target.hpp"
#include "tests/support/artifact_sums.hpp"

namespace {

using namespace wrun;
using Bytes = std::vector<u8>;

constexpr int changed_files = 100;
/// Larger ones take their time and show nothing new.
constexpr std::size_t module_bytes_max = 256 * 1024;

[[noreturn]] void give_up(const char* what, const std::string& why = {}) {
    std::fprintf(stderr, "artifact: %s %s\n", what, why.c_str());
    std::abort();
}

engine::Engine& the_engine() {
    static engine::Engine* const engine = [] {
        engine::EngineOptions options;
        options.compile_threads = 1;
        auto made = engine::Engine::make(options);
        if (!made.ok()) give_up("no engine", describe(made.error()));
        return made.value().release();  // lives as long as the process
    }();
    return *engine;
}

Bytes bytes_of(const engine::Module& module) {
    const engine::ArtifactBytes artifact{module};
    Bytes bytes(artifact.header().file_bytes);
    for (const auto& piece : artifact.pieces())
        std::copy(piece.bytes.begin(), piece.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(piece.offset));
    return bytes;
}

os::File file_of(const Bytes& bytes) {
    os::File file{static_cast<int>(syscall(SYS_memfd_create, "artifact", 0))};
    if (!file || !os::write_at(file.number(), 0, bytes).ok()) give_up("no memory object");
    return file;
}

/// Reads what hosts ask a module for.
void look_at(const engine::Module& module) {
    const wrun::Module& decoded = module.decoded();
    u64 seen = 0;
    for (const Import& import : decoded.imports)
        seen += decoded.text(import.module).size() + decoded.text(import.field).size();
    for (const Export& item : decoded.exports) {
        seen += decoded.text(item.field).size();
        if (item.kind == ExternKind::func)
            seen += decoded.params(decoded.functions[item.index]).size();
    }
    for (const FunctionName& name : decoded.function_names)
        seen += decoded.slice(name.text).size();
    for (const FuncIndex func : decoded.escaping_functions)
        seen += decoded.results(decoded.functions[func.value]).size();
    for (const DataSegment& segment : decoded.data)
        seen += decoded.slice(segment.bytes).size();
    [[maybe_unused]] const volatile u64 sink = seen;  // so that all of it is read
}

/// Mostly where lengths and offsets are; bits, bytes and numbers that are just too large.
void change(Bytes& bytes, std::mt19937_64& random) {
    const u64 area = random() % 4 == 0 ? bytes.size() : std::min<u64>(bytes.size(), 3 * 4096);
    const u64 at = random() % area;
    switch (random() % 4) {
        case 0: bytes[at] ^= static_cast<u8>(1u << (random() % 8)); break;
        case 1: bytes[at] = static_cast<u8>(random()); break;
        case 2: {
            constexpr std::array<u32, 6> numbers = {
                0, 1, 0x7fff'ffff, 0x8000'0000, 0xffff'fff0, 0xffff'ffff};
            const u32 number = numbers[random() % numbers.size()];
            const u64 place = at / 4 * 4;
            if (place + 4 <= bytes.size()) std::memcpy(&bytes[place], &number, sizeof number);
            break;
        }
        default: {
            const u64 from = random() % bytes.size();
            const u64 count = std::min({u64{64}, bytes.size() - from, bytes.size() - at});
            std::memmove(&bytes[at], &bytes[from], random() % (count + 1));
            break;
        }
    }
}

void try_changed(Bytes bytes, std::mt19937_64& random) {
    for (u64 count = random() % 3 + 1; count != 0; --count)
        change(bytes, random);
    if (random() % 8 == 0) bytes.resize(random() % (2 * bytes.size()));
    if (random() % 4 != 0 && bytes.size() >= engine::artifact_header_bytes)
        test::repair_sums(bytes);
    const auto loaded = engine::load_foreign_artifact(the_engine(), file_of(bytes));
    if (loaded.ok()) look_at(*loaded.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > module_bytes_max) return 0;
    const auto compiled = engine::Module::compile(the_engine(), std::vector<u8>(data, data + size));
    if (!compiled.ok()) return 0;
    const Bytes artifact = bytes_of(*compiled.value());
    const auto loaded = engine::load_foreign_artifact(the_engine(), file_of(artifact));
    if (!loaded.ok()) give_up("refused:", describe(loaded.error()));
    look_at(*loaded.value());
    std::mt19937_64 random{checksum({data, size})};
    for (int i = 0; i < changed_files; ++i)
        try_changed(artifact, random);
    return 0;
}
