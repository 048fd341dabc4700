// Directories of the host that guests find open, opened once: for one state that owns them, or for
// any number of states that borrow them, on any threads, so that a request costs no system call for
// them. What a guest can change of an open file itself (its position when it is listed, its flags)
// it gets one of its own for, when it first does so (areas/fd_readdir.cpp); rights, flags, name and
// number are the state's.
#pragma once

#include <string>
#include <vector>

#include "base/os_file.hpp"

namespace wrun::wasi {

/// A directory the guest finds open from the start (descriptors 3, 4, …).
struct Preopen {
    std::string host_path;
    std::string guest_path;
    bool read_only = false;
    /// An open directory instead of `host_path`. Borrowed: it is duplicated.
    int host_directory = -1;
};

/// Or nothing, and what is wrong and what to do about it, for a person.
[[nodiscard]] os::File open_preopen(const Preopen& preopen, std::string& error);

class Directories {
public:
    struct Row {
        os::File directory;
        std::string guest_path;
        bool read_only = false;
    };

    /// False, and what is wrong in `error`, when one cannot be granted.
    [[nodiscard]] bool open(const std::vector<Preopen>& preopens, std::string& error);
    [[nodiscard]] const std::vector<Row>& rows() const noexcept { return rows_; }

private:
    std::vector<Row> rows_;
};

}  // namespace wrun::wasi
