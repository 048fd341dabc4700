// A mutation that knows sections: changes the payload of one, or one function's body, and writes
// all sizes anew, so that what is changed is still reached. Half of all mutations, and those of
// what is no module, are libFuzzer's own.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "fuzz/target.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);
extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned int seed);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t header_bytes = 8;
constexpr std::uint8_t code_section = 10;

struct Section {
    std::uint8_t id = 0;
    Bytes payload;
};

std::optional<std::uint32_t> take_leb(std::span<const std::uint8_t>& bytes) {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
        const std::uint8_t byte = bytes.front();
        bytes = bytes.subspan(1);
        value |= static_cast<std::uint32_t>(std::uint64_t{byte & 0x7fu} << shift);
        if (byte < 0x80) return value;
    }
    return std::nullopt;
}

void put_leb(Bytes& bytes, std::size_t value) {
    for (; value >= 0x80; value >>= 7)
        bytes.push_back(static_cast<std::uint8_t>(value | 0x80));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

std::optional<Bytes> take_sized(std::span<const std::uint8_t>& bytes) {
    const auto size = take_leb(bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    const Bytes taken{bytes.begin(), bytes.begin() + *size};
    bytes = bytes.subspan(*size);
    return taken;
}

/// Nothing when the bytes are not a header and whole sections.
std::vector<Section> sections_of(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < header_bytes || std::memcmp(bytes.data(), "\0asm", 4) != 0) return {};
    bytes = bytes.subspan(header_bytes);
    std::vector<Section> sections;
    while (!bytes.empty()) {
        const std::uint8_t id = bytes.front();
        bytes = bytes.subspan(1);
        auto payload = take_sized(bytes);
        if (!payload) return {};
        sections.push_back({id, std::move(*payload)});
    }
    return sections;
}

void mutate_bytes(Bytes& bytes) {
    const std::size_t size = bytes.size();
    bytes.resize(size + 64 + size / 4);
    bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
}

/// One body of the code section, its declarations of locals included; false when it cannot be read.
bool mutate_body(Bytes& payload, unsigned choice) {
    std::span<const std::uint8_t> rest{payload};
    const auto count = take_leb(rest);
    if (!count || *count == 0 || *count > rest.size()) return false;
    std::vector<Bytes> bodies;
    for (std::uint32_t i = 0; i < *count; ++i) {
        auto body = take_sized(rest);
        if (!body) return false;
        bodies.push_back(std::move(*body));
    }
    mutate_bytes(bodies[choice % bodies.size()]);
    Bytes written;
    put_leb(written, bodies.size());
    for (const Bytes& body : bodies) {
        put_leb(written, body.size());
        written.insert(written.end(), body.begin(), body.end());
    }
    payload = std::move(written);
    return true;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned int seed) {
    std::vector<Section> sections;
    if (seed % 2 == 0) sections = sections_of({data, size});
    if (sections.empty()) return LLVMFuzzerMutate(data, size, size_max);
    const unsigned choice = seed / 2;
    Section& section = sections[choice % sections.size()];
    if (section.id != code_section || !mutate_body(section.payload, choice / 64))
        mutate_bytes(section.payload);
    Bytes module{data, data + header_bytes};
    for (const Section& each : sections) {
        module.push_back(each.id);
        put_leb(module, each.payload.size());
        module.insert(module.end(), each.payload.begin(), each.payload.end());
    }
    const std::size_t kept = std::min(module.size(), size_max);
    std::memcpy(data, module.data(), kept);
    return kept;
}
