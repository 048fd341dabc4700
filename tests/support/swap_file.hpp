// A swap file for the time of a test, where the process may switch one on and the file system can
// hold one. Owns the file; off and gone at the end.
#pragma once

#include <cstdint>
#include <string>

namespace wrun::test {

class SwapFile {
public:
    SwapFile();
    ~SwapFile();
    SwapFile(const SwapFile&) = delete;
    SwapFile& operator=(const SwapFile&) = delete;

    [[nodiscard]] bool is_on() const noexcept { return why_.empty(); }
    /// Why it is not.
    [[nodiscard]] const std::string& why() const noexcept { return why_; }

private:
    std::string path_;
    std::string why_;
};

/// Pages of a range of this process that are swapped out.
[[nodiscard]] std::uint64_t swapped_pages(const void* begin, std::uint64_t bytes);

}  // namespace wrun::test
