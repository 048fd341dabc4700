// SHA-256 by both ways: NIST's examples and Monte Carlo chain, and every way to cut a message
// against the system's own program.
#include "base/sha256.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace wrun {
namespace {

std::string hex(const Sha256Digest& digest) {
    std::string text;
    for (const u8 byte : digest) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", byte);
        text += two;
    }
    return text;
}

std::vector<Sha256::Way> ways() {
    std::vector<Sha256::Way> all = {Sha256::Way::portable};
    if (Sha256::best_way() == Sha256::Way::sha_ni) all.push_back(Sha256::Way::sha_ni);
    return all;
}

std::string digest(Sha256::Way way, std::span<const u8> message, std::size_t piece = ~0u) {
    Sha256 hash{way};
    while (!message.empty()) {
        const std::size_t size = std::min(piece, message.size());
        hash.update(message.first(size));
        message = message.subspan(size);
    }
    return hex(hash.finish());
}

struct Example {
    std::vector<u8> message;
    const char* digest;
};

std::vector<u8> bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

std::vector<u8> repeated(std::size_t count, u8 byte) {
    std::vector<u8> result(count, byte);
    return result;
}

// FIPS 180's examples, NIST's additional ones, and the beginning of the CAVP's short messages.
TEST(Sha256, GivesNistsDigests) {
    const std::vector<Example> examples = {
        {{}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {bytes("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {{0xd3}, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
        {{0x11, 0xaf}, "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"},
        {{0xb4, 0x19, 0x0e}, "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"},
        {{0x74, 0xba, 0x25, 0x21},
            "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"},
        {{0xbd}, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {{0xc9, 0x8c, 0x8e, 0x55},
            "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
        {repeated(55, 0), "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
        {repeated(56, 0), "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
        {repeated(57, 0), "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
        {repeated(64, 0), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {repeated(1000, 0), "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
        {repeated(1000, 0x41), "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"},
        {repeated(1005, 0x55), "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0"},
        {repeated(1000000, 0x61),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {repeated(1000000, 0), "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025"},
    };
    for (const Sha256::Way way : ways()) {
        for (const Example& example : examples) {
            EXPECT_EQ(digest(way, example.message), example.digest)
                << "way " << int{to_underlying(way)} << ", " << example.message.size() << " bytes";
        }
    }
}

// CAVP's chain: 1000 digests, each of the three before it, are one step.
TEST(Sha256, FollowsTheMonteCarloChain) {
    for (const Sha256::Way way : ways()) {
        Sha256Digest seed = {0x6d, 0x1e, 0x72, 0xad, 0x03, 0xdd, 0xeb, 0x5d, 0xe8, 0x91, 0xe5, 0x72,
            0xe2, 0x39, 0x6f, 0x8d, 0xa0, 0x15, 0xd8, 0x99, 0xef, 0x0e, 0x79, 0x50, 0x31, 0x52,
            0xd6, 0x01, 0x0a, 0x3f, 0xe6, 0x91};
        for (u32 step = 0; step < 100; ++step) {
            std::array<Sha256Digest, 3> last = {seed, seed, seed};
            for (u32 i = 0; i < 1000; ++i) {
                Sha256 hash{way};
                for (const Sha256Digest& part : last)
                    hash.update(part);
                last = {last[1], last[2], hash.finish()};
            }
            seed = last[2];
            if (step == 0) {
                EXPECT_EQ(
                    hex(seed), "e93c330ae5447738c8aa85d71a6c80f2a58381d05872d26bdd39f1fcd4f2b788");
            }
        }
        EXPECT_EQ(hex(seed), "6a912ba4188391a78e6f13d88ed2d14e13afce9db6f7dcbf4a48c24f3db02778");
    }
}

/// What sha256sum says of the first `size` bytes, for each size.
std::vector<std::string> by_the_system(
    std::span<const u8> bytes, const std::vector<std::size_t>& sizes) {
    std::string command = "cd '" + testing::TempDir() + "' && sha256sum";
    for (const std::size_t size : sizes) {
        const std::string name = "sha256_test_" + std::to_string(size);
        std::ofstream file{testing::TempDir() + "/" + name, std::ios::binary};
        file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
        command += " " + name;
    }
    std::vector<std::string> digests;
    FILE* const pipe = popen(command.c_str(), "r");
    char line[256];
    while (pipe != nullptr && std::fgets(line, sizeof line, pipe) != nullptr)
        digests.emplace_back(line, 64);
    if (pipe != nullptr) pclose(pipe);
    for (const std::size_t size : sizes)
        std::remove((testing::TempDir() + "/sha256_test_" + std::to_string(size)).c_str());
    return digests;
}

TEST(Sha256, AgreesWithTheSystemHoweverAMessageIsCut) {
    std::mt19937 random{7};
    std::vector<u8> message(70'001);
    for (u8& byte : message)
        byte = static_cast<u8>(random());
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size <= 200; ++size)
        sizes.push_back(size);
    for (const std::size_t size : {1023u, 4095u, 4097u, 65'537u, 70'001u})
        sizes.push_back(size);
    const std::vector<std::string> wanted = by_the_system(message, sizes);
    ASSERT_EQ(wanted.size(), sizes.size()) << "sha256sum did not answer";
    for (const Sha256::Way way : ways()) {
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const auto part = std::span{message}.first(sizes[i]);
            for (const std::size_t piece : {1u, 3u, 63u, 64u, 65u, 1000u, 1u << 20})
                ASSERT_EQ(digest(way, part, piece), wanted[i])
                    << sizes[i] << " bytes by " << piece << ", way " << int{to_underlying(way)};
        }
    }
}

}  // namespace
}  // namespace wrun
