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

void place_stream(DescriptorTable& table, u32 number, Stream& host, u16 flags) {
    Descriptor stream;
    stream.stream = &host;
    stream.flags = flags;
    const Rights direction = number == 0 ? rights::fd_read : rights::fd_write;
    stream.rights_base = rights::of_stream & (direction | rights_of_any_stream);
    table.place(number, std::move(stream));
}

/// Standard input is there to be read and the others to be written, whatever a terminal would
/// allow.
void place_stream(DescriptorTable& table, u32 number, int host, u16 flags) {
    struct stat status {};
    const int host_flags = host >= 0 ? ::fcntl(host, F_GETFL) : -1;
    if (host_flags < 0 || ::fstat(host, &status) != 0) return;

    Descriptor stream;
    stream.borrowed = host;
    stream.type = filetype_of(status, host);
    const u16 hosts = (host_flags & O_APPEND) != 0 ? fdflags::append : u16{0};
    stream.flags = flags | hosts;
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

/// Eight at a time.
[[nodiscard]] std::size_t count_zeros(std::string_view text) noexcept {
    constexpr u64 low_bits = 0x7f7f'7f7f'7f7f'7f7f;
    std::size_t count = 0;
    while (text.size() >= 8) {
        u64 bytes = 0;
        std::memcpy(&bytes, text.data(), sizeof bytes);
        // Of each byte the highest bit, if it is zero; then the sum of those.
        const u64 zeros = ~(((bytes & low_bits) + low_bits) | bytes | low_bits);
        count += ((zeros >> 7) * 0x0101'0101'0101'0101) >> 56;
        text.remove_prefix(8);
    }
    return count + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\0'));
}

}  // namespace

void StringList::add(std::initializer_list<std::string_view> parts) {
    offsets_.push_back(static_cast<u32>(text_.size()));
    for (const std::string_view part : parts)
        text_.append(part);
    text_.push_back('\0');
}

void StringList::add_each(std::span<const std::string> strings) {
    std::size_t bytes = text_.size();
    for (const std::string& one : strings)
        bytes += one.size() + 1;
    reserve(offsets_.size() + strings.size(), bytes);
    for (const std::string& one : strings)
        add({one});
}

void StringList::add_all(const StringList& other) {
    const auto begin = static_cast<u32>(text_.size());
    for (const u32 offset : other.offsets_)
        offsets_.push_back(begin + offset);
    text_ += other.text_;
}

bool StringList::is_sound() const noexcept {
    return count_zeros(text_) == offsets_.size() &&
           text_.size() + 4 * offsets_.size() <= 0xffff'ffff;
}

State::Made State::make(const Config& config) {
    StringList args{config.args};
    if (!args.is_sound()) return {nullptr, "the arguments are too many, or one holds a zero byte"};
    StringList env{config.env};
    if (!env.is_sound())
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
        const u16 flags = grants_.stdio_flags[number];
        if (Stream* const stream = grants_.streams[number]) {
            place_stream(table, number, *stream, flags);
        } else {
            place_stream(table, number, grants_.stdio[number], flags);
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

std::array<u16, 3> State::keep_stdio_flags() noexcept {
    for (u32 number = 0; number < grants_.stdio_flags.size(); ++number) {
        Answer<Descriptor*> found = descriptors_.get(number);
        const u16 flags = found.ok() ? std::move(found).take()->flags : u16{0};
        grants_.stdio_flags[number] = flags & fdflags::nonblock;  // no other one is the guest's
    }
    return grants_.stdio_flags;
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
