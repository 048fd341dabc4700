// See state.hpp.
#include "wasi/state.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <cstring>
#include <utility>

#include "wasi/beneath.hpp"
#include "wasi/times.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::wasi {
namespace {

constexpr u32 first_preopen = 3;

/// Nothing that changes the file behind the stream but writing to it, and no way into a directory
/// that happens to be there.
constexpr Rights rights_of_any_stream = rights::fd_seek | rights::fd_tell | rights::fd_advise |
                                        rights::fd_fdstat_set_flags | rights::fd_sync |
                                        rights::fd_datasync | rights::fd_filestat_get |
                                        rights::poll_fd_readwrite | rights::sock_shutdown;

/// Standard input is there to be read and the others to be written, whatever a terminal would
/// allow.
void place_stream(DescriptorTable& table, u32 number, int host) {
    struct stat status {};
    const int host_flags = host >= 0 ? ::fcntl(host, F_GETFL) : -1;
    if (host_flags < 0 || ::fstat(host, &status) != 0) return;

    Descriptor stream;
    stream.borrowed = host;
    stream.type = filetype_of(status, host);
    stream.flags = (host_flags & O_APPEND) != 0 ? fdflags::append : u16{0};
    const Rights direction = number == 0 ? rights::fd_read : rights::fd_write;
    stream.rights_base = rights_for(stream.type, host) & (direction | rights_of_any_stream);
    table.place(number, std::move(stream));
}

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

std::string grant(DescriptorTable& table, u32 number, const Preopen& preopen) {
    if (preopen.host_path.find('\0') != std::string::npos)
        return "the name of a granted directory holds a zero byte";
    os::File directory = open_directory(preopen);
    if (!directory)
        return "cannot open the directory '" + preopen.host_path + "': " + std::strerror(errno);
    struct stat status {};
    if (::fstat(directory.number(), &status) != 0 || !S_ISDIR(status.st_mode))
        return "'" + preopen.host_path + "' is not a directory";
    if (const int error = try_open_beneath(directory.number()); error != 0)
        return no_openat2(preopen, error);

    Descriptor descriptor;
    descriptor.owned = std::move(directory);
    descriptor.type = Filetype::directory;
    descriptor.read_only = preopen.read_only;
    descriptor.rights_base = rights::of_directory;
    descriptor.rights_inheriting = rights::all;
    descriptor.preopen = std::make_unique<const std::string>(preopen.guest_path);
    table.place(number, std::move(descriptor));
    return {};
}

}  // namespace

bool StringList::assign(const std::vector<std::string>& strings) {
    u64 bytes = 0;
    for (const std::string& one : strings)
        bytes += one.size() + 1;
    if (bytes + 4 * strings.size() > 0xffff'ffff) return false;
    text_.reserve(bytes);
    offsets_.reserve(strings.size());
    for (const std::string& one : strings) {
        if (one.find('\0') != std::string::npos) return false;
        offsets_.push_back(static_cast<u32>(text_.size()));
        text_.append(one.c_str(), one.size() + 1);
    }
    return true;
}

State::Made State::make(const Config& config) {
    std::unique_ptr<State> state{new State{config}};
    if (!state->args_.assign(config.args))
        return {nullptr, "the arguments are too many, or one holds a zero byte"};
    if (!state->env_.assign(config.env))
        return {nullptr, "the environment is too large, or a variable holds a zero byte"};
    if (config.preopens.size() + first_preopen > config.descriptors_max)
        return {nullptr, "more directories are granted than descriptors are allowed"};
    if (std::string error = state->grant_descriptors(state->descriptors_); !error.empty())
        return {nullptr, std::move(error)};
    return {std::move(state), {}};
}

u64 State::monotonic_ns() const noexcept {
    return now(CLOCK_MONOTONIC) + monotonic_offset_ns();
}

std::string State::grant_descriptors(DescriptorTable& table) const {
    for (u32 number = 0; number < config_.stdio.size(); ++number)
        place_stream(table, number, config_.stdio[number]);
    u32 number = first_preopen;
    for (const Preopen& preopen : config_.preopens) {
        if (std::string error = grant(table, number++, preopen); !error.empty()) return error;
    }
    return {};
}

Answer<const GenerationId*> State::generation_id() noexcept {
    if (!generation_id_) {
        GenerationId id;
        // So few bytes come at once.
        const ssize_t got = uninterrupted([&] { return ::getrandom(id.data(), id.size(), 0); });
        if (got < 0) return last_errno();
        generation_id_ = id;
    }
    return &*generation_id_;
}

std::optional<u32> State::find_changed_descriptor(std::string& why) const {
    DescriptorTable granted{config_.descriptors_max};
    why = grant_descriptors(granted);
    if (!why.empty()) return std::nullopt;
    return descriptors_.find_difference(granted);
}

std::string State::reset() {
    generation_id_.reset();
    refused_.reset();
    if (!is_used_) return {};
    descriptors_ = DescriptorTable{config_.descriptors_max};
    is_used_ = false;
    return grant_descriptors(descriptors_);
}

}  // namespace wrun::wasi
