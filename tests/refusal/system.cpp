// See system.hpp.
#include "tests/refusal/system.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>

namespace wrun::test {
namespace {

std::string_view chosen;
int chosen_error = 0;
std::atomic<int> calls_left = -1;  // until the one that is refused; below 0 none is
std::atomic<bool> has_refused = false;

/// Whether this call is the one; errno is set then.
bool refuses(std::string_view function) {
    if (function != chosen || calls_left.load() < 0) return false;
    if (calls_left.fetch_sub(1) != 0) return false;
    has_refused = true;
    errno = chosen_error;
    return true;
}

}  // namespace

const std::vector<Refusal>& refusals() {
    static const std::vector<Refusal> all = {
        {"mmap", ENOMEM},
        {"mmap", EAGAIN},
        {"mmap", EPERM},
        {"mmap", ENODEV},
        {"munmap", ENOMEM},
        {"mprotect", ENOMEM},
        {"mprotect", EACCES},
        {"madvise", ENOMEM},
        {"madvise", EAGAIN},
        {"madvise", EINVAL},
        {"madvise", EIO},
        {"ioctl", ENOTTY},
        {"ioctl", EINTR},
        {"ioctl", EFAULT},
        {"ioctl", ENOMEM},
        {"ioctl", EPERM},
        {"syscall", EMFILE},  // memfd_create
        {"syscall", ENFILE},
        {"syscall", ENOMEM},
        {"syscall", ENOSYS},
        {"syscall", EPERM},
        {"open", EMFILE},
        {"open", ENOENT},
        {"open", EACCES},
        {"pread", EIO},
        {"pread", EINTR},
        {"pwrite", ENOSPC},
        {"pwrite", EINTR},
        {"pwrite", EIO},
        {"ftruncate", EFBIG},
        {"ftruncate", ENOSPC},
        {"fcntl", EINVAL},
        {"fcntl", EBUSY},
        {"getrusage", EINVAL},
        {"pthread_create", EAGAIN},
    };
    return all;
}

void refuse(const Refusal& what, int n) {
    chosen = what.function;
    chosen_error = what.error;
    has_refused = false;
    calls_left = n;
}

bool stop_refusing() {
    calls_left = -1;
    chosen = {};
    return has_refused;
}

}  // namespace wrun::test

// The linker knows the C library's functions by these names.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

void* __real_mmap(void* begin, size_t bytes, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* begin, size_t bytes, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* begin, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (wrun::test::refuses("mmap")) return MAP_FAILED;
    return __real_mmap(begin, bytes, protection, flags, file, offset);
}

#define WRUN_REFUSING(name, parameters, arguments) \
    int __real_##name parameters;                  \
    int __wrap_##name parameters;                  \
    int __wrap_##name parameters {                 \
        if (wrun::test::refuses(#name)) return -1; \
        return __real_##name arguments;            \
    }
WRUN_REFUSING(munmap, (void* begin, size_t bytes), (begin, bytes))
WRUN_REFUSING(mprotect, (void* begin, size_t bytes, int protection), (begin, bytes, protection))
WRUN_REFUSING(madvise, (void* begin, size_t bytes, int advice), (begin, bytes, advice))
WRUN_REFUSING(ioctl, (int file, unsigned long request, void* argument), (file, request, argument))
WRUN_REFUSING(open, (const char* path, int flags, int mode), (path, flags, mode))
WRUN_REFUSING(ftruncate, (int file, off_t bytes), (file, bytes))
WRUN_REFUSING(fcntl, (int file, int command, long argument), (file, command, argument))
WRUN_REFUSING(getrusage, (int who, rusage* usage), (who, usage))
#undef WRUN_REFUSING

ssize_t __real_pread(int file, void* to, size_t bytes, off_t offset);
ssize_t __wrap_pread(int file, void* to, size_t bytes, off_t offset);
ssize_t __wrap_pread(int file, void* to, size_t bytes, off_t offset) {
    if (wrun::test::refuses("pread")) return -1;
    return __real_pread(file, to, bytes, offset);
}

ssize_t __real_pwrite(int file, const void* from, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int file, const void* from, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int file, const void* from, size_t bytes, off_t offset) {
    if (wrun::test::refuses("pwrite")) return -1;
    return __real_pwrite(file, from, bytes, offset);
}

int __real_pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument);
int __wrap_pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument);
int __wrap_pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
    if (wrun::test::refuses("pthread_create")) return EAGAIN;
    return __real_pthread_create(thread, attributes, body, argument);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    if (wrun::test::refuses("syscall")) return -1;
    va_list rest;
    va_start(rest, number);
    const long a = va_arg(rest, long);
    const long b = va_arg(rest, long);
    const long c = va_arg(rest, long);
    va_end(rest);
    return __real_syscall(number, a, b, c);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
