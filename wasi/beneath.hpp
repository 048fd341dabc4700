// The one way from a guest's path to a file: everything is resolved by the kernel, with
// openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), from a directory that was granted. No path is
// ever taken apart and checked here and used there, so a directory swapped for a symlink in between
// changes nothing. Operations on a *name* (create, remove, rename) open the directory that holds it
// and then use the *at() call on the bare last component, which those calls never follow. Trailing
// slashes, which would make the kernel follow it after all, are taken off and answered for by the
// caller.
#pragma once

#include <array>

#include "base/os_file.hpp"
#include "base/types.hpp"
#include "engine/engine.hpp"
#include "wasi/errno.hpp"

namespace wrun::wasi {

/// A path as the guest wrote it: copied out of its memory, so that it cannot change under our
/// hands. Relative, not empty, without NUL.
class GuestPath {
public:
    static constexpr u32 bytes_max = 4096;  // with the NUL, as the kernel wants it

    GuestPath() noexcept {}  // leaves the bytes alone: they are many
    [[nodiscard]] Answer<void> read(const engine::GuestMemory& memory, u32 address, u32 length);
    [[nodiscard]] const char* c_str() const noexcept { return bytes_.data(); }
    [[nodiscard]] u32 length() const noexcept { return length_; }

private:
    friend class EntryName;
    std::array<char, bytes_max> bytes_;
    u32 length_ = 0;
};

/// Opens what the path names below `directory`. `flags` and `mode` as for open(2); O_CLOEXEC is
/// added. A path that leaves the directory is `notcapable`.
[[nodiscard]] Answer<os::File> open_beneath(
    int directory, const char* path, u64 flags, u64 mode = 0);

/// Whether the kernel has openat2 and lets us call it, tried on a directory: 0 or the host's errno.
[[nodiscard]] int try_open_beneath(int directory) noexcept;

/// The last component of a path and the directory that holds it. Borrows the path and takes it
/// apart.
class EntryName {
public:
    enum class Kind : u8 { plain, dot, dot_dot };

    /// `path` may not be used for anything else afterwards.
    [[nodiscard]] Answer<void> resolve(int directory, GuestPath& path);
    /// For the *at() calls. Only a plain name may be given to them.
    [[nodiscard]] int directory() const noexcept { return opened_ ? opened_.number() : given_; }
    [[nodiscard]] const char* name() const noexcept { return name_; }
    /// "." and ".." name directories that are there, beneath; what that means is the operation's to
    /// say.
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool trailing_slash() const noexcept { return trailing_slash_; }

private:
    os::File opened_;
    int given_ = -1;
    const char* name_ = nullptr;
    Kind kind_ = Kind::plain;
    bool trailing_slash_ = false;
};

}  // namespace wrun::wasi
