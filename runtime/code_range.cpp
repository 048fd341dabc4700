// The reserved range of code addresses: its pages, its mappings, its images.
#include "runtime/code_range.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime/address.hpp"

namespace wrun::runtime {

constinit CodeRangeBounds code_range{};

namespace {

/// What the lock protects. Made with the range and never destroyed: images may be released as late
/// as a process ends.
struct Pages {
    std::map<u64, u64> free;                // begin → bytes, no two adjacent
    std::map<u64, RegisteredImage> images;  // by begin of their code
};

constinit std::mutex lock;
constinit Pages* pages = nullptr;

[[nodiscard]] Error system_error(ErrorCode code) noexcept {
    return {code, static_cast<u16>(errno)};
}

/// 0 when no gap is large enough.
[[nodiscard]] u64 take(u64 bytes) {
    const std::lock_guard guard{lock};
    if (pages == nullptr) return 0;
    for (auto gap = pages->free.begin(); gap != pages->free.end(); ++gap) {
        const auto [begin, size] = *gap;
        if (size < bytes) continue;
        pages->free.erase(gap);
        if (size > bytes) pages->free.emplace(begin + bytes, size - bytes);
        return begin;
    }
    return 0;
}

/// Joins the range with the free ones beside it.
void give_back(u64 begin, u64 bytes) {
    const std::lock_guard guard{lock};
    auto next = pages->free.upper_bound(begin);
    if (next != pages->free.end() && begin + bytes == next->first) {
        bytes += next->second;
        next = pages->free.erase(next);
    }
    if (next != pages->free.begin()) {
        const auto previous = std::prev(next);
        if (previous->first + previous->second == begin) {
            previous->second += bytes;
            return;
        }
    }
    pages->free.emplace(begin, bytes);
}

/// Back to what a reserved page is: no access, no memory.
void clear_pages(u64 begin, u64 bytes) noexcept {
    void* const result = mmap(pointer_at<void>(begin), bytes, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    WRUN_CHECK(result != MAP_FAILED);
}

/// The pages are had now where the system can: a write that finds none later would be a SIGBUS.
[[nodiscard]] bool extend(int file, u64 size) noexcept {
    const auto length = static_cast<off_t>(size);
    if (size == 0 || fallocate(file, 0, 0, length) == 0) return true;
    return (errno == EOPNOTSUPP || errno == ENOSYS) && ftruncate(file, length) == 0;
}

[[nodiscard]] bool map_file(u64 begin, u64 bytes, int protection, int file, u64 offset) noexcept {
    return bytes == 0 || mmap(pointer_at<void>(begin), bytes, protection, MAP_SHARED | MAP_FIXED,
                             file, static_cast<off_t>(offset)) != MAP_FAILED;
}

[[nodiscard]] bool copy_plain(u64 begin, const u8* from, u64 code_bytes, u64 bytes) noexcept {
    void* const target = mmap(pointer_at<void>(begin), bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (target == MAP_FAILED) return false;
    std::memcpy(target, from, bytes);
    return mprotect(target, code_bytes, PROT_READ | PROT_EXEC) == 0 &&
           mprotect(pointer_at<void>(begin + code_bytes), bytes - code_bytes, PROT_READ) == 0;
}

}  // namespace

Result<void> reserve_code_range() {
    constexpr std::array<u64, 6> sizes_mib = {2048, 1024, 512, 256, 128, 64};
    const std::lock_guard guard{lock};
    if (pages != nullptr) return {};
    for (const u64 mib : sizes_mib) {
        const u64 bytes = mib << 20;
        void* const range =
            mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) continue;
        const u64 begin = reinterpret_cast<u64>(range);
        pages = new Pages;
        pages->free.emplace(begin, bytes);
        code_range.begin.store(begin);
        code_range.end.store(begin + bytes);
        return {};
    }
    return system_error(ErrorCode::address_space);
}

// ---- CodeRegion --------------------------------------------------------------------------------

CodeRegion::CodeRegion(CodeRegion&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

CodeRegion& CodeRegion::operator=(CodeRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

CodeRegion::~CodeRegion() {
    if (data_ == nullptr) return;
    const u64 begin = reinterpret_cast<u64>(data_);
    clear_pages(begin, size_);
    give_back(begin, size_);
}

// ---- CodeWriter --------------------------------------------------------------------------------

CodeWriter::CodeWriter(CodeWriter&& other) noexcept
    : alias_{std::move(other.alias_)}, file_{std::exchange(other.file_, -1)} {}

CodeWriter& CodeWriter::operator=(CodeWriter&& other) noexcept {
    std::swap(alias_, other.alias_);
    std::swap(file_, other.file_);
    return *this;
}

CodeWriter::~CodeWriter() {
    if (file_ >= 0) close(file_);
}

Result<CodeWriter> CodeWriter::make(u64 bytes) {
    const u64 size = os::round_up_to_page(bytes);
    CodeWriter writer;
    // By number: newer wrappers are not in every header. A system that refuses memory objects still
    // runs us, by a copy.
    writer.file_ = static_cast<int>(syscall(SYS_memfd_create, "wrun-code", MFD_CLOEXEC));
    if (writer.file_ >= 0) {
        if (!extend(writer.file_, size)) return system_error(ErrorCode::out_of_memory);
        writer.alias_ = WRUN_TRY(os::MappedRegion::map_shared(writer.file_, size));
    } else {
        writer.alias_ = WRUN_TRY(os::MappedRegion::allocate(size));
    }
    return writer;
}

Result<CodeRegion> CodeWriter::publish(u64 code_bytes) && {
    const u64 size = alias_.size();
    WRUN_CHECK(code_bytes <= size);
    WRUN_CHECK(code_bytes % os::page_bytes == 0);
    const u64 begin = take(size);
    if (begin == 0) return Error{ErrorCode::code_too_large};
    // Some systems let memory objects be made but not be run.
    const bool published =
        (file_ >= 0 && map_file(begin, code_bytes, PROT_READ | PROT_EXEC, file_, 0) &&
            map_file(begin + code_bytes, size - code_bytes, PROT_READ, file_, code_bytes)) ||
        copy_plain(begin, alias_.data(), code_bytes, size);
    if (!published) {
        const Error error = system_error(ErrorCode::out_of_memory);
        clear_pages(begin, size);
        give_back(begin, size);
        return error;
    }
    alias_ = {};
    return CodeRegion{pointer_at<const u8>(begin), size};
}

// ---- the registry ------------------------------------------------------------------------------

void register_image(const CodeImage& image, const void* owner) {
    const std::lock_guard guard{lock};
    pages->images.emplace(reinterpret_cast<u64>(image.code), RegisteredImage{&image, owner});
}

void forget_image(const CodeImage& image) noexcept {
    const std::lock_guard guard{lock};
    pages->images.erase(reinterpret_cast<u64>(image.code));
}

RegisteredImage find_image(u64 wanted) noexcept {
    const std::lock_guard guard{lock};
    if (pages == nullptr) return {};
    const auto after = pages->images.upper_bound(wanted);
    if (after == pages->images.begin()) return {};
    const auto& [begin, found] = *std::prev(after);
    return wanted - begin < found.image->code_bytes ? found : RegisteredImage{};
}

}  // namespace wrun::runtime
