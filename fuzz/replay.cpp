// Tries a fuzz target on files and on mutations of them, in builds without libFuzzer:
//   <stage>_replay [--mutations N] [--seed S] [--keep FILE] PATH…
// A path is a .wasm file, a .wat file (assembled when the wheel is there), an .http file (bytes of
// a connection) or a folder of such. The
// mutations of one seed are always the same. --keep writes each input to FILE before it is tried,
// so that after a crash FILE is the culprit: reduce it and put it into fuzz/regressions/.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/target.hpp"
#include "tests/support/wat.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Options {
    std::uint64_t mutations = 0;
    std::uint64_t seed = 1;
    std::string keep;
    std::vector<std::filesystem::path> paths;
};

[[noreturn]] void fail(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(1);
}

// SplitMix64: the same sequence everywhere, unlike the standard library's distributions.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed} {}

    std::size_t below(std::size_t bound) {
        state_ += 0x9e37'79b9'7f4a'7c15;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
    }

private:
    std::uint64_t state_;
};

void mutate_once(Bytes& bytes, const std::vector<Bytes>& inputs, Random& random) {
    // Values that LEB128, counts and lines stumble over.
    static constexpr std::uint8_t telling[] = {
        0, 1, 2, 0x0b, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff, '\r', '\n', ' ', ':', ',', '0'};
    const auto place = [&](std::size_t offset) {
        return bytes.begin() + static_cast<std::ptrdiff_t>(offset);
    };
    // A module's header stays: without it nothing else is looked at.
    const std::size_t kept = !bytes.empty() && bytes[0] == 0 ? 8 : 0;
    if (bytes.size() <= kept) {
        bytes.push_back(static_cast<std::uint8_t>(random.below(256)));
        return;
    }
    const std::size_t at = kept + random.below(bytes.size() - kept);
    const std::size_t count = std::min(bytes.size() - at, 1 + random.below(16));
    switch (random.below(8)) {
        case 0: bytes[at] ^= static_cast<std::uint8_t>(1u << random.below(8)); break;
        case 1: bytes[at] = telling[random.below(std::size(telling))]; break;
        case 2: bytes[at] = static_cast<std::uint8_t>(random.below(256)); break;
        case 3: bytes.erase(place(at), place(at + count)); break;
        case 4: bytes.resize(at); break;
        case 5: bytes.insert(place(at), telling[random.below(std::size(telling))]); break;
        case 6: {
            const Bytes copy(place(at), place(at + count));
            bytes.insert(place(kept + random.below(bytes.size() - kept)), copy.begin(), copy.end());
            break;
        }
        default: {
            const Bytes& other = inputs[random.below(inputs.size())];
            if (other.empty()) break;
            const std::size_t from = random.below(other.size());
            const std::size_t taken = std::min(other.size() - from, count);
            for (std::size_t i = 0; i < taken; i++)
                bytes[at + i] = other[from + i];
        }
    }
}

void try_input(const Bytes& bytes, const Options& options) {
    if (!options.keep.empty()) {
        std::ofstream file(options.keep, std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
    }
    // A copy of exactly this size, so that reading one byte too far is seen.
    // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the copy is the point
    const Bytes exact(bytes);
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

Bytes read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void add_input(const std::filesystem::path& path, std::vector<Bytes>& inputs) {
    if (path.extension() == ".wasm" || path.extension() == ".http") {
        inputs.push_back(read(path));
    } else if (path.extension() == ".wat" && wrun::wat::available()) {
        const Bytes text = read(path);
        std::string error;
        auto wasm = wrun::wat::try_assemble(
            {reinterpret_cast<const char*>(text.data()), text.size()}, &error);
        if (!wasm) fail(path.string() + ": " + error);
        inputs.push_back(std::move(*wasm));
    }
}

std::vector<Bytes> read_inputs(const Options& options) {
    std::vector<Bytes> inputs;
    for (const auto& path : options.paths) {
        if (!std::filesystem::is_directory(path)) {
            add_input(path, inputs);
            continue;
        }
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());  // the mutations depend on the order
        for (const auto& file : files)
            add_input(file, inputs);
    }
    return inputs;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        const bool takes_value = word == "--mutations" || word == "--seed" || word == "--keep";
        if (takes_value && i + 1 == argc) fail(std::string(word) + " needs a value");
        if (word == "--mutations") {
            options.mutations = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--seed") {
            options.seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--keep") {
            options.keep = argv[++i];
        } else {
            options.paths.emplace_back(word);
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    const std::vector<Bytes> inputs = read_inputs(options);
    if (inputs.empty()) {
        std::fprintf(stderr, "skipped: no inputs (%s)\n", wrun::wat::unavailable_reason().c_str());
        return 77;
    }
    for (const Bytes& input : inputs)
        try_input(input, options);
    Random random(options.seed);
    for (std::uint64_t i = 0; i < options.mutations; i++) {
        Bytes bytes = inputs[random.below(inputs.size())];
        for (std::size_t rounds = 1 + random.below(4); rounds > 0; rounds--) {
            mutate_once(bytes, inputs, random);
        }
        try_input(bytes, options);
    }
    std::printf("%zu inputs, %llu mutations of them\n", inputs.size(),
        static_cast<unsigned long long>(options.mutations));
    return 0;
}
