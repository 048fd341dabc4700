// See descriptors.hpp.
#include "wasi/descriptors.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace wrun::wasi {

Filetype filetype_of(const struct stat& status, int descriptor) noexcept {
    switch (status.st_mode & S_IFMT) {
        case S_IFBLK: return Filetype::block_device;
        case S_IFCHR: return Filetype::character_device;
        case S_IFDIR: return Filetype::directory;
        case S_IFREG: return Filetype::regular_file;
        case S_IFLNK: return Filetype::symbolic_link;
        case S_IFSOCK: {
            int kind = SOCK_STREAM;
            socklen_t size = sizeof kind;
            if (descriptor >= 0)
                static_cast<void>(::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size));
            return kind == SOCK_DGRAM ? Filetype::socket_dgram : Filetype::socket_stream;
        }
        default: return Filetype::unknown;  // a pipe: preview 1 has no name for it
    }
}

Rights rights_for(Filetype type, int descriptor) noexcept {
    switch (type) {
        case Filetype::directory: return rights::of_directory;
        case Filetype::regular_file:
        case Filetype::block_device: return rights::of_file;
        case Filetype::socket_dgram:
        case Filetype::socket_stream: return rights::of_socket;
        case Filetype::character_device:
            // Guests' isatty() asks for exactly this: a character device that cannot seek.
            return ::isatty(descriptor) == 1
                       ? rights::of_stream
                       : rights::of_stream | rights::fd_seek | rights::fd_tell;
        case Filetype::unknown:
        case Filetype::symbolic_link: break;
    }
    return rights::of_stream;
}

Answer<void> DescriptorTable::room() noexcept {
    while (lowest_free_ < rows_.size() && rows_[lowest_free_].is_open())
        ++lowest_free_;
    return lowest_free_ < limit_ ? Errno::success : Errno::mfile;
}

Answer<u32> DescriptorTable::insert(Descriptor descriptor) {
    WRUN_TRY(room());
    const u32 number = lowest_free_;
    place(number, std::move(descriptor));
    return number;
}

void DescriptorTable::place(u32 number, Descriptor descriptor) {
    if (number >= rows_.size()) rows_.resize(number + 1);
    rows_[number] = std::move(descriptor);
}

Answer<Descriptor*> DescriptorTable::get(u32 number) noexcept {
    if (number >= rows_.size() || !rows_[number].is_open()) return Errno::badf;
    return &rows_[number];
}

Answer<Descriptor*> DescriptorTable::get(u32 number, Rights needed) noexcept {
    Descriptor* const found = WRUN_TRY(get(number));
    if ((found->rights_base & needed) != needed) return Errno::notcapable;
    return found;
}

Answer<Descriptor*> DescriptorTable::directory(u32 number, Rights needed) noexcept {
    const Descriptor* const found = WRUN_TRY(get(number));
    if (found->type != Filetype::directory) return Errno::notdir;
    return get(number, needed);
}

Errno DescriptorTable::close(u32 number) noexcept {
    Descriptor* const found = WRUN_TRY(get(number));
    *found = Descriptor{};
    lowest_free_ = std::min(lowest_free_, number);
    return Errno::success;
}

namespace {

[[nodiscard]] bool is_same(const Descriptor& one, const Descriptor& other) noexcept {
    if (!one.is_open() || !other.is_open()) return one.is_open() == other.is_open();
    if (one.is_borrowed() || other.is_borrowed()) {
        if (one.number() != other.number() || one.stream != other.stream) return false;
    } else if (!one.preopen || !other.preopen || *one.preopen != *other.preopen) {
        return false;
    }
    return one.type == other.type && one.flags == other.flags && one.read_only == other.read_only &&
           one.rights_base == other.rights_base && one.rights_inheriting == other.rights_inheriting;
}

}  // namespace

std::optional<u32> DescriptorTable::find_difference(const DescriptorTable& other) const noexcept {
    const Descriptor closed;
    const auto at = [&](const DescriptorTable& table, std::size_t number) -> const Descriptor& {
        return number < table.rows_.size() ? table.rows_[number] : closed;
    };
    const std::size_t count = std::max(rows_.size(), other.rows_.size());
    for (std::size_t number = 0; number < count; ++number) {
        if (!is_same(at(*this, number), at(other, number))) return static_cast<u32>(number);
    }
    return std::nullopt;
}

Errno DescriptorTable::renumber(u32 source, u32 target) noexcept {
    Descriptor* const from = WRUN_TRY(get(source));
    Descriptor* const to = WRUN_TRY(get(target));
    if (from == to) return Errno::success;
    *to = std::move(*from);
    *from = Descriptor{};
    lowest_free_ = std::min(lowest_free_, source);
    return Errno::success;
}

}  // namespace wrun::wasi
