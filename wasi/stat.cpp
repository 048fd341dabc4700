// See stat.hpp.
#include "wasi/stat.hpp"

#include <algorithm>
#include <limits>

#include "wasi/times.hpp"

namespace wrun::wasi {

namespace {

template <class Of>
[[nodiscard]] Record<Of::size> filestat(const struct stat& status, Filetype type) noexcept {
    using Count = typename Of::Count;
    const u64 links = std::min<u64>(status.st_nlink, std::numeric_limits<Count>::max());
    Record<Of::size> record;
    record.template put<Of::dev>(u64{status.st_dev})
        .template put<Of::ino>(u64{status.st_ino})
        .template put<Of::filetype>(type)
        .template put<Of::nlink>(static_cast<Count>(links))
        .template put<Of::bytes>(static_cast<u64>(status.st_size))
        .template put<Of::atim>(nanoseconds(status.st_atim))
        .template put<Of::mtim>(nanoseconds(status.st_mtim))
        .template put<Of::ctim>(nanoseconds(status.st_ctim));
    return record;
}

}  // namespace

Errno store_filestat(
    const Call& call, u32 address, const struct stat& status, int descriptor) noexcept {
    const Filetype type = filetype_of(status, descriptor);
    if (call.preview == Preview::unstable)
        return call.store(address, filestat<unstable_filestat_record>(status, type));
    return call.store(address, filestat<filestat_record>(status, type));
}

Record<fdstat_record::size> fdstat(const Descriptor& descriptor) noexcept {
    Record<fdstat_record::size> record;
    record.put<fdstat_record::filetype>(descriptor.type)
        .put<fdstat_record::flags>(descriptor.flags)
        .put<fdstat_record::base>(descriptor.rights_base)
        .put<fdstat_record::inheriting>(descriptor.rights_inheriting);
    return record;
}

}  // namespace wrun::wasi
