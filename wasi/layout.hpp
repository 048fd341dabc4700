// The flags and records of WASI preview 1, as numbers: bits of each flag set, offsets and sizes of
// each record. A record is written by Record<size>::put<offset>, which checks the place at compile
// time. All values are little-endian, as the host is. What wasi_unstable, the preview before, has
// otherwise is said beside it; all else is the same there.
#pragma once

#include <array>
#include <bit>
#include <cstring>

#include "base/types.hpp"

namespace wrun::wasi {

static_assert(std::endian::native == std::endian::little, "records are copied as they are");

/// By the module whose functions a guest imports.
enum class Preview : u8 { unstable, preview1 };

using Rights = u64;

namespace rights {
inline constexpr Rights fd_datasync = 1u << 0;
inline constexpr Rights fd_read = 1u << 1;
inline constexpr Rights fd_seek = 1u << 2;
inline constexpr Rights fd_fdstat_set_flags = 1u << 3;
inline constexpr Rights fd_sync = 1u << 4;
inline constexpr Rights fd_tell = 1u << 5;
inline constexpr Rights fd_write = 1u << 6;
inline constexpr Rights fd_advise = 1u << 7;
inline constexpr Rights fd_allocate = 1u << 8;
inline constexpr Rights path_create_directory = 1u << 9;
inline constexpr Rights path_create_file = 1u << 10;
inline constexpr Rights path_link_source = 1u << 11;
inline constexpr Rights path_link_target = 1u << 12;
inline constexpr Rights path_open = 1u << 13;
inline constexpr Rights fd_readdir = 1u << 14;
inline constexpr Rights path_readlink = 1u << 15;
inline constexpr Rights path_rename_source = 1u << 16;
inline constexpr Rights path_rename_target = 1u << 17;
inline constexpr Rights path_filestat_get = 1u << 18;
inline constexpr Rights path_filestat_set_size = 1u << 19;
inline constexpr Rights path_filestat_set_times = 1u << 20;
inline constexpr Rights fd_filestat_get = 1u << 21;
inline constexpr Rights fd_filestat_set_size = 1u << 22;
inline constexpr Rights fd_filestat_set_times = 1u << 23;
inline constexpr Rights path_symlink = 1u << 24;
inline constexpr Rights path_remove_directory = 1u << 25;
inline constexpr Rights path_unlink_file = 1u << 26;
inline constexpr Rights poll_fd_readwrite = 1u << 27;
inline constexpr Rights sock_shutdown = 1u << 28;
inline constexpr Rights sock_accept = 1u << 29;
inline constexpr Rights all = (1u << 30) - 1;

/// What a descriptor of each kind can be used for at all.
inline constexpr Rights of_directory =
    path_create_directory | path_create_file | path_link_source | path_link_target | path_open |
    fd_readdir | path_readlink | path_rename_source | path_rename_target | path_filestat_get |
    path_filestat_set_size | path_filestat_set_times | path_symlink | path_remove_directory |
    path_unlink_file | fd_filestat_get | fd_filestat_set_times | fd_fdstat_set_flags | fd_sync |
    fd_datasync | poll_fd_readwrite;
inline constexpr Rights of_stream = fd_read | fd_write | fd_fdstat_set_flags | fd_sync |
                                    fd_datasync | fd_filestat_get | fd_filestat_set_times |
                                    poll_fd_readwrite;
inline constexpr Rights of_file =
    of_stream | fd_seek | fd_tell | fd_advise | fd_allocate | fd_filestat_set_size;
inline constexpr Rights of_socket = of_stream | sock_shutdown | sock_accept;
/// Those that change a file's content: of no use on a descriptor that is open for reading.
inline constexpr Rights of_writer = fd_write | fd_allocate | fd_filestat_set_size;
}  // namespace rights

enum class Filetype : u8 {
    unknown = 0,
    block_device = 1,
    character_device = 2,
    directory = 3,
    regular_file = 4,
    socket_dgram = 5,
    socket_stream = 6,
    symbolic_link = 7,
};

namespace fdflags {
inline constexpr u16 append = 1;
inline constexpr u16 dsync = 2;
inline constexpr u16 nonblock = 4;
inline constexpr u16 rsync = 8;
inline constexpr u16 sync = 16;
inline constexpr u16 all = 31;
}  // namespace fdflags

namespace lookupflags {
inline constexpr u32 symlink_follow = 1;
}

namespace oflags {
inline constexpr u32 creat = 1;
inline constexpr u32 directory = 2;
inline constexpr u32 excl = 4;
inline constexpr u32 trunc = 8;
inline constexpr u32 all = 15;
}  // namespace oflags

namespace fstflags {
inline constexpr u32 atim = 1;
inline constexpr u32 atim_now = 2;
inline constexpr u32 mtim = 4;
inline constexpr u32 mtim_now = 8;
inline constexpr u32 all = 15;
}  // namespace fstflags

enum class Clock : u32 { realtime = 0, monotonic = 1, process_cputime = 2, thread_cputime = 3 };
enum class Whence : u32 { set = 0, cur = 1, end = 2 };  // unstable: cur, end, set
enum class EventType : u8 { clock = 0, fd_read = 1, fd_write = 2 };

namespace eventflags {
inline constexpr u16 hangup = 1;
}
namespace subclockflags {
inline constexpr u16 abstime = 1;
}

namespace iovec_record {
inline constexpr u32 size = 8, buf = 0, buf_len = 4;
}
namespace fdstat_record {
inline constexpr u32 size = 24, filetype = 0, flags = 2, base = 8, inheriting = 16;
}
struct filestat_record {
    static constexpr u32 size = 64, dev = 0, ino = 8, filetype = 16, nlink = 24, bytes = 32,
                         atim = 40, mtim = 48, ctim = 56;
    using Count = u64;  // of links
};
struct unstable_filestat_record {
    static constexpr u32 size = 56, dev = 0, ino = 8, filetype = 16, nlink = 20, bytes = 24,
                         atim = 32, mtim = 40, ctim = 48;
    using Count = u32;
};
namespace dirent_record {
inline constexpr u32 size = 24, next = 0, ino = 8, namlen = 16, type = 20;
}
namespace prestat_record {
inline constexpr u32 size = 8, tag = 0, name_len = 4;
inline constexpr u8 tag_dir = 0;
}  // namespace prestat_record
struct subscription_record {
    static constexpr u32 size = 48, userdata = 0, tag = 8, clock_id = 16, timeout = 24,
                         precision = 32, clock_flags = 40, fd = 16;
};
struct unstable_subscription_record {  // the clock has a userdata of its own before its id
    static constexpr u32 size = 56, userdata = 0, tag = 8, clock_id = 24, timeout = 32,
                         precision = 40, clock_flags = 48, fd = 16;
};
namespace event_record {
inline constexpr u32 size = 32, userdata = 0, error = 8, type = 10, nbytes = 16, flags = 24;
}

/// The bytes of one record; what nothing is put into is zero.
template <u32 size>
class Record {
public:
    template <u32 offset, class T>
    Record& put(T value) noexcept {
        static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
        static_assert(offset % sizeof(T) == 0 && offset + sizeof(T) <= size);
        std::memcpy(bytes_.data() + offset, &value, sizeof value);
        return *this;
    }
    [[nodiscard]] const u8* data() const noexcept { return bytes_.data(); }

private:
    std::array<u8, size> bytes_{};
};

}  // namespace wrun::wasi
