// Directory listings. The guest's buffer is filled to its last byte as long as there are entries,
// the last one cut where it ends: a buffer that is not full means the end of the directory. A
// cookie is the kernel's own position behind an entry, so a listing goes on where it stopped
// whatever happens to the directory meanwhile, and nothing is kept between calls.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi::areas {
namespace {

/// The kernel's entry, as getdents64(2) writes it.
struct HostEntry {
    u64 ino;
    i64 next;
    u16 bytes;
    u8 type;
};
constexpr std::size_t host_entry_name = 19;
static_assert(offsetof(HostEntry, type) == 18);

Filetype filetype_of_entry(int directory, u8 type, const char* name) {
    switch (type) {
        case DT_BLK: return Filetype::block_device;
        case DT_CHR: return Filetype::character_device;
        case DT_DIR: return Filetype::directory;
        case DT_REG: return Filetype::regular_file;
        case DT_LNK: return Filetype::symbolic_link;
        case DT_SOCK: return Filetype::socket_stream;
        case DT_UNKNOWN: {
            // Some file systems leave the question to stat.
            struct stat status {};
            if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
                return filetype_of(status);
            break;
        }
        default: break;
    }
    return Filetype::unknown;
}

/// What is left of the guest's buffer.
class Listing {
public:
    explicit Listing(std::span<u8> buffer) noexcept : buffer_{buffer} {}
    [[nodiscard]] bool full() const noexcept { return used_ == buffer_.size(); }
    [[nodiscard]] u32 used() const noexcept { return static_cast<u32>(used_); }
    void add(const void* bytes, std::size_t count) noexcept {
        const std::size_t fits = std::min(count, buffer_.size() - used_);
        std::memcpy(buffer_.data() + used_, bytes, fits);
        used_ += fits;
    }

private:
    std::span<u8> buffer_;
    std::size_t used_ = 0;
};

void add_entries(Listing& listing, int directory, const u8* begin, const u8* end) {
    while (begin < end && !listing.full()) {
        HostEntry entry{};
        std::memcpy(&entry, begin, host_entry_name);
        const char* const name = reinterpret_cast<const char*>(begin) + host_entry_name;
        const std::size_t length = std::strlen(name);
        Record<dirent_record::size> record;
        record.put<dirent_record::next>(entry.next)
            .put<dirent_record::ino>(entry.ino)
            .put<dirent_record::namlen>(static_cast<u32>(length))
            .put<dirent_record::type>(filetype_of_entry(directory, entry.type, name));
        listing.add(record.data(), dirent_record::size);
        listing.add(name, length);
        begin += entry.bytes;
    }
}

/// The position of an open directory is everyone's who has it, on whichever thread.
Answer<void> open_own(Descriptor& descriptor) {
    os::File own{::openat(descriptor.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!own) return last_errno();
    descriptor.owned = std::move(own);
    return {};
}

}  // namespace

Errno fd_readdir(Call& call, u32 fd, u32 buffer, u32 length, u64 cookie, u32 used) {
    Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().directory(fd, rights::fd_readdir));
    const auto view = call.memory.view(buffer, length);
    if (!view) return Errno::fault;
    WRUN_TRY(call.check(used, 4));
    if (cookie > static_cast<u64>(std::numeric_limits<i64>::max())) return Errno::inval;
    if (descriptor->is_borrowed()) WRUN_TRY(open_own(*descriptor));
    const int directory = descriptor->number();
    if (::lseek(directory, static_cast<off_t>(cookie), SEEK_SET) < 0) return last_errno();

    Listing listing{*view};
    // Entries are a little larger for the guest than for the kernel, so a piece not much larger
    // than the guest's buffer wastes nothing; one entry must fit.
    alignas(HostEntry) std::array<u8, 8192> piece;
    const std::size_t piece_bytes = std::clamp<std::size_t>(length, 1024, piece.size());
    while (!listing.full()) {
        const long bytes = ::syscall(SYS_getdents64, directory, piece.data(), piece_bytes);
        if (bytes < 0) return last_errno();
        if (bytes == 0) break;
        add_entries(listing, directory, piece.data(), piece.data() + bytes);
    }
    return call.store(used, listing.used());
}

}  // namespace wrun::wasi::areas
