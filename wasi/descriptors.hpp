// What a guest holds: descriptors by number, each with the rights it was given. A descriptor owns
// its host file, or borrows it (standard streams, directories of many), and then nothing about the
// host's file is changed and it is never closed; or it is a stream of the host's, without a file.
// The table hands out the lowest free number, as POSIX does, and has an end, so a guest cannot make
// the host run out of files or memory.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os_file.hpp"
#include "wasi/errno.hpp"
#include "wasi/layout.hpp"
#include "wasi/stream.hpp"

namespace wrun::wasi {

struct Descriptor {
    os::File owned;  // absent when borrowed
    int borrowed = -1;
    Stream* stream = nullptr;  // instead of a host file; borrowed
    Filetype type = Filetype::unknown;
    /// The guest's view. Of an owned file they are the host's too; of a borrowed one `nonblock` is
    /// ours.
    u16 flags = 0;
    /// Under a preopen granted ":ro": nothing here or below may be changed.
    bool read_only = false;
    Rights rights_base = 0;
    Rights rights_inheriting = 0;
    std::unique_ptr<const std::string> preopen;  // its name, if it is one

    [[nodiscard]] int number() const noexcept { return owned ? owned.number() : borrowed; }
    [[nodiscard]] bool is_open() const noexcept { return number() >= 0 || stream != nullptr; }
    [[nodiscard]] bool is_borrowed() const noexcept { return !owned; }
};

/// `descriptor`: an open file of the host; sockets are told apart by asking it.
[[nodiscard]] Filetype filetype_of(const struct stat& status, int descriptor = -1) noexcept;
/// All that a descriptor for this file could be used for.
[[nodiscard]] Rights rights_for(Filetype type, int descriptor) noexcept;

class DescriptorTable {
public:
    explicit DescriptorTable(u32 limit) noexcept : limit_{limit} {}

    void reserve(u32 rows) { rows_.reserve(rows); }
    /// Whether insert() will find a number; asked before anything is created for it.
    [[nodiscard]] Answer<void> room() noexcept;
    [[nodiscard]] Answer<u32> insert(Descriptor descriptor);
    /// Fixed numbers, while the table is being set up.
    void place(u32 number, Descriptor descriptor);

    /// Pointers hold until the table changes.
    [[nodiscard]] Answer<Descriptor*> get(u32 number) noexcept;
    /// With all of these rights, else `notcapable`.
    [[nodiscard]] Answer<Descriptor*> get(u32 number, Rights needed) noexcept;
    [[nodiscard]] Answer<Descriptor*> directory(u32 number, Rights needed) noexcept;

    [[nodiscard]] Errno close(u32 number) noexcept;
    /// The first number that means something else to a guest in `other`: another file of the host's
    /// is the same where it was granted under the same name.
    [[nodiscard]] std::optional<u32> find_difference(const DescriptorTable& other) const noexcept;
    /// `target` must be open: it is closed, and `source` gets its number.
    [[nodiscard]] Errno renumber(u32 source, u32 target) noexcept;

private:
    u32 limit_;
    u32 lowest_free_ = 0;  // no free number lies below it
    std::vector<Descriptor> rows_;
};

}  // namespace wrun::wasi
