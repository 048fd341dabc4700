// See state.hpp.
#include "wasi/state.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <utility>

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

void place_stream(DescriptorTable& table, u32 number, Stream& host) {
    Descriptor stream;
    stream.stream = &host;
    const Rights direction = number == 0 ? rights::fd_read : rights::fd_write;
    stream.rights_base = rights::of_stream & (direction | rights_of_any_stream);
    table.place(number, std::move(stream));
}

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

/// A granted directory: opened for this state, or borrowed from Directories.
void place_directory(DescriptorTable& table, u32 number, os::File owned, int borrowed,
    const std::string& guest_path, bool read_only) {
    Descriptor descriptor;
    descriptor.owned = std::move(owned);
    descriptor.borrowed = borrowed;
    descriptor.type = Filetype::directory;
    descriptor.read_only = read_only;
    descriptor.rights_base = rights::of_directory;
    descriptor.rights_inheriting = rights::all;
    descriptor.preopen = std::make_unique<const std::string>(guest_path);
    table.place(number, std::move(descriptor));
}

}  // namespace

bool StringList::add(std::initializer_list<std::string_view> parts) {
    const std::size_t begin = text_.size();
    for (const std::string_view part : parts)
        text_.append(part);
    const std::size_t bytes = text_.size() - begin;
    const bool fits = text_.size() + 1 + 4 * (offsets_.size() + 1) <= 0xffff'ffff;
    if (!fits || std::memchr(text_.data() + begin, 0, bytes) != nullptr) {
        text_.resize(begin);
        return false;
    }
    text_.push_back('\0');
    offsets_.push_back(static_cast<u32>(begin));
    return true;
}

bool StringList::assign(const std::vector<std::string>& strings) {
    u64 bytes = 0;
    for (const std::string& one : strings)
        bytes += one.size() + 1;
    reserve(strings.size(), bytes);
    return std::all_of(
        strings.begin(), strings.end(), [this](const std::string& one) { return add({one}); });
}

State::Made State::make(const Config& config) {
    StringList args;
    if (!args.assign(config.args))
        return {nullptr, "the arguments are too many, or one holds a zero byte"};
    StringList env;
    if (!env.assign(config.env))
        return {nullptr, "the environment is too large, or a variable holds a zero byte"};
    return make(config, std::move(args), std::move(env));
}

State::Made State::make(const Grants& grants, StringList args, StringList env) {
    const std::size_t shared =
        grants.directories != nullptr ? grants.directories->rows().size() : 0;
    if (shared + grants.preopens.size() + first_preopen > grants.descriptors_max)
        return {nullptr, "more directories are granted than descriptors are allowed"};
    std::unique_ptr<State> state{new State{grants, std::move(args), std::move(env)}};
    if (std::string error = state->grant_descriptors(state->descriptors_); !error.empty())
        return {nullptr, std::move(error)};
    return {std::move(state), {}};
}

u64 State::monotonic_ns() const noexcept {
    return now(CLOCK_MONOTONIC) + monotonic_offset_ns();
}

std::string State::grant_descriptors(DescriptorTable& table) const {
    const std::size_t shared =
        grants_.directories != nullptr ? grants_.directories->rows().size() : 0;
    table.reserve(first_preopen + static_cast<u32>(shared + grants_.preopens.size()));
    for (u32 number = 0; number < grants_.stdio.size(); ++number) {
        if (Stream* const stream = grants_.streams[number]) {
            place_stream(table, number, *stream);
        } else {
            place_stream(table, number, grants_.stdio[number]);
        }
    }
    u32 number = first_preopen;
    if (grants_.directories != nullptr) {
        for (const Directories::Row& row : grants_.directories->rows())
            place_directory(
                table, number++, {}, row.directory.number(), row.guest_path, row.read_only);
    }
    for (const Preopen& preopen : grants_.preopens) {
        std::string error;
        os::File directory = open_preopen(preopen, error);
        if (!error.empty()) return error;
        place_directory(
            table, number++, std::move(directory), -1, preopen.guest_path, preopen.read_only);
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
    DescriptorTable granted{grants_.descriptors_max};
    why = grant_descriptors(granted);
    if (!why.empty()) return std::nullopt;
    return descriptors_.find_difference(granted);
}

std::string State::reset() {
    generation_id_.reset();
    refused_.reset();
    if (!is_used_) return {};
    descriptors_ = DescriptorTable{grants_.descriptors_max};
    is_used_ = false;
    return grant_descriptors(descriptors_);
}

}  // namespace wrun::wasi
