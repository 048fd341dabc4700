// What no engine can beat, and what most do: the handler's writes in plain C++, then a copy of
// exactly the pages that it wrote, with or without asking for the page faults of the thread before,
// or MADV_DONTNEED of the whole private mapping.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "bench/cold/clock.hpp"
#include "bench/cold/subject.hpp"

namespace wrun::cold {
namespace {

enum class Way { copy, gate, drop };

/// The image in a memory object, and a private mapping of it.
class NativeWorker final : public Worker {
public:
    NativeWorker(const Handler& handler, Way way)
        : bytes_{handler.memory_bytes}, layout_{handler.layout}, way_{way} {
        const std::vector<u8> content = pristine(bytes_);
        file_ = memfd_create("image", MFD_CLOEXEC);
        if (file_ < 0 || write(file_, content.data(), bytes_) != static_cast<ssize_t>(bytes_))
            give_up("native", "no memory object");
        image_ = map(PROT_READ, MAP_SHARED | MAP_POPULATE);
        memory_ = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
        std::vector<u8> scratch = content;
        handle_natively(scratch.data(), bytes_, layout_, handler.pages_written);
        for (u64 at = 0; at < bytes_; at += page_bytes)
            if (std::memcmp(scratch.data() + at, content.data() + at, page_bytes) != 0)
                written_.push_back(at);
    }
    NativeWorker(const NativeWorker&) = delete;
    NativeWorker& operator=(const NativeWorker&) = delete;
    ~NativeWorker() override {
        munmap(memory_, bytes_);
        munmap(image_, bytes_);
        close(file_);
    }

    void start(std::size_t) override {}
    u32 call(u32 argument) override { return handle_natively(memory_, bytes_, layout_, argument); }
    void finish() override {
        if (way_ == Way::drop) {
            if (madvise(memory_, bytes_, MADV_DONTNEED) != 0) give_up("native", "madvise");
            return;
        }
        if (way_ == Way::gate) faults_ = faults_of_thread();
        for (const u64 at : written_)
            std::memcpy(memory_ + at, image_ + at, page_bytes);
    }
    std::span<const u8> memory() override { return {memory_, bytes_}; }
    void keep() override { give_up("native", "keeps nothing"); }

private:
    u8* map(int protection, int flags) const {
        void* const at = mmap(nullptr, bytes_, protection, flags, file_, 0);
        if (at == MAP_FAILED) give_up("native", "no mapping");
        return static_cast<u8*>(at);
    }

    u64 bytes_;
    Layout layout_;
    Way way_;
    int file_ = -1;
    u8* image_ = nullptr;
    u8* memory_ = nullptr;
    std::vector<u64> written_;
    u64 faults_ = 0;
};

class NativeSubject final : public Subject {
public:
    NativeSubject(const Handler& handler, Way way) : handler_{handler}, way_{way} {}
    std::unique_ptr<Worker> worker() override {
        return std::make_unique<NativeWorker>(handler_, way_);
    }

private:
    const Handler& handler_;
    Way way_;
};

template <Way way>
std::unique_ptr<Subject> make(const Setup& setup) {
    return std::make_unique<NativeSubject>(*setup.handler, way);
}

std::string never_missing() {
    return {};
}

constexpr SubjectKind kinds[] = {
    {"native-copy", "C++, copy",
        "the handler's reads and writes in C++ and then memcpy of exactly the pages it wrote: the "
        "floor",
        true, make<Way::copy>, never_missing},
    {"native-gate", "C++, getrusage + copy",
        "the same with one `getrusage` before, which is how wrun knows that no other pages were "
        "written",
        true, make<Way::gate>, never_missing},
    {"native-drop", "C++, madvise",
        "the same, then MADV_DONTNEED of the private mapping: the shape of most pools", true,
        make<Way::drop>, never_missing},
};

}  // namespace

std::span<const SubjectKind> native_kinds() {
    return kinds;
}

}  // namespace wrun::cold
