// See directories.hpp.
#include "wasi/directories.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include "wasi/beneath.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::wasi {
namespace {

os::File open_directory(const Preopen& preopen) noexcept {
    if (preopen.host_directory >= 0)
        return os::File{::fcntl(preopen.host_directory, F_DUPFD_CLOEXEC, 3)};
    const char* const path = preopen.host_path.c_str();
    os::File opened{
        uninterrupted([&] { return ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
    // A directory that may be searched and not listed is still a place for files whose names are
    // known.
    if (!opened && errno == EACCES)
        opened = os::File{::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    return opened;
}

std::string no_openat2(const Preopen& preopen, int error) {
    std::string text = "cannot grant the directory '" + preopen.host_path + "': ";
    if (error == ENOSYS)
        return text +
               "this kernel has no openat2, which keeps guests inside (it came with Linux 5.6); "
               "use a "
               "newer kernel, or run without directories";
    if (error == EPERM)
        return text +
               "openat2, which keeps guests inside, is refused here, most likely by a container's "
               "seccomp profile (or the kernel is older than Linux 5.6); allow openat2 in the "
               "profile "
               "or update the container runtime, or run without directories";
    return text + std::strerror(error);
}

}  // namespace

os::File open_preopen(const Preopen& preopen, std::string& error) {
    error.clear();
    if (preopen.host_path.find('\0') != std::string::npos) {
        error = "the name of a granted directory holds a zero byte";
        return {};
    }
    os::File directory = open_directory(preopen);
    if (!directory) {
        error = "cannot open the directory '" + preopen.host_path + "': " + std::strerror(errno);
        return {};
    }
    struct stat status {};
    if (::fstat(directory.number(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        error = "'" + preopen.host_path + "' is not a directory";
        return {};
    }
    if (const int refused = try_open_beneath(directory.number()); refused != 0) {
        error = no_openat2(preopen, refused);
        return {};
    }
    return directory;
}

bool Directories::open(const std::vector<Preopen>& preopens, std::string& error) {
    for (const Preopen& preopen : preopens) {
        os::File directory = open_preopen(preopen, error);
        if (!error.empty()) return false;
        rows_.push_back({std::move(directory), preopen.guest_path, preopen.read_only});
    }
    return true;
}

}  // namespace wrun::wasi
