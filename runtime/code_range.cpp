// The reserved range of code addresses: its pages, its mappings, its images.
#include "runtime/code_range.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <mutex>

#include "runtime/address.hpp"
#include "runtime/memory_object.hpp"

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

/// Back to what a reserved page is: no access, no memory; then they are free. Pages that the system
/// leaves as they are stay taken: nothing may come to lie where old code is.
void retire(u64 begin, u64 bytes) noexcept {
    void* const result = mmap(pointer_at<void>(begin), bytes, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (result != MAP_FAILED) give_back(begin, bytes);
}

[[nodiscard]] bool map_file(
    u64 begin, u64 bytes, int protection, int file, u64 offset, int sharing = MAP_SHARED) noexcept {
    return bytes == 0 || mmap(pointer_at<void>(begin), bytes, protection, sharing | MAP_FIXED, file,
                             static_cast<off_t>(offset)) != MAP_FAILED;
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
    retire(begin, size_);
}

Result<CodeRegion> CodeRegion::map(int file, u64 offset, std::span<const u8> bytes) {
    const u64 size = os::round_up_to_page(bytes.size());
    if (size == 0) return CodeRegion{};
    const u64 begin = take(size);
    if (begin == 0) return Error{ErrorCode::code_too_large};
    if (map_file(begin, size, PROT_READ | PROT_EXEC, file, offset, MAP_PRIVATE)) {
        return CodeRegion{pointer_at<const u8>(begin), size};
    }
    // A file system may be mounted so that nothing in it is executed.
    retire(begin, size);
    CodeWriter writer = WRUN_TRY(CodeWriter::make(size));
    WRUN_TRY(writer.write(0, bytes));
    return std::move(writer).publish(size);
}

Result<CodeRegion> CodeRegion::share(int file, u64 bytes) {
    const u64 begin = take(bytes);
    if (begin == 0) return Error{ErrorCode::code_too_large};
    if (map_file(begin, bytes, PROT_READ | PROT_EXEC, file, 0)) {
        return CodeRegion{pointer_at<const u8>(begin), bytes};
    }
    const Error error = system_error(ErrorCode::out_of_memory);
    retire(begin, bytes);
    return error;
}

bool CodeRegion::share_instead(int file) noexcept {
    return map_file(reinterpret_cast<u64>(data_), size_, PROT_READ | PROT_EXEC, file, 0);
}

void CodeRegion::shrink(u64 bytes) noexcept {
    WRUN_CHECK(bytes <= size_ && bytes % os::page_bytes == 0);
    if (bytes == size_) return;
    retire(reinterpret_cast<u64>(data_) + bytes, size_ - bytes);
    size_ = bytes;
}

// ---- CodeWriter --------------------------------------------------------------------------------

CodeWriter::CodeWriter(CodeWriter&& other) noexcept
    : size_{std::exchange(other.size_, 0)},
      file_{std::exchange(other.file_, -1)},
      plain_{std::move(other.plain_)} {}

CodeWriter& CodeWriter::operator=(CodeWriter&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(file_, other.file_);
    std::swap(plain_, other.plain_);
    return *this;
}

CodeWriter::~CodeWriter() {
    if (file_ >= 0) close(file_);
}

Result<CodeWriter> CodeWriter::make(u64 bytes) {
    CodeWriter writer;
    writer.size_ = os::round_up_to_page(bytes);
    // A system that refuses memory objects still runs us, by a copy.
    writer.file_ = make_memory_object("wrun-code", writer.size_);
    if (writer.file_ < 0) writer.plain_ = WRUN_TRY(os::MappedRegion::allocate(writer.size_));
    return writer;
}

Result<void> CodeWriter::write(u64 offset, std::span<const u8> bytes) const noexcept {
    WRUN_CHECK(offset <= size_ && bytes.size() <= size_ - offset);
    if (file_ < 0) {
        std::copy(bytes.begin(), bytes.end(), plain_.data() + offset);
        return {};
    }
    return write_memory_object(file_, offset, bytes);
}

/// What cannot be mapped for execution is copied into memory that is then sealed.
bool CodeWriter::copy_to(u64 begin, u64 code_bytes) const noexcept {
    u8* const target = pointer_at<u8>(begin);
    if (mmap(target, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
            0) == MAP_FAILED) {
        return false;
    }
    if (file_ < 0) {
        std::copy_n(plain_.data(), size_, target);
    } else {
        for (u64 done = 0; done < size_;) {
            const ssize_t got = pread(file_, target + done, size_ - done, static_cast<off_t>(done));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;
            done += static_cast<u64>(got);
        }
    }
    return mprotect(target, code_bytes, PROT_READ | PROT_EXEC) == 0 &&
           mprotect(target + code_bytes, size_ - code_bytes, PROT_READ) == 0;
}

Result<CodeRegion> CodeWriter::publish(u64 code_bytes) && {
    WRUN_CHECK(code_bytes <= size_);
    WRUN_CHECK(code_bytes % os::page_bytes == 0);
    const u64 begin = take(size_);
    if (begin == 0) return Error{ErrorCode::code_too_large};
    // Some systems let memory objects be made but not be run.
    const bool published =
        (file_ >= 0 && map_file(begin, code_bytes, PROT_READ | PROT_EXEC, file_, 0) &&
            map_file(begin + code_bytes, size_ - code_bytes, PROT_READ, file_, code_bytes)) ||
        copy_to(begin, code_bytes);
    if (!published) {
        const Error error = system_error(ErrorCode::out_of_memory);
        retire(begin, size_);
        return error;
    }
    return CodeRegion{pointer_at<const u8>(begin), size_};
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
