// See stat.hpp.
#include "wasi/stat.hpp"

#include "wasi/times.hpp"

namespace wrun::wasi {

Record<filestat_record::size> filestat(const struct stat& status, int descriptor) noexcept {
    Record<filestat_record::size> record;
    record.put<filestat_record::dev>(u64{status.st_dev})
        .put<filestat_record::ino>(u64{status.st_ino})
        .put<filestat_record::filetype>(filetype_of(status, descriptor))
        .put<filestat_record::nlink>(u64{status.st_nlink})
        .put<filestat_record::bytes>(static_cast<u64>(status.st_size))
        .put<filestat_record::atim>(nanoseconds(status.st_atim))
        .put<filestat_record::mtim>(nanoseconds(status.st_mtim))
        .put<filestat_record::ctim>(nanoseconds(status.st_ctim));
    return record;
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
