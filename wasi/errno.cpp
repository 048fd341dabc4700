// Errno ↔ the host's numbers and words, out of the table.
#include "wasi/errno.hpp"

namespace wrun::wasi {

Errno errno_of_host(int host) noexcept {
    struct Row {
        int host;
        Errno guest;
    };
    static constexpr Row rows[] = {
#define WRUN_ERRNO(name, text, number, host) {host, Errno::name},
#include "wasi/errno.def"
#undef WRUN_ERRNO
    };
    for (const Row& row : rows)
        if (row.host == host && host != 0) return row.guest;
    return Errno::io;
}

std::string_view name(Errno error) noexcept {
    switch (error) {
#define WRUN_ERRNO(name, text, number, host) \
    case Errno::name: return text;
#include "wasi/errno.def"
#undef WRUN_ERRNO
    }
    return "unknown";
}

}  // namespace wrun::wasi
