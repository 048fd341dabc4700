// Where modules come from: files, standard input, the generator.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/differential/batch.hpp"
#include "fuzz/differential/pressure/module.hpp"
#include "tests/support/wat.hpp"

namespace wrun::differ {
namespace {

void read_module(const std::string& path, Input& input) {
    input.name = path;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        input.problem = "cannot be read";
        return;
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!path.ends_with(".wat")) {
        input.wasm.assign(bytes.begin(), bytes.end());
        return;
    }
    std::string error;
    auto wasm = wat::try_assemble(bytes, &error);
    if (wasm) {
        input.wasm = std::move(*wasm);
    } else {
        input.problem = "cannot be assembled: " + error;
    }
}

class FileSource final : public Source {
public:
    explicit FileSource(const std::vector<std::string>& paths) {
        for (const std::string& path : paths)
            add(path);
    }
    bool get(u64 number, Input& input) override {
        if (number >= files_.size()) return false;
        read_module(files_[number], input);
        return true;
    }

private:
    void add(const std::string& path) {
        if (!std::filesystem::is_directory(path)) {
            files_.push_back(path);
            return;
        }
        const std::size_t first = files_.size();
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            const auto extension = entry.path().extension();
            if (extension == ".wasm" || extension == ".wat") files_.push_back(entry.path());
        }
        std::sort(files_.begin() + static_cast<std::ptrdiff_t>(first), files_.end());
    }

    std::vector<std::string> files_;
};

class StdinSource final : public Source {
public:
    bool get(u64, Input& input) override {
        // Byte by byte: what a child has read too much would be lost to the next one.
        std::string line;
        char c = 0;
        while (::read(STDIN_FILENO, &c, 1) == 1) {
            if (c != '\n') {
                line += c;
            } else if (!line.empty()) {
                break;
            }
        }
        if (line.empty()) return false;
        read_module(line, input);
        return true;
    }
};

class PressureSource final : public Source {
public:
    PressureSource(u64 seed, u64 first, u64 count) : seed_{seed}, first_{first}, count_{count} {}
    bool get(u64 number, Input& input) override {
        if (number >= count_) return false;
        input.name = "pressure-" + std::to_string(seed_) + '-' + std::to_string(first_ + number);
        input.wasm = make_pressure_module(seed_, first_ + number);
        return true;
    }

private:
    u64 seed_;
    u64 first_;
    u64 count_;
};

}  // namespace

std::unique_ptr<Source> make_file_source(const std::vector<std::string>& paths) {
    return std::make_unique<FileSource>(paths);
}

std::unique_ptr<Source> make_stdin_source() {
    return std::make_unique<StdinSource>();
}

std::unique_ptr<Source> make_pressure_source(u64 seed, u64 first, u64 count) {
    return std::make_unique<PressureSource>(seed, first, count);
}

}  // namespace wrun::differ
