// A guest without an engine: a state over a buffer that plays its memory, and a folder of its own
// that is granted as descriptor 3 ("/"). `Guest` puts strings and iovecs where a program would and
// reads records back by offset; everything is gone at the end of the test.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi {

inline void PrintTo(Errno error, std::ostream* stream) {
    *stream << name(error);
}

/// A folder below the system's place for temporary files, removed with all it holds.
class Folder {
public:
    Folder() {
        std::string pattern = std::filesystem::temp_directory_path() / "wrun-wasi-XXXXXX";
        path_ = ::mkdtemp(pattern.data()) == nullptr ? "" : pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string at(std::string_view name) const {
        return path_ + "/" + std::string{name};
    }
    void write(std::string_view name, std::string_view text) const {
        std::ofstream{at(name)} << text;
    }
    void make(std::string_view name) const { std::filesystem::create_directories(at(name)); }
    void link(std::string_view text, std::string_view name) const {
        std::filesystem::create_symlink(text, at(name));
    }
    [[nodiscard]] std::string read(std::string_view name) const {
        std::ifstream file{at(name)};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    [[nodiscard]] bool has(std::string_view name) const {
        struct stat status {};
        return ::lstat(at(name).c_str(), &status) == 0;
    }

private:
    std::string path_;
};

class Guest {
public:
    static constexpr u32 memory_bytes = 1u << 20;
    /// Where out-parameters go; strings and lists are put behind it.
    static constexpr u32 out = 64;

    explicit Guest(const Config& config) : memory_(memory_bytes) {
        State::Made made = State::make(config);
        EXPECT_EQ(made.error, "");
        state_ = std::move(made.state);
    }
    /// The folder as "/", nothing else.
    explicit Guest(const Folder& folder, bool read_only = false)
        : Guest(with_folder(folder, read_only)) {}

    static Config with_folder(const Folder& folder, bool read_only) {
        Config config;
        config.preopens.push_back({folder.path(), "/", read_only, -1});
        config.stdio = {-1, -1, -1};
        return config;
    }

    [[nodiscard]] Call call() {
        return {*state_, engine::GuestMemory{memory_.data(), memory_.size()}, preview};
    }
    /// Whose functions it imports.
    Preview preview = Preview::preview1;
    template <class Function, class... Args>
    auto operator()(Function function, Args... args) {
        Call context = call();
        return function(context, args...);
    }

    [[nodiscard]] State& state() { return *state_; }

    u32 put(std::string_view text) {
        const u32 address = next_;
        std::memcpy(memory_.data() + address, text.data(), text.size());
        next_ += static_cast<u32>(text.size() + 7) & ~7u;
        return address;
    }
    template <class T>
    void set(u32 address, T value) {
        std::memcpy(memory_.data() + address, &value, sizeof value);
    }
    template <class T>
    T get(u32 address) const {
        T value;
        std::memcpy(&value, memory_.data() + address, sizeof value);
        return value;
    }
    [[nodiscard]] std::string text(u32 address, u32 length) const {
        return {reinterpret_cast<const char*>(memory_.data()) + address, length};
    }
    struct Piece {
        u32 address;
        u32 length;
    };
    /// Forgets what was put, for long loops.
    void rewind() { next_ = 4096; }
    u32 iovecs(const std::vector<Piece>& pieces) {
        const u32 address = next_;
        for (const Piece& piece : pieces) {
            set(next_, piece.address);
            set(next_ + 4, piece.length);
            next_ += 8;
        }
        return address;
    }

    // ---- short forms of what most tests do -----------------------------------------------------

    struct Open {
        u32 fd = 3;
        u32 lookup = 0;
        u32 o_flags = 0;
        Rights base = rights::fd_read;
        Rights inheriting = 0;
        u32 fd_flags = 0;
    };
    Errno try_open(std::string_view path, const Open& how) {
        return (*this)(areas::path_open, how.fd, how.lookup, put(path),
            static_cast<u32>(path.size()), how.o_flags, how.base, how.inheriting, how.fd_flags,
            out);
    }
    /// The new descriptor, or 0xffffffff after a failed expectation.
    u32 open(std::string_view path, const Open& how) {
        const Errno error = try_open(path, how);
        EXPECT_EQ(error, Errno::success) << path;
        return error == Errno::success ? get<u32>(out) : 0xffff'ffff;
    }
    u32 open(std::string_view path) { return open(path, Open{}); }
    Errno write(u32 fd, std::string_view text) {
        const u32 list = iovecs({{put(text), static_cast<u32>(text.size())}});
        return (*this)(areas::fd_write, fd, list, 1u, out);
    }
    /// What one fd_read gives, or the error's name in angle brackets.
    std::string read(u32 fd, u32 length = 100) {
        const u32 buffer = put(std::string(length, '.'));
        const Errno error = (*this)(areas::fd_read, fd, iovecs({{buffer, length}}), 1u, out);
        if (error != Errno::success) return "<" + std::string{name(error)} + ">";
        return text(buffer, get<u32>(out));
    }
    /// A call that takes a descriptor and a path, and then whatever else.
    template <class Function, class... Args>
    Errno on_path(Function function, u32 fd, std::string_view path, Args... args) {
        return (*this)(function, fd, put(path), static_cast<u32>(path.size()), args...);
    }
    template <class Function>
    Errno on_two_paths(Function function, u32 source_fd, std::string_view source, u32 target_fd,
        std::string_view target) {
        return (*this)(function, source_fd, put(source), static_cast<u32>(source.size()), target_fd,
            put(target), static_cast<u32>(target.size()));
    }
    Errno stat(std::string_view path, bool follow, u32 fd = 3) {
        return (*this)(areas::path_filestat_get, fd, follow ? 1u : 0u, put(path),
            static_cast<u32>(path.size()), out);
    }

private:
    std::vector<u8> memory_;
    std::unique_ptr<State> state_;
    u32 next_ = 4096;
};

inline constexpr Rights read_write = rights::fd_read | rights::fd_write | rights::fd_seek |
                                     rights::fd_tell | rights::fd_filestat_get;

}  // namespace wrun::wasi
